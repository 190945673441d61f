"""The annotation files of QAEgo4D, which the closed and the open task share.

Form: a list of rows with `video_id` (the clip, not the recording), `sample_id`, `question`, `answer`,
`moment_start_frame`, `moment_end_frame`; in the unified files (GroundVQA) also `video_uid` and three `wrong_answers`.
Moments are seconds x 30, whatever the frame rate of the clip's file, counted from the start of the clip.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exo2ego.bench.files import fail, read_questions, text_field
from exo2ego.bench.items import Item
from exo2ego.data.jsonfile import is_finite
from exo2ego.records import VideoSpan

FRAMES_PER_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One question."""

    sample_id: str
    clip_uid: str
    recording: str
    """The Ego4D recording that the clip was cut from; the clip itself where the file does not say."""
    question: str
    answer: str
    wrong: tuple[str, ...]
    """Empty where the file offers none."""
    moment_s: tuple[float, float] | None
    """Where in the clip the answer was seen."""

    def item(self, options: tuple[str, ...], answer: int, chance: float | None, labels: Mapping[str, str]) -> Item:
        """The row as an item, about the whole clip."""
        return Item(
            item_id=self.sample_id,
            question=self.question,
            videos=(VideoSpan(path=f"videos/{self.clip_uid}.mp4"),),
            options=options,
            answer=answer,
            cluster=self.recording,
            chance=chance,
            groups=dict(labels),
            meta={} if self.moment_s is None else {"moment_s": list(self.moment_s)},
        )


def read_rows(path: Path) -> list[Row]:
    """All rows, in file order.

    Raises:
        MissingFileError, FormatError: the file is absent or breaks the format (file, row, field, value named).
    """
    return read_questions(path, "sample_id", _row, lambda row: row.sample_id)


def _row(path: Path, where: str, entry: Any) -> Row:
    if not isinstance(entry, dict):
        raise fail(path, where, "row", entry, "must be an object")
    names = ("sample_id", "video_id", "question", "answer")
    sample_id, clip, question, answer = (text_field(path, where, entry, name) for name in names)
    if os.path.basename(clip) != clip or clip in (".", ".."):
        raise fail(path, where, "video_id", clip, "must be the name of a clip")
    recording = entry.get("video_uid", clip)
    if not isinstance(recording, str) or not recording:
        raise fail(path, where, "video_uid", recording, "must be the name of a recording")
    return Row(
        sample_id=sample_id,
        clip_uid=clip,
        recording=recording,
        question=question,
        answer=answer.strip(),
        wrong=_wrong(path, where, entry.get("wrong_answers")),
        moment_s=_moment(path, where, entry),
    )


def _wrong(path: Path, where: str, listed: Any) -> tuple[str, ...]:
    if listed is None:
        return ()
    if not isinstance(listed, list) or not all(isinstance(text, str) and text.strip() for text in listed):
        raise fail(path, where, "wrong_answers", listed, "must be a list of texts")
    return tuple(text.strip() for text in listed)


def _moment(path: Path, where: str, entry: Mapping[str, Any]) -> tuple[float, float] | None:
    frames = []
    for name in ("moment_start_frame", "moment_end_frame"):
        value = entry.get(name)
        if value is None:
            return None
        if not is_finite(value) or value < 0:
            raise fail(path, where, name, value, "must be a number of frames at 30 a second, from 0 on")
        frames.append(float(value))
    start, end = frames
    return start / FRAMES_PER_S, end / FRAMES_PER_S
