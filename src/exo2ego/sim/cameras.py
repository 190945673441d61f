"""Where cameras stand and look: fixed ones around the table, and one on the head that follows what the hands do."""

from functools import lru_cache
from math import cos, sin, sqrt

import numpy as np

from exo2ego.sim.actions import Vec, smooth
from exo2ego.sim.world import ExoCamera, TakePlan

FOLLOW = 0.4
"""Share of the object's movement that the gaze follows: less than 1, so that movement stays visible."""


def facing(back: Vec, up: tuple[float, float, float]) -> Vec:
    """Rotation float64[3, 3]: columns right, up and `back` (a unit vector); right is across `up` and `back`."""
    # Written out: numpy's cross takes ten times as long for single vectors, and this runs for every limb and frame.
    (bx, by, bz), (ux, uy, uz) = back.tolist(), up
    rx, ry, rz = uy * bz - uz * by, uz * bx - ux * bz, ux * by - uy * bx
    norm = sqrt(rx * rx + ry * ry + rz * rz)
    rx, ry, rz = rx / norm, ry / norm, rz / norm
    return np.array(
        [[rx, by * rz - bz * ry, bx], [ry, bz * rx - bx * rz, by], [rz, bx * ry - by * rx, bz]], dtype=np.float64
    )


def look_at(eye: Vec, target: Vec, roll: float = 0.0) -> Vec:
    """Camera rotation float64[3, 3] whose columns are right, up and backwards."""
    away = eye - target
    turn = facing(away / sqrt(float(away @ away)), (0.0, 0.0, 1.0))
    c, s = cos(roll), sin(roll)
    result: Vec = turn @ np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    return result


def head(plan: TakePlan, t_s: float) -> Vec:
    """The point between the eyes, swaying, float64[3]."""
    a, b, c = plan.actor.sway_phase
    sway = np.array([0.022 * sin(1.7 * t_s + a), 0.015 * sin(1.1 * t_s + b), 0.014 * sin(2.3 * t_s + c)])
    result: Vec = np.array([0.0, -0.45, 0.60 * plan.actor.scale]) + sway
    return result


def gaze(plan: TakePlan, t_s: float) -> Vec:
    """What the actor looks at: mostly the acted-on object, going smoothly from one step's to the next's, float64[3]."""
    begun = [event for event in plan.events if event.start_s <= t_s]
    points = [np.array([0.0, 0.02, 0.05])]
    for event in begun[-2:]:
        went = smooth((t_s - event.act_start_s) / (event.act_end_s - event.act_start_s))
        home, goal = np.array(event.home), np.array(event.goal)
        place = (home + FOLLOW * went * (goal - home)) * 0.85
        aim = np.array([place[0], place[1], 0.10])
        ready = smooth((t_s - event.start_s) / (event.act_start_s - event.start_s))
        points.append(points[-1] + ready * (aim - points[-1]))
    a, _, c = plan.actor.sway_phase
    result: Vec = points[-1] + np.array([0.025 * sin(1.9 * t_s + c), 0.02 * sin(1.3 * t_s + a), 0.0])
    return result


def ego_view(plan: TakePlan, t_s: float) -> tuple[Vec, Vec, float]:
    """The head camera at a time: eye float64[3], rotation float64[3, 3], vertical field of view in degrees."""
    eye = head(plan, t_s)
    roll = 0.03 * sin(1.2 * t_s + plan.actor.sway_phase[1])
    return eye, look_at(eye, gaze(plan, t_s), roll), plan.actor.ego_fov_deg


@lru_cache(maxsize=8)
def exo_views(cameras: tuple[ExoCamera, ...]) -> tuple[tuple[Vec, Vec, float], ...]:
    """The fixed cameras, as `ego_view` gives them."""
    eyes = [(np.array(camera.eye), np.array(camera.target), camera.fov_deg) for camera in cameras]
    return tuple((eye, look_at(eye, target), fov) for eye, target, fov in eyes)
