"""The pictures of a walk: a bare room of the simulated world, landmarks on pillars, seen by a walking head."""

import numpy as np
from numpy.typing import NDArray

from exo2ego.sim.actions import Vec
from exo2ego.sim.cameras import look_at
from exo2ego.sim.encode import Frame
from exo2ego.sim.objects import BOX, MODELS, part_rotation, part_size
from exo2ego.sim.render import Stage
from exo2ego.sim.scene import BARE_SHAPES, room_shapes
from exo2ego.sim.spec import COLOURS
from exo2ego.sim.walks import Walk, view

FOV_DEG = 72.0
LANDMARK_SCALE = 1.9
PILLAR_TOP_M = -0.10


def dress(stage: Stage, walk: Walk) -> None:
    """Build the walk's room on the stage; nothing in it moves."""
    shapes = room_shapes(walk.room)[:BARE_SHAPES]
    types = [shape.shape for shape in shapes]
    tints = [shape.tint for shape in shapes]
    size: list[Vec] = [np.array(shape.size) for shape in shapes]
    at: list[Vec] = [np.array(shape.at) for shape in shapes]
    turn: list[Vec] = [np.eye(3) for _ in shapes]
    for mark in walk.landmarks:
        half = (PILLAR_TOP_M + 0.76) / 2
        types.append(BOX)
        tints.append((0.35, 0.35, 0.36))
        size.append(np.array([0.16, 0.16, half]))
        at.append(np.array([mark.x, mark.y, PILLAR_TOP_M - half]))
        turn.append(np.eye(3))
        for part in MODELS[mark.kind].parts:
            types.append(part.shape)
            tints.append(part.tint or COLOURS[mark.colour])
            size.append(np.array(part_size(part, LANDMARK_SCALE, 1.0)))
            at.append(np.array([mark.x, mark.y, PILLAR_TOP_M]) + np.array(part.at) * LANDMARK_SCALE)
            turn.append(part_rotation(part))
    rgba: NDArray[np.float32] = np.concatenate([np.array(tints), np.ones((len(tints), 1))], axis=1).astype(np.float32)
    stage.dress(np.array(types, dtype=np.int32), rgba, np.array([0.3, 0.2, -1.0]), 0.95)
    stage.pose(np.array(size), np.array(at), np.array(turn))


def shoot(stage: Stage, walk: Walk, frames: int, fps: int) -> list[Frame]:
    """The first `frames` pictures of a walk on a dressed stage, uint8[size, size, 3] each."""
    pictures = []
    for frame in range(frames):
        eye, target = view(walk, frame / fps)
        pictures.append(stage.shoot(eye, look_at(eye, target), FOV_DEG).copy())
    return pictures
