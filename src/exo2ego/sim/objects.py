"""The eight kinds of objects as a few primitive shapes each, standing at the origin on z = 0. Metres."""

from dataclasses import dataclass

import numpy as np

from exo2ego.sim.actions import Vec

SPHERE, CAPSULE, ELLIPSOID, CYLINDER, BOX = 2, 3, 4, 5, 6
"""MuJoCo's numbers of its primitive shapes (mjtGeom)."""

MAX_PARTS = 5
WHITE = (0.95, 0.95, 0.95)
DARK = (0.09, 0.09, 0.10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One primitive: half sizes as MuJoCo takes them, its centre, and whether it lies along x instead of standing."""

    shape: int
    size: tuple[float, float, float]
    at: tuple[float, float, float]
    tint: tuple[float, float, float] | None = None
    """None = the object's colour."""
    lying: str = ""
    """`x` or `y`: a capsule or cylinder whose axis lies along it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """An object's parts with its half width and height (where hands take hold)."""

    parts: tuple[Part, ...]
    radius: float
    height: float


MODELS: dict[str, Model] = {
    "cup": Model(
        radius=0.085,
        height=0.17,
        parts=(
            Part(shape=CYLINDER, size=(0.085, 0.085, 0), at=(0, 0, 0.085)),
            Part(shape=CYLINDER, size=(0.068, 0.004, 0), at=(0, 0, 0.170), tint=DARK),
            Part(shape=CAPSULE, size=(0.016, 0.045, 0), at=(0.125, 0, 0.09)),
            Part(shape=BOX, size=(0.028, 0.014, 0.014), at=(0.10, 0, 0.135)),
            Part(shape=BOX, size=(0.028, 0.014, 0.014), at=(0.10, 0, 0.045)),
        ),
    ),
    "bottle": Model(
        radius=0.065,
        height=0.30,
        parts=(
            Part(shape=CYLINDER, size=(0.065, 0.095, 0), at=(0, 0, 0.095)),
            Part(shape=ELLIPSOID, size=(0.064, 0.064, 0.04), at=(0, 0, 0.19)),
            Part(shape=CYLINDER, size=(0.024, 0.04, 0), at=(0, 0, 0.25)),
            Part(shape=CYLINDER, size=(0.028, 0.014, 0), at=(0, 0, 0.295), tint=WHITE),
            Part(shape=BOX, size=(0.012, 0.035, 0.05), at=(0.058, 0, 0.10), tint=WHITE),
        ),
    ),
    "pan": Model(
        radius=0.13,
        height=0.06,
        parts=(
            Part(shape=CYLINDER, size=(0.13, 0.028, 0), at=(0, 0, 0.028)),
            Part(shape=CYLINDER, size=(0.105, 0.003, 0), at=(0, 0, 0.057), tint=DARK),
            Part(shape=CAPSULE, size=(0.020, 0.09, 0), at=(0.22, 0, 0.04), lying="x"),
            Part(shape=SPHERE, size=(0.026, 0, 0), at=(0.31, 0, 0.04), tint=WHITE),
        ),
    ),
    "ball": Model(
        radius=0.105,
        height=0.21,
        parts=(
            Part(shape=ELLIPSOID, size=(0.105, 0.105, 0.105), at=(0, 0, 0.105)),
            Part(shape=ELLIPSOID, size=(0.04, 0.055, 0.055), at=(0.073, 0, 0.125), tint=WHITE),
        ),
    ),
    "box": Model(
        radius=0.10,
        height=0.17,
        parts=(
            Part(shape=BOX, size=(0.10, 0.10, 0.085), at=(0, 0, 0.085)),
            Part(shape=BOX, size=(0.008, 0.035, 0.086), at=(0.095, 0, 0.087), tint=WHITE),
            Part(shape=BOX, size=(0.05, 0.035, 0.004), at=(0.052, 0, 0.170), tint=WHITE),
        ),
    ),
    "book": Model(
        radius=0.12,
        height=0.06,
        parts=(
            Part(shape=BOX, size=(0.12, 0.15, 0.009), at=(0, 0, 0.009)),
            Part(shape=BOX, size=(0.112, 0.142, 0.022), at=(0.012, 0, 0.03), tint=WHITE),
            Part(shape=BOX, size=(0.12, 0.15, 0.009), at=(0, 0, 0.053)),
            Part(shape=BOX, size=(0.012, 0.15, 0.03), at=(-0.115, 0, 0.031)),
        ),
    ),
    "hammer": Model(
        radius=0.075,
        height=0.08,
        parts=(
            Part(shape=CAPSULE, size=(0.026, 0.13, 0), at=(-0.03, 0, 0.035), lying="x"),
            Part(shape=BOX, size=(0.042, 0.115, 0.042), at=(0.13, 0, 0.042)),
            Part(shape=BOX, size=(0.045, 0.026, 0.045), at=(0.13, 0.105, 0.042), tint=DARK),
            Part(shape=BOX, size=(0.020, 0.034, 0.034), at=(-0.16, 0, 0.035), tint=WHITE),
        ),
    ),
    "lamp": Model(
        radius=0.085,
        height=0.29,
        parts=(
            Part(shape=CYLINDER, size=(0.095, 0.014, 0), at=(0, 0, 0.014)),
            Part(shape=CYLINDER, size=(0.014, 0.09, 0), at=(0, 0, 0.11), tint=DARK),
            Part(shape=ELLIPSOID, size=(0.115, 0.115, 0.075), at=(0, 0, 0.215)),
            Part(shape=ELLIPSOID, size=(0.03, 0.04, 0.03), at=(0.10, 0, 0.215), tint=WHITE),
        ),
    ),
}

_LIE = {"x": np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]]), "y": np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])}


def part_rotation(part: Part) -> Vec:
    """Rotation of the part within its object, float64[3, 3]."""
    return _LIE.get(part.lying, np.eye(3))


def part_size(part: Part, scale: float, squash: float) -> tuple[float, float, float]:
    """MuJoCo half sizes after scaling and squashing along z."""
    a, b, c = (value * scale for value in part.size)
    if part.shape in (BOX, ELLIPSOID):
        return (a, b, c * squash)
    if part.shape in (CYLINDER, CAPSULE) and not part.lying:
        return (a, max(b * squash, 1e-3), c)
    if part.lying or part.shape == SPHERE:
        return (a * max(squash, 0.5), b, c)
    return (a, b, c)
