"""Walks through a room: a head camera goes from landmark to landmark under a spoken instruction. No pictures, no files.

A walk is straight, a quarter turn, straight, a quarter turn to the other side, straight; a landmark stands ahead where
each straight part ends. Metres and seconds; x to the east, y to the north, the floor as in `scene`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import cos, pi, sin

import numpy as np

from exo2ego.sim.actions import Vec, smooth
from exo2ego.sim.spec import COLOURS, KINDS, TEST_ROOMS

SPEED_M_S = 1.0
TURN_S = 0.8
START_S = 0.4
"""How long the walker stands before the first step."""
AHEAD_M = 0.8
"""How far in front of a landmark a straight part ends."""
EYE_M = 0.40
"""Height of the eye; the floor is at -0.76."""

MOVES = ("Move forward", "Turn left and move forward", "Turn right and move forward", "Stop")
FOLDERS = dict(zip(MOVES, ("forward", "left", "right", "stop"), strict=True))

Pose = tuple[float, float, float]
"""x, y, heading (radians, 0 = east, counter-clockwise)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Landmark:
    """An object on a pillar."""

    kind: str
    colour: str
    x: float
    y: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """A route with its landmarks."""

    number: int
    room: int
    start: Pose
    lengths_m: tuple[float, float, float]
    left_first: bool
    landmarks: tuple[Landmark, Landmark, Landmark]

    @property
    def instruction(self) -> str:
        """What the walker was told."""
        sides = ("left", "right") if self.left_first else ("right", "left")
        one, two, three = (f"the {mark.colour} {mark.kind}" for mark in self.landmarks)
        turns = f"Walk to {one} and turn {sides[0]}. Walk to {two} and turn {sides[1]}."
        return f"{turns} Walk to {three} and stop in front of it."


def plan_walk(seed: int, number: int) -> Walk:
    """A walk that depends on the seed and its number only, in a room that only tests show."""
    rng = np.random.default_rng([seed, 10, number])
    lengths = tuple(float(value) for value in rng.uniform(1.0, 1.35, 3))
    left_first, quarter = bool(rng.integers(2)), int(rng.integers(4))
    kinds = [str(kind) for kind in rng.permutation(list(KINDS))[:3]]
    colours = [str(colour) for colour in rng.permutation(list(COLOURS))[:3]]
    # In a frame of its own the walk begins at the origin, eastwards; then it is put around the middle of the room.
    side = 1 if left_first else -1
    corners = [
        (0.0, 0.0),
        (lengths[0], 0.0),
        (lengths[0], side * lengths[1]),
        (lengths[0] + lengths[2], side * lengths[1]),
    ]
    ahead = [(corners[1][0] + AHEAD_M, 0.0), (corners[2][0], corners[2][1] + side * AHEAD_M)]
    ahead.append((corners[3][0] + AHEAD_M, corners[3][1]))
    middle = ((lengths[0] + lengths[2] + AHEAD_M) / 2, side * lengths[1] / 2)
    angle = quarter * pi / 2

    def place(point: tuple[float, float]) -> tuple[float, float]:
        x, y = point[0] - middle[0], point[1] - middle[1]
        return (cos(angle) * x - sin(angle) * y, sin(angle) * x + cos(angle) * y)

    marks = [
        Landmark(kind=kind, colour=colour, x=place(at)[0], y=place(at)[1])
        for kind, colour, at in zip(kinds, colours, ahead, strict=True)
    ]
    return Walk(
        number=number,
        room=int(rng.choice(sorted(TEST_ROOMS))),
        start=(*place((0.0, 0.0)), angle),
        lengths_m=(lengths[0], lengths[1], lengths[2]),
        left_first=left_first,
        landmarks=(marks[0], marks[1], marks[2]),
    )


def parts(walk: Walk) -> Iterator[tuple[float, float, float]]:
    """(seconds, metres forward, radians turned) of every part in order."""
    turn = pi / 2 if walk.left_first else -pi / 2
    yield START_S, 0.0, 0.0
    for number, length in enumerate(walk.lengths_m):
        yield length / SPEED_M_S, length, 0.0
        if number < 2:
            yield TURN_S, 0.0, turn if number == 0 else -turn


def pose(walk: Walk, t_s: float) -> Pose:
    """Where the walker is and looks at a time; the end is kept."""
    x, y, heading = walk.start
    left_s = t_s
    for length_s, forward_m, turned in parts(walk):
        share = min(max(left_s / length_s, 0.0), 1.0)
        share = smooth(share) if turned else share
        x, y = x + share * forward_m * cos(heading), y + share * forward_m * sin(heading)
        heading += share * turned
        left_s -= length_s
        if left_s <= 0:
            break
    return (x, y, heading)


def moments(walk: Walk, seed: int) -> dict[str, float]:
    """Move -> second at which it is the next one: before a turn, at the end, and under way (in any straight part)."""
    rng = np.random.default_rng([seed, 11, walk.number])
    ends = list(np.cumsum([length_s for length_s, _, _ in parts(walk)]))
    first, second = ("Turn left and move forward", "Turn right and move forward")[:: 1 if walk.left_first else -1]
    straight = int(rng.integers(3))
    begun_s = float(ends[2 * straight])
    forward_s = begun_s + float(rng.uniform(0.15, 0.45)) * walk.lengths_m[straight] / SPEED_M_S
    return {"Move forward": forward_s, first: float(ends[1]), second: float(ends[3]), "Stop": float(ends[5])}


def view(walk: Walk, t_s: float) -> tuple[Vec, Vec]:
    """Eye and target, float64[3] each; the head bobs and looks a little down."""
    x, y, heading = pose(walk, t_s)
    eye = np.array([x, y, EYE_M + 0.015 * sin(9.0 * t_s)])
    return eye, eye + np.array([cos(heading), sin(heading), -0.18])
