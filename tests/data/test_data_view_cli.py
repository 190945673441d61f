"""`exo2ego data view` as a command: what it prints, how it ends, one line for every mistake."""

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from viewed_shards import instruction_samples, store

from exo2ego.cli.__main__ import main


def test_it_serves_a_read_only_folder_and_ends_with_ctrl_c(tmp_path: Path, read_only: Callable[[Path], Path]) -> None:
    store(tmp_path, "ego", instruction_samples())
    command = [sys.executable, "-m", "exo2ego", "data", "view", str(read_only(tmp_path / "ego")), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tmp_path)
    assert process.stdout is not None
    said = ""
    while "Ctrl-C ends it" not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
    address = next(word for word in said.split() if word.startswith("http://127.0.0.1:"))
    assert "2 samples: http://" in said
    with urllib.request.urlopen(f"{address}api/search?q=cup", timeout=300) as answer:
        assert json.load(answer)["total"] == 1
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=300)
    assert (process.returncode, rest) == (0, "")
    assert not (tmp_path / "flags.jsonl").exists(), "nothing is written before something is flagged"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required: shards"),
        (["nowhere"], "nowhere: no such folder"),
        (["nowhere", "--host", "0.0.0.0"], "--host 0.0.0.0: others could see licensed videos; give 127.0.0.1"),
        (["nowhere", "--port", "65536"], "65536 is above 65535"),
        (["nowhere", "--port", "-1"], "-1 is below 0"),
        (["nowhere", "--flags", "{tmp}"], "cannot be read as a file of flags"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "view", *(word.format(tmp=tmp_path) for word in arguments)]) == 2
    complaint = capsys.readouterr().err
    assert message in complaint
    assert complaint.count("\n") == 1


@pytest.mark.parametrize("library", ["fastapi", "uvicorn"])
def test_without_the_web_framework_one_line_says_how_to_get_it(
    library: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(sys.modules, "exo2ego.data.view_server", raising=False)
    assert main(["data", "view", "nowhere"]) == 2
    complaint = capsys.readouterr().err
    assert f"{library} is not installed; pip install 'exo2ego[serve]'" in complaint
    assert complaint.count("\n") == 1
