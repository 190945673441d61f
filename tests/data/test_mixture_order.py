"""The order of the sample stream: shares kept after every prefix, epochs without gaps, any position without replay."""

from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exo2ego.data.mixture_order import Concatenated, Weighted, example_order, shuffled

WEIGHTS = st.lists(st.fractions(min_value=Fraction(1, 97), max_value=50, max_denominator=97), min_size=1, max_size=9)


def weighted(sizes, weights, seed=0, names=None):
    names = names or tuple(f"s{n}" for n in range(len(sizes)))
    return Weighted(names=names, sizes=tuple(sizes), weights=tuple(map(Fraction, weights)), seed=seed)


def source_of(order, example):
    return int(np.searchsorted(np.cumsum(order.sizes), example, side="right"))


@settings(deadline=None)
@given(weights=WEIGHTS, seed=st.integers(0, 99), data=st.data())
def test_after_every_prefix_each_source_has_its_share(weights, seed, data):
    order = weighted([data.draw(st.integers(1, 20)) for _ in weights], weights, seed)
    total = sum(weights)
    bound = 1 if len(weights) <= 3 else 2
    counts = [0] * len(weights)
    for position, example in enumerate(order.examples(range(300)), 1):
        counts[source_of(order, example)] += 1
        assert order.seen(position) == counts
        for count, weight in zip(counts, weights, strict=True):
            assert abs(count - position * weight / total) <= bound


def test_the_bound_holds_where_weights_are_as_uneven_as_they_get():
    """Fibonacci weights give Huffman's tree its greatest depth."""
    weights = [1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144]
    order = weighted([7] * len(weights), weights)
    worst = max(
        abs(count - Fraction(position * weight, sum(weights)))
        for position in range(2 * sum(weights))
        for count, weight in zip(order.seen(position), weights, strict=True)
    )
    assert worst < 2


@settings(deadline=None)
@given(weights=WEIGHTS, seed=st.integers(0, 99), data=st.data())
def test_a_source_gives_each_of_its_examples_once_before_any_comes_again(weights, seed, data):
    sizes = [data.draw(st.integers(1, 12)) for _ in weights]
    order = weighted(sizes, weights, seed)
    drawn = [[] for _ in sizes]
    for example in order.examples(range(200)):
        drawn[source_of(order, example)].append(example)
    start = 0
    for size, examples in zip(sizes, drawn, strict=True):
        for epoch in range(0, len(examples), size):
            part = examples[epoch : epoch + size]
            assert len(set(part)) == len(part)
            assert set(part) <= set(range(start, start + size))
        start += size


@settings(deadline=None)
@given(position=st.integers(0, 10**15), seed=st.integers(0, 2**40))
def test_any_position_is_reached_without_the_ones_before(position, seed):
    """A jump far into the stream agrees with a fresh order's walk over the same stretch, and with the counts there."""
    sizes = (1_000_003, 17, 400)
    order = weighted(sizes, ("0.7", "0.2", "1/7"), seed)
    jumped = [order.examples([position + n])[0] for n in (5, 0, 3, 1)]
    walked = weighted(sizes, ("0.7", "0.2", "1/7"), seed).examples(range(position, position + 6))
    assert jumped == [walked[n] for n in (5, 0, 3, 1)]
    gained = np.subtract(order.seen(position + 6), order.seen(position)).tolist()
    assert gained == [sum(source_of(order, e) == s for e in walked) for s in range(3)]


@given(size=st.integers(1, 300), key=st.lists(st.integers(0, 2**64 - 1), min_size=6, max_size=6))
def test_the_keyed_permutation_is_one(size, key):
    assert sorted(shuffled(i, size, key) for i in range(size)) == list(range(size))


def test_the_keyed_permutation_puts_each_example_everywhere_equally_often():
    """5 x 5 (example, place) counts over 4,000 keys: chi-square below its 1 in 10,000 quantile (16 degrees: 44.3)."""
    rng = np.random.default_rng(1)
    counts = np.zeros((5, 5))
    for _ in range(4000):
        key = [int(word) for word in rng.integers(0, 2**63, 6)]
        for index in range(5):
            counts[index, shuffled(index, 5, key)] += 1
    assert ((counts - 800) ** 2 / 800).sum() < 44.3


def test_orders_differ_between_epochs_and_seeds_but_not_with_company():
    alone = weighted([50], [1], names=("a",)).examples(range(100))
    assert sorted(alone[:50]) == sorted(alone[50:]) == list(range(50))
    assert alone[:50] != alone[50:]
    assert weighted([50], [1], seed=1, names=("a",)).examples(range(50)) != alone[:50]
    mixed = weighted([9, 50], ["1/3", "2/3"], names=("b", "a"))
    assert [e - 9 for e in mixed.examples(range(150)) if e >= 9] == alone


def test_impossible_mixtures_are_refused():
    for sizes, weights in (([0], [1]), ([3], [0]), ([3], [-1])):
        with pytest.raises(ValueError, match="must be above 0"):
            weighted(sizes, weights)
    with pytest.raises(ValueError, match="a name, a size and a weight"):
        weighted([3, 4], [1])


@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=4), seed=st.integers(0, 9))
def test_without_weights_all_sources_are_one_shuffled_list(sizes, seed):
    order = Concatenated(names=tuple("abcd"[: len(sizes)]), sizes=tuple(sizes), seed=seed)
    count = sum(sizes)
    literal = [int(i) for epoch in range(3) for i in example_order(seed, epoch, count)]
    assert order.examples(range(3 * count)) == literal
    for position in range(0, 3 * count, 2):
        found = Counter(source_of(order, e) for e in literal[:position])
        assert order.seen(position) == [found[s] for s in range(len(sizes))]


def test_the_order_of_earlier_versions_is_kept():
    """Golden: what every shipped result was trained with."""
    order = Concatenated(names=("a", "b"), sizes=(7, 5), seed=3)
    assert (
        order.examples(range(26))
        == [int(i) for epoch in range(3) for i in np.random.default_rng([3, epoch]).permutation(12)][:26]
    )
    assert order.examples(range(12)) == GOLDEN


GOLDEN = [11, 7, 2, 10, 0, 1, 4, 6, 9, 5, 3, 8]
