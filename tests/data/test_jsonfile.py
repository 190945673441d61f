"""JSON that others wrote: each field is read as its kind or named with its place; JSON of ours is read back."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from exo2ego.data.jsonfile import Fields, load_json, shorten, write_json
from exo2ego.data.text_table import text_table
from exo2ego.errors import FormatError, MissingFileError

PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
JSON = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))
few = settings(max_examples=15)
VALUES = (
    *(None, True, False, 0, 1, -7, 2**60, 0.5, -2.5, 1e300),
    *("", "0", "1", "true", "False", "x\ny", [], [1], {}, {"a": 1}),
)

READERS: dict[str, Callable[[Fields], Any]] = {
    "text": lambda row: row.text("x"),
    "number": lambda row: row.number("x"),
    "integer": lambda row: row.integer("x"),
    "flag": lambda row: row.flag("x"),
    "items": lambda row: row.items("x"),
    "table": lambda row: row.table("x"),
}
EXPECTED = {
    "text": "a string",
    "number": "a finite number",
    "integer": "a whole number",
    "flag": 'true, false, "0" or "1"',
    "items": "a list",
    "table": "an object",
}
KINDS: dict[str, Callable[[Any], bool]] = {
    "text": lambda value: isinstance(value, str),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "flag": lambda value: value in (True, False, "true", "False", "0", "1"),
    "items": lambda value: isinstance(value, list),
    "table": lambda value: isinstance(value, dict),
}


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_field_is_of_its_kind_or_named(kind: str, value: Any) -> None:
    """Nothing is turned into another kind on the way, and a complaint fits one line."""
    row = Fields({"x": value}, "takes.json: row 3")
    if KINDS[kind](value):
        found = READERS[kind](row)
        assert found == (str(value).lower() in ("true", "1") if kind == "flag" else value)
        assert kind in ("number", "flag") or type(found) is type(value)
        return
    with pytest.raises(FormatError) as caught:
        READERS[kind](row)
    said = str(caught.value)
    assert said.startswith("takes.json: row 3: field 'x' is ")
    assert said.endswith(f"; expected {EXPECTED[kind]}")
    assert "\n" not in said


@pytest.mark.parametrize("kind", READERS)
def test_a_field_that_is_not_there_is_called_missing(kind: str) -> None:
    with pytest.raises(FormatError, match=re.escape(f"t: field 'x' is missing; expected {EXPECTED[kind]}")):
        READERS[kind](Fields({}, "t"))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 10**400])
def test_what_is_no_number_is_refused(value: float) -> None:
    """Python's JSON has them; a time of nan passes every comparison, and no float holds a whole number so long."""
    with pytest.raises(FormatError, match="expected a finite number"):
        Fields({"x": value}, "t").number("x")


@pytest.mark.parametrize(
    ("value", "read"),
    [(True, True), (0, False), (1, True), ("0", False), ("1", True), ("True", True), ("FALSE", False)],
)
def test_flags_as_the_downloads_have_them(value: object, read: bool) -> None:
    assert Fields({"x": value}, "t").flag("x") is read


@pytest.mark.parametrize("value", ["yes", 2, -1, 0.5, "", [True], None])
def test_what_is_no_flag(value: object) -> None:
    with pytest.raises(FormatError, match="field 'x' is"):
        Fields({"x": value}, "t").flag("x")


def test_defaults_stand_in_for_null_and_absence_and_for_nothing_else() -> None:
    for data in ({}, {"x": None}):
        row = Fields(data, "t")
        assert (row.text("x", default="-"), row.flag("x", default=True)) == ("-", True)
    with pytest.raises(FormatError):
        Fields({"x": 3}, "t").text("x", default="-")
    assert Fields({"x": ""}, "t").text("x", default="-") == ""
    assert Fields({"x": False}, "t").flag("x", default=True) is False


@pytest.mark.parametrize("value", [None, [1], "text", 3])
def test_what_is_no_object_has_no_fields(value: object) -> None:
    with pytest.raises(FormatError, match=re.escape(f"row 4: expected an object, found {json.dumps(value)}")):
        Fields(value, "row 4")


@few
@given(JSON)
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    path = tmp_path_factory.mktemp("json") / "new" / "file.json"
    write_json(path, value)
    assert load_json(path) == value
    assert [one.name for one in path.parent.iterdir()] == ["file.json"]


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    """In whatever order a dict was filled: files that do not differ are not to look different."""
    write_json(tmp_path / "a.json", {"b": 1, "a": {"d": 2, "c": 3}})
    write_json(tmp_path / "b.json", {"a": {"c": 3, "d": 2}, "b": 1})
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert (tmp_path / "a.json").read_text().endswith("}\n")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not valid JSON at line 1 column 1"),
        (b'{"a": 1,\n "b": ', "not valid JSON at line 2 column 7"),
        (b'{"a": "\xff"}', "not valid JSON (not UTF-8 text)"),
        (b"[" * 100_000, "not valid JSON (nested too deeply)"),
        (b'{"a": ' + b"1" * 5000 + b"}", "not valid JSON (a number of too many digits)"),
    ],
    ids=["empty", "cut short", "not UTF-8", "deep", "digits"],
)
def test_what_is_no_json_is_named_with_its_place(content: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "takes.json"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=re.escape(f"{path}: {says}")):
        load_json(path)


def test_what_is_not_there_or_a_folder(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="gone: no such file"):
        load_json(tmp_path / "gone")
    with pytest.raises(MissingFileError, match="cannot be read"):
        load_json(tmp_path)


@few
@given(JSON, st.integers(10, 80))
@example("\x85", 10)
@example("\x7f \ud800 \U000e0001", 40)
def test_a_value_in_a_message_is_short(value: Any, limit: int) -> None:
    text = shorten(value, limit)
    assert len(text) <= limit
    assert text.isprintable()
    assert text.endswith("...") or json.loads(text) == value


CELLS = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=9)


@few
@given(st.lists(st.tuples(CELLS, st.integers(-(10**7), 10**7), st.floats(-1e5, 1e5)), min_size=1, max_size=5))
def test_a_table_lines_up_and_says_what_it_was_given(rows: list[tuple[str, int, float]]) -> None:
    """Texts begin below one another, numbers end below one another."""
    lines = text_table(["what", "count", "hours"], rows).splitlines()
    assert len(lines) == len(rows) + 1
    assert len({len(line) for line in lines}) == 1
    for line, (name, count, hours) in zip(lines[1:], rows, strict=True):
        assert line.startswith(name)
        shown = line[len(name) :].split()
        assert shown == [f"{count:,}", f"{hours:,.1f}"]


def test_a_column_of_numbers_and_words_is_one_of_words() -> None:
    assert text_table(["what", "n"], [["a", 1200], ["b", "unknown"]]).splitlines() == [
        "what  n",
        "a     1,200",
        "b     unknown",
    ]
    assert text_table(["only", "titles"], []) == "only  titles"
