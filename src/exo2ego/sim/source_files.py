"""What a folder of `sources/` is made of: texts, and media files cut and joined from the videos of train takes."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from exo2ego.sim.bench_files import Pair
from exo2ego.sim.bench_qaego4d import PAST
from exo2ego.sim.egoexo4d import EGO_FILE, exo_file
from exo2ego.sim.encode import MP4
from exo2ego.sim.world import TakePlan

FRAMES = "frames"
"""The form of a folder of pictures `00000-rgb.png`, ...; other forms are containers of `encode`."""
PARTICIPLES = PAST | {"shakes": "shaken"}
"""`lifts` -> `lifted`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A stretch of a rendered video."""

    video: str
    """Relative to the Ego-Exo4D tree."""
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One media file of a source: one part, or several after another."""

    target: str
    """Relative to the source's folder."""
    parts: tuple[Part, ...]
    fps: int | None
    """Frames a second; None = the rendered file of the only part as it is, byte for byte."""
    form: str = MP4


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFiles:
    """Everything in a source's folder."""

    texts: Mapping[str, str]
    """Relative path -> content."""
    pieces: tuple[Piece, ...]


def train_takes(plans: Iterable[TakePlan]) -> list[TakePlan]:
    """The only takes that sources show: no question of `bench/` is about them."""
    return [plan for plan in plans if plan.split == "train"]


def train_pairs(plans: Iterable[TakePlan]) -> list[Pair]:
    """All train events with their takes."""
    return [(plan, event) for plan in train_takes(plans) for event in plan.events]


def part_of(plan: TakePlan, start_s: float, end_s: float, cam_id: str | None = None) -> Part:
    """A stretch of a take's ego video, or of that of a fixed camera."""
    name = EGO_FILE if cam_id is None else exo_file(cam_id)
    return Part(video=f"takes/{plan.take_name}/{name}", start_s=start_s, end_s=end_s)


def whole(target: str, plan: TakePlan, fps: int | None, cam_id: str | None = None) -> Piece:
    """A take's whole video as one file."""
    return Piece(target=target, parts=(part_of(plan, 0.0, plan.duration_s, cam_id),), fps=fps)


def json_text(content: Any, indent: int | None = 1) -> str:
    """JSON as files of data sets have it."""
    return json.dumps(content, indent=indent) + "\n"


def csv_text(columns: Sequence[str] | None, rows: Iterable[Sequence[object]], delimiter: str = ",") -> str:
    """A table, with a header where columns are named."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    if columns is not None:
        writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()
