"""Rows of a JSON list, or of a `.jsonl` file, one at a time: memory holds one row and one block, however long the file.

The standard library's decoder on a moving window. ijson takes as long (measured on 100 MB of conversations), but
refuses a byte order mark, NaN and long integers, changes lone surrogates to "?" without a word, names no line, and its
memory grows with the square of the depth of nested brackets.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from exo2ego.data.jsonfile import unreadable
from exo2ego.errors import FormatError, MissingFileError

BLOCK_CHARS = 1 << 20
MAX_ROW_CHARS = 64 << 20
"""Of one entry: a file whose first bracket never closes must not fill the memory."""
LINES = ".jsonl"

_BLANKS = re.compile(r"[ \t\n\r]*")
_ENDS_A_VALUE = frozenset(",] \t\n\r")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Unreadable:
    """In the place of an entry: a line that is no JSON, and why."""

    reason: str


def json_rows(path: Path) -> Iterator[tuple[int, Any]]:
    """(position in the list from 0, entry), or (line from 0, entry), in order; a line that is no JSON is `Unreadable`.

    Raises MissingFileError for an absent file; FormatError where the file as a whole cannot be used: no UTF-8, no list,
    broken or cut short inside a list, or a last line that is cut short.
    """
    try:
        if path.suffix == LINES:
            with path.open("rb") as lines:
                yield from _line_rows(path, lines)
        else:
            with path.open(encoding="utf-8-sig", newline="") as text:
                yield from _list_rows(_Window(path, text))
    except FileNotFoundError:
        raise MissingFileError(f"{path}: no such file") from None
    except OSError as error:
        raise MissingFileError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: not valid JSON: not UTF-8 text ({error.reason})") from None


def _line_rows(path: Path, file: BinaryIO) -> Iterator[tuple[int, Any]]:
    number = -1
    while line := file.readline(MAX_ROW_CHARS + 1):
        number += 1
        if len(line) > MAX_ROW_CHARS:
            raise FormatError(f"{path}: line {number + 1} is longer than {MAX_ROW_CHARS} bytes")
        if not line.strip():
            continue
        try:
            data = json.loads(line.decode("utf-8-sig" if number == 0 else "utf-8"))
        except (ValueError, RecursionError) as error:
            reason = unreadable(error)
            if not line.endswith(b"\n"):
                message = f"{path}: line {number + 1} is not valid JSON ({reason}) and the last; is the file complete?"
                raise FormatError(message) from None
            yield number, Unreadable(f"{path}: line {number + 1} is not valid JSON ({reason})")
        else:
            yield number, data


class _Window:
    """A text file, seen through a window that moves forward."""

    def __init__(self, path: Path, file: TextIO) -> None:
        self.path = path
        self._file = file
        self._text = ""
        self._at = 0
        self._lines = 1

    def fail(self, what: str, ahead: int = 0) -> FormatError:
        """The error for the place so many characters ahead."""
        place = self._at + ahead
        line = self._lines + self._text.count("\n", 0, place)
        column = place - self._text.rfind("\n", 0, place)
        where = f"line {line} column {column}"
        return FormatError(f"{self.path}: not valid JSON at {where} ({what}); is the download complete?")

    def peek(self) -> str:
        """The next character that is no blank, "" at the end of the file."""
        while True:
            blanks = _BLANKS.match(self._text, self._at)
            self._at = blanks.end() if blanks else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def skip(self) -> None:
        """Past the character that `peek` has shown."""
        self._at += 1

    def value(self) -> Any:
        """The next JSON value. Raises FormatError where there is none."""
        while True:
            complaint, place = "Expecting ',' delimiter", 0
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                complaint, place = error.msg, error.pos - self._at
            except (ValueError, RecursionError) as error:
                raise self.fail(unreadable(error)) from None
            else:
                # "12" may be the beginning of "12.5" where the window ends.
                if end < len(self._text) and self._text[end] in _ENDS_A_VALUE:
                    self._at = end
                    return value
                place = end - self._at
            if len(self._text) - self._at > MAX_ROW_CHARS:
                raise self.fail(f"{complaint}, in an entry of more than {MAX_ROW_CHARS} characters")
            if not self._more():
                raise self.fail(complaint, place)

    def _more(self) -> bool:
        """Moves the window to what is not used yet and widens it; False at the end of the file."""
        unused = self._text[self._at :]
        block = self._file.read(max(BLOCK_CHARS, len(unused)))
        if not block:
            return False
        self._lines += self._text.count("\n", 0, self._at)
        self._text, self._at = unused + block, 0
        return True


def _list_rows(window: _Window) -> Iterator[tuple[int, Any]]:
    opening = window.peek()
    if opening != "[":
        if opening == "{":
            hint = f"an object; a file with one entry a line is to be named {LINES}"
            raise FormatError(f"{window.path}: expected a list, found {hint}")
        raise window.fail("Expecting a list")
    window.skip()
    number = 0
    if window.peek() != "]":
        while True:
            if not window.peek():
                raise window.fail("the list is not closed")
            yield number, window.value()
            number += 1
            separator = window.peek()
            if separator == "]":
                break
            if separator != ",":
                raise window.fail("Expecting ',' delimiter" if separator else "the list is not closed")
            window.skip()
    window.skip()
    if window.peek():
        raise window.fail("text after the end of the list")
