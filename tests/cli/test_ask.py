"""`exo2ego ask`, with the shipped weights and real files: an answer about any video, one line about anything else."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from coded_video import audio_only, make_video, steady, turned

from exo2ego.cli import ask, common
from exo2ego.cli.__main__ import main
from exo2ego.errors import EnvironmentUnfitError
from exo2ego.models import weights

WHOLE = make_video(steady(100), gop=10)
CUT_SHORT = make_video(steady(100), gop=10, container="matroska")[: len(WHOLE) * 2 // 3]
VARIABLE_RATE = [0, 0.1, 0.133, 0.5, 0.54, 1.2, 1.25, 2.0]

Writer = Callable[..., str]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no demo has run: beside one, the verb names its model."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def stored(tmp_path: Path) -> Writer:
    """Writes a video file and returns its path as a user would type it."""

    def write(content: bytes = WHOLE, name: str = "clip.mp4") -> str:
        (tmp_path / name).write_bytes(content)
        return str(tmp_path / name)

    return write


def asked(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    code = main(["ask", *words, "--device", "cpu"])
    out = capsys.readouterr()
    return code, out.out, out.err


def test_the_answer_alone_is_on_stdout_and_the_model_is_named(
    stored: Writer, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = asked(capsys, stored(), "What am I doing?")
    assert code == 0
    assert out.count("\n") == 1
    assert out.strip()
    assert err == "exo2ego: answered by the shipped third-person start, which has seen no first-person video\n"
    assert asked(capsys, stored(), "What am I doing?")[1] == out, "greedy decoding answers the same twice"


def test_shipped_weights_with_a_flipped_bit_never_answer(
    stored: Writer, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last bit of the last weight: nothing else would notice."""
    assets = Path(shutil.copytree(weights.ASSETS, tmp_path / "assets"))
    monkeypatch.setattr(weights, "ASSETS", assets)
    monkeypatch.setattr(weights, "START", assets / "start")
    assert asked(capsys, stored(), "What am I doing?")[0] == 0
    file = assets / "start" / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-4] ^= 1
    file.write_bytes(content)
    code, out, err = asked(capsys, stored(), "What am I doing?")
    assert (code, out) == (2, "")
    assert err == f"exo2ego: {file} differs from its checksum; reinstall exo2ego\n"


def test_the_demos_model_is_pointed_out_where_there_is_one(
    stored: Writer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / ask.DEMO_MODEL
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    assert f"try --model {ask.DEMO_MODEL}" in asked(capsys, stored(), "What?")[2]


@pytest.mark.parametrize(
    ("flags", "span"),
    [
        ([], (0, 10)),
        (["--start-s", "4"], (4, 10)),
        (["--end-s", "3"], (0, 3)),
        (["--start-s", "2", "--end-s", "4"], (2, 4)),
    ],
)
def test_json_says_where_the_model_looked(
    stored: Writer, capsys: pytest.CaptureFixture[str], flags: list[str], span: tuple[float, float]
) -> None:
    code, out, err = asked(capsys, stored(), "What am I doing?", "--json", *flags)
    said = json.loads(out)
    assert (code, err) == (0, "")
    assert (said["start_s"], said["end_s"]) == pytest.approx(span)
    times = said["frame_times_s"]
    assert len(times) > 1
    assert times == sorted(times)
    assert span[0] < times[0] < times[-1] < span[1]
    assert said["answer"]
    assert said["question"] == "What am I doing?"


def test_a_long_video_is_answered_with_a_hint(stored: Writer, capsys: pytest.CaptureFixture[str]) -> None:
    hour = stored(make_video([float(second) for second in range(3600)], gop=60))
    code, out, err = asked(capsys, hour, "What am I doing?")
    assert code == 0
    assert out.strip()
    assert re.search(r"looked at (\d+) frames, one every \d+ s; name a shorter stretch", err)
    assert "one every" not in asked(capsys, hour, "What am I doing?", "--start-s", "1800", "--end-s", "1808")[2]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (make_video(VARIABLE_RATE), "variable_rate.mp4"),
        (turned(make_video(steady(8)), (0, 1, -1, 0, 48, 0)), "rotated.mp4"),
        (WHOLE, "wrong_extension.txt"),
        (make_video(steady(30), codec="libvpx", container="webm"), "other.webm"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_unusual_and_still_a_video_is_answered(
    stored: Writer, capsys: pytest.CaptureFixture[str], content: bytes, name: str
) -> None:
    code, out, _ = asked(capsys, stored(content, name), "What am I doing?")
    assert (code, bool(out.strip())) == (0, True)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the file is empty (0 bytes)"),
        (WHOLE[: len(WHOLE) // 2], "it is cut short or not a video"),
        (CUT_SHORT, "the video is cut short"),
        (audio_only(), "holds no video, only audio"),
        (b"A text that somebody named mp4.", "it is cut short or not a video"),
    ],
    ids=["zero bytes", "truncated mp4", "truncated in the middle", "audio only", "text"],
)
def test_what_is_no_whole_video_is_one_line(
    stored: Writer, capsys: pytest.CaptureFixture[str], content: bytes, says: str
) -> None:
    code, out, err = asked(capsys, stored(content), "What am I doing?")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "clip.mp4: " in err
    assert says in err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["  "], "question: it is empty"),
        (["Why?", "--start-s", "2", "--end-s", "2"], "is not before"),
        (["Why?", "--start-s", "11"], "is only 10 s long"),
        (["Why?", "--end-s", "60"], "the span 0.000 s to 60.000 s is outside the video of 10.000 s"),
        (["Why?", "--start-s", "-1", "--end-s", "2"], "not a time from 0 s on"),
        (["Why?", "--start-s", "nan", "--end-s", "2"], "not a time from 0 s on"),
        (["Why?", "--max-new-tokens", "0"], "below 1"),
        (["Why?", "--max-new-tokens", "100000"], "--max-new-tokens 100000: the model has room for 19"),
        (["Why?", "--video-limit-s", "0"], "--video-limit-s 0"),
        (["Why?", "--video-limit-s", "0.00001"], "took longer than 1e-05 s and was stopped"),
        (["Why?", "--model", "."], "holds no exported model"),
        (["Why " * 3000], "tokens, and the model has room for"),
        ([], "question: it is missing; ask something, e.g. exo2ego ask "),
        (["What", "am", "I", "doing?"], "question: put it in quotes: exo2ego ask "),
    ],
)
def test_nonsense_is_one_line(stored: Writer, capsys: pytest.CaptureFixture[str], words: list[str], says: str) -> None:
    code, out, err = asked(capsys, stored(), *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert says in err


def test_a_question_with_no_video(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", str(tmp_path / "gone.mp4"), "Why?"]) == 2
    assert "video: no file" in capsys.readouterr().err
    assert main(["ask", str(tmp_path), "Why?"]) == 2
    assert "is a folder" in capsys.readouterr().err
    assert main(["ask"]) == 2
    assert "video and question: both are missing, e.g. exo2ego ask clip.mp4" in capsys.readouterr().err
    assert main(["ask", "gone.mp4"]) == 2
    assert "question: it is missing; ask something, e.g. exo2ego ask gone.mp4 " in capsys.readouterr().err
    for question in ("What am I doing?", "Why? " * 100):
        assert main(["ask", question, "--device", "cpu"]) == 2
        err = capsys.readouterr().err
        assert "video: it is missing; name one before the question, e.g. exo2ego ask clip.mp4 " in err
        assert err.count("\n") == 1


def test_flags_may_stand_between_the_video_and_the_question(stored: Writer) -> None:
    args = ask.parse([stored(), "--start-s", "1", "What?", "--json"])
    assert (args.question, args.start_s, args.json) == ("What?", 1.0, True)
    assert ask.parse([stored(), "--", "-what?"]).question == "-what?"


@pytest.mark.parametrize("marker", ["<video>", "</s>", "<pad>"])
def test_a_marker_in_a_question_is_just_text(stored: Writer, capsys: pytest.CaptureFixture[str], marker: str) -> None:
    """Read as the model's own marker, it would stand for one more video."""
    assert asked(capsys, stored(), f"What is {marker} here?")[0] == 0


def test_a_gpu_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert common.pick_device("auto") == "cpu"
    with pytest.raises(EnvironmentUnfitError, match="no GPU"):
        common.pick_device("cuda")
