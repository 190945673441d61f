"""A file that grows line by line: whole lines only, one writer."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo2ego.data import lines as module
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


@given(st.binary(max_size=60) | st.lists(st.sampled_from([b"\n", b"{}", b"\xc3"])).map(b"".join), st.integers(1, 9))
def test_what_stands_before_the_last_newline_is_kept_to_the_byte(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, block: int
) -> None:
    """Wherever the blocks end in which it is sought."""
    path = tmp_path_factory.getbasetemp() / "any.log"
    path.write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK_BYTES", block)
        with LineLog(path) as log:
            log.append_records([{"a": 1}])
    assert path.read_bytes() == content[: content.rfind(b"\n") + 1] + b'{"a": 1}\n'


def test_records_of_a_full_disk_are_one_line_and_earlier_ones_stay(small_disk: Callable[[int], Path]) -> None:
    path = small_disk(4) / "log"

    def fill() -> None:
        with LineLog(path) as log:
            log.append_records([{"a": 1}])
            log.append_records([{"a": "x" * 4080}])  # fits into the file's buffer, and not onto the disk

    with pytest.raises(OutputError, match=r"log: cannot be written \(No space left on device\)"):
        fill()
    small_disk(100)
    with LineLog(path) as log:
        log.append_records([{"a": 2}])
    assert path.read_text() == '{"a": 1}\n{"a": 2}\n'
