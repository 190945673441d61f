"""What is known of each video checked, kept in a file that survives a kill: the same file is not opened twice.

A line a video: path, size and time of change by which it is known again, what was asked, and the facts or the reason.
A video counts as checked while its size and time of change are those noted; a bad one is looked at again when more time
or memory is allowed than it had.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from exo2ego.data.jsonfile import Fields
from exo2ego.data.lines import LineLog
from exo2ego.data.sources.json_rows import Unreadable, json_rows
from exo2ego.data.tree_check_video import VideoFacts, facts_from
from exo2ego.errors import FormatError, OutputError

CHECKED = "checked.jsonl"
LOG_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How closely videos are looked at."""

    full: bool = False
    """Every frame, not three."""
    time_limit_s: float = 30.0
    """For a video; with `full`, the length of the take is added."""
    memory_limit_bytes: int = 2 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The outcome for one video: facts, or the reason why it cannot be used."""

    video: str
    """Relative to the root."""
    size_bytes: int
    mtime_ns: int
    asked: Asked
    facts: VideoFacts | None
    reason: str | None

    def holds_for(self, size_bytes: int, mtime_ns: int, asked: Asked, retry_bad: bool) -> bool:
        """Whether the file need not be opened again."""
        if (self.size_bytes, self.mtime_ns) != (size_bytes, mtime_ns):
            return False
        if self.facts is not None:
            return self.asked.full or not asked.full
        more_time = asked.time_limit_s > self.asked.time_limit_s
        more = more_time or asked.memory_limit_bytes > self.asked.memory_limit_bytes
        return not (retry_bad or more)


class CheckLog:
    """The open log of one root. One process at a time."""

    def __init__(self, folder: Path, root: Path) -> None:
        """Opens, repairs a torn end, reads what is known.

        Raises OutputError when the folder is another root's, locked or cannot be written; FormatError for a bad line.
        """
        self._log = LineLog(folder / CHECKED)
        self.known: dict[str, Checked] = {}
        """Last outcome of each video, by path."""
        try:
            if (folder / CHECKED).stat().st_size:
                self.known = _read(folder / CHECKED, root)
            else:
                self._log.append_records([{"version": LOG_VERSION, "root": str(root.resolve())}])
        except BaseException:
            self._log.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._log.close()

    def add(self, checked: Checked) -> None:
        """On the disk when this returns."""
        self.known[checked.video] = checked
        self._log.append_records([_record(checked)])


def _read(path: Path, root: Path) -> dict[str, Checked]:
    rows = _rows(path)
    _, first = next(rows)
    head = Fields(first, f"{path}: line 1")
    if head.data.get("version") != LOG_VERSION or head.data.get("root") != str(root.resolve()):
        raise OutputError(f"{path}: holds the check of {head.data.get('root')}, not of {root}; choose another --out")
    known = {}
    for number, data in rows:
        checked = _checked(Fields(data, f"{path}: line {number + 1}"))
        known[checked.video] = checked
    return known


def _rows(path: Path) -> Iterator[tuple[int, Any]]:
    for number, data in json_rows(path):
        if isinstance(data, Unreadable):
            raise FormatError(f"{data.reason}; delete the file to look at every video anew")
        yield number, data


def _record(checked: Checked) -> Mapping[str, Any]:
    return {
        "video": checked.video,
        "size_bytes": checked.size_bytes,
        "mtime_ns": checked.mtime_ns,
        "full": checked.asked.full,
        "time_limit_s": checked.asked.time_limit_s,
        "memory_limit_bytes": checked.asked.memory_limit_bytes,
        "facts": None if checked.facts is None else checked.facts.record(),
        "reason": checked.reason,
    }


def _checked(row: Fields) -> Checked:
    facts = row.data.get("facts")
    return Checked(
        video=row.text("video"),
        size_bytes=row.integer("size_bytes"),
        mtime_ns=row.integer("mtime_ns"),
        asked=Asked(
            full=row.flag("full"),
            time_limit_s=row.number("time_limit_s"),
            memory_limit_bytes=row.integer("memory_limit_bytes"),
        ),
        facts=None if facts is None else facts_from(facts, f"{row.where}: facts"),
        reason=row.text("reason") if facts is None else None,
    )
