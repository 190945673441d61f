"""95 % bootstrap intervals that respect recordings: questions about one video are drawn together.

A figure is a mean, or an unweighted mean of several means ("strata", such as the two directions of a retrieval task, or
the tasks of an average). Each stratum is resampled on its own, by cluster, so their spreads add up as they should.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exo2ego.errors import InputError

DRAWS = 2000
_DRAWS_AT_ONCE = 100
"""Draws held together: 100 x 10,000 clusters is 8 MB."""


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
    """Mean of the strata's means, with a percentile interval over `draws` resamplings of clusters.

    With one cluster there is nothing to resample: the interval then spans the values, least to greatest.

    Raises:
        InputError: no stratum, or an empty one.
    """
    if not strata or any(not stratum.values for stratum in strata):
        raise InputError("no scored item: an interval needs at least one value")
    generator = np.random.default_rng(seed)
    value = float(np.mean([np.mean(stratum.values) for stratum in strata]))
    means = np.mean([_resampled_means(stratum, generator, draws) for stratum in strata], axis=0)
    low, high = np.percentile(means, [2.5, 97.5])
    # Summing in another order may put the bounds a rounding error past a value that never varies.
    return Interval(value=value, low=min(float(low), value), high=max(float(high), value))


def _resampled_means(stratum: Stratum, generator: np.random.Generator, draws: int) -> NDArray[np.float64]:
    names, codes = np.unique(np.asarray(stratum.clusters), return_inverse=True)
    values = np.asarray(stratum.values, dtype=np.float64)
    if len(names) == 1:
        return generator.uniform(values.min(), values.max(), draws)
    sums, counts = np.bincount(codes, weights=values), np.bincount(codes).astype(np.float64)
    shares = np.full(len(names), 1.0 / len(names))
    means = []
    for start in range(0, draws, _DRAWS_AT_ONCE):
        weights = generator.multinomial(len(names), shares, size=min(_DRAWS_AT_ONCE, draws - start)).astype(np.float64)
        means.append((weights @ sums) / (weights @ counts))
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
    if len(ours) != len(theirs):
        raise InputError(f"the two runs measure different things ({len(ours)} and {len(theirs)} parts)")
    return bootstrap([difference(a, b) for a, b in zip(ours, theirs, strict=True)], seed, draws)
