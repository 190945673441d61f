"""Steps to samples: nothing lost or doubled, budgets kept, like lengths together, resumed without earlier windows."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exo2ego.data.mixture_batches import BatchPlan, BatchRule, cut


def length_at(position: int) -> int:
    """A long-tailed length that depends on the position only."""
    return 3 + int(np.random.default_rng([9, position]).pareto(1.5) * 8) % 90


def plan(rule: BatchRule, seed: int = 0, asked: list[range] | None = None) -> BatchPlan:
    def lengths(positions: range) -> list[int]:
        if asked is not None:
            asked.append(positions)
        return [length_at(p) for p in positions]

    return BatchPlan(rule=rule, seed=seed, lengths=lengths)


@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=80),
    budget=st.integers(70, 900),
    fixed=st.integers(0, 10),
    seed=st.integers(0, 5),
)
def test_a_budget_is_never_exceeded_and_every_sample_comes_once(lengths, budget, fixed, seed):
    rule = BatchRule(tokens_per_batch=budget, fixed_tokens=fixed)
    batches = cut(lengths, rule, seed, 0)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        # padded tokens, counted cell by cell
        width = max(lengths[i] for i in batch) + fixed
        assert 0 < sum(1 for _ in batch for _ in range(width)) <= budget
        assert rule.cost([lengths[i] for i in batch]) == width * len(batch)


@given(lengths=st.lists(st.integers(1, 60), min_size=1, max_size=80), budget=st.integers(60, 400))
def test_as_many_fit_as_can(lengths, budget):
    """Longest first: the next sample of the window would have broken the budget of every batch but the last."""
    batches = cut(lengths, BatchRule(tokens_per_batch=budget), 0, 0)
    by_longest = sorted(batches, key=lambda batch: sorted(-lengths[i] for i in batch))
    full = [b for b in by_longest if (len(b) + 1) * max(lengths[i] for i in b) > budget]
    assert len(full) >= len(batches) - 1
    for before, after in itertools.pairwise(by_longest):
        assert min(lengths[i] for i in before) >= max(lengths[i] for i in after)


@given(count=st.integers(1, 6), size=st.integers(1, 7), seed=st.integers(0, 5), data=st.data())
def test_buckets_of_a_batch_size_are_full_and_of_like_length(count, size, seed, data):
    lengths = data.draw(st.lists(st.integers(1, 60), min_size=count * size, max_size=count * size))
    batches = cut(lengths, BatchRule(batch_size=size, bucket_samples=count * size), seed, 0)
    assert sorted(i for batch in batches for i in batch) == list(range(count * size))
    assert all(len(batch) == size for batch in batches)
    ordered = sorted(batches, key=lambda batch: sorted(lengths[i] for i in batch))
    assert [sorted(lengths[i] for i in b) for b in ordered] == [
        sorted(lengths)[n * size : (n + 1) * size] for n in range(count)
    ]


def test_batches_come_shuffled_and_depend_on_seed_and_window_only():
    lengths = [length_at(p) for p in range(64)]
    rule = BatchRule(batch_size=8, bucket_samples=64)
    first = cut(lengths, rule, 0, 0)
    assert first == cut(lengths, rule, 0, 0)
    assert first != cut(lengths, rule, 1, 0)
    assert first != cut(lengths, rule, 0, 1)
    longest = [max(lengths[i] for i in batch) for batch in first]
    assert longest not in (sorted(longest), sorted(longest, reverse=True))
    assert any(batch != sorted(batch, key=lambda i: -lengths[i]) for batch in first)


@settings(deadline=None)
@given(
    rule=st.sampled_from(
        [
            BatchRule(batch_size=4),
            BatchRule(batch_size=4, bucket_samples=20),
            BatchRule(tokens_per_batch=300, bucket_samples=20, fixed_tokens=5),
            BatchRule(tokens_per_batch=100, bucket_samples=3),
        ]
    ),
    seed=st.integers(0, 3),
    steps=st.lists(st.integers(0, 40), min_size=1, max_size=6),
)
def test_a_step_is_the_same_whatever_was_asked_before(rule, seed, steps):
    walked = [plan(rule, seed).positions(step) for step in range(41)]
    jumping = plan(rule, seed)
    assert [jumping.positions(step) for step in steps] == [walked[step] for step in steps]
    for step in steps:
        below, more = jumping.used(step)
        before = sorted(position for batch in walked[:step] for position in batch)
        assert before == sorted([*range(below), *more])


def test_a_resumed_run_asks_for_no_window_before_its_own():
    rule = BatchRule(tokens_per_batch=300, bucket_samples=20)
    whole = plan(rule)
    steps = [whole.positions(step) for step in range(200)]
    window, index = whole.locate(150)
    asked: list[range] = []
    resumed = plan(rule, asked=asked)
    resumed.know(window, 150 - index)
    assert [resumed.positions(step) for step in range(150, 200)] == steps[150:]
    assert min(r.start for r in asked) == window * 20
    assert len(asked) == len(set(asked))


def test_without_buckets_a_step_is_the_next_positions_and_no_length_is_asked_for():
    asked: list[range] = []
    simple = plan(BatchRule(batch_size=3), asked=asked)
    assert [simple.positions(step) for step in (0, 7)] == [[0, 1, 2], [21, 22, 23]]
    assert simple.used(7) == (21, [])
    assert asked == []


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({}, "exactly one of batch_size and tokens_per_batch, not None and None"),
        ({"batch_size": 4, "tokens_per_batch": 100}, "exactly one of batch_size and tokens_per_batch, not 4 and 100"),
        ({"batch_size": 0}, "must be at least 1"),
        ({"tokens_per_batch": -1}, "must be at least 1"),
        ({"batch_size": 4, "bucket_samples": 0}, "must be at least 1"),
        ({"batch_size": 4, "bucket_samples": 30}, "30 must be a multiple of batch_size 4, e.g. 256"),
    ],
)
def test_impossible_rules_are_refused(values, says):
    with pytest.raises(ValueError, match=says):
        BatchRule(**values)


def test_what_no_batch_can_hold_is_refused():
    with pytest.raises(ValueError, match="65 tokens do not fit a batch of 64"):
        cut([3, 60, 2], BatchRule(tokens_per_batch=64, fixed_tokens=5), 0, 0)
