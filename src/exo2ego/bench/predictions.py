"""predictions.jsonl: one answer a line, appended so that a kill at any moment loses at most the batch in hand."""

import math
import os
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from exo2ego.bench.files import fail, read_json_lines, write_text
from exo2ego.data.jsonfile import is_finite
from exo2ego.data.lines import LineLog
from exo2ego.errors import FormatError
from exo2ego.records import FloatRow, Prediction, Usage, Vote

PREDICTIONS_FILE = "predictions.jsonl"
MANY = 64
"""Scores of one item from which on they are kept as a `FloatRow`."""


def read_predictions(path: Path, *, frames: bool = False) -> dict[str, Prediction]:
    """Item id -> prediction, in file order. The times of the frames read are left out unless `frames` is set: no score
    needs them, and five clips of 16 frames for each of 39,000 questions are three million numbers.

    Raises:
        MissingFileError, FormatError: the file is absent, a line is damaged or torn, an item is answered twice.
    """
    predictions: dict[str, Prediction] = {}
    refuse_torn(path)
    for row, record in read_json_lines(path):
        prediction = _prediction(path, f"row {row}", record, frames)
        if prediction.item_id in predictions:
            raise fail(path, f"row {row}", "item_id", prediction.item_id, "is answered twice; keep one of the lines")
        predictions[prediction.item_id] = prediction
    return predictions


def refuse_torn(path: Path) -> None:
    """Raises FormatError where the last line has no newline: a run was killed, or still writes, in the middle of it."""
    if not path.is_file() or path.stat().st_size == 0:
        return
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        if file.read() != b"\n":
            raise FormatError(
                f"{path}: the last line is torn (the run was killed while it wrote); give the same `bench run` command "
                "again: it cuts the line off and asks that item again"
            )


def _prediction(path: Path, row: str, record: dict[str, Any], frames: bool) -> Prediction:
    item_id, error = record.get("item_id"), record.get("error")
    if not isinstance(item_id, str):
        raise fail(path, row, "item_id", item_id, "must be a text")
    if not isinstance(error, str | None):
        raise fail(path, row, "error", error, "must be a text or null")
    votes, frames_s = record.get("votes", []), record.get("frames_s", []) if frames else []
    if not isinstance(votes, list) or not all(isinstance(vote, dict) for vote in votes):
        raise fail(path, row, "votes", votes, "must be a list of objects")
    if not isinstance(frames_s, list) or not all(isinstance(times, list) for times in frames_s):
        raise fail(path, row, "frames_s", frames_s, "must be a list of lists of seconds")
    scores, text = _answer(path, row, record)
    return Prediction(
        item_id=item_id,
        scores=scores,
        text=text,
        error=error,
        votes=tuple(_vote(path, f"{row}, vote {number}", vote) for number, vote in enumerate(votes, start=1)),
        usage=_usage(path, row, record.get("usage")),
        frames_s=tuple(tuple(_numbers(path, row, "frames_s", times)) for times in frames_s),
    )


def _vote(path: Path, row: str, record: dict[str, Any]) -> Vote:
    order = record.get("order")
    if not isinstance(order, list) or sorted(map(str, order)) != sorted(map(str, range(len(order)))):
        raise fail(path, row, "order", order, "must hold every position once")
    scores, text = _answer(path, row, record)
    return Vote(order=tuple(order), scores=tuple(scores), text=text)


def _answer(path: Path, row: str, record: dict[str, Any]) -> tuple[Sequence[float], str | None]:
    text = record.get("text")
    if not isinstance(text, str | None):
        raise fail(path, row, "text", text, "must be a text or null")
    return _numbers(path, row, "scores", record.get("scores", [])), text


def _numbers(path: Path, row: str, field: str, values: object) -> Sequence[float]:
    """Finite numbers; many of them without a Python object for each."""
    try:
        numbers = FloatRow(values) if isinstance(values, list) else None
    except (TypeError, OverflowError):
        numbers = None
    if numbers is None or not all(map(math.isfinite, numbers)):
        raise fail(path, row, field, values, "must be a list of finite numbers")
    return _compact(numbers)


def _compact(values: Sequence[float]) -> Sequence[float]:
    """Few as a tuple, many as a `FloatRow`."""
    return FloatRow(values) if len(values) > MANY else tuple(values)


def _record(prediction: Prediction) -> dict[str, Any]:
    """One line of the file; votes, usage and frames are left out where there are none."""
    record: dict[str, Any] = {
        "item_id": prediction.item_id,
        "scores": list(prediction.scores),
        "text": prediction.text,
        "error": prediction.error,
    }
    if prediction.votes:
        record["votes"] = [{"order": vote.order, "scores": vote.scores, "text": vote.text} for vote in prediction.votes]
    if prediction.usage is not None:
        record["usage"] = asdict(prediction.usage)
    if prediction.frames_s:
        record["frames_s"] = prediction.frames_s
    return record


def _usage(path: Path, row: str, record: object) -> Usage | None:
    """What an answer has cost, as `asdict` wrote it."""
    if record is None:
        return None
    names = tuple(field.name for field in fields(Usage))
    if not isinstance(record, dict) or set(record) != set(names) or not all(map(is_finite, record.values())):
        raise fail(path, row, "usage", record, f"must be an object of numbers: {', '.join(names)}")
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
        self.append_records([_record(prediction) for prediction in batch])
        for prediction in batch:
            self.done[prediction.item_id] = replace(prediction, scores=_compact(prediction.scores), frames_s=())


def forget_errors(path: Path) -> int:
    """Drop the lines of items that could not be answered, so that the next run asks them again; how many there were."""
    if not path.exists():
        return 0
    with PredictionLog(path) as log:
        lines = [f"{line}\n" for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
        # Lines are kept as they are: the log does not hold all that they say.
        kept = [line for line, answer in zip(lines, log.done.values(), strict=True) if answer.error is None]
        if len(kept) < len(lines):
            write_text(path, "".join(kept))
    return len(lines) - len(kept)
