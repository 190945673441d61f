"""`exo2ego ask`: nonsense is refused in one line, before any model loads; a good question reaches the engine."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from exo2ego.cli import __main__ as command
from exo2ego.cli import ask
from exo2ego.errors import EnvironmentUnfitError
from exo2ego.records import VideoSpan


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"not looked at here")
    return path


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Stands in for the engine and records what it was asked."""
    calls: list[dict[str, Any]] = []

    class Engine:
        @classmethod
        def load(cls, model_dir: Path, device: str) -> "Engine":
            calls.append({"model_dir": model_dir, "device": device})
            return cls()

        def generate(self, video: VideoSpan, question: str, max_new_tokens: int = 32) -> str:
            calls[-1] |= {"video": video, "question": question, "max_new_tokens": max_new_tokens}
            return "you lift the cup"

    module = ModuleType("exo2ego.inference.engine")
    module.Engine = Engine  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "exo2ego.inference.engine", module)
    return calls


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    return folder


def test_prints_the_answer_and_nothing_else(
    video: Path, model: Path, asked: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["ask", str(video), "What am I doing?", "--model", str(model), "--start-s", "1", "--end-s", "2.5"]
    assert command.main([*line, "--device", "cpu"]) == 0
    assert capsys.readouterr().out == "you lift the cup\n"
    assert asked[0]["video"] == VideoSpan(path=str(video), start_s=1.0, end_s=2.5)
    assert asked[0]["question"] == "What am I doing?"
    assert asked[0]["max_new_tokens"] == 32


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        (["  "], "question: it is empty"),
        (["Why?", "--start-s", "1"], "go together"),
        (["Why?", "--start-s", "2", "--end-s", "2"], "is not before"),
        (["Why?", "--start-s", "-1", "--end-s", "2"], "not a time from 0 s on"),
        (["Why?", "--start-s", "nan", "--end-s", "2"], "not a time from 0 s on"),
        (["Why?", "--max-new-tokens", "0"], "below 1"),
        (["Why?", "--device", "tpu"], "invalid choice: 'tpu'"),
        ([], "the following arguments are required: question"),
    ],
)
def test_nonsense_is_one_line(
    video: Path, model: Path, capsys: pytest.CaptureFixture[str], extra: list[str], says: str
) -> None:
    assert command.main(["ask", str(video), *extra, "--model", str(model)]) == 2
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1


def test_a_question_with_no_video(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["ask", str(tmp_path / "gone.mp4"), "Why?"]) == 2
    assert "video: no file" in capsys.readouterr().err
    assert command.main(["ask", str(tmp_path), "Why?"]) == 2
    assert "is a folder" in capsys.readouterr().err


def test_a_model_that_is_none(video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["ask", str(video), "Why?", "--model", str(tmp_path)]) == 2
    assert "holds no exported model" in capsys.readouterr().err


def test_a_gpu_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert ask.pick_device("auto") == "cpu"
    with pytest.raises(EnvironmentUnfitError, match="no GPU"):
        ask.pick_device("cuda")
