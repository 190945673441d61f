"""EgoTaskQA, direct and indirect: causes, effects, intents in household tasks; a short answer out of a closed set.

"direct" is a random 3:1:1 split of all questions, not the questions with direct references; "indirect" tests
references that training has not seen. Figures are over all questions (micro), never the official mean of batches.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from exo2ego.bench.answers import normal_answer, parse_yes_no
from exo2ego.bench.items import Item, chance_of, pick, read_groups, right_answer
from exo2ego.bench.model import AnswerModel
from exo2ego.bench.prompts import YES_NO_RULE, short_answer, styled
from exo2ego.bench.tasks.base import Ask, Measure, Published, ScoreSettings, Task, as_prediction, best, subsets
from exo2ego.bench.tasks.egotaskqa_rows import ANSWER_SET, Row, read_answer_set, read_rows, recording_of
from exo2ego.bench.tasks.texts import Mark, judge_measures, mean_measures
from exo2ego.errors import FormatError, InputError
from exo2ego.records import Prediction, VideoSpan

ANSWER_TOKENS = 16


def load(split: str, root: Path, limit: int | None = None, seed: int = 0, full: bool = False) -> list[Item]:
    """The test questions of `split`; `limit` draws that many by lot. `full` changes nothing.

    Raises:
        MissingFileError, FormatError: a file is absent or breaks the format (file, row, field, value named).
    """
    rows, groups, answers = read_rows(root, split), read_groups(root), read_answer_set(root, split)
    if answers is not None and not {row.answer.lower() for row in rows} & set(answers):
        raise FormatError(f"{root}: {ANSWER_SET} has no answer of {split}/test_qas.json; use files of one release")
    return [
        _item(rows[index], answers, groups.get(rows[index].question_id, {}))
        for index in pick([row.question_id for row in rows], limit, seed)
    ]


def _item(row: Row, answers: tuple[str, ...] | None, labels: Mapping[str, str]) -> Item:
    options = () if answers is None else answers
    right = row.answer.lower()
    return Item(
        item_id=row.question_id,
        question=row.question,
        videos=(VideoSpan(path=f"qa_videos/{row.interval}.mp4"),),
        options=options,
        answer=options.index(right) if right in options else None,
        cluster=recording_of(row.interval),
        chance=chance_of(labels, len(options)) if options or "chance" in labels else None,
        groups={"kind": "binary" if row.binary else "open", **labels},
        meta={"answer": row.answer, "reasoning": list(row.reasoning), "stated_chance": "chance" in labels},
    )


def ask_exact(task: str, model: AnswerModel, item: Item, style: str) -> Prediction:
    """The question and the request for yes, no, or a few words."""
    question = short_answer(styled(item.question, task, style), YES_NO_RULE)
    return Prediction(item_id=item.item_id, text=model.generate(item.videos[0], question, max_new_tokens=ANSWER_TOKENS))


def ask_likelihood(task: str, mean: bool, model: AnswerModel, item: Item, style: str) -> Prediction:
    """log P(answer | video, question) of every answer of `answer_set.txt`, summed or as the mean per token.

    Raises:
        InputError: the release at hand has no `answer_set.txt`.
    """
    if not item.options:
        raise InputError(f"{task}: likelihood needs {ANSWER_SET} below --root; add it or choose --protocol exact")
    scores = model.option_logprobs(item.videos[0], styled(item.question, task, style), item.options)
    return as_prediction(item, [s.logprob / (max(s.tokens, 1) if mean else 1) for s in scores])


def mark_answer(item: Item, prediction: Prediction) -> Mark:
    """Right where the answer is the right one.

    Scores: the likeliest answer of the vocabulary; a right answer outside of it cannot be found. Text: for a question
    of yes or no, the word it begins with (neither: unparsed); for an open one, the whole text in its normal form
    (nothing left of it: unparsed).
    """
    if prediction.text is None:
        return Mark(value=float(best(prediction.scores, len(item.options), item.item_id) == item.answer))
    right = right_answer(item)
    said = parse_yes_no(prediction.text) if item.groups["kind"] == "binary" else normal_answer(prediction.text)
    return Mark(value=float(said == normal_answer(right)), unparsed=not said)


def parts(items: Sequence[Item]) -> Iterator[tuple[dict[str, str], list[Item]]]:
    """All; open and binary; each kind of reasoning (a question counts under every one it names); told and facet."""
    everything, *labelled = subsets(items)
    yield everything
    for kind in ("open", "binary"):
        yield {"kind": kind}, [item for item in items if item.groups["kind"] == kind]
    for reasoning in sorted({kind for item in items for kind in item.meta["reasoning"]}):
        yield {"reasoning": reasoning}, [item for item in items if reasoning in item.meta["reasoning"]]
    yield from labelled


def score(
    task: str, items: Sequence[Item], predictions: Mapping[str, Prediction], settings: ScoreSettings
) -> list[Measure]:
    """Accuracy and, where one was asked, each judge's figures; over all questions and every part of them."""
    closed = settings.protocol != "exact"

    def chance(item: Item) -> float | None:
        return item.chance if closed or item.meta["stated_chance"] else None

    own = mean_measures(
        f"{task} accuracy ({settings.protocol})",
        parts(items),
        predictions,
        settings,
        mark_answer,
        headline=True,
        chance=chance,
    )
    return own + judge_measures(task, lambda: parts(items), predictions, settings)


def _protocols(task: str) -> dict[str, Ask]:
    question, right = "What is the status of the fork after the person washed it?", "on top of plate"

    def scored(style: str) -> str:
        return f"{styled(question, task, style)}\n-> {right}"

    return {
        "exact": Ask(
            describe="the model writes yes, no or a few words; equal to the answer after normalisation",
            ask=partial(ask_exact, task),
            example=lambda style: short_answer(styled(question, task, style), YES_NO_RULE),
            needs=frozenset({"text"}),
            judged=True,
        ),
        "likelihood": Ask(
            describe="argmax of the summed log P(answer | video, question) over answer_set.txt",
            ask=partial(ask_likelihood, task, False),
            example=scored,
        ),
        "likelihood_mean": Ask(
            describe="argmax of the mean log P per token over answer_set.txt",
            ask=partial(ask_likelihood, task, True),
            example=scored,
        ),
    }


def _task(split: str, title: str, sizes: tuple[int, int], published: tuple[tuple[float, str, str], ...]) -> Task:
    name = f"egotaskqa_{split}"
    return Task(
        name=name,
        title=title,
        load=partial(load, split),
        protocols=_protocols(name),
        default_protocol="exact",
        score=partial(score, name),
        official_sizes=sizes,
        folder="egotaskqa",
        published=tuple(
            Published(measure=f"{name} accuracy", value=value, who=who, caution=caution)
            for value, who, caution in published
        ),
    )


_SPLIT = "split and training on EgoTaskQA not stated"
_UNSAID = "zero-shot; how answers were compared is not stated"
_TUNED = "fine-tuned on EgoTaskQA, a classifier over the answers"

DIRECT = _task(
    "direct",
    "EgoTaskQA direct",
    (7_000, 9_500),
    (
        (0.447, "Exo2Ego (paper)", _UNSAID),
        (0.4869, "EgoVideoQA", _TUNED),
        (0.525, "DMC3", _TUNED),
        (0.644, "EgoThinker", _SPLIT),
        (0.775, "Tarsier2-7B", f"exact match; {_SPLIT}"),
    ),
)
INDIRECT = _task(
    "indirect",
    "EgoTaskQA indirect",
    (6_000, 11_000),
    (
        (0.503, "Exo2Ego (paper)", _UNSAID),
        (0.440, "VideoLLaMA2-7B", "re-run by OpenMMEgo"),
        (0.4540, "EgoVideoQA", _TUNED),
        (0.460, "DMC3", _TUNED),
        (0.562, "OpenMMEgo", _UNSAID),
    ),
)
