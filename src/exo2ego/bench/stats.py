"""95 % intervals that respect recordings: questions about one video are drawn together.

A figure is a mean, or an unweighted mean of several means ("strata", such as the two directions of a retrieval task, or
the tasks of an average). Each stratum is resampled on its own, by cluster, so their spreads add up as they should.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exo2ego.errors import InputError

DRAWS = 2000
FLIPS = 10_000
EXACT_CLUSTERS = 13
"""Up to so many recordings all 2^n flips of signs are counted, beyond them `FLIPS` are drawn."""
_DRAWS_AT_ONCE = 100
"""Draws held together: 100 x 24,000 items is 19 MB."""
_FEW = 1000
"""Up to so many units are drawn as counts of each; beyond, one by one: for 24,000 items 1 s instead of 6 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stratum:
    """Per-item values with the item and the recording each belongs to."""

    item_ids: tuple[str, ...]
    clusters: tuple[str, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if not len(self.item_ids) == len(self.clusters) == len(self.values):
            raise InputError("a stratum needs one cluster and one value for each item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float


def bootstrap(strata: Sequence[Stratum], seed: int = 0, draws: int = DRAWS) -> Interval:
    """Mean of the strata's means, with a 95 % interval.

    The interval is the percentile bootstrap over clusters, widened on each side to the one over items where that is
    wider, and for right-or-wrong values to Wilson's: a handful of recordings, or a handful of items that are all wrong,
    would otherwise look certain. With one recording there is nothing to resample: the interval spans the values.

    Raises:
        InputError: no stratum, or an empty one.
    """
    if not strata or any(not stratum.values for stratum in strata):
        raise InputError("no scored item: an interval needs at least one value")
    value = float(np.mean([np.mean(stratum.values) for stratum in strata]))
    bounds = [(value, value)]
    for by_cluster in (True, False):
        generator = np.random.default_rng(seed)
        means = np.mean([_resampled_means(stratum, by_cluster, generator, draws) for stratum in strata], axis=0)
        low, high = np.percentile(means, [2.5, 97.5])
        bounds.append((float(low), float(high)))
    if len(strata) == 1 and set(strata[0].values) <= {0.0, 1.0}:
        bounds.append(wilson(value, len(strata[0].values)))
    return Interval(value=value, low=min(low for low, _ in bounds), high=max(high for _, high in bounds))


def wilson(share: float, n: int) -> tuple[float, float]:
    """Wilson's 95 % score interval of a share of `n` independent items."""
    z = 1.959964
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)))
    return max(0.0, middle - half), min(1.0, middle + half)


def _resampled_means(
    stratum: Stratum, by_cluster: bool, generator: np.random.Generator, draws: int
) -> NDArray[np.float64]:
    values = np.asarray(stratum.values, dtype=np.float64)
    names, codes = np.unique(np.asarray(stratum.clusters), return_inverse=True)
    if by_cluster and len(names) == 1:
        return generator.uniform(values.min(), values.max(), draws)
    if not by_cluster:
        codes = np.arange(len(values))
    sums, counts = np.bincount(codes, weights=values), np.bincount(codes).astype(np.float64)
    means = []
    for start in range(0, draws, _DRAWS_AT_ONCE):
        size = (min(_DRAWS_AT_ONCE, draws - start), len(sums))
        if len(sums) <= _FEW:
            weights = generator.multinomial(len(sums), np.full(len(sums), 1.0 / len(sums)), size[0]).astype(np.float64)
            means.append((weights @ sums) / (weights @ counts))
        else:
            drawn = generator.integers(0, len(sums), size=size, dtype=np.int32)
            means.append(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1))
    return np.concatenate(means)


def difference(ours: Stratum, theirs: Stratum) -> Stratum:
    """Item by item, ours minus theirs; items that only one of the two could score are left out.

    Raises:
        InputError: no item in common.
    """
    other = dict(zip(theirs.item_ids, theirs.values, strict=True))
    rows = [
        (item_id, cluster, value - other[item_id])
        for item_id, cluster, value in zip(ours.item_ids, ours.clusters, ours.values, strict=True)
        if item_id in other
    ]
    if not rows:
        raise InputError("the two runs have no scored item in common, so they cannot be compared")
    ids, clusters, values = zip(*rows, strict=True)
    return Stratum(item_ids=ids, clusters=clusters, values=values)


def paired_difference(
    ours: Sequence[Stratum], theirs: Sequence[Stratum], seed: int = 0, draws: int = DRAWS
) -> Interval:
    """Ours minus theirs on the same items, with the interval of the difference (paired bootstrap, clustered).

    Raises:
        InputError: different numbers of strata, or no common item.
    """
    return bootstrap(_differences(ours, theirs), seed, draws)


def _differences(ours: Sequence[Stratum], theirs: Sequence[Stratum]) -> list[Stratum]:
    if len(ours) != len(theirs):
        raise InputError(f"the two runs measure different things ({len(ours)} and {len(theirs)} parts)")
    return [difference(a, b) for a, b in zip(ours, theirs, strict=True)]


def sign_flip_p_value(ours: Sequence[Stratum], theirs: Sequence[Stratum], seed: int = 0, flips: int = FLIPS) -> float:
    """Two-sided p of "the two runs are equally good": if so, each recording's differences could as well be reversed.

    A permutation test (Fisher's of paired differences) with all items of a recording flipped together, in all strata at
    once. Its statistic is `paired_difference`'s value. Exact (all flips) up to `EXACT_CLUSTERS` recordings, so that few
    recordings cannot look significant: with 4 the least p is 1/8. Beyond them (1 + hits) / (1 + draws).

    Raises:
        InputError: different numbers of strata, or no common item.
    """
    weights = _by_cluster(_differences(ours, theirs))
    count = len(weights)
    found = abs(weights.sum()) - 1e-12  # sums in another order differ in the last digits: equal counts as reached
    if count <= EXACT_CLUSTERS:
        signs = 1.0 - 2.0 * ((np.arange(2**count)[:, None] >> np.arange(count)) & 1)
        return float(np.mean(np.abs(signs @ weights) >= found))
    generator = np.random.default_rng(seed)
    hits = 0
    for start in range(0, flips, _DRAWS_AT_ONCE):
        drawn = generator.integers(0, 2, size=(min(_DRAWS_AT_ONCE, flips - start), count), dtype=np.int8)
        hits += int((np.abs((1.0 - 2.0 * drawn) @ weights) >= found).sum())
    return (1 + hits) / (1 + flips)


def _by_cluster(strata: Sequence[Stratum]) -> NDArray[np.float64]:
    """float64[recordings]: what each adds to the mean of the strata's means; those that add nothing are left out."""
    sums: dict[str, float] = {}
    for stratum in strata:
        for cluster, value in zip(stratum.clusters, stratum.values, strict=True):
            sums[cluster] = sums.get(cluster, 0.0) + value / (len(stratum.values) * len(strata))
    return np.array([value for value in sums.values() if value != 0.0], dtype=np.float64)
