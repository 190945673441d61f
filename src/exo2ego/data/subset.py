"""Which part of a download is used: a list of takes, and videos that are known to be bad.

takes file        one take uid a line; blank lines and lines that begin with `#` say nothing
quarantine file   one JSON object a line: {"video": "takes/.../cam01.mp4", "reason": "..."}, further fields allowed,
                  so that the quarantine.jsonl of an earlier build is one too
"""

import json
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

from exo2ego.data.jsonfile import Fields, unreadable
from exo2ego.errors import FormatError, MissingFileError


@dataclass(frozen=True, slots=True, kw_only=True)
class Subset:
    """What of a download may be used."""

    takes: frozenset[str] | None = None
    """uids; None: all."""
    quarantined: frozenset[str] = frozenset()
    """Videos that are left out, relative to the root of the download."""

    def has(self, take_uid: str) -> bool:
        """Whether a take belongs to it."""
        return self.takes is None or take_uid in self.takes


def read_takes(path: Path, known: Container[str]) -> tuple[frozenset[str], tuple[str, ...]]:
    """The uids that a file lists, and those of them that are not among `known` (dropped, without split, mistyped).

    Raises MissingFileError; FormatError when it lists no known take.
    """
    listed = dict.fromkeys(line for _, line in _lines(path) if not line.startswith("#"))
    usable = frozenset(uid for uid in listed if uid in known)
    strange = tuple(uid for uid in listed if uid not in known)
    if not usable:
        first = f"; the first line is '{strange[0][:60]}'" if strange else ""
        raise FormatError(f"{path}: names no take that can be used, expected one take uid a line{first}")
    return usable, strange


def read_quarantine(path: Path, root: Path) -> frozenset[str]:
    """The videos that a file names, relative to `root`.

    Raises MissingFileError; FormatError naming file, line and field: to skip a line would let a bad video in.
    """
    videos = set()
    for number, line in _lines(path):
        where = f"{path}: line {number}"
        try:
            content = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = unreadable(error)
            raise FormatError(f'{where} is no JSON ({reason}); expected {{"video": ..., "reason": ...}}') from None
        video = Fields(content, where).text("video")
        if video:  # a build also notes narrations that have no usable view left, without a video
            videos.add(_relative(Path(video), root))
    return frozenset(videos)


def _relative(video: Path, root: Path) -> str:
    for base in (root, root.resolve()):
        if video.is_relative_to(base):
            return video.relative_to(base).as_posix()
    return video.as_posix()


def _lines(path: Path) -> list[tuple[int, str]]:
    """Lines that are not blank, numbered from 1."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise MissingFileError(f"{path}: no such file") from None
    except OSError as error:
        raise MissingFileError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise FormatError(f"{path}: is no UTF-8 text; expected one entry a line") from None
    return [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
