"""What can be seen: the acted-on object is large and near the middle, from the head and from fixed cameras."""

import numpy as np
import pytest

from exo2ego.sim.objects import MODELS
from exo2ego.sim.scene import Scene, views
from exo2ego.sim.world import TakePlan


def project(view: tuple[np.ndarray, np.ndarray, float], point: np.ndarray) -> tuple[float, float, float]:
    """Picture coordinates (-1..1 to right and up) and the half width of the picture in metres at the point's depth."""
    eye, turn, fov = view
    right, up, back = turn.T @ (point - eye)
    half = -back * np.tan(np.radians(fov) / 2)
    return right / half, up / half, half


def test_acted_on_objects_are_large_and_central(plans: list[TakePlan]) -> None:
    """At least 13 of 64 px on average and never below 9; in ego near the centre, in exo always in the picture."""
    sizes: dict[str, list[float]] = {"ego": [], "exo": []}
    for plan in plans[:25]:
        for event in plan.events:
            item = plan.items[event.item]
            model = MODELS[event.kind]
            point = np.array([*event.home, 0.5 * model.height * item.scale])
            for number, view in enumerate(views(plan, event.middle_s)):
                x, y, half = project(view, point)
                name = "exo" if number else "ego"
                assert max(abs(x), abs(y)) < (0.93 if number else 0.75), (name, event.event_id)
                ends = [np.array(part.at) + sign * np.array(part.size) for part in model.parts for sign in (-1, 1)]
                widest = np.ptp(ends, axis=0).max() * item.scale
                sizes[name].append(64 * widest / (2 * half))
    for name, values in sizes.items():
        assert np.mean(values) > 13, name
        assert np.min(values) > 9, name


def test_neighbours_are_in_every_exo_picture(plans: list[TakePlan]) -> None:
    """Questions about them can be answered from there."""
    for plan in plans[:25]:
        for event in plan.events:
            for view in views(plan, event.middle_s)[1:]:
                for item in plan.items:
                    x, y, _ = project(view, np.array([item.x, item.y, 0.08]))
                    assert max(abs(x), abs(y)) < 1.1


def test_nothing_teleports(plans: list[TakePlan]) -> None:
    """At 50 frames a second no shape jumps, also between steps: hands and objects less than 16 cm."""
    for plan in plans[:2]:
        scene = Scene(plan)
        last = None
        for t_s in np.arange(0, plan.duration_s, 0.02):
            at = scene.pose(float(t_s))[1].copy()
            if last is not None:
                assert np.abs(at - last).max() < 0.16, t_s
            last = at


def test_scene_fits_the_pool(plans: list[TakePlan]) -> None:
    """The renderer's pool has room for every take, and rotations are proper."""
    for plan in plans[:10]:
        scene = Scene(plan)
        size, at, turn = scene.pose(plan.events[0].middle_s)
        assert len(scene.types) == len(scene.rgba) == len(size) == len(at) <= Scene.SHAPES
        assert np.allclose(turn @ turn.transpose(0, 2, 1), np.eye(3), atol=1e-9)
        assert np.linalg.det(turn) == pytest.approx(np.ones(len(turn)))
        assert (size[:, 0] > 0).all()
