"""EgoClip's table of narrated clips (`egoclip.csv` of showlab/EgoVLP: tabs, 3.85 million rows), row by row.

    clip_idx video_uid video_dur narration_source narration_ind narration_time clip_start clip_end clip_text
    tag_verb tag_noun

Times are seconds of the whole video. `clip_text` is Ego4D's narration: `#C C picks a bag` about the camera wearer,
`#O A man X sits` about others. The tags are lists of class numbers, written as Python writes them.
"""

import math
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from exo2ego.data.jsonfile import shorten
from exo2ego.data.sources.egoclip_lines import RecordFile, split_record
from exo2ego.data.sources.reading import BadRow
from exo2ego.data.told import Progress
from exo2ego.errors import FormatError, MissingFileError

COLUMNS = (
    "clip_idx",
    "video_uid",
    "video_dur",
    "narration_source",
    "narration_ind",
    "narration_time",
    "clip_start",
    "clip_end",
    "clip_text",
    "tag_verb",
    "tag_noun",
)
UID = re.compile(r"[A-Za-z0-9_-]{1,100}")
"""Videos' names become paths and keys: nothing else may be in them."""
MAX_TAG_CHARS = 2000
BYTES_BETWEEN_REPORTS = 1 << 22

_WHOLE = re.compile(r"\d{1,15}")
_TAGS = re.compile(r" *\[ *(?:\d{1,9}(?: *, *\d{1,9})*)? *\] *")
_TAG = re.compile(r"\s*#\s?([A-Za-z])\b\s*")
_WEARER_FIRST = re.compile(r"\s*C(?:\s|'s\b)")
_UNSURE = re.compile(r"#\s?unsure\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class EgoClipRow:
    """One clip as the table has it."""

    clip_idx: int
    video_uid: str
    video_dur_s: float
    narration_source: str
    """Which of two annotators: `narration_pass_1` or `narration_pass_2`."""
    narration_ind: int
    narration_time_s: float
    clip_start_s: float
    clip_end_s: float
    clip_text: str
    verbs: tuple[int, ...]
    nouns: tuple[int, ...]

    @property
    def is_about_wearer(self) -> bool:
        """By the tag; by the first word where there is none."""
        tag = _TAG.match(self.clip_text)
        return tag[1] in "Cc" if tag else bool(_WEARER_FIRST.match(self.clip_text))

    @property
    def is_unsure(self) -> bool:
        """`#unsure` stands in the place of a word that the annotator could not tell."""
        return bool(_UNSURE.search(self.clip_text))

    @property
    def narration(self) -> str:
        """The text without its tag."""
        return " ".join(_TAG.sub("", self.clip_text, count=1).split())


@dataclass(frozen=True, slots=True)
class Placed:
    """A row and where it stands in the file."""

    row: EgoClipRow
    offset: int
    size: int


class EgoClipTable:
    """The file: all its rows in order, or those at known places. Memory does not grow with it."""

    def __init__(self, path: Path) -> None:
        """Raises MissingFileError for an absent file, FormatError for one without the columns."""
        self.path = path
        with self._opened() as file:
            header = next(iter(RecordFile(file)), None)
        names = [name.strip().removeprefix("\ufeff") for name in header.fields] if header else []
        absent = [name for name in COLUMNS if name not in names]
        if absent:
            found = ", ".join(names)[:120] or "nothing"
            raise FormatError(f"{path}: no column '{absent[0]}' in its first line (separated by tabs); found: {found}")
        self._width = len(names)
        self._places = tuple(names.index(name) for name in COLUMNS)

    def rows(self, progress: Progress | None = None) -> Iterator[Placed | BadRow]:
        """All rows, malformed ones as BadRow with the line. `progress` is called with (bytes read, bytes in all)."""
        with self._opened() as file:
            total = os.fstat(file.fileno()).st_size
            records = RecordFile(file)
            reported = 0
            for record in islice(records, 1, None):
                if progress and records.offset - reported >= BYTES_BETWEEN_REPORTS:
                    reported = records.offset
                    progress(reported, total)
                try:
                    yield Placed(self._row(record.fields, record.problem), record.offset, record.size)
                except FormatError as error:
                    yield BadRow(row=record.line, reason=f"{self.path}: line {record.line}: {error}")
        if progress:
            progress(total, total)

    def at(self, places: Iterable[tuple[int, int]]) -> Iterator[EgoClipRow]:
        """The rows at (offset, size), as `rows` has given them. Raises FormatError where they are no longer there."""
        with self._opened() as file:
            for offset, size in places:
                file.seek(offset)
                try:
                    yield self._row(split_record(file.read(size)))
                except FormatError as error:
                    raise FormatError(f"{self.path}: has changed at byte {offset} while it was read: {error}") from None

    def _opened(self) -> BinaryIO:
        try:
            return self.path.open("rb")
        except FileNotFoundError:
            raise MissingFileError(f"{self.path}: no such file") from None
        except OSError as error:
            raise MissingFileError(f"{self.path}: cannot be read ({error.strerror})") from None

    def _row(self, fields: Sequence[str], problem: str = "") -> EgoClipRow:
        if problem:
            raise FormatError(problem)
        if len(fields) != self._width:
            raise FormatError(f"{len(fields)} fields where there should be {self._width}")
        idx, uid, duration, source, index, time, start, end, text, verbs, nouns = (fields[at] for at in self._places)
        if not UID.fullmatch(uid):
            raise _unfit("video_uid", uid, "letters, digits, - and _")
        row = EgoClipRow(
            clip_idx=_whole("clip_idx", idx),
            video_uid=uid,
            video_dur_s=_seconds("video_dur", duration),
            narration_source=source.strip(),
            narration_ind=_whole("narration_ind", index),
            narration_time_s=_seconds("narration_time", time),
            clip_start_s=_seconds("clip_start", start),
            clip_end_s=_seconds("clip_end", end),
            clip_text=text,
            verbs=_tags("tag_verb", verbs),
            nouns=_tags("tag_noun", nouns),
        )
        if row.video_dur_s <= 0:
            raise _unfit("video_dur", duration, "more than 0")
        if row.clip_end_s < row.clip_start_s:
            raise _unfit("clip_end", end, f"no less than clip_start, {start}")
        return row


def _unfit(field: str, value: str, expected: str) -> FormatError:
    return FormatError(f"field '{field}' is {shorten(value)}; expected {expected}")


def _whole(field: str, text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise _unfit(field, text, "a whole number from 0 on")
    return int(text)


def _seconds(field: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise _unfit(field, text, "a finite number of seconds")
    return value


def _tags(field: str, text: str) -> tuple[int, ...]:
    """A list of numbers as Python writes it, read without evaluating it.

    >>> _tags("tag_noun", "[192, 115, 12]")
    (192, 115, 12)
    """
    if len(text) > MAX_TAG_CHARS or not _TAGS.fullmatch(text):
        raise _unfit(field, text, "a list of whole numbers, e.g. [192, 115, 12]")
    inner = text.strip()[1:-1]
    return tuple(map(int, inner.split(","))) if inner.strip() else ()
