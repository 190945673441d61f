"""Takes look different: people, light, rooms, cameras and things around vary, and the head moves and follows the hands.

A world in which one of these stood still would teach a model that it never changes, and no other test would see it.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from math import asin, atan2, degrees, hypot
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from exo2ego.sim.cameras import FOLLOW, ego_view, gaze
from exo2ego.sim.egoexo4d import EGO_FILE, exo_file
from exo2ego.sim.encode import decode
from exo2ego.sim.scene import BARE_SHAPES, Scene, room_shapes, views
from exo2ego.sim.spec import COLOURS, KINDS, ROOMS, SCENARIOS, SimSpec
from exo2ego.sim.world import TakePlan, plan_takes

if TYPE_CHECKING:
    from exo2ego.sim.render import Stage

TORSO, HEAD = 12, 13
"""Their numbers among a scene's shapes: behind the room's twelve."""


def spread(values: Sequence[Sequence[float]]) -> float:
    """The smallest standard deviation over the columns."""
    return float(np.std(np.array(values, float), axis=0).min())


def test_clothes_skin_and_size_differ_between_takes(plans: list[TakePlan]) -> None:
    """As the renderer gets them: the torso and both sleeves have the clothes' colour, greyish as no object is."""
    scenes = [Scene(plan) for plan in plans]
    clothes = [scene.rgba[TORSO, :3].tolist() for scene in scenes]
    skin = [scene.rgba[HEAD, :3].tolist() for scene in scenes]
    for many in (clothes, skin):
        assert len({tuple(one) for one in many}) == len(plans)
        assert spread(many) > 0.06
    for plan, scene, worn in zip(plans, scenes, clothes, strict=True):
        assert worn == pytest.approx(plan.actor.clothes, abs=1e-6)
        same = [number for number, tint in enumerate(scene.rgba[:, :3].tolist()) if tint == worn]
        assert len(same) == 5, "torso, two upper and two lower arms"
        assert np.ptp(worn) < 0.13 < min(np.ptp(colour) for colour in COLOURS.values())
    assert spread([[plan.actor.scale, plan.actor.ego_fov_deg / 60] for plan in plans]) > 0.01
    heights = [float(scene.pose(0.0)[1][HEAD, 2]) for scene in scenes]
    assert np.ptp(heights) > 0.05


def test_light_differs_between_takes(plans: list[TakePlan]) -> None:
    """Where it comes from, and how bright it is."""
    assert spread([[plan.sun[0], plan.sun[1], plan.brightness] for plan in plans]) > 0.08
    assert all(plan.sun[2] < 0 for plan in plans), "from above"
    assert {(plan.sun[0] > 0, plan.sun[1] > 0) for plan in plans} == {
        (x, y) for x in (True, False) for y in (True, False)
    }


def test_rooms_look_different_and_each_always_the_same() -> None:
    """Wall, floor, table and decoration; no two of the rooms are alike, those of the test split among them."""
    rooms = [room_shapes(room) for room in range(ROOMS)]
    assert rooms == [room_shapes(room) for room in range(ROOMS)]
    wall, floor, table = 1, 0, BARE_SHAPES
    for shape in (wall, floor, table):
        assert spread([room[shape].tint for room in rooms]) > 0.05
    for one, other in combinations(rooms, 2):
        looks = [np.array([shape.tint for shape in room]) for room in (one, other)]
        places = [np.array([shape.at for shape in room[5:BARE_SHAPES]]) for room in (one, other)]
        assert np.abs(looks[0] - looks[1]).max() > 0.08
        assert np.abs(places[0] - places[1]).max() > 0.3


def test_takes_use_all_rooms(plans: list[TakePlan]) -> None:
    """None is left out, none is in most takes, and what the renderer gets is the take's own."""
    used = [plan.room for plan in plans]
    assert len(set(used)) > ROOMS / 2
    assert max(used.count(room) for room in used) < len(plans) / 4
    for plan in plans[:8]:
        tints = [shape.tint for shape in room_shapes(plan.room)]
        assert np.allclose(Scene(plan).rgba[: len(tints), :3], tints)


def test_fixed_cameras_stand_elsewhere_in_each_take(plans: list[TakePlan]) -> None:
    """Number, direction, height, distance and width of view; those of one take are well apart."""
    assert {len(plan.cameras) for plan in plans} == {2, 3, 4}
    stands = []
    for plan in plans:
        azimuths = [degrees(atan2(camera.eye[0], camera.eye[1])) for camera in plan.cameras]
        assert all(abs(one - other) > 10 for one, other in combinations(azimuths, 2))
        for camera, azimuth in zip(plan.cameras, azimuths, strict=True):
            away = hypot(camera.eye[0], camera.eye[1], camera.eye[2] - 0.08)
            elevation = degrees(asin((camera.eye[2] - 0.08) / away))
            stands.append([azimuth / 100, elevation / 100, away, camera.fov_deg / 30])
    assert spread(stands) > 0.05
    assert np.ptp([stand[0] for stand in stands]) > 1.6, "from far left to far right"
    # A camera's number does not tell where it stands.
    first = [plan.cameras[0].eye[0] for plan in plans]
    assert 0.25 < np.mean([x > 0 for x in first]) < 0.75


def test_a_fixed_camera_is_fixed_and_the_head_is_not(plans: list[TakePlan]) -> None:
    """The head sways by centimetres in every direction, each person's in a way of its own; nothing jumps."""
    ways = []
    for plan in plans[:12]:
        times = np.arange(0, plan.duration_s, 0.1)
        seen = [views(plan, float(t_s)) for t_s in times]
        eyes = np.array([view[0][0] for view in seen])
        assert np.ptp(eyes, axis=0).min() > 0.02, plan.take_name
        assert np.abs(np.diff(eyes, axis=0)).max() < 0.01
        ways.append(eyes[:40] - eyes[:40].mean(axis=0))
        for number in range(1, 1 + len(plan.cameras)):
            assert all(np.array_equal(view[number][0], seen[0][number][0]) for view in seen)
            assert all(np.array_equal(view[number][1], seen[0][number][1]) for view in seen)
    assert all(np.abs(one - other).max() > 0.005 for one, other in combinations(ways, 2))


def test_the_head_turns_to_what_the_hands_do(plans: list[TakePlan]) -> None:
    """In the middle of a step the head looks nearer to its object than to the two others, and not always at one place.

    And it follows a thing that is moved, but less than it moves: else its movement would not be seen.
    """
    looked, went, nearest, steps = [], [], 0, 0
    for plan in plans[:20]:
        places = [np.array([item.x, item.y]) for item in plan.items]
        for event in plan.events:
            at = gaze(plan, event.act_start_s)[:2]
            distances = [float(np.hypot(*(place * 0.85 - at))) for place in places]
            nearest += int(np.argmin(distances)) == event.item
            steps += 1
            looked.append([*event.home, *at])
            if event.goal != event.home:
                moved = np.array(event.goal) - np.array(event.home)
                turned = gaze(plan, event.act_end_s)[:2] - at
                went.append(float(turned @ moved / (moved @ moved)))
            places[event.item] = np.array(event.goal)
    assert nearest / steps > 0.95
    correlation = np.corrcoef(np.array(looked).T)
    assert min(correlation[0, 2], correlation[1, 3]) > 0.9
    assert min(went) > 0
    assert np.mean(went) == pytest.approx(0.85 * FOLLOW, abs=0.05)


def test_the_picture_of_the_head_turns_with_the_gaze(plans: list[TakePlan]) -> None:
    """What is looked at is in the middle of the ego picture, at any time."""
    for plan in plans[:12]:
        for t_s in np.arange(0, plan.duration_s, 0.5):
            eye, turn, _ = ego_view(plan, float(t_s))
            line = gaze(plan, float(t_s)) - eye
            assert -turn[:, 2] == pytest.approx(line / np.linalg.norm(line))


def test_the_two_things_beside_the_acted_on_one_differ(plans: list[TakePlan]) -> None:
    """Always two; kinds, colours, places and turns vary, so that nothing about them is a constant."""
    beside = [item for plan in plans for event in plan.events for n, item in enumerate(plan.items) if n != event.item]
    assert len(beside) == 2 * sum(len(plan.events) for plan in plans)
    assert {item.kind for item in beside} == set(KINDS)
    assert {item.colour for item in beside} == set(COLOURS)
    assert spread([[item.x, item.y, item.yaw, item.scale] for item in beside]) > 0.05
    sets = [frozenset((item.kind, item.colour) for item in plan.items) for plan in plans]
    assert len(set(sets)) > 0.95 * len(plans)


def test_a_scenario_shows_in_the_things_on_its_table(plans: list[TakePlan]) -> None:
    """Its usual kinds, which its pool names twice, stand there more often than on the tables of the others."""
    assert {plan.scenario for plan in plans} == set(SCENARIOS)
    for scenario, (_, _, pool) in SCENARIOS.items():
        usual = {kind for kind in pool if pool.count(kind) > 1}
        here = [item.kind in usual for plan in plans if plan.scenario == scenario for item in plan.items]
        elsewhere = [item.kind in usual for plan in plans if plan.scenario != scenario for item in plan.items]
        assert np.mean(here) > np.mean(elsewhere) + 0.07, scenario


def other_light(plan: TakePlan) -> TakePlan:
    return replace(plan, sun=(-plan.sun[0] + 0.5, -plan.sun[1] - 0.5, -1.0))


def other_brightness(plan: TakePlan) -> TakePlan:
    return replace(plan, brightness=plan.brightness - 0.25)


def other_clothes(plan: TakePlan) -> TakePlan:
    return replace(plan, actor=replace(plan.actor, clothes=tuple(0.75 - grey for grey in plan.actor.clothes)))


def other_room(plan: TakePlan) -> TakePlan:
    return replace(plan, room=(plan.room + 1) % ROOMS)


def other_camera(plan: TakePlan) -> TakePlan:
    x, y, z = plan.cameras[0].eye
    return replace(plan, cameras=(replace(plan.cameras[0], eye=(-x, y, z)), *plan.cameras[1:]))


def other_thing_beside(plan: TakePlan) -> TakePlan:
    """Another kind of distractor in its place."""
    beside = next(number for number in range(3) if number != plan.events[0].item)
    kinds = {item.kind for item in plan.items}
    new = replace(plan.items[beside], kind=next(kind for kind in KINDS if kind not in kinds))
    return replace(plan, items=tuple(new if n == beside else item for n, item in enumerate(plan.items)))


def other_sway(plan: TakePlan) -> TakePlan:
    """The head as it sways another time."""
    return replace(plan, actor=replace(plan.actor, sway_phase=tuple(p + 1.5 for p in plan.actor.sway_phase)))


def pictures(stage: "Stage", plan: TakePlan, t_s: float) -> NDArray[np.float64]:
    """What all cameras of a take see at a time, float64[cameras, H, W, 3]."""
    scene = Scene(plan)
    stage.dress(scene.types, scene.rgba, np.array(plan.sun), plan.brightness)
    stage.pose(*scene.pose(t_s))
    return np.array([stage.shoot(*view).astype(float) for view in views(plan, t_s)])


@pytest.mark.gl
def test_all_that_varies_is_seen_in_the_pictures(plans: list[TakePlan]) -> None:
    """The same instant of one take with one thing changed: the pictures differ where that is to be seen, else not."""
    from exo2ego.sim.render import Stage

    plan = plans[0]
    t_s = plan.events[0].middle_s
    least: dict[Callable[[TakePlan], TakePlan], tuple[float, float]] = {
        other_light: (5, 5),
        other_brightness: (4, 4),
        other_clothes: (1, 3),
        other_room: (8, 8),
        other_camera: (0, 8),
        other_thing_beside: (2, 2),
        other_sway: (5, 0),
    }
    with Stage(64, Scene.SHAPES) as stage:
        usual = pictures(stage, plan, t_s)
        assert np.array_equal(pictures(stage, plan, t_s), usual)
        for change, expected in least.items():
            differ = np.abs(pictures(stage, change(plan), t_s) - usual).mean(axis=(1, 2, 3))
            for seen, wanted in zip(differ[:2], expected, strict=True):
                assert seen > wanted if wanted else seen == 0, (change.__name__, differ)


@pytest.mark.gl
def test_rendered_videos_show_their_plans_light_room_and_clothes(tiny_spec: SimSpec, tiny_world: Path) -> None:
    """Frames of every video are those drawn from the plan, as far as the codec lets them."""
    from exo2ego.sim.render import Stage

    with Stage(tiny_spec.size_px, Scene.SHAPES) as stage:
        for plan in plan_takes(tiny_spec):
            shown = videos(tiny_world, plan)
            for number in (0, round(plan.events[0].middle_s * plan.fps)):
                drawn = pictures(stage, plan, number / plan.fps)
                for name, frames, picture in zip(shown, shown.values(), drawn, strict=True):
                    differ = np.abs(coarse(frames[number]) - coarse(picture)).mean()
                    # 0.8 to 1.7; one sun or brightness for all takes gives 5 or more.
                    assert differ < 2.5, (plan.take_name, name, number)


def coarse(picture: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means over squares of 8 px: what the codec leaves of colours."""
    height, width, _ = picture.shape
    squares: NDArray[np.float64] = picture.reshape(height // 8, 8, width // 8, 8, 3).mean(axis=(1, 3))
    return squares


def videos(world: Path, plan: TakePlan) -> dict[str, NDArray[np.float64]]:
    """All frames of a take's videos by name, the head's first."""
    folder = world / "ego_exo4d" / "takes" / plan.take_name
    names = [EGO_FILE, *(exo_file(camera.cam_id) for camera in plan.cameras)]
    return {name: np.array([frame.astype(float) for frame in decode(folder / name)]) for name in names}


@pytest.mark.gl
def test_before_the_first_step_only_the_head_moves(tiny_spec: SimSpec, tiny_world: Path) -> None:
    """In the rendered videos: the ego picture changes from frame to frame, those of the fixed cameras stand still."""
    for plan in plan_takes(tiny_spec):
        still = int(plan.events[0].start_s * plan.fps) + 1
        assert still >= 2
        for name, frames in videos(tiny_world, plan).items():
            change = np.abs(np.diff(frames[:still], axis=0)).mean(axis=(1, 2, 3))
            assert (change > 1).all() if name == EGO_FILE else (change < 1).all(), (name, change)
