"""A look at the bytes of a file before the decoder library gets it: what it is, and whether its header lies.

FFmpeg builds its index of an mp4 file from counts in the header, whatever the size of the file: a file of 700 bytes can
make it take gigabytes. The counts are therefore read here first, by the box structure of ISO 14496-12.
"""

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from exo2ego.data import video_rules as rules
from exo2ego.errors import MissingFileError, VideoError

_NESTS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf", b"edts", b"udta", b"mvex"}
_FIRST = {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"moof", b"styp", b"sidx", b"pnot", b"uuid"}
_TRUN_FIELDS = 0xF00
"""Flags of the per-sample fields of a `trun` box, 4 bytes each (ISO 14496-12, 8.8.8)."""


@dataclass(frozen=True, slots=True)
class _Box:
    kind: bytes
    body_at: int
    end: int


def check_header(source: rules.Source) -> None:
    """Refuses what is no video file or says that it holds more than may be.

    Raises MissingFileError; VideoError naming the file and what to do.
    """
    name = rules.name_of(source)
    with _opened(source, name) as file:
        size = file.seek(0, io.SEEK_END)
        if size == 0:
            raise VideoError(f"{name}: the file is empty (0 bytes); copy or download it again")
        file.seek(0)
        first = file.read(64)
        if first[4:8] in _FIRST:
            _Mp4(file, name).check(size)
            return
        for mark, what in rules.OTHER_FILES.items():
            if first.startswith(mark):
                raise VideoError(f"{name}: this is {what}; expected mp4, mov, mkv, webm, avi, ts or mpg")


def _opened(source: rules.Source, name: str) -> contextlib.AbstractContextManager[BinaryIO]:
    if isinstance(source, bytes):
        return contextlib.nullcontext(io.BytesIO(source))
    path = Path(source)
    try:
        if not path.is_file():
            raise MissingFileError(f"{name}: no such file" if not path.exists() else f"{name}: not a file")
        return path.open("rb")
    except OSError as error:
        raise VideoError(f"{name}: cannot be opened ({error.strerror}); check its name and permissions") from None


class _Mp4:
    """The boxes of one file."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file, self._name = file, name
        self._left = rules.MAX_BOXES
        self._tracks = 0
        self._stretches, self._is_reordered = 0, False
        """Of the present track."""

    def check(self, size: int) -> None:
        for box in self._boxes(0, size, 0):
            if box.kind == b"trak":
                self._tracks += 1
                if self._tracks > rules.MAX_STREAMS:
                    raise self._refusal(f"more than {rules.MAX_STREAMS} tracks")
                self._stretches, self._is_reordered = 0, False
            elif box.kind == b"elst":
                self._stretches = self._count_stretches(box)
            elif box.kind == b"ctts":
                self._is_reordered = True
            elif box.kind == b"cmov":
                raise self._refusal("a compressed header")
            elif box.kind in (b"stsz", b"stz2"):
                self._allow(self._number(box.body_at + 8), "frames in one track")
            elif box.kind == b"trun":
                self._check_run(box)
            if self._stretches > 1 and self._is_reordered:
                # FFmpeg shows some of them a frame late.
                raise VideoError(
                    f"{self._name}: shows several stretches of itself (an edit list) and has B-frames, which cannot be "
                    "timed to the frame; re-encode it (ffmpeg -i IN OUT.mp4)"
                )

    def _boxes(self, at: int, end: int, depth: int) -> Iterator[_Box]:
        """Every box, those that hold boxes before what they hold; stops where the file stops making sense."""
        while end - at >= 8 and depth < 8 and self._left > 0:
            self._left -= 1
            self._file.seek(at)
            head = self._file.read(16)
            length, body_at = int.from_bytes(head[:4], "big"), at + 8
            if length == 1:
                length, body_at = int.from_bytes(head[8:16], "big"), at + 16
            elif length == 0:
                length = end - at
            if length < body_at - at:
                return
            box = _Box(head[4:8], body_at, min(end, at + length))
            yield box
            if box.kind in _NESTS:
                yield from self._boxes(box.body_at, box.end, depth + 1)
            at += length

    def _check_run(self, box: _Box) -> None:
        """`trun`: its samples have to fit into it, or have no bytes of their own and be few."""
        flags, count = self._number(box.body_at), self._number(box.body_at + 4)
        each = 4 * ((flags & _TRUN_FIELDS).bit_count())
        self._allow(count, "frames in one fragment")
        if count * each > box.end - box.body_at:
            raise self._refusal(f"a fragment of {count} frames that is too short for them")

    def _count_stretches(self, box: _Box) -> int:
        """`elst`: its entries that show something (ISO 14496-12, 8.6.6)."""
        is_long = self._number(box.body_at) >> 24 == 1
        each, media_at = (20, 8) if is_long else (12, 4)
        count = min(self._number(box.body_at + 4), (box.end - box.body_at - 8) // each, rules.MAX_BOXES)
        starts = (self._number(box.body_at + 8 + place * each + media_at) for place in range(count))
        return sum(start != 0xFFFFFFFF for start in starts)

    def _allow(self, count: int, what: str) -> None:
        if count > rules.MAX_STORED_FRAMES:
            raise self._refusal(f"{count} {what}, at most {rules.MAX_STORED_FRAMES} are read")

    def _number(self, at: int) -> int:
        self._file.seek(at)
        return int.from_bytes(self._file.read(4), "big")

    def _refusal(self, found: str) -> VideoError:
        return VideoError(
            f"{self._name}: the header names {found}; it is damaged or made to harm: "
            "repair it (ffmpeg -i IN -c copy OUT.mp4) or leave it out"
        )
