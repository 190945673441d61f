"""How a hand and an object move during one act: pure functions of the time within the act.

The actor stands at negative y and looks along positive y; the actor's right is positive x; the table top is z = 0.
Metres, radians. `u` runs from 0 to 1 over the act. Every verb ends so that the object can be put down where
`rest_offset` says.
"""

from dataclasses import dataclass
from math import pi, sin, tau

import numpy as np
from numpy.typing import NDArray

Vec = NDArray[np.float64]

PUSH_M = 0.22
SLIDE_M = 0.26
LIFT_M = 0.24


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """The object's pose relative to where it stood, and how far it is squashed (1 = not at all)."""

    dx: float = 0.0
    dy: float = 0.0
    dz: float = 0.0
    yaw: float = 0.0
    tilt: float = 0.0
    """Rotation about y: positive tips the top to the actor's right."""
    squash: float = 1.0


def smooth(value: float) -> float:
    """Smoothstep of `value` clipped to 0..1."""
    v = min(max(value, 0.0), 1.0)
    return v * v * (3 - 2 * v)


def _bump(u: float, rise: float, fall: float) -> float:
    """Up over the first `rise`, stay, down over the last `fall`."""
    return smooth(u / rise) * smooth((1 - u) / fall)


def rest_offset(verb: str, sign: int) -> tuple[float, float]:
    """Where the act leaves the object, relative to its start (x, y); `sign` is +1 for right in slides."""
    if verb == "pushes":
        return (0.0, PUSH_M)
    if verb == "pulls":
        return (0.0, -PUSH_M)
    if verb == "slides":
        return (sign * SLIDE_M, 0.0)
    return (0.0, 0.0)


def object_motion(verb: str, u: float, *, sign: int, side: int) -> Motion:
    """The object at `u` of the act.

    Args:
        verb: a key of `spec.VERBS`.
        u: 0..1 within the act.
        sign: +1 to the actor's right, -1 to the left (slides only).
        side: +1 for the right hand, -1 for the left.
    """
    move = smooth((u - 0.08) / 0.84)
    dx, dy = rest_offset(verb, sign)
    if verb in ("pushes", "pulls", "slides"):
        return Motion(dx=dx * move, dy=dy * move)
    if verb == "lifts":
        return Motion(dz=LIFT_M * smooth(u / 0.5))
    if verb == "shakes":
        held = _bump(u, 0.15, 0.12)
        return Motion(dz=0.12 * held, dx=0.085 * held * sin(tau * 4.5 * u), tilt=0.35 * held * sin(tau * 4.5 * u))
    if verb == "turns":
        return Motion(yaw=side * tau * move)
    if verb == "pours":
        held = _bump(u, 0.35, 0.3)
        return Motion(dz=0.13 * _bump(u, 0.2, 0.15), tilt=-side * held * pi * 110 / 180)
    if verb == "stirs":
        radius = 0.085 * _bump(u, 0.15, 0.15)
        return Motion(dx=radius * sin(tau * 2.5 * u), dy=radius * float(np.cos(tau * 2.5 * u)))
    if verb == "presses":
        return Motion(squash=1 - 0.6 * (smooth((u - 0.08) / 0.25) - smooth((u - 0.55) / 0.45)))
    return Motion()


def hand_offset(verb: str, u: float, *, side: int, radius: float, height: float, count: int) -> Vec:
    """The hand relative to the middle of the object's foot, float64[3]; the object's motion is added by the caller.

    Args:
        verb: a key of `spec.VERBS`.
        u: 0..1 within the act.
        side: +1 for the right hand, -1 for the left.
        radius: half the object's width.
        height: the object's height (already squashed).
        count: number of taps.
    """
    if verb == "taps":
        raised = abs(float(np.cos(pi * count * u)))
        return np.array([side * 0.02, -0.01, height + 0.03 + 0.17 * raised])
    if verb == "presses":
        return np.array([side * 0.02, -0.01, height + 0.03])
    if verb == "pushes":
        return np.array([side * 0.45 * radius, -radius - 0.03, max(0.5 * height, 0.04)])
    if verb == "pulls":
        return np.array([side * (0.85 * radius + 0.02), 0.6 * radius, max(0.75 * height, 0.05)])
    return np.array([side * (radius + 0.025), -0.02, max(0.55 * height, 0.04)])
