"""A file that grows line by line and survives a kill at any moment: one writer, a torn last line cut off, fsync."""

import contextlib
import fcntl
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from exo2ego.data.atomic import utf8
from exo2ego.errors import OutputError

BLOCK_BYTES = 1 << 20
"""Read at once in search of the last newline."""


class LineLog:
    """An open JSON-lines file. One writer at a time; a last line torn by a kill is cut off, so it is written again."""

    def __init__(self, path: Path) -> None:
        """Open, lock and repair.

        Raises:
            OutputError: another process writes here, or the place cannot be written.
        """
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a+b")
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise OutputError(f"{path}: another run is writing here; wait for it or choose another --out") from error
        except OSError as error:
            raise _unwritable(path, error) from error
        try:
            self._repair()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and give up the lock."""
        # What is left in the buffer did not fit on the disk: `append_records` has said so, and better.
        with contextlib.suppress(OSError):
            self._file.close()

    def append_records(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Add one line a record; when this returns they are on the disk.

        Raises:
            OutputError: the disk is full or has become read-only; nothing of earlier lines is lost.
        """
        lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        try:
            self._file.write(utf8(lines))
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise _unwritable(self._path, error) from error

    def _repair(self) -> None:
        """Cut off what follows the last newline: a line is whole only when its newline is there."""
        end = self._file.seek(0, os.SEEK_END)
        whole, start = 0, end
        while start > 0 and not whole:
            start = max(0, start - BLOCK_BYTES)
            self._file.seek(start)
            last = self._file.read(min(BLOCK_BYTES, end - start)).rfind(b"\n")
            whole = start + last + 1 if last >= 0 else 0
        if whole < end:
            self._file.truncate(whole)
            os.fsync(self._file.fileno())


def _unwritable(path: Path, error: OSError) -> OutputError:
    return OutputError(f"{path}: cannot be written ({error.strerror}); free the disk or choose another --out")
