"""Retrieval as EPIC-KITCHENS-100 defines it: graded mAP and nDCG of every query, fast enough for 9,668 x 3,842.

The relevance of a pair has few values (18 on the real files), so it is kept as small codes: a row's ideal order follows
from how often each value occurs, and one sort a row, by similarity, is all that is left to do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from exo2ego.bench.metrics import Floats
from exo2ego.errors import InputError

AT_ONCE = 1 << 20
"""Pairs ranked together: 8 MB an array, so that temporaries stay small beside the full matrix."""

T = TypeVar("T", bound=np.generic)

PICTURE = 65_535.0
EXCHANGES = 16
"""Rounds; a run of m values that share a picture needs m at most."""

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
        """The same matrix in codes. Raises InputError for a value outside 0..1, or for too many different values."""
        bad = np.argwhere(~((matrix >= 0) & (matrix <= 1)))
        if len(bad):
            place = tuple(int(index) for index in bad[0])
            raise InputError(f"retrieval: relevance{list(place)} = {matrix[place]} ({len(bad)} such); must be in 0..1")
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
    return Grades(levels=table.levels, codes=np.take(table.codes[rows], columns, axis=1))


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
    """Columns of each row, best first; equals by lot.

    Rows are first sorted by a 16-bit picture of their values, which NumPy does by radix, nine times as fast as by
    the values; what the picture could not tell apart stands side by side and is put right by a few exchanges.
    """
    pictures = _pictures(similarity)
    order = np.argsort(pictures, axis=1, kind="stable")
    ranked = _taken(similarity, order)
    _exchange(order, ranked)
    wrong = np.flatnonzero((ranked[:, 1:] > ranked[:, :-1]).any(axis=1))
    if len(wrong):  # values so uneven that thousands share a picture
        order[wrong] = np.argsort(-similarity[wrong], axis=1)
        ranked[wrong] = np.take_along_axis(similarity[wrong], order[wrong], axis=1)
    _order_equals(order, ranked, lots, first_row)
    return order


def _pictures(similarity: Floats) -> NDArray[np.uint16]:
    """uint16 of the same shape, never greater for a greater value of the same row."""
    highest = similarity.max(axis=1, keepdims=True)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        scale = PICTURE / (highest - similarity.min(axis=1, keepdims=True))
    scale[~np.isfinite(scale)] = 0.0  # a row of equals, or of a span beyond float64
    with np.errstate(over="ignore", invalid="ignore"):
        pictures: NDArray[np.uint16] = np.minimum((highest - similarity) * scale, PICTURE).astype(np.uint16)
    return pictures


def _taken(table: NDArray[T], order: NDArray[np.intp]) -> NDArray[T]:
    """Each row in its order; row by row, which is twice as fast as `take_along_axis`."""
    out = np.empty_like(table)
    for row, places, target in zip(table, order, out, strict=True):
        np.take(row, places, out=target, mode="clip")  # "clip" writes without a buffer; all places exist
    return out


def _exchange(order: NDArray[np.intp], ranked: Floats) -> None:
    """Exchange neighbours of a row that stand the wrong way round, some rounds long, in place."""
    columns = ranked.shape[1]
    values, places = ranked.reshape(-1), order.reshape(-1)
    rows, left = np.nonzero(ranked[:, 1:] > ranked[:, :-1])
    wrong = rows * columns + left
    for _ in range(EXCHANGES):
        if not len(wrong) or len(wrong) > ranked.size // 8:
            return
        alone = np.ones(len(wrong), dtype=bool)
        alone[1:] = np.diff(wrong) > 1
        here = wrong[alone]
        for array in (values, places):
            array[here], array[here + 1] = array[here + 1], array[here]
        near = np.concatenate((here - 1, here + 1, wrong[~alone]))
        near = near[(near >= 0) & (near % columns != columns - 1)]
        wrong = np.unique(near[values[near + 1] > values[near]])


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
    """AP and nDCG of some rows. Only candidates with some relevance add to either: a ninth of all on the real files."""
    rows, columns = codes.shape
    ranked = _taken(codes, order)
    some = np.flatnonzero(ranked >= np.searchsorted(levels, 0.0, side="right"))
    found = ranked.reshape(-1)[some]
    row, place = np.divmod(some, columns)
    counts = np.bincount(row * len(levels) + found, minlength=rows * len(levels)).reshape(rows, len(levels))
    full = _require_perfect(counts, levels, first_row)
    gains, relevant = levels[found], counts.sum(axis=1)
    cumulated = np.cumsum(gains)
    cumulated -= np.repeat(np.concatenate(([0.0], cumulated))[np.cumsum(relevant) - relevant], relevant)
    hit = found == full
    precision = np.bincount(row[hit], weights=cumulated[hit] / (place[hit] + 1.0), minlength=rows)
    within = place < relevant[row]
    gain = np.bincount(row[within], weights=gains[within] * discount[place[within]], minlength=rows)
    return precision / counts[:, full], gain / _ideal(counts, levels, discount)


def _require_perfect(counts: NDArray[np.intp], levels: Floats, first_row: int) -> int:
    """The code of relevance 1. Raises InputError: a row has no such candidate, so it has no average precision."""
    full = len(levels) - 1
    lacking = counts[:, full] == 0 if levels[full] == 1.0 else np.ones(len(counts), dtype=bool)
    if lacking.any():
        row = int(np.flatnonzero(lacking)[0]) + first_row
        raise InputError(f"retrieval: query {row} has no candidate of relevance 1; leave such queries out")
    return full


def _ideal(counts: NDArray[np.intp], levels: Floats, discount: Floats) -> Floats:
    """DCG of each row's best order: all candidates of the highest relevance first."""
    total = np.concatenate(([0.0], np.cumsum(discount)))
    ends = np.cumsum(counts[:, ::-1], axis=1)
    gains: Floats = (total[ends] - total[ends - counts[:, ::-1]]) @ levels[::-1]
    return gains
