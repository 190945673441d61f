"""Rows of tables and lists: every complaint names file, row and field; a bad row is counted, a bad file stops."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo2ego.data.jsonfile import Fields
from exo2ego.data.sources.reading import (
    BadRow,
    LeftOut,
    Made,
    TextFields,
    first_existing,
    gather,
    inner_path,
    json_fields,
    table_rows,
)
from exo2ego.errors import FormatError, MissingFileError
from exo2ego.records import Conversation, Turn, VideoSpan


def written(folder: Path, text: str | bytes, name: str = "rows.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def made(row: Fields) -> Made:
    if row.text("name") == "unwanted":
        return LeftOut(reason="not wanted")
    span = VideoSpan(path="v.mp4", start_s=row.number("start_sec"))
    return [Conversation(conversation_id=row.text("name"), video=span, turns=(Turn(question="q", answer="a"),))]


def test_good_bad_and_unwanted_rows_are_told_apart(tmp_path: Path) -> None:
    path = written(tmp_path, '# name, start_sec\na,1.5\nb,x\n\n"multi\nline",2\nc\nunwanted,0\nd,nan\n')
    read = gather(table_rows(path, ("name", "start_sec")), made, str(path))
    assert [c.conversation_id for c in read.conversations] == ["a", "multi\nline"]
    assert read.left_out == {"not wanted": 1}
    assert [(bad.row, bad.reason.removeprefix(f"{path}: ")) for bad in read.bad_rows] == [
        (3, "line 3: field 'start_sec' is \"x\"; expected a finite number"),
        (7, "line 7: 1 fields where there should be 2"),
        (9, "line 9: field 'start_sec' is \"nan\"; expected a finite number"),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "name;start_sec\na;1\n",
            r"no column 'name' in its first line \(separator ','\); found there: name;start",
        ),
        ("", "no column 'name' in its first line .* found there: nothing"),
        (b"name,start_sec\n\xff\xfe,1\n", "cannot be read as UTF-8 text"),
        ("name,start_sec\n" + "x" * 200_000 + ",1\n", "line 2 is no row of a table"),
        ("name,start_sec\nb,x\nc\n", "not one usable row in 2; the first: .*line 2: field 'start_sec'"),
        ("name,start_sec\n", "not one usable row in 0"),
    ],
)
def test_a_table_that_is_useless_as_a_whole_stops(tmp_path: Path, content: str | bytes, message: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(FormatError, match=message):
        gather(table_rows(path, ("name", "start_sec")), made, str(path))


def test_absent_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"gone\.csv: no such file"):
        list(table_rows(tmp_path / "gone.csv", ("a",)))
    with pytest.raises(MissingFileError, match=r"holds no labels; looked for x\.json, y\.json"):
        first_existing(tmp_path, ("x.json", "y.json"), "labels")
    with pytest.raises(MissingFileError, match="no such folder"):
        first_existing(tmp_path / "gone", ("x.json",), "labels")


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "", "a\\b", "a\0b", "..", "x" * 256, "a\ud800"])
def test_a_video_stays_inside_its_folder(name: str) -> None:
    with pytest.raises(FormatError, match="expected the name of a video, in"):
        inner_path(TextFields({"id": name}, "rows.csv: line 1"), "id", name)


def test_list_entries_that_are_no_objects_are_bad_rows(tmp_path: Path) -> None:
    rows = list(json_fields(written(tmp_path, '[{"a": 1}, 3]', "rows.json")))
    assert isinstance(rows[0][1], Fields)
    assert rows[1][1] == BadRow(row=1, reason=f"{tmp_path / 'rows.json'}: row 1: expected an object, found 3")


@given(st.lists(st.lists(st.text(st.characters(exclude_characters="\r\n\0", codec="utf-8")), min_size=2, max_size=2)))
def test_what_a_csv_writer_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, cells: list[list[str]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["a", "b"], *cells])
    rows = [row for _, row in table_rows(path, ("a", "b"), strip=False)]
    assert [[row.data["a"], row.data["b"]] for row in rows if isinstance(row, Fields)] == [
        pair for pair in cells if any(cell.strip() for cell in pair)
    ]
