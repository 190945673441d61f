"""Settings of the whole suite: no network, one property profile, `gl` tests skipped where nothing can draw."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("MUJOCO_GL", "egl")

# Deadlines measure the machine's load, not the code: with two test processes on two cores they only make tests flaky.
settings.register_profile("suite", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

_OPENS_EGL = "import mujoco; mujoco.GLContext(16, 16).make_current()"


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Random weights are the same at every run of a test, whatever ran before it (only where torch is used at all)."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(0)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips `gl` tests with the way to mend it, where no off-screen OpenGL opens."""
    marked = [item for item in items if item.get_closest_marker("gl")]
    if (
        not marked
        or subprocess.run([sys.executable, "-c", _OPENS_EGL], capture_output=True, check=False).returncode == 0
    ):
        return
    for item in marked:
        item.add_marker(
            pytest.mark.skip(reason="no off-screen OpenGL: apt-get install libegl1 libgl1-mesa-dri libopengl0")
        )


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[], list[str]]:
    """Makes stderr a terminal of 120 columns; what it returns tells the lines drawn there, bars as often as redrawn."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")

    def drawn() -> list[str]:
        text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", capsys.readouterr().err)
        return [line.rstrip() for line in re.split(r"[\r\n]+", text) if line.strip()]

    return drawn


@pytest.fixture
def bars(screen: Callable[[], list[str]]) -> Callable[[], dict[str, str]]:
    """What it returns tells of every bar that was drawn, by title, how it stood last: `done/total`."""

    def last() -> dict[str, str]:
        drawn = (re.fullmatch(r"(.*?) +[━╸╺]+ +(\d+/\S+) \d+:\d\d:\d\d.*", line) for line in screen())
        return {one[1]: one[2] for one in drawn if one}

    return last


def _mount(*words: str) -> None:
    """Skips where this machine does not let the tests mount (only root may)."""
    try:
        done = subprocess.run(["mount", *words], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no command 'mount' here: full and read-only disks cannot be made")
    if done.returncode:
        pytest.skip(f"a disk of its own needs root: {done.stderr.strip()}")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Makes a real disk of so many kilobytes; called again, it is larger from then on."""
    place = tmp_path / "disk"

    def make(size_kb: int) -> Path:
        again = ["-o", f"remount,size={size_kb}k"] if place.exists() else ["-t", "tmpfs", "-o", f"size={size_kb}k"]
        place.mkdir(exist_ok=True)
        _mount(*again, "tmpfs", str(place))
        return place

    yield make
    if place.exists():
        subprocess.run(["umount", str(place)], capture_output=True, check=False)


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Callable[[Path], Path]]:
    """Makes a folder read-only for everyone, root too, until the test ends."""
    mounted: list[Path] = []

    def protect(folder: Path) -> Path:
        _mount("--bind", str(folder), str(folder))
        mounted.append(folder)
        _mount("-o", "remount,bind,ro", str(folder))
        return folder

    yield protect
    for folder in mounted:
        subprocess.run(["umount", str(folder)], capture_output=True, check=False)


_STANDS_AT_START = """
import os, sys, time
if {mark!r} in " ".join(sys.orig_argv):
    open({begun!r}, "w").close()
    while not os.path.exists({go!r}):
        time.sleep(0.01)
"""
_COMMAND = """
import signal, sys
from exo2ego.cli.__main__ import main
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where tests run in the background
    sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def ctrl_c_at_start(tmp_path: Path) -> Callable[[str, Sequence[str]], tuple[int, str]]:
    """Runs a command and presses Ctrl-C, for all of its processes, while the interpreter of a child starts whose
    command line holds the given words. Returns the exit code, and all that the command and its children said on stderr.
    """

    def press(words: str, command: Sequence[str]) -> tuple[int, str]:
        place = tmp_path / "at_start"
        place.mkdir()
        begun, go, script = place / "begun", place / "go", place / "command.py"
        (place / "sitecustomize.py").write_text(_STANDS_AT_START.format(mark=words, begun=str(begun), go=str(go)))
        script.write_text(_COMMAND)
        paths = os.pathsep.join([str(place), *(path for path in sys.path if path)])
        process = subprocess.Popen(
            [sys.executable, str(script), *command],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": paths},
        )
        assert process.stderr is not None
        while not begun.exists():
            assert process.poll() is None, f"it ended before it started such a child: {process.stderr.read()}"
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)
        if words != "spawn_main":  # workers of a pool are waited for; whoever else lets a child be
            process.wait()
        go.touch()
        with process.stderr as said:
            return process.wait(), said.read()  # up to the end of the last child that may write there

    return press
