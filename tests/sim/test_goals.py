"""Goals: only test takes have them, their steps are done in order, and single events keep their distribution."""

import hashlib
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import pytest

from exo2ego.sim.goals import PROCEDURES
from exo2ego.sim.spec import COLOURS, KINDS, SCENARIOS, VERBS, SimSpec
from exo2ego.sim.world import TakePlan, plan_takes


@pytest.mark.parametrize(("steps", "expected"), [((6, 15), "db93ab1ea1f047d4"), ((2, 4), "bc32d00a6538800b")])
def test_train_and_val_takes_are_those_of_a_world_without_goals(steps: tuple[int, int], expected: str) -> None:
    """Hashes of the plans before goals existed: what a start was trained on must not change unnoticed."""
    plans = plan_takes(SimSpec(out=Path("x"), takes=60, seed=7, steps=steps))
    content = []
    for plan in plans:
        if plan.split != "test":
            assert plan.goal is None
            facts = asdict(plan)
            del facts["goal"]
            content.append(facts)
    assert hashlib.sha256(repr(content).encode()).hexdigest()[:16] == expected


def test_a_goal_is_done_in_order(plans: list[TakePlan]) -> None:
    """Each step by its own event, later than the one before; most takes finish."""
    test = [plan for plan in plans if plan.split == "test"]
    for plan in test:
        assert plan.goal is not None
        assert plan.goal.name in PROCEDURES[plan.scenario]
        assert list(plan.goal.events) == sorted(set(plan.goal.events))
        for (verb, item), number in zip(plan.goal.steps, plan.goal.events, strict=False):
            assert (plan.events[number].verb, plan.events[number].item) == (verb, item)
    assert sum(plan.goal.complete for plan in test if plan.goal) > 0.6 * len(test)


def test_procedures_have_five_different_steps_that_are_always_possible() -> None:
    """No verb twice in a goal, nothing that moves an object, two goals a scenario."""
    assert set(PROCEDURES) == set(SCENARIOS)
    for goals in PROCEDURES.values():
        assert len(goals) == 2
        for steps in goals.values():
            verbs = [verb for verb, _ in steps]
            assert len(set(verbs)) == 5
            assert not {"pushes", "pulls", "slides"} & set(verbs)
            assert {slot for _, slot in steps} == {0, 1, 2}


BEFORE = {
    "verb": dict(zip(VERBS, (0.110, 0.057, 0.058, 0.066, 0.153, 0.109, 0.102, 0.111, 0.147, 0.086), strict=True)),
    "kind": dict(zip(KINDS, (0.169, 0.132, 0.111, 0.146, 0.125, 0.097, 0.119, 0.100), strict=True)),
    "colour": dict(zip(COLOURS, (0.177, 0.200, 0.176, 0.126, 0.186, 0.135), strict=True)),
    "hand": {"left": 0.496, "right": 0.504},
}
"""Shares of test events before goals existed (WORLD_VERSION 2), of the very takes that the test plans."""

WITH_GOALS = "11.8 3.9 4.6 5.3 15.3 11.2 10.8 12.0 14.9 10.2 48.4"
"""Verbs, then held-out combinations, in percent: the second row of the table in docs/sim.md."""


def test_goals_leave_single_events_as_common_as_they_were() -> None:
    """Shares of test events within 2 points of those without goals; about half are held-out combinations, as before."""
    plans = plan_takes(SimSpec(out=Path("x"), takes=400, seed=3, split_fractions=(0.0, 0.0, 1.0)))
    events = [event for plan in plans for event in plan.events]
    for name, before in BEFORE.items():
        counted = Counter(getattr(event, name) for event in events)
        for value, share in before.items():
            assert abs(counted[value] / len(events) - share) < 0.02, (name, value)
    held_out = sum(event.held_out for event in events) / len(events)
    assert 0.44 < held_out < 0.56
    verbs = Counter(event.verb for event in events)
    assert (
        " ".join(f"{100 * share:.1f}" for share in (*(verbs[v] / len(events) for v in VERBS), held_out)) == WITH_GOALS
    )
