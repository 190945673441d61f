"""The records of a table with tabs, one at a time, however damaged: what is bad costs itself, never its neighbours.

Quotation marks count at the start of a field only, as pandas and `csv` read them; within them tabs and line ends are
text. A mark that nobody closes would swallow all that follows: it is given up after `MAX_LINES` lines, the line that
has it is named as bad, and reading goes on with the next one.
"""

import csv
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from exo2ego.errors import FormatError

MAX_LINES = 16
"""That one record may have."""
MAX_BYTES = 1 << 16
"""Of one record."""

_QUOTED = re.compile(r'(?:^|\t)"(?:[^"]|"")*("?)')


@dataclass(frozen=True, slots=True)
class Record:
    """One record, and where it stands."""

    line: int
    """Of the file, from 1."""
    offset: int
    size: int
    """Bytes with its line end."""
    fields: tuple[str, ...]
    """Empty where there is a problem."""
    problem: str = ""


class RecordFile:
    """A table, opened in binary mode, from its present place on."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._waiting: deque[bytes] = deque()
        self._line = 0
        self.offset = 0
        """Bytes that have been handed out, for progress."""

    def __iter__(self) -> Iterator[Record]:
        while line := self._next():
            if line.isspace():
                self._pass(line, 1)
                continue
            yield self._long(line) if len(line) > MAX_BYTES else self._record(line)

    def _next(self) -> bytes:
        return self._waiting.popleft() if self._waiting else self._file.readline(MAX_BYTES + 1)

    def _pass(self, content: bytes, lines: int) -> tuple[int, int, int]:
        """(line, offset, size) of what has been taken."""
        place = (self._line + 1, self.offset, len(content))
        self._line += lines
        self.offset += len(content)
        return place

    def _long(self, line: bytes) -> Record:
        """A line of more bytes than a record may have: passed over piece by piece."""
        place = self._pass(line, 0)
        while not line.endswith(b"\n") and (line := self._next()):
            self._pass(line, 0)
        self._line += 1
        return Record(*place, (), f"longer than {MAX_BYTES} bytes")

    def _record(self, line: bytes) -> Record:
        fields = _plain(line)
        if fields is not None:
            return Record(*self._pass(line, 1), fields)
        taken = [line]
        content = line
        while (is_open := _is_open(content)) and len(taken) < MAX_LINES and len(content) < MAX_BYTES:
            more = self._next()
            if not more:
                break
            taken.append(more)
            content += more
        if is_open:
            self._waiting.extendleft(reversed(taken[1:]))
            return Record(*self._pass(line, 1), (), f"a quotation mark is not closed within {MAX_LINES} lines")
        problem = ""
        try:
            fields = split_record(content)
        except FormatError as error:
            fields, problem = (), str(error)
        return Record(*self._pass(content, len(taken)), fields, problem)


def split_record(content: bytes) -> tuple[str, ...]:
    """The fields of one record. Raises FormatError where it is none."""
    plain = _plain(content)
    if plain is not None:
        return plain
    try:
        return tuple(next(csv.reader([content.decode().rstrip("\r\n")], delimiter="\t")))
    except UnicodeDecodeError:
        raise FormatError("not UTF-8 text") from None
    except csv.Error as error:
        raise FormatError(str(error)) from None


def _plain(content: bytes) -> tuple[str, ...] | None:
    """The fields of a record without quotation marks, None where it has any or is no UTF-8 text."""
    if b'"' in content:
        return None
    try:
        return tuple(content.decode().rstrip("\r\n").split("\t"))
    except UnicodeDecodeError:
        return None


def _is_open(content: bytes) -> bool:
    """Whether the record goes on in the next line: a field that begins with a quotation mark is not closed."""
    text = content.decode("utf-8", "replace").rstrip("\r\n")
    return any(not match[1] for match in _QUOTED.finditer(text))
