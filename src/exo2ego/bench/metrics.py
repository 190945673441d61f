"""Scores as the benchmarks define them: accuracy, and retrieval of EPIC-KITCHENS-100 (graded mAP, nDCG, relevancy)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exo2ego.errors import InputError

Floats = NDArray[np.float64]

ROWS_AT_ONCE = 1024
"""Queries ranked together: bounds the memory of the full 9,668 x 3,842 matrix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieval:
    """Per-query figures of one direction, each in 0..1, float64[queries]."""

    average_precision: Floats
    ndcg: Floats


def accuracy(chosen: Sequence[int | None], answers: Sequence[int]) -> float:
    """Share of right choices; None (no choice could be recognised) is wrong.

    >>> accuracy([1, None, 0, 2], [1, 1, 0, 3])
    0.5
    """
    if len(chosen) != len(answers) or not answers:
        raise InputError(
            f"accuracy: needs one choice for each answer, and one at least ({len(chosen)}, {len(answers)})"
        )
    return sum(choice == answer for choice, answer in zip(chosen, answers, strict=True)) / len(answers)


def relevancy(
    clip_verbs: Sequence[int],
    clip_nouns: Sequence[frozenset[int]],
    sentence_verbs: Sequence[int],
    sentence_nouns: Sequence[frozenset[int]],
) -> Floats:
    """How well sentence j describes clip i: mean of [same verb class] and the overlap (IoU) of the noun sets.

    Source: mwray/Joint-Part-of-Speech-Embeddings, create_relevancy_files.py. Returns float64[clips, sentences] in 0..1.

    >>> relevancy([0, 1], [frozenset({2}), frozenset({2, 3})], [0], [frozenset({2})]).tolist()
    [[1.0], [0.25]]
    """
    width = 1 + max((noun for nouns in (*clip_nouns, *sentence_nouns) for noun in nouns), default=0)
    clips, sentences = _one_hot(clip_nouns, width), _one_hot(sentence_nouns, width)
    sizes, verbs = sentences.sum(axis=1)[None, :], np.asarray(sentence_verbs)[None, :]
    table = np.empty((len(clips), len(sentences)), dtype=np.float64)
    for start in range(0, len(clips), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        shared = (clips[rows] @ sentences.T).astype(np.float64)
        union = clips[rows].sum(axis=1)[:, None] + sizes - shared
        if (union == 0).any():
            raise InputError("relevancy: a clip and a sentence have no noun class; every row needs one")
        table[rows] = ((np.asarray(clip_verbs[rows])[:, None] == verbs) + shared / union) / 2.0
    return table


def _one_hot(sets: Sequence[frozenset[int]], width: int) -> NDArray[np.float32]:
    table = np.zeros((len(sets), width), dtype=np.float32)
    for row, members in enumerate(sets):
        table[row, list(members)] = 1.0
    return table


def retrieval(similarity: Floats, relevance: Floats, seed: int = 0) -> Retrieval:
    """Graded AP and nDCG of every row (query) of `similarity`, float[queries, candidates]; higher is more alike.

    The official challenge code (mwray/Joint-Part-of-Speech-Embeddings, src/evaluation): the precision cumulates the
    *graded* relevance and counts at positions of relevance 1; nDCG stops at rank k, the number of
    candidates with relevance > 0.
    Equal similarities are ordered by lot (`np.random.default_rng((seed, row))`): the order of the files is no help.

    >>> r = retrieval(np.array([[0.9, 0.5, 0.1]]), np.array([[0.5, 1.0, 0.0]]))
    >>> r.average_precision.tolist(), r.ndcg.round(4).tolist()      # (0.5 + 1) / 2 ranks; 1.1309 / 1.3155
    ([0.75], [0.8597])

    Raises:
        InputError: shapes differ, a value is not finite, or a row lacks a candidate of relevance 1.
    """
    _check(similarity, relevance)
    ranks = np.arange(1, similarity.shape[1] + 1, dtype=np.float64)
    discount = 1.0 / np.log2(ranks + 1.0)
    precisions: list[Floats] = []
    gains: list[Floats] = []
    for start in range(0, similarity.shape[0], ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        graded = np.take_along_axis(relevance[rows], _ranking(similarity[rows], seed, start), axis=1)
        full = graded == 1.0
        precisions.append(np.where(full, np.cumsum(graded, axis=1) / ranks, 0.0).sum(axis=1) / full.sum(axis=1))
        within = ranks <= (graded > 0).sum(axis=1)[:, None]
        ideal = -np.sort(-graded, axis=1)
        gain = (graded * within) @ discount
        gains.append(gain / ((ideal * within) @ discount))
    return Retrieval(average_precision=np.concatenate(precisions), ndcg=np.concatenate(gains))


def _ranking(similarity: Floats, seed: int, first_row: int) -> NDArray[np.intp]:
    """Columns of each row, best first; rows with ties are ordered again with a seeded lot among equals."""
    order = np.argsort(-similarity, axis=1)
    ranked = np.take_along_axis(similarity, order, axis=1)
    for row in np.flatnonzero((ranked[:, 1:] == ranked[:, :-1]).any(axis=1)):
        lots = np.random.default_rng((seed, first_row + int(row))).random(similarity.shape[1])
        order[row] = np.lexsort((lots, -similarity[row]))
    return order


def _check(similarity: Floats, relevance: Floats) -> None:
    if similarity.ndim != 2 or similarity.shape != relevance.shape or 0 in similarity.shape:
        raise InputError(f"retrieval: shapes {similarity.shape} and {relevance.shape} must be alike and not empty")
    for name, matrix in (("similarity", similarity), ("relevance", relevance)):
        bad = np.argwhere(~np.isfinite(matrix))
        if len(bad):
            row, column = bad[0]
            raise InputError(
                f"retrieval: {name}[{row}, {column}] = {matrix[row, column]} ({len(bad)} such); scores must be finite"
            )
    empty = np.flatnonzero(~(relevance == 1.0).any(axis=1))
    if len(empty):
        raise InputError(
            f"retrieval: query {empty[0]} has no candidate of relevance 1 ({len(empty)} such); leave them out"
        )
