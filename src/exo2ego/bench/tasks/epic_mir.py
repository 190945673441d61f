"""EPIC-KITCHENS-100 multi-instance retrieval: every clip against every sentence, both directions, mAP and nDCG.

Protocols: the whole matrix of log P(sentence | clip), which needs as many readings as there are pairs; cosines of
vectors, which need one a clip and one a sentence; and the two together: the k sentences of a clip with the highest
cosine are read, the others stay below them in the order of their cosines. Both directions use the same pairs.

A language model finds short or frequent sentences likely whatever it sees, so video to text ranks by
log P(sentence | clip) - alpha log P(sentence); text to video needs no such correction. Cosines have none.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from exo2ego.bench.items import Item
from exo2ego.bench.metrics import Floats
from exo2ego.bench.model import AnswerModel
from exo2ego.bench.prompts import QUESTION, action_sentence, styled
from exo2ego.bench.retrieval import Grades, Retrieval, relevancy, retrieval
from exo2ego.bench.stats import Stratum
from exo2ego.bench.tasks.base import Ask, Measure, Published, ScoreSettings, Task, as_prediction, measure, subsets
from exo2ego.bench.tasks.epic_files import load
from exo2ego.bench.tasks.matrix import answered, ask_cosines, cosines, log_likelihoods
from exo2ego.records import Prediction

CHANCE_SCORES = 2_000_000
"""Random similarities drawn to know what chance gives."""

ABOVE = 1e6
"""Added to what was read, so that it stands above every cosine; log-probabilities are far smaller."""

SHORTLISTS = {"shortlist50+rerank": 50, "shortlist100+rerank": 100}
"""Protocol -> k, the sentences of a clip that are read."""


@lru_cache(maxsize=2)
def as_narrations(options: tuple[str, ...]) -> tuple[str, ...]:
    """All sentences in the form of training narrations; kept, since thousands of clips ask for the same tuple."""
    return tuple(action_sentence(option) for option in options)


def narrations_of(item: Item) -> tuple[str, ...]:
    """The item's sentences in the form of training narrations."""
    return as_narrations(item.options)


def ask_matrix(model: AnswerModel, item: Item, style: str) -> Prediction:
    """log P(sentence | clip) of every sentence as given: one row of the matrix, one encoding of the video."""
    return as_prediction(item, log_likelihoods("epic_mir", model, item, style, item.options))


def ask_matrix_narration(model: AnswerModel, item: Item, style: str) -> Prediction:
    """As `matrix`, each `lift cup` asked as `Camera-wearer lifts the cup.`"""
    return as_prediction(item, log_likelihoods("epic_mir", model, item, style, narrations_of(item)))


def ask_shortlist(k: int, model: AnswerModel, item: Item, style: str) -> Prediction:
    """The cosines of all sentences, then log P of the shortlist's in its order; for the prior, log P of all."""
    texts = narrations_of(item)
    if not item.videos:
        return as_prediction(item, log_likelihoods("epic_mir", model, item, style, texts))
    near = cosines(model, item, texts)
    (chosen,) = shortlists(near[None], k)
    read = log_likelihoods("epic_mir", model, item, style, [texts[index] for index in chosen])
    return as_prediction(item, [*near.tolist(), *read])


def shortlists(near: Floats, k: int) -> NDArray[np.intp]:
    """int[clips, k]: the sentences with the highest cosines, best first; equals in the order of the file."""
    return np.argsort(-near, axis=1, kind="stable")[:, :k]


def score(items: Sequence[Item], predictions: Mapping[str, Prediction], settings: ScoreSettings) -> list[Measure]:
    """mAP and nDCG: video to text (V->T), text to video (T->V) and their mean, which is the headline.

    Raises:
        InputError: the text prior or every clip is without scores.
        FormatError: a prediction's length is not the number of sentences (and of the shortlist).
    """
    sentences = items[0].meta["sentences"]
    k = min(SHORTLISTS.get(settings.protocol, 0), len(sentences))
    rows = answered("epic_mir", items, predictions, len(sentences) + k)
    grades = relevancy(
        [clip.meta["verb"] for clip in rows.clips],
        [frozenset(clip.meta["nouns"]) for clip in rows.clips],
        [sentence["verb"] for sentence in sentences],
        [frozenset(sentence["nouns"]) for sentence in sentences],
    )
    # Without its clips a sentence is no longer a query that has an answer.
    fits = (grades.codes == np.searchsorted(grades.levels, 1.0)).any(axis=0)

    def similarity(alpha: float) -> Floats:
        return _similarity(rows.matrix, rows.prior, alpha, k)[:, fits]

    queries = [sentence["narration_id"] for sentence, kept in zip(sentences, fits, strict=True) if kept]
    lost = (len(items) - 1 - len(rows.clips), len(sentences) - len(queries))
    kept_grades = Grades(levels=grades.levels, codes=grades.codes[:, fits])
    return _measures(similarity, kept_grades, rows.clips, queries, lost, settings)


def _similarity(matrix: Floats, prior: Floats, alpha: float, k: int) -> Floats:
    """float64[clips, sentences] that ranks: log P - alpha prior; with a shortlist, that above the cosines."""
    if k == 0:
        return matrix - alpha * prior if alpha else matrix
    near = matrix[:, :-k]
    chosen = shortlists(near, k)
    read = matrix[:, -k:] - alpha * prior[chosen]
    out = near.copy()
    np.put_along_axis(out, chosen, read + ABOVE, axis=1)
    return out


def _measures(
    similarity: Callable[[float], Floats],
    grades: Grades,
    clips: Sequence[Item],
    queries: Sequence[str],
    lost: tuple[int, int],
    settings: ScoreSettings,
) -> list[Measure]:
    seed, protocol = settings.seed, settings.protocol
    to_video = retrieval(similarity(0.0).T, grades.transposed, seed)
    chance = (_by_lot(grades, seed), _by_lot(grades.transposed, seed))
    recordings = [query.rsplit("_", 1)[0] for query in queries]
    measures: list[Measure] = []
    for weight in _weights(settings):
        to_text = retrieval(similarity(weight), grades, seed)
        for metric, name in (("average_precision", "mAP"), ("ndcg", "nDCG")):
            v2t = _stratum([clip.item_id for clip in clips], [clip.cluster for clip in clips], to_text, metric)
            t2v = _stratum(queries, recordings, to_video, metric)
            by_lot = [float(getattr(direction, metric).mean()) for direction in chance]
            label = f"({protocol})" if protocol == "embedding" else f"({protocol}, alpha={weight:g})"
            both, one = f"epic_mir {name} {label}", f"epic_mir {name} V->T {label}"
            mean = sum(by_lot) / 2
            headline = weight == _weights(settings)[0]
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


def _weights(settings: ScoreSettings) -> list[float]:
    """The alphas to report, the headline's first: the one asked for, and none. Cosines have no prior to take off."""
    return [0.0] if settings.protocol == "embedding" else list(dict.fromkeys((settings.alpha, 0.0)))


def _by_lot(grades: Grades, seed: int) -> Retrieval:
    """Per-query figures of uniform random similarities: many draws for a small matrix, one for the full."""
    generator = np.random.default_rng(seed)
    count = int(np.clip(CHANCE_SCORES // grades.codes.size, 1, 50))
    draws = [retrieval(generator.random(grades.codes.shape), grades, seed) for _ in range(count)]
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


def _narration_example(style: str) -> str:
    return f"{styled(QUESTION, 'epic_mir', style)}\n-> {action_sentence('lift cup')}"


PROTOCOLS: dict[str, Ask] = {
    "matrix_narration": Ask(
        describe="clips x sentences, log P('Camera-wearer lifts the cup.' | clip); V->T minus alpha log P(sentence)",
        ask=ask_matrix_narration,
        example=_narration_example,
    ),
    "matrix": Ask(
        describe="clips x sentences as given, log P('lift cup' | clip); V->T minus alpha log P(sentence)",
        ask=ask_matrix,
        example=lambda style: f"{styled(QUESTION, 'epic_mir', style)}\n-> lift cup",
    ),
    "embedding": Ask(
        describe="cosine between a vector of the clip and one of 'Camera-wearer lifts the cup.'; nothing is asked",
        ask=partial(ask_cosines, narrations_of),
        example=lambda style: f"vector of the video; vector of: {action_sentence('lift cup')}",
        needs=frozenset({"embeddings"}),
    ),
    **{
        name: Ask(
            describe=f"the {k} sentences of a clip with the highest cosine, ranked by log P as in matrix_narration; "
            "the others below, by cosine",
            ask=partial(ask_shortlist, k),
            example=_narration_example,
            needs=frozenset({"embeddings", "logprobs"}),
        )
        for name, k in SHORTLISTS.items()
    },
}

_PAPER = "called zero-shot, in the range of fine-tuned models; its scoring is not described"

TASK = Task(
    name="epic_mir",
    title="EPIC-KITCHENS-100 MIR",
    load=load,
    protocols=PROTOCOLS,
    default_protocol="matrix_narration",
    score=score,
    official_sizes=(9_669, 9_669),
    published=(
        Published(measure="epic_mir mAP (", value=0.497, who="Exo2Ego (paper)", caution=_PAPER),
        Published(measure="epic_mir nDCG (", value=0.636, who="Exo2Ego (paper)", caution=_PAPER),
        Published(measure="epic_mir mAP (", value=0.418, who="EgoVideo-L", caution="zero-shot dual encoder"),
        Published(measure="epic_mir mAP (", value=0.389, who="EVA02-AT-L", caution="zero-shot dual encoder"),
        Published(measure="epic_mir nDCG (", value=0.362, who="EVA02-AT-L", caution="zero-shot dual encoder"),
        Published(measure="epic_mir mAP (", value=0.509, who="LaViLa-L", caution="fine-tuned dual encoder"),
        Published(measure="epic_mir nDCG (", value=0.665, who="LaViLa-L", caution="fine-tuned dual encoder"),
        Published(measure="epic_mir mAP (", value=0.6797, who="TempRet", caution="fine-tuned and reranked"),
        Published(measure="epic_mir nDCG (", value=0.8292, who="TempRet", caution="fine-tuned and reranked"),
    ),
)
