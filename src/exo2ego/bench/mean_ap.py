"""Mean average precision over classes, as Charades and Charades-Ego define it: videos are ranked for each class.

Source: gsig/actor-observer, utils/map.py; showlab/EgoVLP, model/metric.py; LaViLa, evaluation_charades.py (all equal).
A video without any label is ranked last in every class; as it is no class's hit, it changes no precision.
"""

import numpy as np
from numpy.typing import NDArray

from exo2ego.bench.metrics import Floats
from exo2ego.bench.retrieval import Lots, ranking, require_finite
from exo2ego.errors import InputError

Labels = NDArray[np.bool_]

DRAWS_AT_ONCE = 100


def class_precisions(scores: Floats, labels: Labels, seed: int = 0) -> Floats:
    """AP of each class, float64[classes]; NaN for a class that no video has.

    `scores` is float[videos, classes], higher is likelier; `labels` bool, the same shape. Equal scores are ordered by
    lot.

    >>> class_precisions(np.array([[0.9], [0.8], [0.1]]), np.array([[False], [True], [False]])).tolist()
    [1.0]

    Raises:
        InputError: shapes differ, a score is not finite, or no video has any label.
    """
    hits = _ranked_hits(scores, labels, seed)[0]
    ranks = np.arange(1, hits.shape[1] + 1, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        found: Floats = np.where(hits, np.cumsum(hits, axis=1) / ranks, 0.0).sum(axis=1) / hits.sum(axis=1)
    return found


def mean_average_precision(scores: Floats, labels: Labels, seed: int = 0) -> float:
    """The official figure: the plain mean over all classes.

    Raises:
        InputError: as `class_precisions`; or a class has no video, for which the official figure is not a number.
    """
    empty = np.flatnonzero(~labels.any(axis=0))
    if len(empty):
        raise InputError(
            f"mAP: class {empty[0]} has no video ({len(empty)} such), so the mean over all classes is not a number; "
            "score the whole test set"
        )
    return float(class_precisions(scores, labels, seed).mean())


def video_bootstrap(scores: Floats, labels: Labels, seed: int = 0, draws: int = 1000) -> tuple[float, float]:
    """95 % interval of the mean over the classes that have a video: videos are drawn with replacement.

    A mean over classes is no mean over videos, so each draw is scored anew: a video drawn twice counts twice in the
    ranking. A class whose videos are all missed by a draw is left out of that draw. Draws with repeats are easier to
    rank than the videos themselves, so their spread is taken around the figure and not around their own mean.

    Raises:
        InputError: as `class_precisions`.
    """
    hits, order = _ranked_hits(scores, labels, seed)
    some = hits.any(axis=1)
    hits, order = hits[some], order[some]
    count = hits.shape[1]
    generator = np.random.default_rng(seed)
    means: list[Floats] = []
    for start in range(0, draws, DRAWS_AT_ONCE):
        size = min(DRAWS_AT_ONCE, draws - start)
        weights = generator.multinomial(count, np.full(count, 1.0 / count), size=size).astype(np.float64)
        means.append(weighted_means(weights, hits, order))
    drawn = np.concatenate(means)
    (value,) = weighted_means(np.ones((1, count)), hits, order)
    low, high = np.clip(np.percentile(drawn, [2.5, 97.5]) - drawn.mean() + value, 0.0, 1.0)
    return float(low), float(high)


def _ranked_hits(scores: Floats, labels: Labels, seed: int) -> tuple[Labels, NDArray[np.intp]]:
    """bool and int[classes, videos that have a label], best first: is it a hit, and which video is it."""
    require_finite(scores, labels.shape)
    labelled = labels.any(axis=1)
    if not labelled.any():
        raise InputError("mAP: no video has a label, so there is nothing to rank for")
    by_class = np.ascontiguousarray(scores[labelled].T, dtype=np.float64)
    order = ranking(by_class, Lots(by_class.shape[1], seed), 0)
    return np.take_along_axis(np.ascontiguousarray(labels[labelled].T), order, axis=1), order


def weighted_means(weights: Floats, hits: Labels, order: NDArray[np.intp]) -> Floats:
    """float64[draws]: mean AP where video v counts `weights[draw, v]` times."""
    total = np.zeros(len(weights))
    classes = np.zeros(len(weights))
    for hit, videos in zip(hits, order, strict=True):
        drawn = weights[:, videos]
        found = drawn[:, hit]
        every = np.cumsum(drawn, axis=1)[:, hit]
        share = found.sum(axis=1)
        precision = np.where(every > 0, np.cumsum(found, axis=1) / np.maximum(every, 1.0), 0.0)
        seen = share > 0
        total[seen] += ((precision * found).sum(axis=1)[seen]) / share[seen]
        classes += seen
    return total / np.maximum(classes, 1.0)
