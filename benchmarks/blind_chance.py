"""Can simulated benchmark questions be answered without the video? A text-only reader learns from other worlds.

python benchmarks/blind_chance.py                                   # four large worlds
python benchmarks/blind_chance.py --worlds 60 --takes 8 --capped    # sixty worlds of the demo's size

Worlds are planned, not rendered. For each task a logistic regression over hashed words of question and option, and over
pairs of them, learns from the questions of all worlds but some which options are right, and answers those of the worlds
left out (no take is in both). Prints one JSON line a task and facet: accuracy with its 95 % interval (bootstrap over
takes), chance as `groups.json` states it, and whether the interval holds chance.

Where there is no text to choose from there is nothing to learn: EgoMCQ has one text and five clips (asked in reverse it
is here), Charades-Ego and EPIC MIR rank videos, all of which a reader without video gives the same score.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from exo2ego.sim import bench_egoplan, bench_egotaskqa, bench_qaego4d, bench_questions, bench_vln
from exo2ego.sim.bench_export import egomcq
from exo2ego.sim.bench_files import bench_pairs
from exo2ego.sim.spec import MOST, SimSpec
from exo2ego.sim.world import plan_takes

FEATURES = 2**18


@dataclass(frozen=True, slots=True, kw_only=True)
class Blind:
    """A question without its video."""

    facet: str
    cluster: str
    """The take (or walk)."""
    question: str
    options: tuple[str, ...]
    answer: int
    chance: float


def world(seed: int, takes: int, most: int | None) -> dict[str, list[Blind]]:
    """Task -> questions of a world of test takes; `most` questions a task (None: the defaults of `SimSpec`)."""
    caps = {} if most is None else {name: most for name in MOST}
    spec = SimSpec(out=Path("unused"), takes=takes, seed=seed, split_fractions=(0.0, 0.0, 1.0), **caps)
    plans = plan_takes(spec)
    rng = np.random.default_rng([seed, 99])
    taskqa = bench_egotaskqa.questions(spec, plans)
    rows = bench_egotaskqa.rows(taskqa)
    return {
        "egoschema": [
            Blind(
                facet=one.facet,
                cluster=one.plan.take_uid,
                question=one.question,
                options=one.options,
                answer=one.answer,
                chance=bench_questions.chance(one.facet),
            )
            for one in bench_questions.choose(spec, plans)
        ],
        "egomcq reversed": [_mcq(row) for row in egomcq(spec, bench_pairs(plans)).values()],
        "qaego4d": [
            _shuffled(
                rng,
                one.candidate.facet,
                one.candidate.plan.take_uid,
                one.candidate.question,
                one.candidate.answer,
                one.wrong,
            )
            for one in bench_qaego4d.questions(spec, plans)
        ],
        "egotaskqa": _open(taskqa),
        "egotaskqa indirect": _open(
            [one for one, row in zip(taskqa, rows, strict=True) if row["reference"] == "indirect"]
        ),
        "egoplan": [_plan(row) for row in bench_egoplan.rows(spec, plans)],
        "vln_qa": [
            Blind(
                facet="move",
                cluster=row["video"].split("/")[1].split("_")[0],
                question=row["question"],
                options=tuple(row["candidates"]),
                answer=row["candidates"].index(row["answer"]),
                chance=1 / len(row["candidates"]),
            )
            for row in bench_vln.rows(spec)
        ],
    }


def _mcq(row: dict) -> Blind:
    choices = [row["choices"][str(number)]["clip_text"] for number in range(5)]
    return Blind(
        facet=f"type {row['types']}",
        cluster=row["query"]["video_uid"],
        question="",
        options=tuple(choices),
        answer=row["answer"],
        chance=1 / 5,
    )


def _shuffled(
    rng: np.random.Generator, facet: str, cluster: str, question: str, answer: str, wrong: tuple[str, ...]
) -> Blind:
    options = [answer, *wrong]
    mixed = tuple(options[number] for number in rng.permutation(len(options)))
    return Blind(
        facet=facet,
        cluster=cluster,
        question=question,
        options=mixed,
        answer=mixed.index(answer),
        chance=1 / len(mixed),
    )


def _open(asked: list) -> list[Blind]:
    """Open and yes/no questions: every answer of the facet is an option."""
    answers: dict[str, tuple[str, ...]] = {}
    for facet in {one.candidate.facet for one in asked}:
        answers[facet] = tuple(sorted({one.candidate.answer for one in asked if one.candidate.facet == facet}))
    return [
        Blind(
            facet=one.candidate.facet,
            cluster=one.candidate.plan.take_uid,
            question=one.candidate.question,
            options=answers[one.candidate.facet],
            answer=answers[one.candidate.facet].index(one.candidate.answer),
            chance=one.chance,
        )
        for one in asked
    ]


def _plan(row: dict) -> Blind:
    choices = tuple(row[f"choice_{letter}"] for letter in "abcd")
    return Blind(
        facet="plan",
        cluster=row["video_id"],
        question=row["question"],
        options=choices,
        answer=choices.index(row["answer"]),
        chance=1 / 4,
    )


def features(one: Blind) -> Iterator[list[str]]:
    """Words of each option, its place and length among the others, and its words beside those of the question."""
    asked = one.question.lower().replace("?", "").replace(":", "").replace(",", "").split()
    asked += [f"{left} {right}" for left, right in pairwise(asked)]
    lengths = sorted(len(option) for option in one.options)
    for place, option in enumerate(one.options):
        words = [*option.lower().split(), f"={option}"]
        own = [f"place {place}", f"length {lengths.index(len(option))}", *words]
        named = [f"named {sum(word in asked for word in option.lower().split())}"]
        yield [*own, *named, *(f"{left}|{right}" for left in asked for right in words)]


def answer_blind(asked: list[Blind], fold: NDArray[np.int64]) -> list[float]:
    """1 for each question that a reader trained on the other folds' questions gets right; `fold` int64[questions]."""
    from sklearn.feature_extraction import FeatureHasher
    from sklearn.linear_model import LogisticRegression

    owner = np.repeat(np.arange(len(asked)), [len(one.options) for one in asked])
    right = np.concatenate([np.arange(len(one.options)) == one.answer for one in asked])
    hashed = FeatureHasher(FEATURES, input_type="string").transform(words for one in asked for words in features(one))
    marks = np.zeros(len(asked))
    for number in np.unique(fold):
        train, test = fold[owner] != number, fold[owner] == number
        model = LogisticRegression(C=0.1, max_iter=200, tol=1e-3).fit(hashed[train], right[train])
        scores, owners = model.decision_function(hashed[test]), owner[test]
        for question in np.unique(owners):
            marks[question] = np.argmax(scores[owners == question]) == asked[question].answer
    return [float(mark) for mark in marks]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Accuracy without the video, beside chance."""

    task: str
    facet: str
    n: int
    accuracy: float
    low: float
    high: float
    chance: float

    @property
    def at_chance(self) -> bool:
        """Whether the interval holds chance."""
        return self.low <= self.chance <= self.high


def figure(task: str, facet: str, asked: list[Blind], marks: list[float], level: float) -> Figure:
    """The mean of the marks, with a bootstrap interval over takes."""
    rng = np.random.default_rng(0)
    names, index = np.unique([one.cluster for one in asked], return_inverse=True)
    sums, counts = np.bincount(index, marks), np.bincount(index)
    draws = rng.integers(len(names), size=(2000, len(names)))
    low, high = np.percentile(sums[draws].sum(1) / counts[draws].sum(1), [50 * (1 - level), 50 * (1 + level)])
    # Questions that come in fours of equal words have no spread over takes: the binomial one is the least there is.
    mean = float(np.mean(marks))
    half = NormalDist().inv_cdf((1 + level) / 2) * float(np.sqrt(mean * (1 - mean) / len(marks)))
    return Figure(
        task=task,
        facet=facet,
        n=len(marks),
        accuracy=mean,
        low=min(float(low), mean - half),
        high=max(float(high), mean + half),
        chance=float(np.mean([one.chance for one in asked])),
    )


def measure(worlds: list[dict[str, list[Blind]]], folds: int = 5, level: float = 0.95) -> list[Figure]:
    """Every task and facet over all worlds, each answered by a reader of the worlds of other folds."""
    figures = []
    for task in worlds[0]:
        asked = [one for each in worlds for one in each[task]]
        fold = np.repeat(np.arange(len(worlds)) % folds, [len(each[task]) for each in worlds])
        marks = answer_blind(asked, fold)
        figures.append(figure(task, "all", asked, marks, level))
        facets = sorted({one.facet for one in asked})
        for facet in facets if len(facets) > 1 else ():
            chosen = [number for number, one in enumerate(asked) if one.facet == facet]
            figures.append(figure(task, facet, [asked[n] for n in chosen], [marks[n] for n in chosen], level))
    return figures


def main() -> None:
    """Plan the worlds, train and ask, print a JSON line for every figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=4)
    parser.add_argument("--takes", type=int, default=150, help="test takes of a world")
    parser.add_argument("--seed", type=int, default=1000, help="of the first world; the next ones follow")
    parser.add_argument("--capped", action="store_true", help="as many questions as `exo2ego sim` writes by default")
    options = parser.parse_args()
    most = None if options.capped else 1500
    worlds = [world(options.seed + number, options.takes, most) for number in range(options.worlds)]
    for one in measure(worlds):
        found = {"task": one.task, "facet": one.facet, "n": one.n, "accuracy": round(one.accuracy, 4)}
        span = {"low": round(one.low, 4), "high": round(one.high, 4), "chance": round(one.chance, 4)}
        print(json.dumps({**found, **span, "at_chance": one.at_chance}))


if __name__ == "__main__":
    main()
