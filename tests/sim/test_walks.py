"""Walks: they go where the instruction says, stay in the room, and each move is the next one exactly once."""

from math import cos, hypot, pi, sin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo2ego.sim.scene import BARE_SHAPES, Scene, room_shapes
from exo2ego.sim.spec import TEST_ROOMS
from exo2ego.sim.walks import AHEAD_M, MOVES, moments, parts, plan_walk, pose

walks = st.builds(plan_walk, st.integers(0, 1000), st.integers(0, 1000))


@given(walk=walks)
def test_each_landmark_is_straight_ahead_at_the_end_of_its_part(walk: object) -> None:
    """That is what `walk to the red box` means; from there it is 0.8 m to it."""
    clock = 0.0
    ends = []
    for length_s, forward_m, _ in parts(walk):
        clock += length_s
        if forward_m:
            ends.append(pose(walk, clock))
    for (x, y, heading), mark in zip(ends, walk.landmarks, strict=True):
        assert (mark.x, mark.y) == pytest.approx((x + AHEAD_M * cos(heading), y + AHEAD_M * sin(heading)))


@given(walk=walks)
def test_turns_are_those_of_the_instruction(walk: object) -> None:
    """Left is counter-clockwise; both sides occur in every walk, so that words do not tell the turn."""
    at = moments(walk, 3)
    for side, sign in (("left", 1), ("right", -1)):
        before_s = at[f"Turn {side} and move forward"]
        turned = pose(walk, before_s + 0.8)[2] - pose(walk, before_s)[2]
        assert turned == pytest.approx(sign * pi / 2)
        assert f"turn {side}." in walk.instruction
    first = walk.instruction.index("turn left") < walk.instruction.index("turn right")
    assert first == (at["Turn left and move forward"] < at["Turn right and move forward"])


@given(walk=walks, seed=st.integers(0, 50))
def test_moments_show_what_is_next(walk: object, seed: int) -> None:
    """Under way there is more than half of the part to go; at the end nothing follows."""
    at = moments(walk, seed)
    assert set(at) == set(MOVES)
    total_s = sum(length_s for length_s, _, _ in parts(walk))
    assert at["Stop"] == pytest.approx(total_s)
    now, soon = pose(walk, at["Move forward"]), pose(walk, at["Move forward"] + 0.5)
    assert hypot(soon[0] - now[0], soon[1] - now[1]) == pytest.approx(0.5)
    assert now[2] == soon[2]


@given(walk=walks)
def test_walks_stay_clear_of_walls_and_landmarks(walk: object) -> None:
    """In a room that only tests show; nothing is walked through."""
    assert walk.room in TEST_ROOMS
    for step in range(80):
        x, y, _ = pose(walk, step * 0.1)
        assert max(abs(x), abs(y)) < 1.85
        for mark in walk.landmarks:
            assert max(abs(mark.x), abs(mark.y)) < 1.85
            assert hypot(x - mark.x, y - mark.y) > 0.5


def test_a_bare_room_has_no_table() -> None:
    """The table's shapes are the last; a walk's shapes fit the pool that takes are drawn with."""
    shapes = room_shapes(12)
    assert all(abs(shape.at[0]) > 1.5 or abs(shape.at[1]) > 1.5 or shape.size[0] == 3 for shape in shapes[:BARE_SHAPES])
    assert all(abs(shape.at[0]) < 1 and abs(shape.at[1]) < 1 for shape in shapes[BARE_SHAPES:])
    assert BARE_SHAPES + 3 * 6 <= Scene.SHAPES
