"""Intervals: their width where it is known, and what clusters and pairing do to it."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo2ego.bench.stats import (
    EXACT_CLUSTERS,
    Stratum,
    bootstrap,
    difference,
    paired_difference,
    sign_flip_p_value,
    wilson,
)
from exo2ego.errors import InputError


def stratum(values: list[float], clusters: list[str] | None = None) -> Stratum:
    ids = tuple(f"i{index}" for index in range(len(values)))
    return Stratum(item_ids=ids, clusters=tuple(clusters or ids), values=tuple(values))


def coin(n: int, seed: int = 0) -> list[float]:
    return (np.random.default_rng(seed).random(n) < 0.5).astype(float).tolist()


def test_independent_items_give_the_binomial_interval() -> None:
    values = coin(400)
    found = bootstrap([stratum(values)])
    half = 1.96 * np.sqrt(np.mean(values) * (1 - np.mean(values)) / 400)
    assert found.value == np.mean(values)
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.1)


def test_items_of_one_recording_count_as_one() -> None:
    repeated = [value for value in coin(50) for _ in range(8)]
    clusters = [f"v{index // 8}" for index in range(400)]
    alone, together = bootstrap([stratum(repeated)]), bootstrap([stratum(repeated, clusters)])
    assert (together.high - together.low) / (alone.high - alone.low) == pytest.approx(np.sqrt(8), rel=0.15)


def test_the_same_seed_gives_the_same_interval() -> None:
    values = np.random.default_rng(2).random(30).tolist()
    assert bootstrap([stratum(values)], seed=5) == bootstrap([stratum(values)], seed=5)
    assert bootstrap([stratum(values)], seed=5) != bootstrap([stratum(values)], seed=6)


def test_the_mean_of_two_parts_weighs_parts_not_items() -> None:
    assert bootstrap([stratum([1.0] * 90), stratum([0.0] * 10)]).value == 0.5


def test_one_recording_is_no_evidence_of_precision() -> None:
    found = bootstrap([stratum([0.0, 1.0, 1.0, 1.0], ["v"] * 4)])
    assert found.low < 0.1
    assert found.high > 0.9


def test_pairing_finds_a_small_difference_on_the_same_items() -> None:
    theirs = coin(300)
    ours = list(theirs)
    for index in [i for i, value in enumerate(theirs) if value == 0][:12]:
        ours[index] = 1.0
    found = paired_difference([stratum(ours)], [stratum(theirs)])
    assert found.value == pytest.approx(12 / 300)
    assert found.low > 0
    assert bootstrap([stratum(ours)]).low < bootstrap([stratum(theirs)]).high  # unpaired intervals overlap


def test_few_recordings_or_unanimous_items_do_not_look_certain() -> None:
    balanced = stratum([0.0, 1.0] * 10, ["v"] * 10 + ["w"] * 10)  # both recordings have the same mean
    found = bootstrap([balanced])
    assert found.high - found.low > 0.35
    assert bootstrap([stratum([0.0] * 7)]).high == pytest.approx(wilson(0.0, 7)[1])
    assert wilson(0.0, 7) == pytest.approx((0.0, 0.3543), abs=1e-4)  # Wilson's published form: z^2 / (n + z^2)


def test_only_items_that_both_scored_are_compared() -> None:
    ours = Stratum(item_ids=("a", "b"), clusters=("v", "w"), values=(1.0, 1.0))
    theirs = Stratum(item_ids=("b", "c"), clusters=("w", "x"), values=(0.0, 0.0))
    assert difference(ours, theirs) == Stratum(item_ids=("b",), clusters=("w",), values=(1.0,))
    with pytest.raises(InputError, match="no scored item in common"):
        difference(ours, Stratum(item_ids=("c",), clusters=("x",), values=(0.0,)))
    with pytest.raises(InputError, match="different things"):
        paired_difference([ours], [theirs, theirs])


def test_nothing_scored_is_an_error() -> None:
    with pytest.raises(InputError, match="no scored item"):
        bootstrap([stratum([])])
    with pytest.raises(InputError, match="one cluster and one value"):
        Stratum(item_ids=("a",), clusters=(), values=(1.0,))


def literal_sign_flips(ours: list[Stratum], theirs: list[Stratum]) -> float:
    """The definition: for every way of exchanging the two runs' values recording by recording, the mean difference."""

    def statistic(exchanged: set[str]) -> float:
        means = []
        for a, b in zip(ours, theirs, strict=True):
            differences = [
                (y - x if cluster in exchanged else x - y)
                for x, y, cluster in zip(a.values, b.values, a.clusters, strict=True)
            ]
            means.append(sum(differences) / len(differences))
        return abs(sum(means) / len(means))

    names = sorted({cluster for part in ours for cluster in part.clusters})
    found = statistic(set())
    ways = [
        {name for name, flipped in zip(names, flips, strict=True) if flipped}
        for flips in itertools.product([False, True], repeat=len(names))
    ]
    return sum(statistic(way) >= found - 1e-12 for way in ways) / len(ways)


@given(st.integers(0, 10**6))
def test_the_p_value_is_that_of_the_literal_permutation_test(seed: int) -> None:
    generator = np.random.default_rng(seed)
    ours, theirs = [], []
    for _ in range(int(generator.integers(1, 3))):
        n = int(generator.integers(1, 12))
        clusters = [f"v{c}" for c in generator.integers(0, 6, n)]
        values = generator.integers(0, 2, (2, n)) if seed % 2 else generator.random((2, n))
        ours.append(stratum(values[0].astype(float).tolist(), clusters))
        theirs.append(stratum(values[1].astype(float).tolist(), clusters))
    assert sign_flip_p_value(ours, theirs) == pytest.approx(literal_sign_flips(ours, theirs))


def test_drawn_flips_agree_with_all_flips() -> None:
    clusters = [f"v{index}" for index in range(EXACT_CLUSTERS + 1)]
    generator = np.random.default_rng(0)
    a, b = generator.random(len(clusters)) + 0.15, generator.random(len(clusters))
    ours, theirs = [stratum(a.tolist(), clusters)], [stratum(b.tolist(), clusters)]
    assert sign_flip_p_value(ours, theirs) == pytest.approx(literal_sign_flips(ours, theirs), abs=0.02)
    assert sign_flip_p_value(ours, theirs, seed=1) == sign_flip_p_value(ours, theirs, seed=1)


def test_a_few_recordings_cannot_be_significant_however_many_items_they_have() -> None:
    clusters = [f"v{index % 4}" for index in range(400)]
    assert sign_flip_p_value([stratum([1.0] * 400, clusters)], [stratum([0.0] * 400, clusters)]) == 2 / 2**4
    alone = [stratum([1.0] * 400)], [stratum([0.0] * 400)]
    assert sign_flip_p_value(*alone) == pytest.approx(1e-4, rel=0.01)
    same = [stratum(coin(30))]
    assert sign_flip_p_value(same, same) == 1.0


def test_equally_good_runs_are_called_different_as_often_as_promised() -> None:
    """200 pairs of coins, 30 recordings of 5 items that share their luck: about 5 % have p <= 0.05."""
    hits = 0
    for seed in range(200):
        generator = np.random.default_rng(seed)
        clusters = [f"v{index // 5}" for index in range(150)]
        a, b = np.repeat(generator.random((2, 30)), 5, axis=1)
        hits += sign_flip_p_value([stratum(a.tolist(), clusters)], [stratum(b.tolist(), clusters)], flips=500) <= 0.05
    assert 2 <= hits <= 20
