"""EgoPlan-Bench (validation): the progress of a task so far, and four actions; which comes next?

Files: `EgoPlan_validation.json` (3,355 questions), `EPIC_100_video_info.csv` (frame rates, for the questions about
EPIC-KITCHENS); `videos/P01/P01_13.MP4` and `videos/<Ego4D uid>.mp4`. The official code (ChenYi99/EgoPlan,
egoplan_video_llama_interface.py) picks the candidate with the lowest mean loss as the answer's text. It shows the
four latest clips of progress and the current frame; here a model is shown the one stretch of video from
the start of the first of these clips to the end of the current frame.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeGuard

from exo2ego.bench.files import fail, read_csv, read_questions
from exo2ego.bench.items import Item, chance_of, pick, read_groups
from exo2ego.bench.tasks.base import Ask, Measure, Published, ScoreSettings, Task, choice_measures
from exo2ego.bench.tasks.choice import choice_protocols, choose
from exo2ego.bench.tasks.epic_files import epic_video
from exo2ego.data.jsonfile import is_finite
from exo2ego.records import Prediction, VideoSpan

FILE = "EgoPlan_validation.json"
INFO_FILE = "EPIC_100_video_info.csv"
LETTERS = ("A", "B", "C", "D")
LATEST_CLIPS = 4
EGO4D_FPS = 30.0
"""Ego4D's canonical videos; the annotations count their frames."""
WITHOUT_PROGRESS_S = 1.0
"""Shown before the current frame where a question has no progress."""
SOURCES = ("EpicKitchens", "Ego4D")

_OTHERS = {
    "domain": "is a row of EgoPlan-Bench2, another benchmark",
    "negative_answers": "is a row of EgoPlan-IT, which is training data",
}


def load(root: Path, limit: int | None = None, seed: int = 0, full: bool = False) -> list[Item]:
    """Questions of `root/EgoPlan_validation.json`; `limit` draws that many by lot. `full` changes nothing.

    Raises:
        MissingFileError, FormatError: a file is absent or breaks the format (file, row, field, value named).
    """
    path = root / FILE
    rates, groups = _Rates(root / INFO_FILE), read_groups(root)

    def read(path: Path, where: str, entry: Any) -> Item:
        return _item(path, where, entry, rates, groups)

    items = read_questions(path, "sample_id", read, lambda item: item.item_id)
    return [items[index] for index in pick([item.item_id for item in items], limit, seed)]


class _Rates:
    """Frames per second of EPIC recordings; the file is read when the first question about one comes up."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._table: dict[str, float] = {}

    def of(self, video_id: str) -> float:
        """Raises MissingFileError, FormatError: no such file, no such recording, or a rate that is none."""
        if not self._table:
            self._read()
        if video_id not in self._table:
            raise fail(self._path, "file", "video_id", video_id, f"has no line, so its frames of {FILE} have no time")
        return self._table[video_id]

    def _read(self) -> None:
        for line, row in read_csv(self._path, ("video_id", "fps")):
            try:
                fps = float(row["fps"])
            except ValueError:
                fps = 0.0
            if not 1.0 <= fps <= 1000.0:
                raise fail(self._path, f"line {line}", "fps", row["fps"], "must be frames per second")
            if row["video_id"] in self._table:
                raise fail(self._path, f"line {line}", "video_id", row["video_id"], "occurs twice; keep one line")
            self._table[row["video_id"]] = fps


def _item(path: Path, where: str, row: Any, rates: _Rates, groups: Mapping[str, Mapping[str, str]]) -> Item:
    if not isinstance(row, dict):
        raise fail(path, where, "row", row, "must be an object")
    for key, what in _OTHERS.items():
        if key in row:
            raise fail(path, where, key, row[key], f"{what}; give the file of EgoPlan-Bench's validation set")
    sample = row.get("sample_id")
    if not _whole(sample):
        raise fail(path, where, "sample_id", sample, "must be a whole number")
    options, answer = _options(path, where, row)
    question = _text(path, where, row, "question")
    video, cluster = _span(path, where, row, rates)
    labels = groups.get(str(sample), {})
    return Item(
        item_id=str(sample),
        question=question,
        videos=(video,),
        options=options,
        answer=answer,
        cluster=cluster,
        chance=chance_of(labels, len(options)),
        groups=dict(labels),
    )


def _text(path: Path, where: str, row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not value.strip():
        raise fail(path, where, name, value, "must be a text")
    return value


def _whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and is_finite(value) and value >= 0


def _options(path: Path, where: str, row: Mapping[str, Any]) -> tuple[tuple[str, ...], int]:
    options = tuple(_text(path, where, row, f"choice_{letter.lower()}") for letter in LETTERS)
    if len({option.strip() for option in options}) < len(options):
        raise fail(path, where, "choice_a..d", options, "repeats a choice, so the question has no single answer")
    letter = row.get("golden_choice_idx")
    if letter not in LETTERS:
        raise fail(path, where, "golden_choice_idx", letter, "must be A, B, C or D")
    answer = LETTERS.index(letter)
    # The official code compares texts, a letter protocol compares letters: both must mean the same choice.
    if row.get("answer") != options[answer]:
        raise fail(path, where, "answer", row.get("answer"), f"is not choice {letter}, {options[answer]!r}")
    return options, answer


def _span(path: Path, where: str, row: Mapping[str, Any], rates: _Rates) -> tuple[VideoSpan, str]:
    """The stretch to be shown, and its recording. EPIC counts its frames from 1, Ego4D from 0."""
    source, video_id = row.get("video_source"), _text(path, where, row, "video_id")
    if source not in SOURCES:
        raise fail(path, where, "video_source", source, f"must be {' or '.join(SOURCES)}")
    if source == "EpicKitchens":
        name, first = epic_video(path.parent, video_id), 1
        if name is None:
            raise fail(path, where, "video_id", video_id, "must look like P01_13")
        fps = rates.of(video_id)
    else:
        if os.path.basename(video_id) != video_id or video_id in (".", ".."):
            raise fail(path, where, "video_id", video_id, "must be the name of a video")
        name, first, fps = f"videos/{video_id}.mp4", 0, EGO4D_FPS
    current = row.get("current_observation_frame")
    if not _whole(current) or int(current) < first:
        raise fail(path, where, "current_observation_frame", current, f"must be a frame number from {first} on")
    end_s = (int(current) - first + 1) / fps
    starts = _progress(path, where, row.get("task_progress_metadata"), int(current))
    start_s = (starts[0] - first) / fps if starts else end_s - WITHOUT_PROGRESS_S
    return VideoSpan(path=name, start_s=max(start_s, 0.0), end_s=end_s), video_id


def _progress(path: Path, where: str, clips: Any, current: int) -> list[int]:
    """First frames of the latest clips of progress that are over by the current frame, in order."""
    if not isinstance(clips, list):
        raise fail(path, where, "task_progress_metadata", clips, "must be a list")
    starts = []
    for number, clip in enumerate(clips):
        pair = (clip.get("start_frame"), clip.get("stop_frame")) if isinstance(clip, dict) else (None, None)
        start, stop = pair
        if not _whole(start) or not _whole(stop) or start > stop:
            field = f"task_progress_metadata[{number}]"
            raise fail(path, where, field, clip, "must have whole numbers start_frame <= stop_frame")
        if stop <= current:
            starts.append(int(start))
    return starts[-LATEST_CLIPS:]


def score(items: Sequence[Item], predictions: Mapping[str, Prediction], settings: ScoreSettings) -> list[Measure]:
    """Accuracy, also by label."""
    return choice_measures(items, predictions, "egoplan", settings, choose)


_EXAMPLE = (
    "Considering the progress shown in the video and my current observation in the last frame, "
    "what action should I take next in order to make tea?"
)
_SHARED = choice_protocols("egoplan", _EXAMPLE, ("fill kettle", "take cup", "open drawer", "wash spoon"))

PROTOCOLS: dict[str, Ask] = {
    "lowest_loss": replace(
        _SHARED["likelihood_mean"],
        describe="the official one: argmin of the mean loss per token of the choice's text as the answer",
    ),
    "letter": _SHARED["letter"],
}

_UNSAID = "its scoring is not described"

TASK = Task(
    name="egoplan",
    title="EgoPlan-Bench (validation)",
    load=load,
    protocols=PROTOCOLS,
    default_protocol="lowest_loss",
    score=score,
    official_sizes=(3_355, 3_355),
    published=(
        Published(measure="egoplan", value=0.427, who="Exo2Ego (paper)", caution=_UNSAID),
        Published(measure="egoplan", value=0.289, who="VideoLLaMA2-7B", caution="re-run by OpenMMEgo"),
        Published(measure="egoplan", value=0.452, who="Qwen2.5-VL-7B", caution=_UNSAID),
        Published(measure="egoplan", value=0.471, who="EgoThinker", caution=_UNSAID),
        Published(measure="egoplan", value=0.474, who="PhysBrain", caution=_UNSAID),
        Published(measure="egoplan", value=0.502, who="OpenMMEgo", caution=_UNSAID),
        Published(measure="egoplan", value=0.5872, who="SPIRAL", caution=_UNSAID),
        Published(measure="egoplan", value=0.6717, who="AAILab", caution="fine-tuned on EgoPlan-IT, with retrieval"),
    ),
)
