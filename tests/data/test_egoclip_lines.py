"""Records of a damaged table: what `csv` reads is read the same, and a bad line costs itself only."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo2ego.data.sources import egoclip_lines
from exo2ego.data.sources.egoclip_lines import Record, RecordFile, split_record

cells = st.text(st.sampled_from(['"', "\t", "\n", "a", " ", "é", "[", "'"]), max_size=4)


def read(content: bytes) -> list[Record]:
    return list(RecordFile(io.BytesIO(content)))


@given(st.lists(st.lists(cells, min_size=3, max_size=3), max_size=6), st.sampled_from(["\n", "\r\n"]))
def test_what_a_writer_of_tables_writes_is_read_back(rows: list[list[str]], end: str) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter="\t", lineterminator=end).writerows([["x", *row] for row in rows])
    content = out.getvalue().encode()
    records = read(content)
    assert [list(record.fields[1:]) for record in records] == rows
    assert not any(record.problem for record in records)
    for record in records:
        assert split_record(content[record.offset : record.offset + record.size]) == record.fields


@given(st.lists(st.sampled_from(["a\tb", 'a\t"b', '"a"\tb', 'a\t"b\nc"', 'a "q" b\tc', "", "é\tü"]), max_size=12))
def test_every_byte_is_handed_out_once_whatever_is_broken(lines: list[str]) -> None:
    content = "".join(line + "\n" for line in lines).encode()
    file = RecordFile(io.BytesIO(content))
    end = 0
    for record in file:
        assert record.offset >= end
        assert not content[end : record.offset].strip()
        end = record.offset + record.size
        assert record.line == content.count(b"\n", 0, record.offset) + 1
    assert file.offset == len(content)


def test_a_mark_that_nobody_closes_costs_its_line_only() -> None:
    lines = [f"{n}\ttext {n}" for n in range(40)]
    lines[5] = '5\t"text'
    records = read("\n".join(lines).encode())
    assert [record.line for record in records if record.problem] == [6]
    assert records[5].problem == "a quotation mark is not closed within 16 lines"
    assert [record.fields for record in records if not record.problem] == [
        (str(n), f"text {n}") for n in range(40) if n != 5
    ]
    assert read(b'1\t"text')[0].problem


def test_marks_within_a_field_are_text() -> None:
    (record,) = read(b'1\ta 12" pipe and "quotes"\t"closed" then more\n')
    assert record.fields == ("1", 'a 12" pipe and "quotes"', "closed then more")


def test_bytes_that_are_no_text_and_endless_lines_are_bad_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(egoclip_lines, "MAX_BYTES", 100)
    content = b"a\tb\n\xff\tb\n" + b"x" * 1000 + b'\n"\xff"\tb\nc\td\n"a\rb"\tc\rd'
    records = read(content)
    assert [record.line for record in records] == [1, 2, 3, 4, 5, 6]
    problems = ["", "not UTF-8 text", "longer than 100 bytes", "not UTF-8 text", "", ""]
    assert [record.problem for record in records[:5]] == problems[:5]
    assert records[4].fields == ("c", "d")
    assert records[5].problem


def test_an_empty_file_has_no_records(tmp_path: Path) -> None:
    assert read(b"") == read(b"\n\n") == []
