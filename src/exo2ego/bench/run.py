"""Asking a model the items of a task. A run is a folder; running again continues it and never asks twice."""

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from exo2ego.bench.asking import Asking
from exo2ego.bench.files import fail, read_json, write_text
from exo2ego.bench.items import GROUPS_FILE, Item, dump_items, items_hash, require_videos
from exo2ego.bench.local_engine import Engine, LocalEngine
from exo2ego.bench.model import AnswerModel, show_items
from exo2ego.bench.predictions import PREDICTIONS_FILE, PredictionLog, forget_errors
from exo2ego.bench.prompts import STYLES
from exo2ego.bench.tasks.base import Task, require_protocol
from exo2ego.errors import InputError, OutputError
from exo2ego.records import Prediction

RUN_FILE = "run.json"
ITEMS_FILE = "items.jsonl"
BATCH = 8
"""Most answers between two fsyncs."""
FLUSH_S = 1.0
"""Longest time between two fsyncs while answers come: a slow model's answers are kept one by one."""


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
    shuffle_options: int = 1
    """In how many orders of its options each item is asked; 1: once, in the order of the files."""


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
    return run_on(
        LocalEngine(model), task, items, root, out, settings,
        allow_missing=allow_missing, retry_errors=retry_errors, on_progress=on_progress,
    )  # fmt: skip


def run_on(
    engine: Engine,
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
    """As `run`, with the answers of any engine."""
    require_protocol(engine, task, settings.protocol)
    _check(task, items, settings)
    show_items(engine, items)
    if not allow_missing:
        require_videos(items, root)
    _open(out, task, items, root, engine.name, settings)
    path = out / PREDICTIONS_FILE
    if retry_errors:
        forget_errors(path)
    asking = Asking(
        task=task.name,
        protocol=settings.protocol,
        style=settings.style,
        root=root,
        seed=settings.seed,
        shuffle_options=settings.shuffle_options,
    )
    with PredictionLog(path) as log:
        waiting = [item for item in items if item.item_id not in log.done]
        _record(log, engine.answers(asking, waiting), len(items), on_progress)
        return log.done


def _check(task: Task, items: Sequence[Item], settings: RunSettings) -> None:
    if settings.style not in STYLES:
        raise InputError(f"--style {settings.style}: no such style; choose from {', '.join(STYLES)}")
    if not math.isfinite(settings.alpha):
        raise InputError(f"--alpha {settings.alpha}: must be a finite number, usually from 0 to 1")
    if settings.shuffle_options < 1:
        raise InputError(f"--shuffle-options {settings.shuffle_options}: must be 1 (as in the files) or more")
    if settings.shuffle_options > 1 and task.protocols[settings.protocol].choose is None:
        raise InputError(
            f"--shuffle-options: {task.name}'s protocol {settings.protocol} shows no list of options, "
            f"so their order changes nothing; {_ordered(task)}"
        )
    if not items:
        raise InputError(f"{task.name}: no items to ask; check --root and --limit")
    seen: set[str] = set()
    for item in items:
        if item.item_id in seen:
            raise InputError(f"{task.name}: item id {item.item_id!r} occurs twice; ids must be unique")
        seen.add(item.item_id)


def _ordered(task: Task) -> str:
    """Which protocols of a task could be shuffled, as advice."""
    names = [name for name, ask in task.protocols.items() if ask.choose is not None]
    return f"choose --protocol {' or '.join(names)}" if names else f"run {task.name} without it"


def _open(out: Path, task: Task, items: Sequence[Item], root: Path, model_name: str, settings: RunSettings) -> None:
    """Start the folder, or check that it holds this very run."""
    identity: dict[str, Any] = {
        "task": task.name,
        "protocol": settings.protocol,
        "style": settings.style,
        "seed": settings.seed,
        "shuffle_options": settings.shuffle_options,
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


def _record(
    log: PredictionLog,
    answers: Iterator[Prediction],
    total: int,
    on_progress: Callable[[Progress], None] | None,
) -> None:
    """Keep answers as they come; whatever stops the run, those that came are on the disk afterwards."""
    before = len(log.done)
    errors = sum(prediction.error is not None for prediction in log.done.values())
    started = flushed = time.monotonic()
    batch: list[Prediction] = []
    if before and on_progress is not None:  # a bar begins where the last run ended, also where nothing is left to ask
        on_progress(Progress(done=before, total=total, errors=errors, items_per_s=0.0, eta_s=None))

    def flush() -> None:
        nonlocal batch, flushed, errors
        full, batch = batch, []
        log.append(full)
        flushed = time.monotonic()
        errors += sum(prediction.error is not None for prediction in full)
        if on_progress is not None:
            done = len(log.done)
            rate = (done - before) / max(flushed - started, 1e-9)
            on_progress(Progress(done=done, total=total, errors=errors, items_per_s=rate, eta_s=(total - done) / rate))

    try:
        for prediction in answers:
            batch.append(prediction)
            if len(batch) >= BATCH or time.monotonic() - flushed >= FLUSH_S:
                flush()
    finally:
        if batch:
            flush()
