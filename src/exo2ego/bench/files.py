"""Readers of benchmark files that say exactly what is wrong, and the writer that never leaves half a file."""

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from exo2ego.data import atomic
from exo2ego.data.jsonfile import unreadable
from exo2ego.errors import FormatError, MissingFileError, NoQuestionsError

Row = TypeVar("Row")

_PICKLE_START = b"\x80"
_PICKLE_SUFFIXES = (".pkl", ".pickle")


def fail(path: Path, row: str, field: str, value: object, rule: str) -> FormatError:
    """The one form of complaint: file, row, field, value, and what it must be."""
    shown = repr(value)
    if len(shown) > 80:
        shown = shown[:77] + "..."
    # `row` may hold an id of the file's own, and an id may hold a line break.
    return FormatError(f"{path}: {' '.join(row.split())}: {field} = {shown} {rule}")


def inner_path(name: str) -> bool:
    """Whether a file's name stays inside the folder that it is relative to.

    >>> inner_path("left/4504_frame52.mp4"), inner_path("../x.mp4"), inner_path("/etc/passwd")
    (True, False, False)
    """
    parts = PurePosixPath(name).parts
    return bool(parts) and not name.startswith(("/", "~")) and "\\" not in name and ".." not in parts


def text_field(path: Path, row: str, record: Mapping[str, Any], field: str) -> str:
    """`record[field]`, as it stands, if it is a text with something in it.

    Raises:
        FormatError: it is absent, blank or no text.
    """
    value = record.get(field)
    if not isinstance(value, str) or not value.strip():
        raise fail(path, row, field, value, "must be a text")
    return value


def read_text(path: Path) -> str:
    """A UTF-8 text file.

    Raises:
        MissingFileError: it is not there.
        FormatError: it is a pickle (never loaded: it could run code) or not UTF-8.
    """
    refuse_pickle(path)
    return _decoded(path, path.read_bytes(), "")


def refuse_pickle(path: Path) -> None:
    """Raises MissingFileError where there is no file, FormatError where there is a pickle in its place."""
    if not path.is_file():
        pickles = [path.with_suffix(suffix) for suffix in _PICKLE_SUFFIXES if path.with_suffix(suffix).exists()]
        if pickles:
            raise FormatError(f"{pickles[0]}: pickles are never loaded (they can run code); give {path.name} instead")
        raise MissingFileError(f"{path} is not there; check --root, which must hold {path.name}")
    with path.open("rb") as file:
        if file.read(1) == _PICKLE_START:
            raise FormatError(f"{path}: a pickle is never loaded (it can run code); give the text file instead")


def _decoded(path: Path, content: bytes, where: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: {where}byte {error.start} is not UTF-8; is this the right file?") from error


def read_json(path: Path) -> Any:
    """A JSON file; a key that occurs twice in one object is refused, since one of the two would be lost.

    Raises:
        MissingFileError, FormatError: as `read_text`, or not JSON.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        record = dict(pairs)
        if len(record) != len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise fail(path, "JSON object", "key", twice, "occurs twice; keep one of them")
        return record

    return _parse_json(path, read_text(path), "", unique)


def read_json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(row from 1, object) of a JSON-lines file; empty lines are skipped.

    Raises:
        MissingFileError, FormatError: as `read_text`, or a line is not a JSON object.
    """
    refuse_pickle(path)
    with path.open("rb") as file:  # a line at a time: the answers of one task can be 400 MB
        for row, content in enumerate(file, start=1):
            line = _decoded(path, content, f"row {row}, ")
            if not line.strip():
                continue
            record = _parse_json(path, line, f"row {row}, ", None)
            if not isinstance(record, dict):
                raise fail(path, f"row {row}", "line", line, "must be a JSON object")
            yield row, record


def _parse_json(path: Path, text: str, where: str, pairs_hook: Any) -> Any:
    try:
        return json.loads(text, object_pairs_hook=pairs_hook)
    except json.JSONDecodeError as error:
        place = f"{where}column {error.colno}" if where else f"line {error.lineno}, column {error.colno}"
        raise FormatError(f"{path}: {place}: not JSON ({error.msg}); is the file complete?") from error
    except RecursionError as error:
        raise FormatError(f"{path}: {where}nested too deeply to be a benchmark file") from error
    except ValueError as error:
        raise FormatError(f"{path}: {where}{unreadable(error)}; is this the right file?") from error


def read_questions(
    path: Path, id_field: str, parse: Callable[[Path, str, Any], Row], id_of: Callable[[Row], str]
) -> list[Row]:
    """Rows of a JSON list of questions, in file order; `parse(path, where, entry)` reads an entry.

    Raises:
        MissingFileError, FormatError: as `read_json`; no list, an id that occurs twice.
        NoQuestionsError: the list is empty.
    """
    entries = read_json(path)
    if not isinstance(entries, list):
        raise fail(path, "top level", "type", type(entries).__name__, "must be a list of questions")
    if not entries:
        raise NoQuestionsError(f"{path}: holds no question; use a complete download, or simulate more takes")
    rows: dict[str, Row] = {}
    for number, entry in enumerate(entries, start=1):
        row = parse(path, f"row {number}", entry)
        name = id_of(row)
        if name in rows:
            raise fail(path, f"row {number}", id_field, name, "occurs twice; keep one of the two rows")
        rows[name] = row
    return list(rows.values())


def read_csv(path: Path, required: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """(line of the file, column -> text) of a comma-separated file with a header.

    Raises:
        MissingFileError, FormatError: as `read_text`; a column is missing; a line has too many or too few fields.
    """
    reader = csv.reader(read_text(path).splitlines(keepends=True), strict=True)
    rows: list[tuple[int, dict[str, str]]] = []
    try:
        header = next(reader, [])
        missing = [name for name in required if name not in header]
        if missing:
            raise fail(path, "line 1", "header", ",".join(header), f"lacks the column(s) {', '.join(missing)}")
        for fields in reader:
            if len(fields) != len(header):
                raise fail(
                    path,
                    f"line {reader.line_num}",
                    "line",
                    ",".join(fields),
                    f"has {len(fields)} fields, not {len(header)}",
                )
            rows.append((reader.line_num, dict(zip(header, fields, strict=True))))
    except csv.Error as error:
        raise FormatError(f"{path}: line {reader.line_num}: malformed csv ({error}); repair the line") from error
    return rows


write_text = partial(atomic.write_text, hint="choose another --out")
"""`data.atomic.write_text` with what to do about a benchmark's output."""
