"""EgoTaskQA as five-way multiple choice, the form that EgoThinker's evaluation ships: a benchmark of its own.

File: `egotaskqa.json`, a list of `{"q", "video_path": "27k-22-11-2|P1|4546|4986.mp4", "option": {"A": ...}, "a": "A"}`;
`qa_videos/<video_path>`. Not the released task: questions are regenerated, options are given, and a question of yes or
no has three options that no reader would take. Its figures never stand beside those of `egotaskqa_direct`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from exo2ego.bench.files import fail, read_json, text_field
from exo2ego.bench.items import Item, chance_of, pick, read_groups
from exo2ego.bench.tasks.base import Measure, ScoreSettings, Task, choice_measures
from exo2ego.bench.tasks.choice import choice_protocols, choose
from exo2ego.bench.tasks.egotaskqa_rows import BINARY, interval_name, recording_of
from exo2ego.records import Prediction, VideoSpan

FILE = "egotaskqa.json"
LETTERS = ("A", "B", "C", "D", "E")


def load(root: Path, limit: int | None = None, seed: int = 0, full: bool = False) -> list[Item]:
    """All questions; `limit` draws that many by lot. An item's id is its row, from 1. `full` changes nothing.

    Raises:
        MissingFileError, FormatError: the file is absent or breaks the format (file, row, field, value named).
    """
    path = root / FILE
    rows, groups = read_json(path), read_groups(root)
    if not isinstance(rows, list) or not rows:
        raise fail(path, "top level", "type", type(rows).__name__, "must be a list of questions")
    items: dict[tuple[str, str], Item] = {}
    for number, row in enumerate(rows, start=1):
        item = _item(path, number, row, groups.get(str(number), {}))
        key = (item.question, item.videos[0].path)
        if key in items:
            raise fail(path, f"row {number}", "q", item.question, f"repeats row {items[key].item_id}; keep one of them")
        items[key] = item
    listed = list(items.values())
    return [listed[index] for index in pick([item.item_id for item in listed], limit, seed)]


def _item(path: Path, number: int, row: Any, labels: Mapping[str, str]) -> Item:
    where = f"row {number}"
    if not isinstance(row, dict):
        raise fail(path, where, "row", row, "must be an object")
    question, video = (text_field(path, where, row, name) for name in ("q", "video_path"))
    listed, letter = row.get("option"), row.get("a")
    if not isinstance(listed, dict) or sorted(listed) != list(LETTERS):
        raise fail(path, where, "option", listed, "must hold the options A to E")
    options = tuple(listed[name] for name in LETTERS)
    if not all(isinstance(option, str) and option.strip() for option in options):
        raise fail(path, where, "option", listed, "must be five texts")
    if len({option.strip().casefold() for option in options}) < len(options):
        raise fail(path, where, "option", options, "repeats an option, so the question has no single answer")
    if letter not in LETTERS:
        raise fail(path, where, "a", letter, "must be a letter from A to E")
    answer = LETTERS.index(letter)
    return Item(
        item_id=str(number),
        question=question,
        videos=(VideoSpan(path=f"qa_videos/{interval_name(path, where, 'video_path', video)}"),),
        options=options,
        answer=answer,
        cluster=recording_of(video),
        chance=chance_of(labels, len(options)),
        groups={"kind": "binary" if options[answer].strip().casefold() in BINARY else "open", **labels},
    )


def score(items: Sequence[Item], predictions: Mapping[str, Prediction], settings: ScoreSettings) -> list[Measure]:
    """Accuracy over all questions, then over the open ones and those of yes or no."""
    measures = choice_measures(items, predictions, "egotaskqa_mcq", settings, choose)
    for kind in ("open", "binary"):
        members = [item for item in items if item.groups["kind"] == kind]
        if any(item.item_id in predictions and predictions[item.item_id].error is None for item in members):
            name = f"egotaskqa_mcq/{kind}"
            measures += choice_measures(members, predictions, name, settings, choose, headline=False)[:1]
    return measures


TASK = Task(
    name="egotaskqa_mcq",
    title="EgoTaskQA multiple choice",
    load=load,
    protocols=choice_protocols(
        "egotaskqa_mcq",
        "What is the status of the fork after the person washed it?",
        ("on top of pan", "on top of plate", "in the sink", "in the drawer", "on the table"),
    ),
    default_protocol="likelihood",
    score=score,
    apart=True,
    official_sizes=(8_700, 8_800),
)
