"""Bench over Ray, on a real local cluster: a killed worker costs nothing, errors arrive as they were raised."""

import os
import signal
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from bench_fakes import FakeModel, sees_the_kind

from exo2ego.bench.items import Item
from exo2ego.bench.predictions import read_predictions
from exo2ego.bench.run import RunSettings, run, run_on
from exo2ego.bench.tasks import TASKS
from exo2ego.cli.bench import main
from exo2ego.errors import EnvironmentUnfitError, InputError
from exo2ego.records import OptionScore, VideoSpan

ray = pytest.importorskip("ray", reason="pip install -c constraints.txt -e .[ray]")
ray_engine = pytest.importorskip("exo2ego.bench.ray_engine")

pytestmark = pytest.mark.slow  # starting a cluster takes seconds

TASK = TASKS["egoschema"]
SETTINGS = RunSettings(task="egoschema", protocol="likelihood", model="fake")


class Mortal(FakeModel):
    """Writes down each question; is killed, with its whole process, at one of them as often as told."""

    def __init__(self, diary: Path, dies_at: str = "", times: int = 1, breaks: str = "") -> None:
        super().__init__(sees_the_kind)
        self.diary, self.dies_at, self.times, self.breaks = diary, dies_at, times, breaks

    def option_logprobs(self, video: VideoSpan | None, question: str, options: object) -> list[OptionScore]:
        assert video is not None
        with self.diary.open("a") as file:
            file.write(f"{Path(video.path).stem} {os.getpid()}\n")
        visits = self.diary.read_text().split().count(self.dies_at)
        if self.dies_at and video.path.endswith(f"{self.dies_at}.mp4") and visits <= self.times:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.breaks and video.path.endswith(f"{self.breaks}.mp4"):
            raise InputError("a mistake of the user")
        return super().option_logprobs(video, question, options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """One cluster for all tests; its workers find the tests' own modules."""
    before = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path(__file__).parent), *sys.path]))
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, _node_ip_address="127.0.0.1")
    yield
    ray.shutdown()
    os.environ["PYTHONPATH"] = before


@pytest.fixture
def root(bench_root: Path) -> Path:
    return bench_root / "egoschema"


@pytest.fixture
def items(root: Path) -> list[Item]:
    return TASK.load(root, full=True)


def test_a_killed_worker_costs_nothing(
    cluster: None, root: Path, items: list[Item], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_engine, "CHUNK", 2)
    diary = tmp_path / "diary"
    with ray_engine.RayEngine(partial(Mortal, diary, dies_at="q5"), workers=2) as engine:
        assert (engine.name, engine.capabilities) == ("fake", frozenset({"text", "logprobs"}))
        found = run_on(engine, TASK, items, root, tmp_path / "a", SETTINGS)
    assert found == run(FakeModel(sees_the_kind), TASK, items, root, tmp_path / "b", SETTINGS)
    assert len((tmp_path / "a/predictions.jsonl").read_text().splitlines()) == len(items)  # nothing twice
    names, processes = zip(*(line.split() for line in diary.read_text().splitlines()), strict=True)
    assert len(set(processes)) in (2, 3)  # two at first, one in the place of the dead if there is work left for it
    assert names.count("q5") == 2
    assert len(names) <= len(items) + 2  # only the dead worker's chunk was asked again


def test_a_chunk_that_kills_every_worker_is_named_and_the_rest_is_kept(
    cluster: None, root: Path, items: list[Item], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_engine, "CHUNK", 4)
    loader = partial(Mortal, tmp_path / "diary", dies_at="q9", times=99)
    with (
        ray_engine.RayEngine(loader, workers=1) as engine,
        pytest.raises(EnvironmentUnfitError, match="3 Ray workers died over items q8 to q11") as told,
    ):
        run_on(engine, TASK, items, root, tmp_path / "a", SETTINGS)
    assert "\n" not in str(told.value)
    assert list(read_predictions(tmp_path / "a/predictions.jsonl")) == [f"q{number}" for number in range(8)]


def test_errors_of_workers_arrive_as_they_were_raised(
    cluster: None, root: Path, items: list[Item], tmp_path: Path
) -> None:
    with (
        ray_engine.RayEngine(partial(Mortal, tmp_path / "diary", breaks="q1"), workers=1) as engine,
        pytest.raises(InputError, match=r"^a mistake of the user$"),
    ):
        run_on(engine, TASK, items, root, tmp_path / "a", SETTINGS)

    def nothing() -> FakeModel:
        raise InputError("no such model")

    with pytest.raises(InputError, match=r"^no such model$"), ray_engine.RayEngine(nothing, workers=1):
        pass
    with pytest.raises(InputError, match="--workers 0"):
        ray_engine.RayEngine(nothing, workers=0)


def test_the_command_asks_over_ray_what_it_asks_here(cluster: None, bench_root: Path, tmp_path: Path) -> None:
    rest = ["--model", "random", "--tasks", "egomcq,egoschema", "--root", str(bench_root)]
    assert main(["run", *rest, "--out", str(tmp_path / "a"), "--engine", "ray", "--workers", "1"]) == 0
    assert main(["run", *rest, "--out", str(tmp_path / "b")]) == 0
    for task in ("egomcq", "egoschema"):
        ours, theirs = ((tmp_path / name / task / "scores.json").read_bytes() for name in "ab")
        assert ours == theirs
