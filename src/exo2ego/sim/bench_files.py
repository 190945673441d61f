"""What every benchmark folder is written with: JSON, csv, and videos copied or cut from the rendered takes."""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from exo2ego.sim.egoexo4d import EGO_FILE, exo_file
from exo2ego.sim.encode import write_bytes
from exo2ego.sim.spec import SimSpec
from exo2ego.sim.world import Event, TakePlan

Pair = tuple[TakePlan, Event]
INFO_FILE = "EPIC_100_video_info.csv"
INFO_COLUMNS = ("video_id", "duration", "fps", "resolution")


def bench_takes(plans: Iterable[TakePlan]) -> list[TakePlan]:
    """The only takes that benchmarks are about."""
    return [plan for plan in plans if plan.split == "test"]


def bench_pairs(plans: Iterable[TakePlan]) -> list[Pair]:
    """All test events with their takes."""
    return [(plan, event) for plan in bench_takes(plans) for event in plan.events]


def write_json(path: Path, content: Any) -> None:
    """Indented JSON."""
    write_bytes(path, (json.dumps(content, indent=1) + "\n").encode())


def write_csv(path: Path, columns: Iterable[str], rows: Iterable[Mapping[str, Any]], *, end: str = "\n") -> None:
    """A csv with a header; `end` closes every line."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), lineterminator=end)
    writer.writeheader()
    writer.writerows(rows)
    write_bytes(path, text.getvalue().encode())


def copy_video(source: Path, target: Path) -> None:
    """Copy a whole video, unless it is there."""
    if not target.exists():
        write_bytes(target, source.read_bytes())


def video_of(tree: Path, plan: TakePlan, *, ego: bool = True) -> Path:
    """A take's ego video, or that of its best fixed camera."""
    return tree / "takes" / plan.take_name / (EGO_FILE if ego else exo_file(plan.best_exo))


def epic_id(plan: TakePlan) -> str:
    """An EPIC-KITCHENS-like id: who, and a number of the recording."""
    return f"P{plan.actor.participant:02d}_{plan.index + 1:02d}"


def epic_file(plan: TakePlan) -> str:
    """Its video below `videos/`: `P01/P01_13.MP4`."""
    return f"{epic_id(plan).split('_')[0]}/{epic_id(plan)}.MP4"


def info(spec: SimSpec, plan: TakePlan) -> dict[str, Any]:
    """A row of `EPIC_100_video_info.csv`."""
    values = (epic_id(plan), f"{plan.duration_s:.6f}", spec.fps, f"{spec.size_px}x{spec.size_px}")
    return dict(zip(INFO_COLUMNS, values, strict=True))
