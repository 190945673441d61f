"""Motions: every verb starts and ends at rest, is continuous, and differs from every other verb."""

from itertools import combinations

import numpy as np
import pytest

from exo2ego.sim.actions import hand_offset, object_motion, rest_offset
from exo2ego.sim.spec import VERBS

STEPS = np.linspace(0, 1, 16)


def path(verb: str, sign: int = 1, side: int = 1) -> np.ndarray:
    """The object's and the hand's movement over the act, float[16, 9]."""
    rows = []
    for u in STEPS:
        m = object_motion(verb, float(u), sign=sign, side=side)
        hand = hand_offset(verb, float(u), side=side, radius=0.1, height=0.2, count=2)
        rows.append([m.dx, m.dy, m.dz, m.yaw / 6, m.tilt / 3, m.squash / 3, *hand])
    return np.array(rows)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("sign", [-1, 1])
def test_objects_start_where_they_stood_and_end_where_the_plan_says(verb: str, sign: int) -> None:
    """Nothing jumps between steps: x and y at the ends are the plan's, and the object stands upright and whole."""
    first, last = (object_motion(verb, u, sign=sign, side=1) for u in (0.0, 1.0))
    assert (first.dx, first.dy, first.dz, first.yaw, first.tilt) == pytest.approx((0, 0, 0, 0, 0), abs=1e-9)
    assert (last.dx, last.dy) == pytest.approx(rest_offset(verb, sign), abs=1e-9)
    assert last.yaw % (2 * np.pi) == pytest.approx(0, abs=1e-9)
    assert (first.squash, last.squash, last.tilt) == pytest.approx((1, 1, 0), abs=1e-9)


@pytest.mark.parametrize("verb", VERBS)
def test_motion_is_continuous(verb: str) -> None:
    """No teleport within the act: less than 3 cm a hundredth of it."""
    points = []
    for u in np.linspace(0, 1, 101):
        m = object_motion(verb, float(u), sign=1, side=1)
        points.append((m.dx, m.dy, m.dz))
    assert np.abs(np.diff(points, axis=0)).max() < 0.03


def test_every_two_verbs_differ_clearly() -> None:
    """Sampled at 16 instants, object and hand together are at least some centimetres apart."""
    for one, other in combinations(VERBS, 2):
        assert np.abs(path(one) - path(other)).max() > 0.05, (one, other)


def test_slides_go_to_the_side_asked_for() -> None:
    """Positive x is the actor's right."""
    assert object_motion("slides", 1.0, sign=1, side=-1).dx > 0.2
    assert object_motion("slides", 1.0, sign=-1, side=1).dx < -0.2


@pytest.mark.parametrize("count", [1, 2, 3])
def test_taps_touch_the_object_as_often_as_counted(count: int) -> None:
    """The hand comes down to the top `count` times."""
    heights = [
        hand_offset("taps", float(u), side=1, radius=0.1, height=0.2, count=count)[2] for u in np.linspace(0, 1, 601)
    ]
    low = np.array(heights) < 0.25
    assert int((np.diff(low.astype(int)) == 1).sum()) == count


@pytest.mark.parametrize("verb", sorted(set(VERBS) - {"taps", "presses"}))
def test_hands_come_from_their_own_side(verb: str) -> None:
    """Left and right hand are told apart by the side they hold."""
    for side in (-1, 1):
        assert side * hand_offset(verb, 0.5, side=side, radius=0.1, height=0.2, count=1)[0] > 0
