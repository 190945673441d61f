"""predictions.jsonl: one answer a line, appended so that a kill at any moment loses at most the batch in hand."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

from exo2ego.bench.files import fail, read_json_lines, write_text
from exo2ego.bench.lines import LineLog
from exo2ego.records import Prediction, Usage

PREDICTIONS_FILE = "predictions.jsonl"


def read_predictions(path: Path) -> dict[str, Prediction]:
    """Item id -> prediction, in file order.

    Raises:
        MissingFileError, FormatError: the file is absent, a line is damaged, an item is answered twice.
    """
    predictions: dict[str, Prediction] = {}
    for row, record in read_json_lines(path):
        item_id, scores = record.get("item_id"), record.get("scores", [])
        text, error = record.get("text"), record.get("error")
        if not isinstance(item_id, str):
            raise fail(path, f"row {row}", "item_id", item_id, "must be a text")
        if not isinstance(scores, list) or not all(_finite(score) for score in scores):
            raise fail(path, f"row {row}", "scores", scores, "must be a list of finite numbers")
        if not isinstance(text, str | None) or not isinstance(error, str | None):
            raise fail(path, f"row {row}", "text, error", (text, error), "must be texts or null")
        usage = _usage(path, row, record.get("usage"))
        if item_id in predictions:
            raise fail(path, f"row {row}", "item_id", item_id, "is answered twice; keep one of the lines")
        predictions[item_id] = Prediction(
            item_id=item_id, scores=tuple(map(float, scores)), text=text, error=error, usage=usage
        )
    return predictions


def _usage(path: Path, row: int, record: object) -> Usage | None:
    """What an answer has cost, as `asdict` wrote it."""
    if record is None:
        return None
    names = tuple(field.name for field in fields(Usage))
    if not isinstance(record, dict) or set(record) != set(names) or not all(map(_finite, record.values())):
        raise fail(path, f"row {row}", "usage", record, f"must be an object of numbers: {', '.join(names)}")
    return Usage(**record)


class PredictionLog(LineLog):
    """The open file of one run. One writer at a time; a last line torn by a kill is cut off and asked again."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            self.done = read_predictions(path)
        except BaseException:
            self.close()
            raise

    def append(self, batch: Sequence[Prediction]) -> None:
        """Add answers; when this returns they are on the disk.

        Raises:
            OutputError: the disk is full or has become read-only; nothing of earlier batches is lost.
        """
        self.append_records([asdict(prediction) for prediction in batch])
        self.done.update((prediction.item_id, prediction) for prediction in batch)


def forget_errors(path: Path) -> int:
    """Drop the lines of items that could not be answered, so that the next run asks them again; how many there were."""
    if not path.exists():
        return 0
    with PredictionLog(path) as log:
        kept = [prediction for prediction in log.done.values() if prediction.error is None]
        dropped = len(log.done) - len(kept)
        if dropped:
            write_text(path, "".join(json.dumps(asdict(prediction), ensure_ascii=False) + "\n" for prediction in kept))
    return dropped


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
