"""Run folder -> scores.json. Needs no model and no video: a run is never lost to a bug in a metric."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from exo2ego.bench.files import fail, read_json, write_text
from exo2ego.bench.items import Item, items_hash, read_items
from exo2ego.bench.judgements import read_similarities, read_verdicts
from exo2ego.bench.predictions import PREDICTIONS_FILE, read_predictions
from exo2ego.bench.run import ITEMS_FILE, RUN_FILE, read_run
from exo2ego.bench.shuffle import PositionBias, elect, position_bias
from exo2ego.bench.stats import Interval, Stratum
from exo2ego.bench.tasks import TASKS
from exo2ego.bench.tasks.base import Measure, ScoreSettings, Task
from exo2ego.data.jsonfile import is_finite
from exo2ego.errors import FormatError, InputError, MissingFileError
from exo2ego.records import Prediction, Score

SCORES_FILE = "scores.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """Items that have no answer for one reason."""

    reason: str
    item_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskScores:
    """What `scores.json` holds."""

    task: str
    run: dict[str, Any]
    """`run.json`."""
    measures: tuple[Measure, ...]
    quarantined: tuple[Quarantine, ...] = ()
    """Unscored items, by reason, the most frequent first."""
    bias: PositionBias | None = None
    """Where the items were asked with their options in several orders."""


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
        verdicts=read_verdicts(out, items, predictions),
        similarities=read_similarities(out, items, predictions),
    )
    counted, bias = _votes(task, items, predictions, record)
    if task.submission is not None and any(item.answer is None for item in items):
        for name, content in task.submission(items, counted).items():
            write_text(out / name, content)
    scores = TaskScores(
        task=task.name,
        run=record,
        measures=tuple(_named(measure, record) for measure in task.score(items, counted, settings)),
        quarantined=quarantined(predictions.values()),
        bias=bias,
    )
    kept = {key: value for key, value in asdict(scores).items() if key not in ("task", "run")}
    write_text(out / SCORES_FILE, json.dumps(kept) + "\n")
    return scores


def _votes(
    task: Task, items: Sequence[Item], predictions: Mapping[str, Prediction], record: Mapping[str, Any]
) -> tuple[Mapping[str, Prediction], PositionBias | None]:
    """One answer an item, elected where it was asked in several orders, and what those say about positions."""
    choose = task.protocols[record["protocol"]].choose
    if choose is None or not any(prediction.votes for prediction in predictions.values()):
        return predictions, None
    known = {item.item_id: item for item in items}
    elected = {name: elect(known[name], prediction, choose) for name, prediction in predictions.items()}
    return elected, position_bias(items, predictions, choose, int(record["seed"]))


def _named(measure: Measure, record: Mapping[str, Any]) -> Measure:
    """A figure of votes says so behind its protocol: `egoschema accuracy (letter, vote of 4 orders)`."""
    count, protocol = int(record.get("shuffle_options", 1)), record["protocol"]
    if count == 1:
        return measure
    name = measure.score.name.replace(f"({protocol}", f"({protocol}, vote of {count} orders", 1)
    return replace(measure, score=replace(measure.score, name=name))


def quarantined(predictions: Iterable[Prediction]) -> tuple[Quarantine, ...]:
    """The items without an answer, by reason, the most frequent first."""
    found: dict[str, list[str]] = {}
    for prediction in predictions:
        if prediction.error is not None:
            found.setdefault(prediction.error, []).append(prediction.item_id)
    ordered = sorted(found.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    return tuple(Quarantine(reason=reason, item_ids=tuple(names)) for reason, names in ordered)


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
        measures = tuple(_measure(entry) for entry in content["measures"])
        lost = tuple(
            Quarantine(reason=entry["reason"], item_ids=tuple(entry["item_ids"])) for entry in content["quarantined"]
        )
        bias = None if content["bias"] is None else _bias(content["bias"])
    except (KeyError, TypeError, AttributeError, InputError) as error:
        raise FormatError(f"{path}: damaged ({error}); run `exo2ego bench score {out}` again") from error
    record = read_run(out)
    return TaskScores(task=record["task"], run=record, measures=measures, quarantined=lost, bias=bias)


def _measure(entry: dict[str, Any]) -> Measure:
    score = Score(**entry["score"])
    for name in ("value", "low", "high", "n"):
        _require_numbers(name, [getattr(score, name)])
    return Measure(score=score, strata=tuple(map(_stratum, entry["strata"])), headline=entry["headline"])


def _require_numbers(name: str, values: Iterable[Any]) -> None:
    """Raises TypeError for what would fail later, in a table or an average."""
    for value in values:
        if not is_finite(value):
            raise TypeError(f"{name} is {value!r}, no number")


def _stratum(entry: dict[str, Any]) -> Stratum:
    _require_numbers("values", entry["values"])
    return Stratum(**{name: tuple(entry[name]) for name in ("item_ids", "clusters", "values")})


def _bias(entry: dict[str, Any]) -> PositionBias:
    intervals = {
        "shares": tuple(Interval(**share) for share in entry["shares"]),
        "consistency": Interval(**entry["consistency"]),
        "expected": tuple(entry["expected"]),
    }
    return PositionBias(**{**entry, **intervals})
