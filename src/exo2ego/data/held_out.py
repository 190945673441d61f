"""What must not be trained on: recordings, or seconds of them, that benchmark questions are about.

A JSON-lines file, written by `exo2ego bench contamination --export` or by hand:

    {"video": "P01_11", "start_s": 12.0, "end_s": 20.5, "bench": "epic_mir", "item": "P01_11_0"}
    {"video": "0a1b2c", "start_s": 0.0, "end_s": null}      from 0 s to the end
    {"video": "0a1b2c"}                                     the place in the recording is not known: all of it

Names are compared without folders, without the ending of a video file and without case.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import inf, isfinite
from pathlib import Path
from typing import Any

from exo2ego.data.jsonfile import Fields
from exo2ego.data.shards import ShardSample
from exo2ego.errors import FormatError, MissingFileError

VIDEO_ENDINGS = (".mp4", ".mkv", ".webm", ".avi", ".mov")
PIECE = re.compile(r"(?:.*/)?(?P<recording>[^/]+)/(?P<number>[0-9]{1,6})\.mp4")
"""`<uid>/<k>.mp4`, the k-th 600 s (EgoVLP), or `<uid>.mp4/<second>.mp4` (LaViLa)."""
EGOVLP_PIECE_S = 600.0
FIELDS = {"video", "start_s", "end_s", "bench", "item"}


def normal(name: str) -> str:
    """`videos/ABC-1.MP4` -> `abc-1`.

    >>> normal("takes/P01_11.MP4"), normal("3b2c.v2")
    ('p01_11', '3b2c.v2')
    """
    base = os.path.basename(name.rstrip("/")).casefold()
    stem, ending = os.path.splitext(base)
    return stem if ending in VIDEO_ENDINGS else base


def shared_s(start_s: float, end_s: float, spans: Iterable[tuple[float, float]]) -> float:
    """Seconds of [start, end] that lie in at least one of the spans.

    >>> shared_s(0.0, 10.0, [(1.0, 3.0), (2.0, 4.0), (9.0, 20.0)])
    4.0
    """
    total, reached = 0.0, start_s
    for low, high in sorted(spans):
        low, high = max(low, reached), min(high, end_s)
        if high > low:
            total += high - low
            reached = high
    return total


def recordings(path: str) -> list[tuple[str, float]]:
    """What a training video may be: itself, and the piece of an Ego4D recording that the two usual layouts of pieces
    would make it. Each with the second at which it begins.

    >>> recordings("ego4d/0A1B/2.mp4"), recordings("0A1B.mp4/900.mp4"), recordings("P01_11.MP4")
    ([('2', 0.0), ('0a1b', 1200.0)], [('900', 0.0), ('0a1b', 900.0)], [('p01_11', 0.0)])
    """
    found = [(normal(path), 0.0)]
    piece = PIECE.fullmatch(path)
    if piece:
        unit_s = 1.0 if piece["recording"].endswith(".mp4") else EGOVLP_PIECE_S
        found.append((normal(piece["recording"]), int(piece["number"]) * unit_s))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOutSpan:
    """Seconds of a recording that a question is about."""

    video: str
    """Name as `normal` gives it."""
    start_s: float | None
    """None: the place within the recording is not known."""
    end_s: float | None
    """None: to the end."""
    bench: str
    item: str

    def meets(self, start_s: float, end_s: float) -> bool:
        """Whether a stretch of the same recording shares a second with it, as far as is known."""
        if self.start_s is None:
            return True
        return max(start_s, self.start_s) < min(end_s, inf if self.end_s is None else self.end_s)

    def told(self) -> str:
        """For messages: question and seconds."""
        where = "somewhere in it"
        if self.start_s is not None:
            where = f"from {self.start_s:g} s to " + ("its end" if self.end_s is None else f"{self.end_s:g} s")
        who = " ".join(part for part in (self.bench, f"item {self.item}" if self.item else "") if part)
        return f"{who or 'the list'}, {where}"

    def as_json(self) -> dict[str, Any]:
        """One line of the file."""
        return {
            "video": self.video,
            "start_s": self.start_s,
            "end_s": self.end_s,
            "bench": self.bench,
            "item": self.item,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """Spans by recording."""

    by_video: Mapping[str, tuple[HeldOutSpan, ...]]

    def __len__(self) -> int:
        return sum(len(spans) for spans in self.by_video.values())

    def find(self, sample: ShardSample) -> HeldOutSpan | None:
        """The first span that shares a recording and seconds with the sample; None for a sample that is free."""
        for video, offset_s in recordings(sample.take_uid):
            for span in self.by_video.get(video, ()):
                if span.meets(sample.start_s + offset_s, sample.end_s + offset_s):
                    return span
        return None


def held_out(spans: Iterable[HeldOutSpan]) -> HeldOut:
    """Spans sorted by their recordings; of equal stretches the first question stands for all."""
    found: dict[str, dict[tuple[float | None, float | None], HeldOutSpan]] = {}
    for span in spans:
        found.setdefault(span.video, {}).setdefault((span.start_s, span.end_s), span)
    return HeldOut(by_video={video: tuple(stretches.values()) for video, stretches in found.items()})


def with_other_names(spans: HeldOut, names: Mapping[str, str]) -> HeldOut:
    """The same spans, those of a recording that goes by two names (uid and take name) under both."""
    pairs = {normal(uid): normal(name) for uid, name in names.items()}
    other = pairs | {name: uid for uid, name in pairs.items()}
    listed = [span for stretches in spans.by_video.values() for span in stretches]
    return held_out([*listed, *(replace(span, video=other[span.video]) for span in listed if span.video in other)])


def dump_held_out(spans: HeldOut) -> str:
    """The text of the file."""
    lines = (json.dumps(s.as_json(), ensure_ascii=False) for stretches in spans.by_video.values() for s in stretches)
    return "".join(f"{line}\n" for line in lines)


def read_held_out(path: Path) -> HeldOut:
    """Spans of a JSON-lines file.

    Raises MissingFileError, FormatError with row and field, also for a file without any row.
    """
    spans = held_out(_span(row) for row in _rows(path))
    if not spans.by_video:
        raise FormatError(f"{path}: holds no line; write it with: exo2ego bench contamination --export {path}")
    return spans


def _rows(path: Path) -> Iterator[Fields]:
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield Fields(_parsed(line, f"{path}: row {number}"), f"{path}: row {number}")
    except OSError as error:
        raise MissingFileError(f"{path}: cannot be read ({error.strerror})") from None


def _parsed(line: bytes, where: str) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        raise FormatError(f"{where}: not a line of JSON; is the file complete?") from None


def _span(row: Fields) -> HeldOutSpan:
    unknown = sorted(set(row.data) - FIELDS)
    if unknown:
        raise FormatError(f"{row.where}: unknown field {unknown[0]!r}; known are {', '.join(sorted(FIELDS))}")
    video = normal(row.text("video"))
    if not video:
        raise row.fail("video", "the name of a recording")
    start, end = (None if row.data.get(name) is None else row.number(name) for name in ("start_s", "end_s"))
    if end is not None and not (start is not None and 0 <= start < end and isfinite(end)):
        raise row.fail("end_s", "a time after start_s, or null for the end of the recording")
    if start is not None and start < 0:
        raise row.fail("start_s", "a time from 0 s on")
    return HeldOutSpan(
        video=video,
        start_s=start,
        end_s=end,
        bench=row.text("bench", default=""),
        item=row.text("item", default=""),
    )
