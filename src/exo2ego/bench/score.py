"""Run folder -> scores.json. Needs no model and no video: a run is never lost to a bug in a metric."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from exo2ego.bench.files import fail, read_json, write_text
from exo2ego.bench.items import items_hash, read_items
from exo2ego.bench.predictions import PREDICTIONS_FILE, read_predictions
from exo2ego.bench.run import ITEMS_FILE, RUN_FILE, read_run
from exo2ego.bench.stats import Stratum
from exo2ego.bench.tasks import TASKS
from exo2ego.bench.tasks.base import Measure, ScoreSettings
from exo2ego.errors import FormatError, MissingFileError
from exo2ego.records import Score

SCORES_FILE = "scores.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskScores:
    """What `scores.json` holds."""

    task: str
    run: dict[str, Any]
    """`run.json`."""
    measures: tuple[Measure, ...]


def run_folders(folder: Path) -> list[Path]:
    """The task folders of RUN (RUN/<task>/run.json), or RUN itself when it is one.

    Raises:
        MissingFileError: neither.
    """
    if (folder / RUN_FILE).is_file():
        return [folder]
    found = [folder / name for name in TASKS if (folder / name / RUN_FILE).is_file()]
    if not found:
        raise MissingFileError(f"{folder}: no {RUN_FILE} here or in a task's folder; give the --out of `bench run`")
    return found


def score_folder(out: Path, alpha: float | None = None) -> TaskScores:
    """Score one task folder and write `scores.json` (and the server's files where answers are withheld).

    `alpha` replaces the one of `run.json`. Items without a prediction count as unscored.

    Raises:
        MissingFileError, FormatError: a file is absent or damaged, or `items.jsonl` is not the one that was run.
    """
    record = read_run(out)
    task = TASKS.get(record["task"])
    if task is None:
        raise fail(out / RUN_FILE, "object", "task", record["task"], f"is none of {', '.join(TASKS)}")
    items = read_items(out / ITEMS_FILE)
    if items_hash(items) != record["item_hash"]:
        raise FormatError(f"{out / ITEMS_FILE}: is not what was run (its hash differs from run.json); restore the file")
    predictions = read_predictions(out / PREDICTIONS_FILE)
    strangers = sorted(set(predictions) - {item.item_id for item in items})
    if strangers:
        raise fail(out / PREDICTIONS_FILE, "file", "item_id", strangers[0], "is no item of this run; remove its line")
    settings = ScoreSettings(
        protocol=record["protocol"],
        seed=int(record.get("seed", 0)),
        alpha=float(record.get("alpha", 1.0)) if alpha is None else alpha,
    )
    if task.submission is not None and any(item.answer is None for item in items):
        for name, content in task.submission(items, predictions).items():
            write_text(out / name, content)
    measures = tuple(task.score(items, predictions, settings))
    write_text(out / SCORES_FILE, json.dumps(_dump(measures)) + "\n")
    return TaskScores(task=task.name, run=record, measures=measures)


def _dump(measures: tuple[Measure, ...]) -> dict[str, Any]:
    return {"measures": [asdict(measure) for measure in measures]}


def read_scores(out: Path) -> TaskScores:
    """`scores.json` with its `run.json`.

    Raises:
        MissingFileError, FormatError: a file is absent or damaged.
    """
    path = out / SCORES_FILE
    if not path.is_file():
        raise MissingFileError(f"{path} is not there; run `exo2ego bench score {out}` first")
    content = read_json(path)
    try:
        measures = tuple(
            Measure(
                score=Score(**entry["score"]),
                strata=tuple(_stratum(stratum) for stratum in entry["strata"]),
                headline=entry["headline"],
            )
            for entry in content["measures"]
        )
    except (KeyError, TypeError) as error:
        raise FormatError(f"{path}: damaged ({error}); run `exo2ego bench score {out}` again") from error
    record = read_run(out)
    return TaskScores(task=record["task"], run=record, measures=measures)


def _stratum(entry: dict[str, Any]) -> Stratum:
    return Stratum(**{name: tuple(entry[name]) for name in ("item_ids", "clusters", "values")})
