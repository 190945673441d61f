"""The plan of a take: held-out worlds stay out of training, the table stays legal, the seed decides all."""

from collections import Counter
from dataclasses import replace
from math import hypot
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exo2ego.sim.spec import COLOURS, KINDS, TEST_ROOMS, VERBS, SimSpec
from exo2ego.sim.world import APART_M, BOUNDS_M, TakePlan, is_held_out, plan_takes, split_of


def test_rooms_and_combinations_of_test_never_train(plans: list[TakePlan]) -> None:
    """And the test split does show what was held out, about half of the time."""
    for plan in plans:
        assert (plan.room in TEST_ROOMS) == (plan.split == "test")
        if plan.split != "test":
            assert not any(is_held_out(event.kind, event.colour, event.verb) for event in plan.events)
    test = [event for plan in plans if plan.split == "test" for event in plan.events]
    assert 0.3 < sum(event.held_out for event in test) / len(test) < 0.75


def test_held_out_combinations_do_not_depend_on_the_seed() -> None:
    """A start trained on another seed cannot have seen them; about 15 % are held out, and no verb or kind wholly."""
    held = [(k, c, v) for k in KINDS for c in COLOURS for v in VERBS if is_held_out(k, c, v)]
    assert 0.10 < len(held) / (len(KINDS) * len(COLOURS) * len(VERBS)) < 0.20
    assert max(Counter(verb for _, _, verb in held).values()) < 0.5 * len(KINDS) * len(COLOURS)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_every_plan_is_legal(seed: int) -> None:
    """Steps follow each other, last 2.0-2.6 s, and objects stay on the table and apart."""
    for plan in plan_takes(SimSpec(out=Path("x"), takes=3, seed=seed)):
        assert 6 <= len(plan.events) <= 15
        assert 2 <= len(plan.cameras) <= 4
        places = [(item.x, item.y) for item in plan.items]
        clock = 0.0
        for event in plan.events:
            assert clock <= event.start_s < event.act_start_s < event.act_end_s < event.end_s <= plan.duration_s
            assert 2.0 <= event.end_s - event.start_s <= 2.6 + 1e-9
            assert event.act_end_s - event.act_start_s == pytest.approx(1.5)
            assert event.home == places[event.item]
            places[event.item], clock = event.goal, event.end_s
            for number, (x, y) in enumerate(places):
                assert BOUNDS_M[0][0] <= x <= BOUNDS_M[0][1]
                assert BOUNDS_M[1][0] <= y <= BOUNDS_M[1][1]
                assert all(hypot(x - ox, y - oy) >= APART_M - 1e-9 for ox, oy in places[:number])


def test_facts_fit_their_verbs(plans: list[TakePlan]) -> None:
    """Only slides have a direction, only taps a count; neighbours are the two other kinds; kinds and colours differ."""
    for plan in plans:
        assert len({item.kind for item in plan.items}) == len({item.colour for item in plan.items}) == 3
        for event in plan.events:
            assert (event.direction is not None) == (event.verb == "slides")
            assert (event.count is not None) == (event.verb == "taps")
            assert {event.kind, *event.neighbours} == {item.kind for item in plan.items}
            if event.direction is not None:
                assert (event.goal[0] > event.home[0]) == (event.direction == "right")


def test_every_value_is_common(plans: list[TakePlan]) -> None:
    """No verb, kind or colour is so rare that nothing can learn it."""
    events = [event for plan in plans for event in plan.events]
    for name, values in (("verb", VERBS), ("kind", KINDS), ("colour", COLOURS)):
        counts = Counter(getattr(event, name) for event in events)
        assert min(counts[value] for value in values) > 0.35 * len(events) / len(values), name
    assert 0.4 < sum(event.hand == "left" for event in events) / len(events) < 0.6


def test_the_seed_decides_everything(plan_spec: SimSpec, plans: list[TakePlan]) -> None:
    """The number of workers and the folder do not."""
    again = plan_takes(replace(plan_spec, workers=7, out=Path("elsewhere")))
    assert again == plans
    other = plan_takes(replace(plan_spec, seed=8))
    assert not {plan.take_uid for plan in other} & {plan.take_uid for plan in plans}


@given(takes=st.integers(1, 200), train=st.floats(0, 1), rest=st.floats(0, 1))
def test_splits_have_the_shares_asked_for(takes: int, train: float, rest: float) -> None:
    """Within one take of each share."""
    shares = (train, (1 - train) * rest, (1 - train) * (1 - rest))
    counts = Counter(split_of(SimSpec(out=Path("x"), takes=takes, split_fractions=shares)))
    for split, share in zip(("train", "val", "test"), shares, strict=True):
        assert abs(counts[split] - share * takes) <= 1.01
