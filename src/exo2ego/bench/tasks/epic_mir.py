"""EPIC-KITCHENS-100 multi-instance retrieval: every clip against every sentence, both directions, mAP and nDCG.

The first item is the text prior: all sentences, no video. A language model finds short or frequent sentences likely
whatever it sees, so video to text ranks by log P(sentence | clip) - alpha log P(sentence); text to video needs no such
correction.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from exo2ego.bench.items import Item
from exo2ego.bench.metrics import Floats, Retrieval, relevancy, retrieval
from exo2ego.bench.model import AnswerModel
from exo2ego.bench.prompts import QUESTION, action_sentence, styled
from exo2ego.bench.stats import Stratum
from exo2ego.bench.tasks.base import (
    Ask,
    Measure,
    Published,
    ScoreSettings,
    Task,
    as_prediction,
    measure,
    require_scores,
    subsets,
)
from exo2ego.bench.tasks.epic_files import load
from exo2ego.errors import InputError
from exo2ego.records import Prediction

CHANCE_SCORES = 2_000_000
"""Random similarities drawn to know what chance gives."""


@lru_cache(maxsize=2)
def as_narrations(options: tuple[str, ...]) -> tuple[str, ...]:
    """All sentences in the form of training narrations; kept, since thousands of clips ask for the same tuple."""
    return tuple(action_sentence(option) for option in options)


def ask_matrix(model: AnswerModel, item: Item, style: str) -> Prediction:
    """log P(sentence | clip) of every sentence as given: one row of the matrix, one encoding of the video."""
    return _row(model, item, style, item.options)


def ask_matrix_narration(model: AnswerModel, item: Item, style: str) -> Prediction:
    """As `matrix`, each `lift cup` asked as `Camera-wearer lifts the cup.`"""
    return _row(model, item, style, as_narrations(item.options))


def _row(model: AnswerModel, item: Item, style: str, options: tuple[str, ...]) -> Prediction:
    video = item.videos[0] if item.videos else None
    scores = model.option_logprobs(video, styled(item.question, "epic_mir", style), options)
    return as_prediction(item, [score.logprob for score in scores])


def score(items: Sequence[Item], predictions: Mapping[str, Prediction], settings: ScoreSettings) -> list[Measure]:
    """mAP and nDCG: video to text (V->T), text to video (T->V) and their mean, which is the headline.

    Raises:
        InputError: the text prior or every clip is without scores.
        FormatError: a prediction's length is not the number of sentences.
    """
    prior, clips = items[0], list(items[1:])
    given = {name: p for name, p in predictions.items() if p.error is None}
    if prior.item_id not in given:
        raise InputError("epic_mir: the text prior has no scores; complete the run with the same command")
    scored = [clip for clip in clips if clip.item_id in given]
    if not scored:
        raise InputError(f"epic_mir: none of {len(clips)} clips has scores; see the errors in predictions.jsonl")
    for item in (prior, *scored):
        require_scores(given[item.item_id].scores, len(prior.options), item.item_id)
    sentences = prior.meta["sentences"]
    relevance = relevancy(
        [clip.meta["verb"] for clip in scored],
        [frozenset(clip.meta["nouns"]) for clip in scored],
        [sentence["verb"] for sentence in sentences],
        [frozenset(sentence["nouns"]) for sentence in sentences],
    )
    # Without its clips a sentence is no longer a query that has an answer.
    fits = (relevance == 1.0).any(axis=0)
    matrix = np.array([given[clip.item_id].scores for clip in scored], dtype=np.float64)[:, fits]
    text_prior = np.array(given[prior.item_id].scores, dtype=np.float64)[fits]
    queries = [sentence["narration_id"] for sentence, kept in zip(sentences, fits, strict=True) if kept]
    lost = (len(clips) - len(scored), len(sentences) - len(queries))
    return _measures(matrix, text_prior, relevance[:, fits], scored, queries, lost, settings)


def _measures(
    matrix: Floats,
    text_prior: Floats,
    relevance: Floats,
    clips: Sequence[Item],
    queries: Sequence[str],
    lost: tuple[int, int],
    settings: ScoreSettings,
) -> list[Measure]:
    seed, protocol, alpha = settings.seed, settings.protocol, settings.alpha
    to_video = retrieval(matrix.T, relevance.T, seed)
    chance = (_by_lot(relevance, seed), _by_lot(relevance.T, seed))
    recordings = [query.rsplit("_", 1)[0] for query in queries]
    measures: list[Measure] = []
    for weight in dict.fromkeys((alpha, 0.0)):
        to_text = retrieval(matrix - weight * text_prior, relevance, seed)
        for metric, name in (("average_precision", "mAP"), ("ndcg", "nDCG")):
            v2t = _stratum([clip.item_id for clip in clips], [clip.cluster for clip in clips], to_text, metric)
            t2v = _stratum(queries, recordings, to_video, metric)
            by_lot = [float(getattr(direction, metric).mean()) for direction in chance]
            label = f"({protocol}, alpha={weight:g})"
            both, one = f"epic_mir {name} {label}", f"epic_mir {name} V->T {label}"
            mean = sum(by_lot) / 2
            headline = weight == alpha
            measures += [
                measure(both, (v2t, t2v), seed=seed, unscored=lost[0], chance=mean, headline=headline),
                measure(one, (v2t,), seed=seed, unscored=lost[0], chance=by_lot[0]),
            ]
            if headline:
                title = f"epic_mir {name} T->V ({protocol})"
                measures.append(measure(title, (t2v,), seed=seed, unscored=lost[1], chance=by_lot[1]))
                lot = dict(zip(v2t.item_ids, getattr(chance[0], metric).tolist(), strict=True))
                measures += _by_label(one, v2t, lot, clips, seed)
    return measures


def _by_lot(relevance: Floats, seed: int) -> Retrieval:
    """Per-query figures of uniform random similarities: many draws for a small matrix, one for the full."""
    generator = np.random.default_rng(seed)
    count = int(np.clip(CHANCE_SCORES // relevance.size, 1, 50))
    draws = [retrieval(generator.random(relevance.shape), relevance, seed) for _ in range(count)]
    return Retrieval(
        average_precision=np.mean([draw.average_precision for draw in draws], axis=0),
        ndcg=np.mean([draw.ndcg for draw in draws], axis=0),
    )


def _stratum(names: Sequence[str], clusters: Sequence[str], direction: Retrieval, metric: str) -> Stratum:
    values = getattr(direction, metric).tolist()
    return Stratum(item_ids=tuple(names), clusters=tuple(clusters), values=tuple(values))


def _by_label(name: str, rows: Stratum, lot: Mapping[str, float], clips: Sequence[Item], seed: int) -> list[Measure]:
    values = dict(zip(rows.item_ids, rows.values, strict=True))
    measures: list[Measure] = []
    for labels, members in subsets(clips):
        if labels:
            stratum = Stratum(
                item_ids=tuple(clip.item_id for clip in members),
                clusters=tuple(clip.cluster for clip in members),
                values=tuple(values[clip.item_id] for clip in members),
            )
            chance = sum(lot[clip.item_id] for clip in members) / len(members)
            measures.append(measure(name, (stratum,), seed=seed, groups=labels, chance=chance))
    return measures


PROTOCOLS: dict[str, Ask] = {
    "matrix_narration": Ask(
        describe="clips x sentences, log P('Camera-wearer lifts the cup.' | clip); V->T minus alpha log P(sentence)",
        ask=ask_matrix_narration,
        example=lambda style: f"{styled(QUESTION, 'epic_mir', style)}\n-> {action_sentence('lift cup')}",
    ),
    "matrix": Ask(
        describe="clips x sentences as given, log P('lift cup' | clip); V->T minus alpha log P(sentence)",
        ask=ask_matrix,
        example=lambda style: f"{styled(QUESTION, 'epic_mir', style)}\n-> lift cup",
    ),
}

TASK = Task(
    name="epic_mir",
    title="EPIC-KITCHENS-100 MIR",
    load=load,
    protocols=PROTOCOLS,
    default_protocol="matrix_narration",
    score=score,
    official_sizes=(9_669, 9_669),
    published=(
        Published(measure="epic_mir mAP (", value=0.497, who="Exo2Ego (paper)", caution="its scoring is not described"),
        Published(
            measure="epic_mir nDCG (", value=0.636, who="Exo2Ego (paper)", caution="its scoring is not described"
        ),
        Published(measure="epic_mir mAP (", value=0.418, who="EgoVideo-L", caution="zero-shot dual encoder"),
    ),
)
