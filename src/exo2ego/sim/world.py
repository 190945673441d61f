"""The seeded plan of a take: room, actor, cameras, objects, and the steps. No pictures, no files."""

import uuid
from collections import Counter
from dataclasses import dataclass
from hashlib import blake2b
from math import cos, hypot, pi, sin

import numpy as np

from exo2ego.records import SPLITS
from exo2ego.sim.actions import rest_offset
from exo2ego.sim.goals import Goal, Pursuit
from exo2ego.sim.spec import COLOURS, HANDS, KINDS, ROOMS, SCENARIOS, TEST_ROOMS, VERBS, SimSpec

WORLD_VERSION = 3
"""Raise it whenever equal specs give other takes than before: folders of another version are not resumed."""
HELD_OUT_SHARE = 0.15
HELD_OUT_WISH = 0.65
"""How often a free step of a test take is held out on purpose, where the table allows it."""
ACT_S = 1.5
BOUNDS_M = ((-0.34, 0.34), (-0.19, 0.25))
"""Where an object may stand: x and y range on the table."""
APART_M = 0.29
_NAMESPACE = uuid.UUID("6f2e0c5e-0f2b-5d3a-9a5e-1d7a3c0e2e60")


Option = tuple[int, int, tuple[float, float]]
"""A legal step for a verb: which object, to which side (+1 right), where it ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An object on the table."""

    kind: str
    colour: str
    scale: float
    yaw: float
    x: float
    y: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ExoCamera:
    """A fixed camera: where it stands and looks (metres), and how wide (vertical degrees)."""

    cam_id: str
    eye: tuple[float, float, float]
    target: tuple[float, float, float]
    fov_deg: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """The person: size factor, colours, and how the head sits and sways."""

    participant: int
    scale: float
    skin: tuple[float, float, float]
    clothes: tuple[float, float, float]
    sway_phase: tuple[float, float, float]
    ego_fov_deg: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One step, and the facts that questions ask for. Times are seconds from the start of the take."""

    take_uid: str
    index: int
    item: int
    """Which of the take's objects is acted on."""
    verb: str
    kind: str
    colour: str
    hand: str
    direction: str | None
    count: int | None
    neighbours: tuple[str, ...]
    start_s: float
    act_start_s: float
    act_end_s: float
    end_s: float
    home: tuple[float, float]
    goal: tuple[float, float]
    held_out: bool

    @property
    def middle_s(self) -> float:
        """The middle of the act."""
        return (self.act_start_s + self.act_end_s) / 2

    @property
    def event_id(self) -> str:
        """Unique over the whole simulation."""
        return f"{self.take_uid}_{self.index:02d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TakePlan:
    """Everything that decides a take's pictures and annotations."""

    index: int
    take_uid: str
    take_name: str
    capture_name: str
    split: str
    scenario: str
    room: int
    actor: Actor
    cameras: tuple[ExoCamera, ...]
    best_exo: str
    items: tuple[Item, ...]
    events: tuple[Event, ...]
    frames: int
    fps: int
    sun: tuple[float, float, float]
    brightness: float
    goal: Goal | None
    """The procedure pursued; only test takes have one."""

    @property
    def duration_s(self) -> float:
        """Length of every video of the take."""
        return self.frames / self.fps


def uid(seed: int, *names: object) -> str:
    """A uuid5 that depends on the seed and the names only."""
    return str(uuid.uuid5(_NAMESPACE, "/".join(map(str, (seed, *names)))))


def hashed(*names: object) -> float:
    """A number in [0, 1) that depends on the names only (stable over processes and versions)."""
    digest = blake2b("/".join(map(str, names)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def is_held_out(kind: str, colour: str, verb: str) -> bool:
    """Whether only test takes may show this combination; the same for every seed, so that no start can have seen it."""
    return hashed("held-out", kind, colour, verb) < HELD_OUT_SHARE


def split_of(spec: SimSpec) -> list[str]:
    """The split of every take, in the shares asked for, shuffled by the seed."""
    train, val, _ = spec.split_fractions
    first, second = round(spec.takes * train), round(spec.takes * (train + val))
    splits = [SPLITS[0] if i < first else SPLITS[1] if i < second else SPLITS[2] for i in range(spec.takes)]
    np.random.default_rng([spec.seed, 1]).shuffle(splits)
    return splits


def plan_takes(spec: SimSpec) -> list[TakePlan]:
    """The plans of all takes; a take's plan depends on the spec and its index only."""
    return [plan_take(spec, index, split) for index, split in enumerate(split_of(spec))]


def plan_take(spec: SimSpec, index: int, split: str) -> TakePlan:
    """Plan one take."""
    rng = np.random.default_rng([spec.seed, 2, index])
    scenario = list(SCENARIOS)[int(rng.integers(len(SCENARIOS)))]
    rooms = [room for room in range(ROOMS) if (room in TEST_ROOMS) == (split == "test")]
    take_uid = uid(spec.seed, "take", index)
    cameras = _plan_cameras(rng, spec.exo_cameras)
    items = _plan_items(rng, scenario)
    pursuit = _pursuit(spec, index, scenario, items) if split == "test" else None
    events = _plan_events(rng, take_uid, items, spec.steps, pursuit)
    capture = f"sim_{SCENARIOS[scenario][1]}{index:04d}"
    return TakePlan(
        index=index,
        take_uid=take_uid,
        take_name=f"{capture}_1",
        capture_name=capture,
        split=split,
        scenario=scenario,
        room=int(rng.choice(rooms)),
        actor=_plan_actor(rng),
        cameras=cameras,
        best_exo=min(cameras, key=lambda camera: abs(camera.eye[0]) - camera.eye[1]).cam_id,
        items=items,
        events=events,
        frames=int(np.ceil((events[-1].end_s + 0.5) * spec.fps)),
        fps=spec.fps,
        sun=(float(rng.uniform(-0.6, 0.6)), float(rng.uniform(-0.6, 0.6)), -1.0),
        brightness=float(rng.uniform(0.75, 1.1)),
        goal=pursuit.goal if pursuit else None,
    )


def _pursuit(spec: SimSpec, index: int, scenario: str, items: tuple[Item, ...]) -> Pursuit:
    """The goal of a test take; it draws from a stream of their own, so that takes without goals are as ever."""

    def held(verb: str, number: int) -> bool:
        return is_held_out(items[number].kind, items[number].colour, verb)

    return Pursuit(np.random.default_rng([spec.seed, 6, index]), scenario, len(items), held)


def _dull(rng: np.random.Generator, low: float, high: float) -> tuple[float, float, float]:
    """A greyish colour: far from every object's colour."""
    grey = rng.uniform(low, high)
    red, green, blue = np.clip(grey + rng.uniform(-0.06, 0.06, 3), 0, 1)
    return (float(red), float(green), float(blue))


def _plan_actor(rng: np.random.Generator) -> Actor:
    tone = rng.uniform(0.35, 0.9)
    return Actor(
        participant=int(rng.integers(1, 40)),
        scale=float(rng.uniform(0.93, 1.07)),
        skin=(float(tone), float(tone * 0.72), float(tone * 0.56)),
        clothes=_dull(rng, 0.12, 0.62),
        sway_phase=tuple(float(value) for value in rng.uniform(0, 2 * pi, 3)),  # type: ignore[arg-type]
        ego_fov_deg=float(rng.uniform(56, 62)),
    )


def _plan_cameras(rng: np.random.Generator, fewest_most: tuple[int, int]) -> tuple[ExoCamera, ...]:
    """Cameras around the front of the actor, each in its own sector of the 200 degrees."""
    count = int(rng.integers(fewest_most[0], fewest_most[1] + 1))
    edges = np.linspace(-100, 100, count + 1)
    cameras = []
    for number in rng.permutation(count):
        azimuth = rng.uniform(edges[number] + 6, edges[number + 1] - 6) * pi / 180
        height = rng.uniform(28, 52) * pi / 180
        away = rng.uniform(1.35, 1.75)
        eye = (away * cos(height) * sin(azimuth), away * cos(height) * cos(azimuth), 0.08 + away * sin(height))
        target = (float(rng.uniform(-0.04, 0.04)), float(rng.uniform(-0.03, 0.05)), float(rng.uniform(0.06, 0.11)))
        # The picture is about 1.05 m wide at the table, so that an object of 0.2 m spans 12 to 14 of 64 pixels.
        fov = 2 * np.arctan(rng.uniform(0.47, 0.53) / away) * 180 / pi
        cameras.append((eye, target, float(fov)))
    return tuple(
        ExoCamera(cam_id=f"cam{i + 1:02d}", eye=eye, target=target, fov_deg=fov)
        for i, (eye, target, fov) in enumerate(cameras)
    )


def _plan_items(rng: np.random.Generator, scenario: str) -> tuple[Item, ...]:
    """Three objects of distinct kinds and colours, apart from each other."""
    kinds: list[str] = []
    while len(kinds) < 3:
        pool = SCENARIOS[scenario][2] if rng.random() < 0.6 else KINDS
        kind = pool[int(rng.integers(len(pool)))]
        if kind not in kinds:
            kinds.append(kind)
    colours = rng.permutation(list(COLOURS))[:3]
    places = _plan_places(rng)
    return tuple(
        Item(kind=kind, colour=str(colour), scale=float(rng.uniform(0.92, 1.15)), yaw=_yaw(rng), x=x, y=y)
        for kind, colour, (x, y) in zip(kinds, colours, places, strict=True)
    )


def _yaw(rng: np.random.Generator) -> float:
    """Handles point roughly away from the actor or sideways, never into the hand."""
    return float(rng.uniform(-pi, pi))


def _plan_places(rng: np.random.Generator) -> list[tuple[float, float]]:
    """Three places at least APART_M from each other."""
    (x0, x1), (y0, y1) = BOUNDS_M
    while True:
        places = [(float(rng.uniform(x0, x1)), float(rng.uniform(y0, y1))) for _ in range(3)]
        if all(hypot(a[0] - b[0], a[1] - b[1]) > APART_M + 0.04 for i, a in enumerate(places) for b in places[:i]):
            return places


def is_legal(home: tuple[float, float], goal: tuple[float, float], others: list[tuple[float, float]]) -> bool:
    """Whether an object may move straight from `home` to `goal`: within bounds, never into another object."""
    (x0, x1), (y0, y1) = BOUNDS_M
    if not (x0 <= goal[0] <= x1 and y0 <= goal[1] <= y1):
        return False
    for part in (0.5, 1.0):
        x, y = home[0] + part * (goal[0] - home[0]), home[1] + part * (goal[1] - home[1])
        if any(hypot(x - ox, y - oy) < APART_M for ox, oy in others):
            return False
    return True


def _options(places: list[tuple[float, float]], items: tuple[Item, ...], verb: str, test: bool) -> list[Option]:
    """What the table allows for a verb."""
    found = []
    for number, item in enumerate(items):
        if not test and is_held_out(item.kind, item.colour, verb):
            continue
        others = [place for other, place in enumerate(places) if other != number]
        for sign in (-1, 1) if verb == "slides" else (1,):
            dx, dy = rest_offset(verb, sign)
            goal = (places[number][0] + dx, places[number][1] + dy)
            if (dx, dy) == (0.0, 0.0) or is_legal(places[number], goal, others):
                found.append((number, sign, goal))
    return found


def _plan_events(
    rng: np.random.Generator,
    take_uid: str,
    items: tuple[Item, ...],
    steps: tuple[int, int],
    pursuit: Pursuit | None,
) -> tuple[Event, ...]:
    """As many steps as asked for; verbs come up about equally often, as far as the table has room for them.

    Without `pursuit` (train and val takes) every step is a free one and nothing held out is shown.
    """
    places = [(item.x, item.y) for item in items]
    events: list[Event] = []
    clock = float(rng.uniform(0.3, 0.6))
    for index in range(int(rng.integers(steps[0], steps[1] + 1))):
        verb, (number, sign, goal) = _choose(rng, events, places, items, pursuit)
        length = float(rng.uniform(2.0, 2.6))
        events.append(_event(rng, take_uid, index, number, verb, sign, items, places[number], goal, clock, length))
        places[number], clock = goal, clock + length
    return tuple(events)


def _choose(
    rng: np.random.Generator,
    events: list[Event],
    places: list[tuple[float, float]],
    items: tuple[Item, ...],
    pursuit: Pursuit | None,
) -> tuple[str, Option]:
    """The next step: the verb that the take has shown least, never the last one; test takes prefer goals' steps."""
    test = pursuit is not None
    shown = Counter(event.verb for event in events)
    verbs = sorted((str(verb) for verb in rng.permutation(list(VERBS))), key=lambda verb: shown[verb])
    legal = {verb: _options(places, items, verb, test) for verb in verbs if not events or verb != events[-1].verb}
    if pursuit is not None:
        wish = pursuit.wish(lambda verb, number: any(one[0] == number for one in legal.get(verb, ())))
        if wish is not None:
            pursuit.did(len(events))
            fitting = [one for one in legal[wish[0]] if one[0] == wish[1]]
            return wish[0], fitting[int(rng.integers(len(fitting)))]
        if rng.random() < HELD_OUT_WISH:
            legal = _held_out_only(legal, items) or legal
    verb = next(verb for verb, options in legal.items() if options)
    return verb, legal[verb][int(rng.integers(len(legal[verb])))]


def _held_out_only(legal: dict[str, list[Option]], items: tuple[Item, ...]) -> dict[str, list[Option]]:
    """The legal steps that only test takes may show; empty where there are none."""
    held = {
        verb: [one for one in options if is_held_out(items[one[0]].kind, items[one[0]].colour, verb)]
        for verb, options in legal.items()
    }
    return held if any(held.values()) else {}


def _event(
    rng: np.random.Generator,
    take_uid: str,
    index: int,
    number: int,
    verb: str,
    sign: int,
    items: tuple[Item, ...],
    home: tuple[float, float],
    goal: tuple[float, float],
    start_s: float,
    length_s: float,
) -> Event:
    item = items[number]
    spare = (length_s - ACT_S) / 2
    return Event(
        take_uid=take_uid,
        index=index,
        item=number,
        verb=verb,
        kind=item.kind,
        colour=item.colour,
        hand=HANDS[int(rng.integers(2))],
        direction=("right" if sign > 0 else "left") if verb == "slides" else None,
        count=int(rng.integers(1, 4)) if verb == "taps" else None,
        neighbours=tuple(other.kind for i, other in enumerate(items) if i != number),
        start_s=start_s,
        act_start_s=start_s + spare,
        act_end_s=start_s + length_s - spare,
        end_s=start_s + length_s,
        home=home,
        goal=goal,
        held_out=is_held_out(item.kind, item.colour, verb),
    )
