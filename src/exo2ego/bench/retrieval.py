"""Retrieval as EPIC-KITCHENS-100 defines it: graded mAP and nDCG of every query, fast enough for 9,668 x 3,842.

The relevance of a pair has few values (18 on the real files), so it is kept as small codes: a row's ideal order follows
from how often each value occurs, and one sort a row, by similarity, is all that is left to do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exo2ego.bench.metrics import Floats
from exo2ego.errors import InputError

AT_ONCE = 1 << 20
"""Pairs ranked together: 8 MB an array, so that temporaries stay small beside the full matrix."""

Codes = NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grades:
    """A relevance matrix: which of few values each pair has."""

    levels: Floats
    """float64[levels], ascending."""
    codes: Codes
    """[queries, candidates]: position in `levels`."""

    @classmethod
    def of(cls, matrix: Floats) -> "Grades":
        """The same matrix in codes. Raises InputError for a value that is not finite, or for too many values."""
        bad = np.argwhere(~np.isfinite(matrix))
        if len(bad):
            place = tuple(int(index) for index in bad[0])
            raise InputError(f"retrieval: relevance{list(place)} = {matrix[place]} ({len(bad)} such); must be finite")
        levels, codes = np.unique(matrix, return_inverse=True)
        if len(levels) > 1 << 16:
            raise InputError(f"retrieval: relevance has {len(levels)} different values; grades have at most 65536")
        return cls(levels=levels.astype(np.float64), codes=codes.reshape(matrix.shape).astype(_small(len(levels))))

    @property
    def transposed(self) -> "Grades":
        """Candidates as queries."""
        return Grades(levels=self.levels, codes=self.codes.T)

    def dense(self) -> Floats:
        """float64[queries, candidates]."""
        return self.levels[self.codes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieval:
    """Per-query figures of one direction, each in 0..1, float64[queries]."""

    average_precision: Floats
    ndcg: Floats


def relevancy(
    clip_verbs: Sequence[int],
    clip_nouns: Sequence[frozenset[int]],
    sentence_verbs: Sequence[int],
    sentence_nouns: Sequence[frozenset[int]],
) -> Grades:
    """How well sentence j describes clip i: mean of [same verb class] and the overlap (IoU) of the noun sets.

    Source: mwray/Joint-Part-of-Speech-Embeddings, create_relevancy_files.py. `[clips, sentences]`, values in 0..1.
    Thousands of clips share a few thousand (verb, nouns), so only those are compared.

    >>> relevancy([0, 1], [frozenset({2}), frozenset({2, 3})], [0], [frozenset({2})]).dense().tolist()
    [[1.0], [0.25]]

    Raises:
        InputError: a clip and a sentence without any noun class: their overlap is not defined.
    """
    clips, rows = _distinct(list(zip(clip_verbs, clip_nouns, strict=True)))
    sentences, columns = _distinct(list(zip(sentence_verbs, sentence_nouns, strict=True)))
    width = 1 + max((noun for _, nouns in (*clips, *sentences) for noun in nouns), default=0)
    left, right = (_one_hot([nouns for _, nouns in some], width) for some in (clips, sentences))
    shared = (left @ right.T).astype(np.int32)
    union = left.sum(axis=1, dtype=np.int32)[:, None] + right.sum(axis=1, dtype=np.int32)[None, :] - shared
    if (union == 0).any():
        raise InputError("relevancy: a clip and a sentence have no noun class; every row needs one")
    verbs = [np.array([verb for verb, _ in some]) for some in (clips, sentences)]
    table = _graded(verbs[0][:, None] == verbs[1][None, :], shared, union)
    return Grades(levels=table.levels, codes=table.codes[rows][:, columns])


def _graded(same: NDArray[np.bool_], shared: NDArray[np.int32], union: NDArray[np.int32]) -> Grades:
    """([same] + shared / union) / 2 as grades; whole numbers are told apart much faster than fractions."""
    size = int(union.max()) + 1
    keys = (same * np.int32(size) + shared) * np.int32(size) + union
    present = np.flatnonzero(np.bincount(keys.ravel()))
    values = (present // size**2 + (present // size % size) / (present % size)) / 2.0
    levels, places = np.unique(values, return_inverse=True)
    code = np.zeros(int(present[-1]) + 1, dtype=_small(len(levels)))
    code[present] = places
    return Grades(levels=levels, codes=code[keys])


def _small(levels: int) -> type[np.unsignedinteger[Any]]:
    """The smallest type that tells so many values apart."""
    return np.uint8 if levels <= 1 << 8 else np.uint16


def _distinct(
    classes: list[tuple[int, frozenset[int]]],
) -> tuple[list[tuple[int, frozenset[int]]], NDArray[np.intp]]:
    """The different ones, and for each its place among them."""
    places: dict[tuple[int, frozenset[int]], int] = {}
    index = [places.setdefault(one, len(places)) for one in classes]
    return list(places), np.array(index, dtype=np.intp)


def _one_hot(sets: Sequence[frozenset[int]], width: int) -> NDArray[np.float32]:
    table = np.zeros((len(sets), width), dtype=np.float32)
    for row, members in enumerate(sets):
        table[row, list(members)] = 1.0
    return table


def retrieval(similarity: Floats, relevance: Floats | Grades, seed: int = 0) -> Retrieval:
    """Graded AP and nDCG of every row (query) of `similarity`, float[queries, candidates]; higher is more alike.

    The official challenge code (mwray/Joint-Part-of-Speech-Embeddings, src/evaluation): the precision cumulates the
    *graded* relevance and counts at positions of relevance 1; nDCG stops at rank k, the number of
    candidates with relevance > 0.
    Equal similarities are ordered by lot (`Lots`): the order of the files is no help.

    >>> r = retrieval(np.array([[0.9, 0.5, 0.1]]), np.array([[0.5, 1.0, 0.0]]))
    >>> r.average_precision.tolist(), r.ndcg.round(4).tolist()      # (0.5 + 1) / 2 ranks; 1.1309 / 1.3155
    ([0.75], [0.8597])

    Raises:
        InputError: shapes differ, a value is not finite, or a row lacks a candidate of relevance 1.
    """
    grades = relevance if isinstance(relevance, Grades) else Grades.of(relevance)
    require_finite(similarity, grades.codes.shape)
    rows, columns = similarity.shape
    lots = Lots(columns, seed)
    discount = 1.0 / np.log2(np.arange(2, columns + 2, dtype=np.float64))
    step = max(1, AT_ONCE // columns)
    parts = []
    for start in range(0, rows, step):
        block = slice(start, start + step)
        order = ranking(np.ascontiguousarray(similarity[block]), lots, start)
        parts.append(_figures(np.ascontiguousarray(grades.codes[block]), grades.levels, order, discount, start))
    return Retrieval(
        average_precision=np.concatenate([part[0] for part in parts]), ndcg=np.concatenate([part[1] for part in parts])
    )


def require_finite(similarity: Floats, shape: tuple[int, ...]) -> None:
    """Refuse scores that cannot be ranked. Raises InputError: not of this shape, empty, or a value like NaN."""
    if similarity.ndim != 2 or similarity.shape != shape or 0 in shape:
        raise InputError(f"retrieval: shapes {similarity.shape} and {shape} must be alike and not empty")
    if not np.isfinite(similarity.sum()):
        bad = np.argwhere(~np.isfinite(similarity))
        if len(bad):
            row, column = bad[0]
            value = similarity[row, column]
            raise InputError(
                f"retrieval: similarity[{row}, {column}] = {value} ({len(bad)} such); scores must be finite"
            )


class Lots:
    """One lot for each pair, to order equals: a hash of seed, query and candidate (splitmix64, Steele et al. 2014).

    Nothing depends on the order of files, and only the pairs that need a lot cost one.
    """

    def __init__(self, columns: int, seed: int) -> None:
        self._columns = np.uint64(columns)
        self._key = np.random.default_rng(seed).integers(0, 1 << 63, dtype=np.uint64)

    def of(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.uint64]:
        """uint64 for each pair."""
        step, first, second = (np.uint64(c) for c in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
        place = rows.astype(np.uint64) * self._columns + columns.astype(np.uint64)
        mixed = self._key ^ ((place + np.uint64(1)) * step)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * first
        mixed = (mixed ^ (mixed >> np.uint64(27))) * second
        return np.asarray(mixed ^ (mixed >> np.uint64(31)), dtype=np.uint64)


def ranking(similarity: Floats, lots: Lots, first_row: int) -> NDArray[np.intp]:
    """Columns of each row, best first; equals by lot."""
    order = np.argsort(-similarity, axis=1)
    ranked = np.take_along_axis(similarity, order, axis=1)
    _order_equals(order, ranked, lots, first_row)
    return order


def _order_equals(order: NDArray[np.intp], ranked: Floats, lots: Lots, first_row: int) -> None:
    """Put every run of equal values in the order of their lots, in place."""
    follows = np.zeros(ranked.shape, dtype=bool)
    np.equal(ranked[:, 1:], ranked[:, :-1], out=follows[:, 1:])
    if not follows.any():
        return
    tied = follows.copy()
    tied[:, :-1] |= follows[:, 1:]
    rows, places = np.nonzero(tied)
    runs = np.cumsum(~follows[rows, places])
    columns = order[rows, places]
    order[rows, places] = columns[np.lexsort((lots.of(rows + first_row, columns), runs))]


def _figures(
    codes: Codes, levels: Floats, order: NDArray[np.intp], discount: Floats, first_row: int
) -> tuple[Floats, Floats]:
    """AP and nDCG of some rows."""
    rows = len(codes)
    counts = _counts(codes, len(levels))
    full = int(np.searchsorted(levels, 1.0))
    perfect = counts[:, full] if full < len(levels) and levels[full] == 1.0 else np.zeros(rows, dtype=np.intp)
    if (perfect == 0).any():
        row = int(np.flatnonzero(perfect == 0)[0]) + first_row
        raise InputError(f"retrieval: query {row} has no candidate of relevance 1; leave such queries out")
    ranked = np.take_along_axis(codes, order, axis=1)
    gains = levels[ranked]
    hits, places = np.nonzero(ranked == full)
    precision = np.cumsum(gains, axis=1)[hits, places] / (places + 1.0)
    average = np.bincount(hits, weights=precision, minlength=rows) / perfect
    relevant = counts[:, levels > 0].sum(axis=1)
    gain = np.array([gains[row, :k] @ discount[:k] for row, k in enumerate(relevant)])
    return average, gain / _ideal(counts, levels, discount)


def _counts(codes: Codes, levels: int) -> NDArray[np.intp]:
    """int[rows, levels]: how many candidates of each row have each value."""
    rows = len(codes)
    flat = (codes + (np.arange(rows, dtype=np.int64) * levels)[:, None]).ravel()
    return np.bincount(flat, minlength=rows * levels).reshape(rows, levels)


def _ideal(counts: NDArray[np.intp], levels: Floats, discount: Floats) -> Floats:
    """DCG of each row's best order: all candidates of the highest value first."""
    total = np.concatenate(([0.0], np.cumsum(discount)))
    ends = np.cumsum(counts[:, ::-1], axis=1)
    gains: Floats = (total[ends] - total[ends - counts[:, ::-1]]) @ np.where(levels > 0, levels, 0.0)[::-1]
    return gains
