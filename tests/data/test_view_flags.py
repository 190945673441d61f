"""Flags: on disk when they are set, the last line counts, nothing of a person's file is lost or guessed."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from exo2ego.data.view_flags import FlagFile
from exo2ego.errors import FormatError, OutputError

ONE, TWO = ("/shards/a", "s-0001"), ("/shards/b", "s-0001")


def test_the_last_line_counts_and_folders_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "new" / "flags.jsonl"
    flags = FlagFile(path)
    flags.set(ONE, "blurred\n“x”")
    flags.set(TWO, "")
    flags.set(ONE, None)
    flags.set(ONE, "still blurred")
    for seen in (flags, FlagFile(path)):
        assert seen.all() == {ONE: "still blurred", TWO: ""}
        assert seen.get(("/shards/c", "s-0001")) is None
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row["flagged"] for row in rows] == [True, True, False, True]
    assert set(rows[0]) == {"at", "flagged", "key", "reason", "shards"}


def test_two_servers_on_one_file(tmp_path: Path) -> None:
    one, two = FlagFile(tmp_path / "f"), FlagFile(tmp_path / "f")
    one.set(ONE, "a")
    two.set(TWO, "b")
    assert FlagFile(tmp_path / "f").all() == {ONE: "a", TWO: "b"}


@pytest.mark.parametrize(
    "line",
    ["{", "[]", f'{{"key": {"1" * 5000}}}', '{"key": "a"}', '{"key": 1, "shards": "a", "flagged": true}', "\udcff"],
)
def test_a_line_that_is_no_flag_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "flags.jsonl"
    FlagFile(path).set(ONE, "")
    with path.open("ab") as file:
        file.write(line.encode(errors="surrogateescape") + b"\n")
    with pytest.raises(FormatError, match="line 2"):
        FlagFile(path)


def test_a_place_that_cannot_be_written(tmp_path: Path, read_only: Callable[[Path], Path]) -> None:
    with pytest.raises(OutputError, match="choose another"):
        FlagFile(tmp_path)
    (tmp_path / "closed").mkdir()
    flags = FlagFile(read_only(tmp_path / "closed") / "flags.jsonl")
    with pytest.raises(OutputError, match="cannot be written"):
        flags.set(ONE, "")
    assert flags.all() == {}
