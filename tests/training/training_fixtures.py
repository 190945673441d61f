"""What the training tests build their worlds from: coloured videos, samples, shards."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from exo2ego.data.shard_group import ClipFormat
from exo2ego.data.shard_plan import Planned
from exo2ego.data.shard_writer import build_shards
from exo2ego.data.shards import ShardSample, ShardSet
from exo2ego.data.video import write_video
from exo2ego.records import Turn
from exo2ego.training.config import Objectives, Optim
from exo2ego.training.distributed import World
from exo2ego.training.loop import LoopSpec

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 30), "blue": (40, 40, 220)}


def colour_video(path: Path, colour: str, seed: int) -> None:
    """Two seconds of one colour with noise."""
    rng = np.random.default_rng(seed)
    frames = np.full((20, 64, 64, 3), COLOURS[colour], np.float64) + rng.normal(0, 8, (20, 64, 64, 3))
    write_video(path, frames.clip(0, 255).astype(np.uint8), 10.0)


def sample(key: str, views: tuple[str, ...], split: str = "train", **fields) -> ShardSample:
    values = {
        "key": key,
        "split": split,
        "take_uid": f"take-{key}",
        "scenario": "Cooking",
        "text": "",
        "start_s": 0.0,
        "end_s": 1.6,
        "fps": 10.0,
        "views": views,
        "best_exo": None,
        "source": "test",
    }
    return ShardSample(**(values | fields))


def build(out: Path, planned: list[Planned]) -> ShardSet:
    return build_shards(out, planned, ClipFormat(), settings={"test": True}, report={})


def planned_pair(videos: Path, number: int, split: str = "train") -> Planned:
    colour = tuple(COLOURS)[number % 3]
    text = f"Camera-wearer lifts the {colour} cup."
    return Planned(
        sample=sample(f"pair-{number}", ("ego", "cam01"), split, text=text, best_exo="cam01"),
        videos=(("ego", str(videos / f"{number}-ego.mp4")), ("cam01", str(videos / f"{number}-cam01.mp4"))),
    )


def planned_span(videos: Path, number: int, *answers: str, key: str = "span") -> Planned:
    """An ego span with one conversation for each answer."""
    turns = tuple((Turn(question="What am I doing?", answer=answer),) for answer in answers)
    return Planned(
        sample=sample(f"{key}-{number}", ("video",), conversations=turns),
        videos=(("video", str(videos / f"{number % 12}-ego.mp4")),),
    )


def loop_spec(out: Path, **changes: Any) -> LoopSpec:
    """A loop of stage `guidance` on its own, without shards or recipe."""
    plain = LoopSpec(
        stage="guidance",
        out=out,
        optim=Optim(steps=100, batch_size=2, lr=1.0),
        objectives=Objectives(),
        precision="fp32",
        checkpoint_every=10,
        divergence_factor=4.0,
        seed=0,
        world=World(rank=0, size=1),
        settings="s",
    )
    return replace(plain, **changes)
