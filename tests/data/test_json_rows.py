"""The window over a JSON list gives what json.loads gives, wherever its blocks end; broken files are named by line."""

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo2ego.data.sources import json_rows as module
from exo2ego.data.sources.json_rows import Unreadable, json_rows
from exo2ego.errors import FormatError

words = st.text(st.characters(codec="utf-8"), max_size=6)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)


def listed(path: Path) -> list[Any]:
    return [entry for _, entry in json_rows(path)]


@given(st.lists(values, max_size=5), st.integers(1, 9), st.sampled_from([None, 1]), st.booleans())
def test_a_list_is_read_as_a_whole_reader_reads_it(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Any], block: int, indent: int | None, is_ascii: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "rows.json"
    text = json.dumps(rows, indent=indent, ensure_ascii=is_ascii)
    path.write_text(text, encoding="utf-8", newline="")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK_CHARS", block)
        assert listed(path) == json.loads(text)


@given(st.lists(values, min_size=1, max_size=4), st.data())
def test_a_list_with_one_character_too_few_or_too_many_is_never_read_to_its_end(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Any], data: st.DataObject
) -> None:
    text = json.dumps(rows)
    place = data.draw(st.integers(0, len(text) - 1))
    cuts = [text[:place], text[:place] + text[place + 1 :], text[:place] + "]" + text[place:]]
    spoilt = data.draw(st.sampled_from(cuts))
    path = tmp_path_factory.getbasetemp() / "spoilt.json"
    path.write_text(spoilt)
    try:
        expected = json.loads(spoilt)
    except json.JSONDecodeError:
        expected = None
    if isinstance(expected, list):
        assert listed(path) == expected
    else:
        with pytest.raises(FormatError, match=r"spoilt\.json"):
            listed(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"a": 1},\n {"b" 2}]', "line 2 column 7 (Expecting ':' delimiter)"),
        ('[{"a": 1}\n {"b": 2}]', "line 2 column 2 (Expecting ',' delimiter)"),
        ('[{"a": 1},]', "line 1 column 11 (Expecting value)"),
        ('[{"a": 1}', "line 1 column 10 (Expecting ',' delimiter)"),
        ('[{"a": 1}\n', "line 2 column 1 (the list is not closed)"),
        ("[", "line 1 column 2 (the list is not closed)"),
        ("[1] x", "line 1 column 5 (text after the end of the list)"),
        ("", "line 1 column 1 (Expecting a list)"),
        ('{"a": 1}', "a file with one entry a line is to be named .jsonl"),
        ("[" * 100_000, "nested too deeply"),
        (f'[1,\n{{"a": {"1" * 5000}}}]', "line 2 column 1 (a number of too many digits)"),
    ],
)
def test_a_broken_list_is_named_by_line_and_column(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "rows.json"
    path.write_text(text)
    with pytest.raises(FormatError) as caught:
        listed(path)
    assert message in str(caught.value)


def test_what_json_writers_write_is_read(tmp_path: Path) -> None:
    """Python's own writes NaN, Windows' tools a byte order mark; both are common in corpora."""
    path = tmp_path / "rows.json"
    path.write_bytes(b'\xef\xbb\xbf[{"a": Infinity, "b": "\\ud800"}]')
    assert listed(path) == [{"a": float("inf"), "b": "\ud800"}]


def test_lines_keep_going_over_a_broken_one_and_stop_where_the_file_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    deep = "[" * 100_000
    # A line separator of Unicode within a text ends no line.
    lines = ['{"a": "x\u2028y"}', "", "{", '{"a": 2}', deep, '{"a": 3}']
    path.write_text("\n".join(lines), encoding="utf-8")
    found = listed(path)
    assert found == [{"a": "x\u2028y"}, found[1], {"a": 2}, found[3], {"a": 3}]
    assert [number for number, _ in json_rows(path)] == [0, 2, 3, 4, 5]
    assert isinstance(found[1], Unreadable)
    assert "line 3 is not valid JSON" in found[1].reason
    assert "line 5 is not valid JSON (nested too deeply)" in found[3].reason
    path.write_bytes(b'{"a": 1}\n{"a": "\xff"}\n{"a": 3}\n')
    assert "line 2 is not valid JSON (not UTF-8 text)" in listed(path)[1].reason
    path.write_text('{"a": 1}\n{"a": ')
    with pytest.raises(FormatError, match=r"line 2 is not valid JSON .* and the last; is the file complete"):
        listed(path)


def test_an_entry_that_never_ends_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ROW_CHARS", 1000)
    monkeypatch.setattr(module, "BLOCK_CHARS", 100)
    for name in ("rows.json", "rows.jsonl"):
        (tmp_path / name).write_text('["' + "x" * 5000)
        with pytest.raises(FormatError, match=r"more than 1000 characters|longer than 1000 bytes"):
            listed(tmp_path / name)


@pytest.mark.parametrize("name", ["rows.json", "rows.jsonl"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, name: str) -> None:
    rows = [json.dumps({"id": n, "text": "x" * 1000}) for n in range(20_000)]
    text = "[" + ",\n".join(rows) + "]" if name == "rows.json" else "\n".join(rows)
    (tmp_path / name).write_text(text)
    tracemalloc.start()
    try:
        assert sum(1 for _ in json_rows(tmp_path / name)) == 20_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 6 * module.BLOCK_CHARS < len(text)
