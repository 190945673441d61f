"""JSON files: read with errors that name file, row, field and value; written atomically."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from exo2ego.data.atomic import write_text
from exo2ego.errors import FormatError, MissingFileError


def load_json(path: Path) -> Any:
    """Content of a JSON file.

    Raises MissingFileError when it is not there, FormatError when it is no UTF-8 JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise MissingFileError(f"{path}: no such file") from None
    except OSError as error:
        raise MissingFileError(f"{path}: cannot be read ({error.strerror})") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        raise FormatError(f"{path}: not valid JSON at {where} ({error.msg}); is the download complete?") from None
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path}: not valid JSON ({unreadable(error)})") from None


def unreadable(error: ValueError | RecursionError) -> str:
    """Why `json.loads` cannot read a text, in words: it raises more than JSONDecodeError."""
    if isinstance(error, json.JSONDecodeError):
        return error.msg
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8 text"
    return "nested too deeply" if isinstance(error, RecursionError) else "a number of too many digits"


def is_finite(value: object) -> bool:
    """Whether a value is a number that a float can hold; JSON may have whole numbers of any length."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


class Fields:
    """One JSON object with the place it came from, so that every complaint can name it."""

    __slots__ = ("data", "where")

    def __init__(self, data: object, where: str) -> None:
        if not isinstance(data, Mapping):
            raise FormatError(f"{where}: expected an object, found {shorten(data)}")
        self.data = data
        self.where = where

    def fail(self, field: str, expected: str) -> FormatError:
        """The error for a field that is absent or not as expected; to be raised by the caller."""
        if field not in self.data:
            return FormatError(f"{self.where}: field '{field}' is missing; expected {expected}")
        return FormatError(f"{self.where}: field '{field}' is {shorten(self.data[field])}; expected {expected}")

    def text(self, field: str, default: str | None = None) -> str:
        """A string; `default` stands in for an absent or null field when given."""
        value = self.data.get(field)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            raise self.fail(field, "a string")
        return value

    def number(self, field: str) -> float:
        """A finite number."""
        value = self.data.get(field)
        if not is_finite(value):
            raise self.fail(field, "a finite number")
        return float(value)  # type: ignore[arg-type]

    def integer(self, field: str) -> int:
        """A whole number, exactly."""
        value = self.data.get(field)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.fail(field, "a whole number")
        return value

    def flag(self, field: str, default: bool | None = None) -> bool:
        """A boolean, also as 0/1, "0"/"1" or "true"/"false" (Ego-Exo4D has all of them)."""
        value = self.data.get(field)
        if value is None and default is not None:
            return default
        known: dict[object, bool] = {True: True, False: False, "1": True, "0": False, "true": True, "false": False}
        key = value.lower() if isinstance(value, str) else value
        if not isinstance(key, bool | int | str) or key not in known:
            raise self.fail(field, 'true, false, "0" or "1"')
        return known[key]

    def items(self, field: str) -> list[Any]:
        """A list."""
        value = self.data.get(field)
        if not isinstance(value, list):
            raise self.fail(field, "a list")
        return value

    def table(self, field: str) -> Mapping[str, Any]:
        """An object."""
        value = self.data.get(field)
        if not isinstance(value, Mapping):
            raise self.fail(field, "an object")
        return value


def shorten(value: object, limit: int = 60) -> str:
    """A value as it may stand in a one-line message."""
    whole = json.dumps(value, default=str, ensure_ascii=False)
    # JSON escapes ASCII's line breaks only, not Unicode's (U+0085, U+2028, ...), nor what a terminal cannot show
    text = "".join(one if one.isprintable() else _escaped(one) for one in whole[: limit + 1])
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _escaped(char: str) -> str:
    """As JSON may write it: "\\u" and four hex digits, twice for what lies beyond U+FFFF."""
    units = char.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def write_json(path: Path, value: object, indent: int | None = 1) -> None:
    """JSON with sorted keys, atomically; folders above it are made. Raises OutputError."""
    write_text(path, json.dumps(value, indent=indent, sort_keys=True, ensure_ascii=False) + "\n")
