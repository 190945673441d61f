"""Lists of takes and of bad videos, as people and other verbs write them."""

import json
from pathlib import Path

import pytest

from exo2ego.data.subset import read_quarantine, read_takes
from exo2ego.errors import FormatError, MissingFileError


def test_takes_one_a_line_with_comments_blank_lines_and_a_mark_of_windows(tmp_path: Path) -> None:
    path = tmp_path / "takes.txt"
    path.write_bytes("\ufeff# smallest subset\r\nuid-b\r\n\r\n  uid-a \r\nuid-a\r\nuid-x\r\n".encode())
    assert read_takes(path, {"uid-a", "uid-b", "uid-c"}) == (frozenset({"uid-a", "uid-b"}), ("uid-x",))


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "names no take"), (b"takes.json\n", "the first line is 'takes.json'"), (b"\xff\xfe\x00", "no UTF-8 text")],
)
def test_a_file_that_lists_no_take_is_refused(content: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "takes.txt"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=says):
        read_takes(path, {"uid-a"})


@pytest.mark.parametrize("prefix", ["", "root/", "absolute"])
def test_quarantined_videos_are_named_from_the_root_from_here_or_from_the_top(
    prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    root = Path("root")
    root.mkdir()
    start = f"{root.resolve()}/" if prefix == "absolute" else prefix
    rows = [{"video": f"{start}takes/a/cam01.mp4", "reason": "hangs", "seconds": 3}, {"video": "", "reason": "none"}]
    path = tmp_path / "quarantine.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    assert read_quarantine(path, root) == {"takes/a/cam01.mp4"}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("cam01.mp4", "line 2 is no JSON"),
        ("[]", "line 2: expected an object"),
        ("1" * 5000, r"line 2 is no JSON \(a number of too many digits\)"),
        ("[" * 100_000, r"line 2 is no JSON \(nested too deeply\)"),
        ('{"reason": "x"}', "line 2: field 'video' is missing"),
        ('{"video": 3}', "line 2: field 'video' is 3"),
    ],
    ids=["text", "list", "digits", "deep", "no video", "number"],
)
def test_a_line_of_a_quarantine_that_cannot_be_read_is_named(line: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "quarantine.jsonl"
    path.write_text(f'{{"video": "a.mp4", "reason": "b"}}\n{line}\n')
    with pytest.raises(FormatError, match=says):
        read_quarantine(path, tmp_path)


def test_absent_lists(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such file"):
        read_takes(tmp_path / "none", ())
    with pytest.raises(MissingFileError, match="cannot be read"):
        read_quarantine(tmp_path, tmp_path)
