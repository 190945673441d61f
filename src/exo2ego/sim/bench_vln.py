"""VLN-QA of the simulated world, in the form of MVBench's Egocentric Navigation: a walk so far, and the next move.

A walk gives four questions with the same words: before its left turn, before its right turn, at its end and under way.
Whoever does not see how far the walker got can only draw.
"""

from pathlib import Path
from typing import Any

import numpy as np

from exo2ego.sim.bench_files import write_json
from exo2ego.sim.bench_layers import labels
from exo2ego.sim.encode import encode, write_bytes
from exo2ego.sim.spec import SimSpec
from exo2ego.sim.walks import FOLDERS, MOVES, Walk, moments, plan_walk

_ASK = (
    'This is a navigation video of an agent following instruction: "{instruction}" '
    "What is the next action it should take?"
)


def walks(spec: SimSpec) -> list[Walk]:
    """As many walks as give the questions asked for."""
    return [plan_walk(spec.seed, number) for number in range(spec.vln_questions // len(MOVES))]


def frames(spec: SimSpec, walk: Walk) -> dict[str, int]:
    """Move -> how many frames of the walk are shown before it."""
    return {move: max(round(time_s * spec.fps), 1) for move, time_s in moments(walk, spec.seed).items()}


def video_file(walk: Walk, move: str, count: int) -> str:
    """`left/0004_frame52.mp4`: as in the real folder the name tells the answer, so no path may reach a model."""
    return f"{FOLDERS[move]}/{walk.number:04d}_frame{count}.mp4"


def rows(spec: SimSpec) -> list[dict[str, Any]]:
    """Rows of `egocentric_navigation.json`."""
    found = []
    for walk in walks(spec):
        rng = np.random.default_rng([spec.seed, 12, walk.number])
        for move, count in frames(spec, walk).items():
            found.append(
                {
                    "video": video_file(walk, move, count),
                    "candidates": [MOVES[place] for place in rng.permutation(len(MOVES))],
                    "answer": move,
                    "question": _ASK.format(instruction=walk.instruction),
                }
            )
    return found


def write(spec: SimSpec, root: Path) -> None:
    """`egocentric_navigation.json`, `vlnqa/<direction>/<walk>_frame<n>.mp4`, `groups.json`."""
    listed = rows(spec)
    if not listed:
        return
    write_json(root / "egocentric_navigation.json", listed)
    entry = labels("move", (), 1 / len(MOVES))
    write_json(root / "groups.json", {str(number): entry for number in range(len(listed))})
    missing = {
        walk: [
            (move, count) for move, count in frames(spec, walk).items() if not _video(root, walk, move, count).exists()
        ]
        for walk in walks(spec)
    }
    if any(missing.values()):
        _render(spec, root, {walk: wanted for walk, wanted in missing.items() if wanted})


def _video(root: Path, walk: Walk, move: str, count: int) -> Path:
    return root / "vlnqa" / video_file(walk, move, count)


def _render(spec: SimSpec, root: Path, missing: dict[Walk, list[tuple[str, int]]]) -> None:
    # Only here, so that questions can be planned where nothing can draw.
    from exo2ego.sim.render import Stage
    from exo2ego.sim.scene import Scene
    from exo2ego.sim.walk_video import dress, shoot

    with Stage(spec.size_px, Scene.SHAPES) as stage:
        for walk, wanted in missing.items():
            dress(stage, walk)
            pictures = shoot(stage, walk, max(count for _, count in wanted), spec.fps)
            for move, count in wanted:
                write_bytes(_video(root, walk, move, count), encode(pictures[:count], spec.fps))
