"""What all readers of instruction data share: rows that name their place, and the count of what became of them.

A reader yields conversations for good rows, lists the bad ones with file, row, field and value, counts the good ones
that are left out on purpose, and stops (FormatError) where the file as a whole is not what it should be.
"""

import csv
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal, TextIO

from exo2ego.data.inner_paths import names_file_inside
from exo2ego.data.jsonfile import Fields
from exo2ego.data.sources.json_rows import Unreadable, json_rows
from exo2ego.errors import FormatError, MissingFileError
from exo2ego.records import Conversation

Unusable = Literal["bad", "image", "text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """An entry that is left out, with the reason."""

    row: int
    """Position in a JSON list from 0 on; line of a table or of a `.jsonl` file from 1 on where it has a header."""
    reason: str
    kind: Unusable = "bad"
    """`image` and `text`: about pictures, or about nothing to see; well formed, but no video to learn from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Why a good row gives no conversation, e.g. `test split`."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRead:
    """What a reader made of a source's files."""

    conversations: tuple[Conversation, ...]
    bad_rows: tuple[BadRow, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Rows that are good but not wanted, by reason."""
    notes: tuple[str, ...] = ()
    """For people: which of several forms was found, what was assumed."""


class TextFields(Fields):
    """One row of a table: as `Fields`, but a number is a text that holds one."""

    __slots__ = ()

    def number(self, field: str) -> float:
        """A finite number, written out."""
        try:
            value = float(self.text(field))
        except ValueError:
            raise self.fail(field, "a finite number") from None
        if not math.isfinite(value):
            raise self.fail(field, "a finite number")
        return value


Made = Sequence[Conversation] | LeftOut
RowOrBad = Fields | BadRow


def gather(rows: Iterable[tuple[int, RowOrBad]], make: Callable[[Fields], Made], what: str) -> SourceRead:
    """Conversations of all rows; `make` raises FormatError for a row that is bad by itself.

    Raises FormatError when there were rows and every one of them was bad; `what` names the file or files.
    """
    good: list[Conversation] = []
    bad: list[BadRow] = []
    left_out: Counter[str] = Counter()
    usable = 0
    for number, row in rows:
        if isinstance(row, BadRow):
            bad.append(row)
            continue
        try:
            made = make(row)
        except FormatError as error:
            bad.append(BadRow(row=number, reason=str(error)))
            continue
        usable += 1
        if isinstance(made, LeftOut):
            left_out[made.reason] += 1
        else:
            good.extend(made)
    if not usable:
        first = f"; the first: {bad[0].reason}" if bad else ""
        raise FormatError(f"{what}: not one usable row in {len(bad)}{first}")
    return SourceRead(conversations=tuple(good), bad_rows=tuple(bad), left_out=dict(left_out))


def merged(parts: Sequence[SourceRead], notes: Sequence[str] = ()) -> SourceRead:
    """Several files of one source as one."""
    left_out: Counter[str] = Counter()
    for part in parts:
        left_out.update(part.left_out)
    return SourceRead(
        conversations=tuple(c for part in parts for c in part.conversations),
        bad_rows=tuple(row for part in parts for row in part.bad_rows),
        left_out=dict(left_out),
        notes=(*(note for part in parts for note in part.notes), *notes),
    )


def json_fields(path: Path) -> Iterator[tuple[int, RowOrBad]]:
    """As `json_rows`, each entry with its place; a line that is no JSON and an entry that is no object are bad rows."""
    for number, data in json_rows(path):
        if isinstance(data, Unreadable):
            yield number, BadRow(row=number, reason=data.reason)
            continue
        try:
            yield number, Fields(data, f"{path}: row {number}")
        except FormatError as error:
            yield number, BadRow(row=number, reason=str(error))


def table_rows(
    path: Path, columns: Sequence[str], *, delimiter: str = ",", header: bool = True, strip: bool = True
) -> Iterator[tuple[int, RowOrBad]]:
    """(line from 1, row) of a table with a separator, read as a stream: memory does not grow with the file.

    `columns` must be in the header (others are kept too, names without outer blanks and without a leading `#`); without
    a header they name the columns in order. A row with too few or too many fields is a bad row.
    Raises MissingFileError; FormatError for a file that is not UTF-8, has no such header, or is no such table.
    """
    with _opened(path) as file:
        reader = csv.reader(_lines(path, file), delimiter=delimiter)
        try:
            names = _header(path, next(reader, []), columns, delimiter) if header else list(columns)
            for values in reader:
                if not any(value.strip() for value in values):
                    continue
                where = f"{path}: line {reader.line_num}"
                if len(values) != len(names):
                    reason = f"{where}: {len(values)} fields where there should be {len(names)}"
                    yield reader.line_num, BadRow(row=reader.line_num, reason=reason)
                    continue
                cells = [value.strip() for value in values] if strip else values
                yield reader.line_num, TextFields(dict(zip(names, cells, strict=True)), where)
        except csv.Error as error:
            raise FormatError(f"{path}: line {reader.line_num} is no row of a table ({error})") from None


def inner_path(row: Fields, field: str, name: str) -> str:
    """`name`, made from a field, if it can name a file inside the folder of videos; the row is bad otherwise."""
    if not names_file_inside(name):
        raise row.fail(field, "the name of a video, inside the folder of videos")
    if any("\ud800" <= letter <= "\udfff" for letter in name):
        raise row.fail(field, "the name of a video, in characters that a file's name can have")
    return str(PurePosixPath(name))


def filled(row: Fields, field: str) -> str:
    """A string with something in it, without outer blanks and with single blanks inside."""
    text = " ".join(row.text(field).split())
    if not text:
        raise row.fail(field, "a text")
    return text


def first_existing(root: Path, names: Sequence[str], what: str) -> Path:
    """The first of `names` under `root` that is there. Raises MissingFileError that lists them all."""
    if not root.is_dir():
        raise MissingFileError(f"{root}: no such folder")
    for name in names:
        if (root / name).exists():
            return root / name
    raise MissingFileError(f"{root}: holds no {what}; looked for {', '.join(names)}")


def _header(path: Path, found: Sequence[str], wanted: Sequence[str], delimiter: str) -> list[str]:
    names = [name.strip().removeprefix("#").strip() for name in found]
    absent = [name for name in wanted if name not in names]
    if absent:
        shown = ", ".join(names)[:120] or "nothing"
        raise FormatError(
            f"{path}: no column '{absent[0]}' in its first line (separator {delimiter!r}); found there: {shown}"
        )
    return names


def _opened(path: Path) -> TextIO:
    try:
        return path.open(encoding="utf-8-sig", newline="")
    except FileNotFoundError:
        raise MissingFileError(f"{path}: no such file") from None
    except OSError as error:
        raise MissingFileError(f"{path}: cannot be read ({error.strerror})") from None


def _lines(path: Path, file: TextIO) -> Iterator[str]:
    try:
        yield from file
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: cannot be read as UTF-8 text ({error.reason} at byte {error.start})") from None
