"""Files of EPIC-KITCHENS-100 multi-instance retrieval, as items: the text prior first, then one item a clip.

Files (epic-kitchens-100-annotations, retrieval_annotations/): `EPIC_100_retrieval_test.csv`,
`EPIC_100_retrieval_test_sentence.csv`; `videos/P01/P01_11.MP4`. Column j is row j of the sentence file, with the
classes of the clip that has its `narration_id`. The relevancy is computed from the classes; the official pickle is
not loaded.
"""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from exo2ego.bench.files import fail, read_csv
from exo2ego.bench.items import Item, pick, read_groups
from exo2ego.bench.prompts import QUESTION
from exo2ego.bench.tasks.matrix import prior_item
from exo2ego.records import VideoSpan

CLIPS_FILE = "EPIC_100_retrieval_test.csv"
SENTENCES_FILE = "EPIC_100_retrieval_test_sentence.csv"
CLIP_COLUMNS = (
    "narration_id",
    "video_id",
    "start_timestamp",
    "stop_timestamp",
    "narration",
    "verb_class",
    "all_noun_classes",
)
_TIMESTAMP = re.compile(r"(\d+):([0-5]\d):([0-5]\d(?:\.\d+)?)")
_VIDEO_ID = re.compile(r"(P\d+)_\d+")

Classes = tuple[int, frozenset[int]]


def load(root: Path, limit: int | None = None, seed: int = 0, full: bool = False) -> list[Item]:
    """The text prior, then one item a clip; `limit` draws that many clips and keeps the sentences that fit one of them.

    Raises:
        MissingFileError, FormatError: a file is absent or breaks the format (file, line, column, value named).
    """
    clips_path, sentences_path = root / CLIPS_FILE, root / SENTENCES_FILE
    rows: dict[str, tuple[int, dict[str, str]]] = {}
    for line, row in read_csv(clips_path, CLIP_COLUMNS):
        if row["narration_id"] in rows:
            raise fail(clips_path, f"line {line}", "narration_id", row["narration_id"], "occurs twice; keep one line")
        rows[row["narration_id"]] = (line, row)
    classes = {name: _classes(clips_path, line, row) for name, (line, row) in rows.items()}
    sentences = _sentences(sentences_path, classes)
    covered = {classes[name] for name, _ in sentences}
    for name, (line, _) in rows.items():
        if classes[name] not in covered:
            raise fail(clips_path, f"line {line}", "narration_id", name, f"fits no sentence of {SENTENCES_FILE}")
    ids = list(rows)
    kept = [ids[index] for index in pick(ids, limit, seed)]
    wanted = {classes[name] for name in kept}
    sentences = [(name, text) for name, text in sentences if classes[name] in wanted]
    options = tuple(text for _, text in sentences)
    groups = read_groups(root)
    prior = prior_item(QUESTION, options, {"sentences": [_class_record(name, classes[name]) for name, _ in sentences]})
    recordings = dict.fromkeys(rows[name][1]["video_id"] for name in kept)
    videos = {video_id: epic_video(root, video_id) for video_id in recordings}  # a few hundred, for thousands of clips
    return [
        prior,
        *(_clip(clips_path, *rows[name], videos, options, classes[name], groups.get(name, {})) for name in kept),
    ]


def _classes(path: Path, line: int, row: Mapping[str, str]) -> Classes:
    """(verb class, noun classes); nouns are a set: 19 rows of the real file repeat one."""
    try:
        verb = int(row["verb_class"])
    except ValueError as error:
        raise fail(path, f"line {line}", "verb_class", row["verb_class"], "must be a number") from error
    try:
        nouns = json.loads(row["all_noun_classes"])
    except (ValueError, RecursionError):
        nouns = None
    if not isinstance(nouns, list) or not nouns or not all(isinstance(noun, int) and noun >= 0 for noun in nouns):
        raise fail(path, f"line {line}", "all_noun_classes", row["all_noun_classes"], "must be a list like [2, 7]")
    return verb, frozenset(nouns)


def _sentences(path: Path, classes: Mapping[str, Classes]) -> list[tuple[str, str]]:
    """(narration_id, sentence) in file order. The same sentence may occur twice; a narration_id may not."""
    sentences: list[tuple[str, str]] = []
    seen: set[str] = set()
    for line, row in read_csv(path, ("narration_id", "narration")):
        name, text = row["narration_id"], row["narration"]
        if name in seen:
            raise fail(path, f"line {line}", "narration_id", name, "occurs twice; keep one line")
        if name not in classes:
            raise fail(path, f"line {line}", "narration_id", name, f"is not in {CLIPS_FILE}, so it has no classes")
        if not text.strip():
            raise fail(path, f"line {line}", "narration", text, "must be a text")
        seen.add(name)
        sentences.append((name, text))
    return sentences


def _class_record(name: str, classes: Classes) -> dict[str, Any]:
    return {"narration_id": name, "verb": classes[0], "nouns": sorted(classes[1])}


def _clip(
    path: Path,
    line: int,
    row: Mapping[str, str],
    videos: Mapping[str, str | None],
    options: tuple[str, ...],
    classes: Classes,
    labels: Mapping[str, str],
) -> Item:
    start_s, stop_s = (seconds(path, line, name, row[name]) for name in ("start_timestamp", "stop_timestamp"))
    if not start_s < stop_s:
        raise fail(path, f"line {line}", "stop_timestamp", row["stop_timestamp"], "must be after start_timestamp")
    name = videos[row["video_id"]]
    if name is None:
        raise fail(path, f"line {line}", "video_id", row["video_id"], "must look like P01_11")
    return Item(
        item_id=row["narration_id"],
        question=QUESTION,
        videos=(VideoSpan(path=name, start_s=start_s, end_s=stop_s),),
        options=options,
        cluster=row["video_id"],
        groups=dict(labels),
        meta=_class_record(row["narration_id"], classes),
    )


def epic_video(root: Path, video_id: str) -> str | None:
    """Where the recording `P01_11` lies below `root`, `.MP4` or `.mp4`; None for what is no EPIC-KITCHENS id."""
    match = _VIDEO_ID.fullmatch(video_id)
    if match is None:
        return None
    name = f"videos/{match.group(1)}/{video_id}.MP4"
    small = name.replace(".MP4", ".mp4")
    return small if not os.path.isfile(root / name) and os.path.isfile(root / small) else name


def seconds(path: Path, line: int, field: str, text: str) -> float:
    """`HH:MM:SS.ss` in seconds.

    Raises:
        FormatError: the text has another form.
    """
    match = _TIMESTAMP.fullmatch(text.strip())
    if match is None:
        raise fail(path, f"line {line}", field, text, "must look like 00:01:23.45")
    hours, minutes, rest = match.groups()
    return int(hours) * 3600 + int(minutes) * 60 + float(rest)
