"""Asking a model the items of a task. A run is a folder; running again continues it and never asks twice."""

import json
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from exo2ego.bench.files import fail, read_json, write_text
from exo2ego.bench.items import GROUPS_FILE, Item, dump_items, items_hash, require_videos
from exo2ego.bench.model import AnswerModel, usage_of
from exo2ego.bench.predictions import PREDICTIONS_FILE, PredictionLog, forget_errors
from exo2ego.bench.prompts import STYLES
from exo2ego.bench.tasks.base import Task, require_protocol
from exo2ego.errors import InputError, MissingFileError, OutageError, OutputError, VideoError
from exo2ego.records import Prediction

RUN_FILE = "run.json"
ITEMS_FILE = "items.jsonl"
BATCH = 8
"""Answers between two fsyncs."""

QUARANTINED = (VideoError, MissingFileError, OutageError, ConnectionError, TimeoutError)
"""What makes one item unscored instead of ending the run: its video is bad, or the model cannot be reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """What was asked of whom; written to `run.json`."""

    task: str
    protocol: str
    style: str = "base"
    model: str
    """As the command line names it."""
    fingerprint: str = ""
    """Hash of the model's files: two checkpoints under one name are two models."""
    seed: int = 0
    limit: int | None = None
    full: bool = False
    alpha: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run is."""

    done: int
    total: int
    errors: int
    items_per_s: float
    """Of this session; 0 before the first answer."""
    eta_s: float | None


def run(
    model: AnswerModel,
    task: Task,
    items: Sequence[Item],
    root: Path,
    out: Path,
    settings: RunSettings,
    *,
    allow_missing: bool = False,
    retry_errors: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
) -> dict[str, Prediction]:
    """Ask every item that `out` has no answer to. Returns all predictions; `out` is then ready for `score`.

    Raises:
        OutputError: `out` belongs to other items, another model or protocol, or cannot be written.
        MissingFileError: videos are absent (unless `allow_missing`: their items become unscored).
        InputError: no items, an unknown protocol or style, or a protocol that the model cannot do.
    """
    require_protocol(model, task, settings.protocol)
    _check(task, items, settings)
    if not allow_missing:
        require_videos(items, root)
    _open(out, task, items, root, model.name, settings)
    path = out / PREDICTIONS_FILE
    if retry_errors:
        forget_errors(path)
    with PredictionLog(path) as log:
        _ask_all(model, task, items, root, log, settings, on_progress)
        return log.done


def _check(task: Task, items: Sequence[Item], settings: RunSettings) -> None:
    if settings.style not in STYLES:
        raise InputError(f"--style {settings.style}: no such style; choose from {', '.join(STYLES)}")
    if not math.isfinite(settings.alpha):
        raise InputError(f"--alpha {settings.alpha}: must be a finite number, usually from 0 to 1")
    if not items:
        raise InputError(f"{task.name}: no items to ask; check --root and --limit")
    ids = [item.item_id for item in items]
    if len(set(ids)) < len(ids):
        twice = next(name for name in ids if ids.count(name) > 1)
        raise InputError(f"{task.name}: item id {twice!r} occurs twice; ids must be unique")


def _open(out: Path, task: Task, items: Sequence[Item], root: Path, model_name: str, settings: RunSettings) -> None:
    """Start the folder, or check that it holds this very run."""
    identity: dict[str, Any] = {
        "task": task.name,
        "protocol": settings.protocol,
        "style": settings.style,
        "seed": settings.seed,
        "fingerprint": settings.fingerprint,
        "item_hash": items_hash(items),
    }
    if (out / RUN_FILE).exists():
        record = read_run(out)
        for field, value in identity.items():
            if record.get(field) != value:
                raise OutputError(
                    f"{out}: holds a run with {field} {record.get(field)!r}, not {value!r}; choose another --out"
                )
        return
    if (out / PREDICTIONS_FILE).exists():
        raise OutputError(f"{out}: has {PREDICTIONS_FILE} but no {RUN_FILE}; choose another --out")
    write_text(out / ITEMS_FILE, "".join(line + "\n" for line in dump_items(items)))
    record = {
        **asdict(settings),
        **identity,
        "model_name": model_name,
        "items": len(items),
        "simulated": (root / GROUPS_FILE).exists(),
    }
    write_text(out / RUN_FILE, json.dumps(record, indent=2) + "\n")


def read_run(out: Path) -> dict[str, Any]:
    """`run.json` of a run folder.

    Raises:
        MissingFileError, FormatError: it is absent or damaged.
    """
    record = read_json(out / RUN_FILE)
    for field in ("task", "protocol", "style", "model_name", "item_hash"):
        if not isinstance(record, dict) or not isinstance(record.get(field), str):
            raise fail(out / RUN_FILE, "object", field, record, "must be a text; run into a new folder")
    return dict(record)


def _ask_all(
    model: AnswerModel,
    task: Task,
    items: Sequence[Item],
    root: Path,
    log: PredictionLog,
    settings: RunSettings,
    on_progress: Callable[[Progress], None] | None,
) -> None:
    waiting = [item for item in items if item.item_id not in log.done]
    started = time.monotonic()
    for first in range(0, len(waiting), BATCH):
        batch = waiting[first : first + BATCH]
        log.append([_ask(model, task, item.rooted(root), settings) for item in batch])
        if on_progress is not None:
            answered = first + len(batch)
            rate = answered / max(time.monotonic() - started, 1e-9)
            errors = sum(prediction.error is not None for prediction in log.done.values())
            eta_s = (len(waiting) - answered) / rate
            on_progress(Progress(done=len(log.done), total=len(items), errors=errors, items_per_s=rate, eta_s=eta_s))


def _ask(model: AnswerModel, task: Task, item: Item, settings: RunSettings) -> Prediction:
    """One answer; a bad video or an outage becomes a prediction with its reason."""
    for video in item.videos:
        # Asked here and not of the model, so that a model that never looks (random, blind) skips the same items.
        if not os.path.isfile(video.path):
            return Prediction(
                item_id=item.item_id, error=f"MissingFileError: {os.path.basename(video.path)} is not there"
            )
    try:
        prediction = task.protocols[settings.protocol].ask(model, item, settings.style)
    except QUARANTINED as error:
        prediction = Prediction(item_id=item.item_id, error=f"{type(error).__name__}: {error}")
    if not all(math.isfinite(score) for score in prediction.scores):
        prediction = Prediction(item_id=item.item_id, error="the model gave a score that is not a finite number")
    return replace(prediction, usage=usage_of(model))
