"""Many questions in flight at once: never more than the model allows, none lost by a failure, a kill or Ctrl-C."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from bench_fakes import FakeModel, sees_the_kind

from exo2ego.bench.items import Item
from exo2ego.bench.local_engine import LocalEngine
from exo2ego.bench.predictions import read_predictions
from exo2ego.bench.run import RunSettings, run
from exo2ego.bench.tasks import TASKS
from exo2ego.errors import InputError
from exo2ego.records import VideoSpan

TASK = TASKS["egoschema"]
SETTINGS = RunSettings(task="egoschema", protocol="likelihood", model="fake")


class Crowd(FakeModel):
    """Counts how many threads are inside at once. The first three meet; the question about `waits` is answered last of
    them: when a fourth is asked, or when the one about `breaks` breaks."""

    concurrency = 3

    def __init__(self, waits: str = "q0.mp4", breaks: str = "") -> None:
        super().__init__(self.look)
        self.waits, self.breaks = waits, breaks
        self.lock, self.inside, self.most, self.begun = threading.Lock(), 0, 0, 0
        self.three, self.others = threading.Event(), threading.Event()

    def look(self, video: VideoSpan | None, text: str) -> float:
        assert video is not None
        if text.endswith("cup is moved."):  # one of the options: once a question
            self.enter(video.path)
            if self.breaks and video.path.endswith(self.breaks):
                self.others.set()
                raise ZeroDivisionError
        return sees_the_kind(video, text)

    def enter(self, path: str) -> None:
        with self.lock:
            self.begun, self.inside = self.begun + 1, self.inside + 1
            self.most = max(self.most, self.inside)
            if self.inside == 3:
                self.three.set()
            if self.begun == 4 and not self.breaks:
                self.others.set()
        assert self.three.wait(60)
        if path.endswith(self.waits):
            assert self.others.wait(60)
        with self.lock:
            self.inside -= 1


class Gated(FakeModel):
    """Answers four questions; the others wait until a file is there."""

    concurrency = 3

    def __init__(self, gate: Path) -> None:
        super().__init__(self.look)
        self.gate = gate

    def look(self, video: VideoSpan | None, text: str) -> float:
        assert video is not None
        if Path(video.path).stem not in {"q0", "q1", "q2", "q3"}:
            while not self.gate.exists():
                time.sleep(0.005)
        return sees_the_kind(video, text)


@pytest.fixture
def root(bench_root: Path) -> Path:
    return bench_root / "egoschema"


@pytest.fixture
def items(root: Path) -> list[Item]:
    return TASK.load(root, full=True)


def test_answers_come_as_they_are_ready_and_are_the_same_as_one_by_one(
    root: Path, items: list[Item], tmp_path: Path
) -> None:
    crowd = Crowd()
    together = run(crowd, TASK, items, root, tmp_path / "a", SETTINGS)
    assert crowd.most == 3
    assert len(crowd.asked) == len(items)
    assert next(iter(together)) != "q0"  # the one that waits did not hold up the others
    assert together == run(FakeModel(sees_the_kind), TASK, items, root, tmp_path / "b", SETTINGS)


def test_what_was_in_flight_when_one_failed_is_kept(root: Path, items: list[Item], tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        run(Crowd(breaks="q2.mp4"), TASK, items, root, tmp_path / "a", SETTINGS)
    kept = read_predictions(tmp_path / "a/predictions.jsonl")
    assert "q0" in kept
    assert "q2" not in kept
    again = FakeModel(sees_the_kind)
    assert len(run(again, TASK, items, root, tmp_path / "a", SETTINGS)) == len(items)
    assert len(again.asked) == len(items) - len(kept)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_signal_loses_nothing_that_was_written(root: Path, items: list[Item], tmp_path: Path, how: int) -> None:
    script = textwrap.dedent(f"""
        import signal, sys, time
        from pathlib import Path
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from test_local_engine import SETTINGS, TASK, Gated
        from exo2ego.bench import run as running
        running.BATCH = 2
        root = Path({str(root)!r})
        def told(progress):
            print(progress.done, flush=True)
        model = Gated(Path({str(tmp_path / "gate")!r}))
        running.run(model, TASK, TASK.load(root, full=True), root, Path({str(tmp_path / "a")!r}), SETTINGS,
                    on_progress=told)
    """)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as child:
        assert child.stdout is not None
        done = int(child.stdout.readline())
        child.send_signal(how)  # the child cannot come to its end before the gate opens
        (tmp_path / "gate").touch()
    kept = read_predictions(tmp_path / "a/predictions.jsonl")
    assert done <= len(kept) < len(items)
    model = FakeModel(sees_the_kind)
    assert len(run(model, TASK, items, root, tmp_path / "a", SETTINGS)) == len(items)
    assert len(model.asked) == len(items) - len(kept)


def test_workers_beyond_what_the_model_allows_are_refused() -> None:
    with pytest.raises(InputError, match=r"--workers 4: fake answers 3 question.*--engine ray"):
        LocalEngine(Crowd(), workers=4)
    with pytest.raises(InputError, match="--workers 0"):
        LocalEngine(Crowd(), workers=0)
