"""A take as primitive shapes: room, actor and objects at any time, for the renderer. Metres; axes as in `actions`."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exo2ego.sim import cameras
from exo2ego.sim.actions import Motion, Vec, hand_offset, object_motion, smooth
from exo2ego.sim.objects import BOX, CAPSULE, ELLIPSOID, MAX_PARTS, MODELS, SPHERE, part_rotation, part_size
from exo2ego.sim.spec import COLOURS
from exo2ego.sim.world import Event, Item, TakePlan

Colour = tuple[float, float, float]
BARE_SHAPES = 9
"""Shapes of a room without its table."""
RELEASE = 0.55
"""Share of the withdrawal after which the hand has put the object down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A primitive that does not move."""

    shape: int
    size: Colour
    at: Colour
    tint: Colour


def room_shapes(room: int) -> list[Shape]:
    """Floor, walls and decoration (the first `BARE_SHAPES`), then the table; the look depends on the number only."""
    rng = np.random.default_rng([77, room])

    def dull(low: float, high: float) -> Colour:
        r, g, b = np.clip(rng.uniform(low, high) + rng.uniform(-0.07, 0.07, 3), 0, 1)
        return (float(r), float(g), float(b))

    wall, far = dull(0.35, 0.8), 2.6
    shapes = [Shape(shape=BOX, size=(3, 3, 0.02), at=(0, 0, -0.78), tint=dull(0.2, 0.55))]
    for x, y in ((far, 0), (-far, 0), (0, far), (0, -far)):
        size = (0.02, far, 1.6) if x else (far, 0.02, 1.6)
        shapes.append(Shape(shape=BOX, size=size, at=(x, y, 0.8), tint=wall))
    for _ in range(4):
        side = rng.choice([-1.0, 1.0])
        at = (side * 2.4, rng.uniform(-1.8, 1.8)) if rng.random() < 0.5 else (rng.uniform(-1.8, 1.8), side * 2.4)
        wide, deep, high = (float(value) for value in rng.uniform(0.15, 0.5, 3))
        place = (float(at[0]), float(at[1]), float(rng.uniform(-0.7, 1.2)))
        shapes.append(Shape(shape=BOX, size=(wide, deep, high), at=place, tint=dull(0.15, 0.7)))
    top, leg = dull(0.3, 0.72), dull(0.1, 0.4)
    shapes.append(Shape(shape=BOX, size=(0.62, 0.40, 0.02), at=(0, 0.04, -0.02), tint=top))
    for x in (-0.55, 0.55):
        shapes.append(Shape(shape=BOX, size=(0.03, 0.34, 0.36), at=(x, 0.04, -0.40), tint=leg))
    return shapes


def _body(plan: TakePlan) -> list[Shape]:
    """Torso, head, hair and legs; the head camera sits in front of the face."""
    actor, s = plan.actor, plan.actor.scale
    trousers: Colour = (0.15, 0.15, 0.18)
    return [
        Shape(shape=ELLIPSOID, size=(0.20, 0.12, 0.36), at=(0, -0.62, 0.10 * s), tint=actor.clothes),
        Shape(shape=ELLIPSOID, size=(0.10, 0.11, 0.13), at=(0, -0.60, 0.60 * s), tint=actor.skin),
        Shape(shape=ELLIPSOID, size=(0.108, 0.11, 0.10), at=(0, -0.635, 0.66 * s), tint=(0.12, 0.09, 0.07)),
        Shape(shape=BOX, size=(0.08, 0.09, 0.35), at=(-0.11, -0.62, -0.45), tint=trousers),
        Shape(shape=BOX, size=(0.08, 0.09, 0.35), at=(0.11, -0.62, -0.45), tint=trousers),
    ]


def _about(axis: str, angle: float) -> Vec:
    """Rotation matrix about y or z."""
    c, s = np.cos(angle), np.sin(angle)
    rows = [[c, 0, s], [0, 1, 0], [-s, 0, c]] if axis == "y" else [[c, -s, 0], [s, c, 0], [0, 0, 1]]
    return np.array(rows, dtype=np.float64)


class Scene:
    """A take's shapes: what stays (`types`, `rgba`) and what moves (`pose`).

    Attributes:
        types: int32[K], MuJoCo's shape numbers.
        rgba: float32[K, 4].
    """

    ARM_SHAPES = 8
    SHAPES = 12 + 5 + ARM_SHAPES + 3 * MAX_PARTS
    """Shapes of any take: K."""

    def __init__(self, plan: TakePlan) -> None:
        """Build the shapes of one take."""
        self.plan = plan
        still = room_shapes(plan.room) + _body(plan)
        arm = [
            (CAPSULE, plan.actor.clothes),
            (CAPSULE, plan.actor.clothes),
            (SPHERE, plan.actor.skin),
            (CAPSULE, plan.actor.skin),
        ]
        types = [shape.shape for shape in still] + [shape for shape, _ in arm * 2]
        tints: list[Colour] = [shape.tint for shape in still] + [tint for _, tint in arm * 2]
        self._moving = len(still)
        for item in plan.items:
            parts = MODELS[item.kind].parts
            types += [part.shape for part in parts]
            tints += [part.tint or COLOURS[item.colour] for part in parts]
        count = len(types)
        self.types: NDArray[np.int32] = np.array(types, dtype=np.int32)
        self.rgba: NDArray[np.float32] = np.concatenate([np.array(tints), np.ones((count, 1))], axis=1).astype(
            np.float32
        )
        self._size: Vec = np.full((count, 3), 1e-3)
        self._at: Vec = np.zeros((count, 3))
        self._turn: Vec = np.tile(np.eye(3), (count, 1, 1))
        for number, shape in enumerate(still):
            self._size[number], self._at[number] = shape.size, shape.at
        self._posed: dict[int, Motion | bytes] = {}

    def pose(self, t_s: float) -> tuple[Vec, Vec, Vec]:
        """Half sizes float64[K, 3], centres float64[K, 3] and rotations float64[K, 3, 3] at a time (reused arrays)."""
        places = [(item.x, item.y) for item in self.plan.items]
        current: Event | None = None
        for event in self.plan.events:
            if t_s < event.start_s:
                break
            places[event.item] = event.goal
            current = event
        motions = [Motion(dx=x, dy=y) for x, y in places]
        hands = [np.array([side * 0.30, -0.30, 0.035]) for side in (-1, 1)]
        if current is not None and t_s < current.end_s:
            motion, hand = acting(current, self.plan.items[current.item], t_s, hands[current.hand == "right"])
            motions[current.item], hands[current.hand == "right"] = motion, hand
        self._pose_arms(hands)
        at = self._moving + self.ARM_SHAPES
        for item, motion in zip(self.plan.items, motions, strict=True):
            at = self._pose_item(at, item, motion)
        return self._size, self._at, self._turn

    def _pose_arms(self, hands: list[Vec]) -> None:
        for number, (side, hand) in enumerate(zip((-1, 1), hands, strict=True)):
            at = self._moving + 4 * number
            if not self._moved(at, hand.tobytes()):
                continue
            shoulder = np.array([side * 0.20, -0.54, 0.36 * self.plan.actor.scale])
            reach = hand - shoulder
            bend = np.sqrt(max(0.36**2 - float(reach @ reach) / 4, 0.0004))
            elbow = (shoulder + hand) / 2 + bend * np.array([side * 0.75, -0.1, -0.35])
            wrist = hand + 0.25 * (elbow - hand)
            self._limb(at, shoulder, elbow, 0.055)
            self._limb(at + 1, elbow, wrist, 0.042)
            self._limb(at + 3, wrist, hand, 0.032)
            self._size[at + 2], self._at[at + 2] = 0.055, hand

    def _limb(self, number: int, start: Vec, end: Vec, thick: float) -> None:
        axis = end - start
        length = float(np.linalg.norm(axis))
        back = axis / length
        self._turn[number] = cameras.facing(back, (0.31, 0.95, 0.05))
        self._size[number], self._at[number] = (thick, length / 2, 0), (start + end) / 2

    def _moved(self, number: int, state: Motion | bytes) -> bool:
        """Whether what starts at shape `number` is to be posed anew; most things rest most of the time."""
        if self._posed.get(number) == state:
            return False
        self._posed[number] = state
        return True

    def _pose_item(self, number: int, item: Item, motion: Motion) -> int:
        if not self._moved(number, motion):
            return number + len(MODELS[item.kind].parts)
        turn = _about("y", motion.tilt) @ _about("z", item.yaw + motion.yaw)
        model = MODELS[item.kind]
        pivot = np.array([0, 0, 0.5 * model.height * item.scale])
        foot = np.array([motion.dx, motion.dy, motion.dz])
        for part in model.parts:
            at = np.array(part.at) * item.scale * (1, 1, motion.squash)
            self._at[number] = foot + pivot + turn @ (at - pivot)
            self._turn[number] = turn @ part_rotation(part)
            self._size[number] = part_size(part, item.scale, motion.squash)
            number += 1
        return number


def acting(event: Event, item: Item, t_s: float, rest: Vec) -> tuple[Motion, Vec]:
    """The acted-on object (its place in dx, dy, dz) and the acting hand (float64[3]) at a time within the event."""
    side, sign = (1 if event.hand == "right" else -1), (-1 if event.direction == "left" else 1)
    u = min(max((t_s - event.act_start_s) / (event.act_end_s - event.act_start_s), 0.0), 1.0)
    motion = object_motion(event.verb, u, sign=sign, side=side)
    back = max((t_s - event.act_end_s) / (event.end_s - event.act_end_s), 0.0)
    lowered = 1 - smooth(back / RELEASE)
    motion = Motion(
        dx=event.home[0] + motion.dx,
        dy=event.home[1] + motion.dy,
        dz=motion.dz * lowered,
        yaw=motion.yaw,
        tilt=motion.tilt,
        squash=motion.squash,
    )
    model = MODELS[event.kind]
    grip = hand_offset(
        event.verb,
        u,
        side=side,
        radius=model.radius * item.scale,
        height=model.height * item.scale * motion.squash,
        count=event.count or 1,
    )
    hand = np.array([motion.dx, motion.dy, motion.dz]) + grip
    near = smooth((t_s - event.start_s) / (event.act_start_s - event.start_s)) if t_s < event.act_start_s else 1.0
    away = smooth((back - RELEASE) / (1 - RELEASE))
    held = near * (1 - away)
    return motion, rest + held * (hand - rest)


def views(plan: TakePlan, t_s: float) -> list[tuple[Vec, Vec, float]]:
    """All cameras at a time: the head's first, then the fixed ones in order."""
    return [cameras.ego_view(plan, t_s), *cameras.exo_views(plan.cameras)]
