"""What the verbs share: values are checked where they are typed, boxes become one line, what is piped is plain text."""

import argparse
import io
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from exo2ego.cli import common
from exo2ego.cli.common import VerbParser, add_bar, at_least, existing_file, progress, seconds, typed_arguments
from exo2ego.errors import InputError, MissingFileError


@given(st.integers(-50, 50), st.integers(-50, 50))
def test_whole_numbers_from_a_least_one_on(least: int, value: int) -> None:
    if value >= least:
        assert at_least(least)(str(value)) == value
    else:
        with pytest.raises(argparse.ArgumentTypeError, match=re.escape(f"{value} is below {least}")):
            at_least(least)(str(value))


@pytest.mark.parametrize("text", ["", "two", "1.5", "1e3", "0x10", "nan"])
def test_what_is_no_whole_number(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not a whole number"):
        at_least(0)(text)


@given(st.floats(0, 1e9))
def test_times_are_read_as_written(value: float) -> None:
    assert seconds(repr(value)) == value


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("soon", "'soon' is not a number of seconds"),
        ("1:30", "'1:30' is not a number of seconds"),
        ("-0.1", "not a time from 0 s on"),
        ("inf", "not a time from 0 s on"),
        ("nan", "not a time from 0 s on"),
    ],
)
def test_what_is_no_time(text: str, says: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=re.escape(says)):
        seconds(text)


def test_a_file_that_must_be_there(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"")
    assert existing_file(tmp_path / "clip.mp4", "video") == tmp_path / "clip.mp4"
    with pytest.raises(MissingFileError, match=r"^video: no file .*gone\.mp4$"):
        existing_file(tmp_path / "gone.mp4", "video")
    with pytest.raises(MissingFileError, match=r"^video: .* is a folder, a file is needed$"):
        existing_file(tmp_path, "video")


def parser() -> VerbParser:
    out = VerbParser(prog="exo2ego probe", description="Probe things.", example="exo2ego probe --depth-m 3")
    out.add_argument("--depth-m", type=at_least(1))
    return out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--depth-m", "0"], "argument --depth-m: 0 is below 1 (see: exo2ego probe --help)"),
        (["--depth-m"], "argument --depth-m: expected one argument (see: exo2ego probe --help)"),
        (["--width-m", "2"], "unrecognized arguments: --width-m 2 (see: exo2ego probe --help)"),
        (["--depth", "2"], "unrecognized arguments: --depth 2 (see: exo2ego probe --help)"),
    ],
)
def test_a_slip_is_raised_not_printed(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A shortened flag is one too: what it means would change when another flag is added."""
    with pytest.raises(InputError, match=f"^{re.escape(says)}$"):
        parser().parse_args(words)
    assert capsys.readouterr() == ("", "")


@dataclass(frozen=True, kw_only=True)
class Dive:
    """Dive somewhere."""

    depth_m: int
    """How deep."""
    place: str = "sea"
    """Where."""


def test_typed_arguments_come_as_their_dataclass() -> None:
    assert typed_arguments(Dive, ["--depth-m", "7"], prog="exo2ego dive") == Dive(depth_m=7)
    assert typed_arguments(Dive, ["--place", "lake", "--depth-m", "7"], prog="exo2ego dive").place == "lake"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "Missing from exo2ego dive: --depth-m INT"),
        (["--depth-m", "deep"], "--depth-m"),
        (["--depth-m", "7", "--palce", "lake"], "Unrecognized options: --palce"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_a_slip_in_typed_arguments_is_one_line_in_every_terminal(
    words: list[str], says: str, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a frame of lines nor the advice below it, and no help text of a flag (`How deep.`)."""
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
    monkeypatch.setenv("COLUMNS", "60")
    with pytest.raises(InputError) as caught:
        typed_arguments(Dive, words, prog="exo2ego dive")
    said = str(caught.value)
    assert says in said
    assert said.endswith("(see: exo2ego dive --help)")
    assert not set("│╭╰─\n") & set(said)
    assert "How deep" not in said
    assert "helptext" not in said
    sys.stdout.flush()
    assert written.getvalue() == b""


@pytest.mark.parametrize("unit", ["", "videos"])
@pytest.mark.parametrize("total", [None, 40])
def test_every_bar_says_what_how_many_how_fast_and_how_long(
    unit: str, total: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """10 of 40 were there; 20 more took 10 s, so the other 10 take 5 s. The usual 80 columns have room for it."""
    now = [100.0]
    monkeypatch.setattr(common, "time", SimpleNamespace(monotonic=lambda: now[0]))
    file = io.StringIO()
    with progress(Console(file=file, width=80, force_terminal=True, get_time=lambda: now[0])) as display:
        show = add_bar(display, "looking at videos", total=total, unit=unit)
        show(10, 40)
        now[0] += 10
        show(30, 40, "3 [bad]")
    line = re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", file.getvalue()).rstrip())[-1]
    rate = " 2.0 videos/s" if unit else ""
    assert re.fullmatch(rf"looking at videos +[━╸╺]+ +30/40 0:00:10 left 0:00:05{rate} +3 \[bad\]", line), line


def test_a_bar_that_has_not_begun_claims_nothing() -> None:
    file = io.StringIO()
    with progress(Console(file=file, width=80, force_terminal=True, color_system=None)) as display:
        add_bar(display, "looking at videos", unit="videos")
    line = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", file.getvalue()).rstrip().splitlines()[-1]
    assert re.search(r" 0/\? 0:00:00$", line), line


def test_all_bars_are_built_alike() -> None:
    """By `progress` and `add_bar`: then what is tested above holds for each of them."""
    own = re.compile(r"\.add_task\(|rich\.progress import (?!Progress$)", re.MULTILINE)
    source = Path(common.__file__).parents[1]
    builders = [path.relative_to(source).as_posix() for path in source.rglob("*.py") if own.search(path.read_text())]
    assert builders == ["cli/common.py"]


@pytest.mark.parametrize("terminal", [True, False])
def test_bars_stay_out_of_what_is_piped(
    terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`exo2ego ... > results` holds results only, and `2> log` errors only."""
    if terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
    with progress() as display:
        add_bar(display, "looking at videos")(1, 2)
        print("result")
    out, err = capsys.readouterr()
    assert out == "result\n"
    assert ("looking at videos" in err) is terminal
    assert terminal or err == ""


def test_the_console_breaks_no_long_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A path broken in the middle cannot be pasted."""
    path = "/data/" + "very-long-name/" * 30
    common.console().print(f"written: {path}", markup=False)
    assert capsys.readouterr().out == f"written: {path}\n"
