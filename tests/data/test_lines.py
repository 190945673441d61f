"""A file that grows line by line: whole lines only, one writer."""

import json
from pathlib import Path

import pytest

from exo2ego.data.lines import LineLog
from exo2ego.errors import OutputError


@pytest.mark.parametrize("torn", ["{", '{"a": 1}', "\x00\x00", '{"a": "\u00e9'])
def test_a_torn_last_line_is_cut_off_and_nothing_else(tmp_path: Path, torn: str) -> None:
    path = tmp_path / "below/log.jsonl"
    with LineLog(path) as log:
        log.append_records([{"a": 1}, {"a": "é"}])
    whole = path.read_bytes()
    path.write_bytes(whole + torn.encode()[:-1] if torn.endswith("é") else whole + torn.encode())
    with LineLog(path) as log:
        assert path.read_bytes() == whole
        log.append_records([{"a": 3}])
    assert [json.loads(line)["a"] for line in path.read_text().splitlines()] == [1, "é", 3]


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    with LineLog(tmp_path / "log"), pytest.raises(OutputError, match="another run is writing here"):
        LineLog(tmp_path / "log")
    with LineLog(tmp_path / "log") as log:
        log.append_records([])


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file/log: cannot be written"):
        LineLog(tmp_path / "file/log")
