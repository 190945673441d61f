"""Samples that a person marked as bad: a JSONL file, one line for every click; of a sample, the last line counts.

{"at": "2026-01-31T12:00:00+00:00", "flagged": true, "key": "...", "reason": "...", "shards": "/data/shards/pairs"}
"""

import json
import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from exo2ego.data.atomic import make_folder, refusing_bad_output
from exo2ego.data.jsonfile import Fields
from exo2ego.errors import FormatError, OutputError

MAX_REASON_CHARACTERS = 500
Flagged = tuple[str, str]
"""(shard folder, key)."""


class FlagFile:
    """The flags, in memory and in the file. Thread-safe; several pages may append to one file.

    Raises FormatError naming the line that cannot be read, OutputError where the path is no file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._reasons: dict[Flagged, str] = {}
        for row in _rows(path):
            self._take(row)

    def get(self, flagged: Flagged) -> str | None:
        """Why a sample is flagged (perhaps an empty text); None where it is not."""
        return self._reasons.get(flagged)

    def all(self) -> dict[Flagged, str]:
        """Every flag with its reason."""
        with self._lock:
            return dict(self._reasons)

    def set(self, flagged: Flagged, reason: str | None) -> None:
        """Flags a sample, or (None) takes the flag away. On disk when this returns; OutputError where it cannot be."""
        folder, key = flagged
        row = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "flagged": reason is not None,
            "key": key,
            "reason": reason or "",
            "shards": folder,
        }
        line = json.dumps(row, ensure_ascii=True, sort_keys=True) + "\n"
        with self._lock:
            make_folder(self.path.parent)
            # One write to a file opened for appending: two servers on one file do not mix their lines.
            with refusing_bad_output(self.path), self.path.open("ab", buffering=0) as file:
                file.write(line.encode())
                os.fsync(file.fileno())
            self._take(Fields(row, str(self.path)))

    def _take(self, row: Fields) -> None:
        flagged = (row.text("shards"), row.text("key"))
        if row.flag("flagged"):
            self._reasons[flagged] = row.text("reason", default="")
        else:
            self._reasons.pop(flagged, None)


def _rows(path: Path) -> Iterator[Fields]:
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return
    except OSError as error:
        raise OutputError(f"{path}: cannot be read as a file of flags ({error.strerror}); choose another") from None
    for number, line in enumerate(lines, 1):
        where = f"{path}: line {number}"
        try:
            data = json.loads(line)
        except (ValueError, RecursionError):
            raise FormatError(f"{where}: not a flag (no JSON object); mend or remove this line") from None
        yield Fields(data, where)
