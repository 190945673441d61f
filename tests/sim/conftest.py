"""Worlds for the tests of `sim`: plans without pictures, and one small rendered world shared by all."""

from pathlib import Path

import pytest
from coded_sources import CodedSources

from exo2ego.sim.spec import SOURCES, SimSpec
from exo2ego.sim.world import TakePlan, plan_takes


@pytest.fixture(scope="session")
def plan_spec() -> SimSpec:
    """Sixty takes that nobody renders."""
    return SimSpec(out=Path("unused"), takes=60, seed=7)


@pytest.fixture(scope="session")
def plans(plan_spec: SimSpec) -> list[TakePlan]:
    """The plans of `plan_spec`."""
    return plan_takes(plan_spec)


@pytest.fixture(scope="session")
def exam_spec() -> SimSpec:
    """A hundred test takes that nobody renders: enough for every kind of question."""
    return SimSpec(
        out=Path("unused"),
        takes=100,
        seed=5,
        split_fractions=(0.0, 0.0, 1.0),
        qaego4d_questions=3000,
        egotaskqa_questions=9000,
        egoplan_questions=400,
        charades_videos=300,
    )


@pytest.fixture(scope="session")
def tiny_spec(tmp_path_factory: pytest.TempPathFactory) -> SimSpec:
    """Three takes (one of each split) of 32 px at 5 frames a second."""
    out = tmp_path_factory.mktemp("world") / "sim"
    return SimSpec(
        out=out,
        takes=3,
        seed=3,
        workers=1,
        size_px=32,
        fps=5,
        split_fractions=(1 / 3, 1 / 3, 1 / 3),
        exo_cameras=(2, 2),
        bench_questions=6,
    )


@pytest.fixture(scope="session")
def tiny_world(tiny_spec: SimSpec) -> Path:
    """The rendered world of `tiny_spec`."""
    from exo2ego.sim.export import simulate

    simulate(tiny_spec)
    return tiny_spec.out


@pytest.fixture(scope="session")
def bench_spec(tmp_path_factory: pytest.TempPathFactory) -> SimSpec:
    """Six test takes of 32 px at 5 frames a second: few pictures, but every benchmark has something to ask."""
    return SimSpec(
        out=tmp_path_factory.mktemp("benches") / "sim",
        takes=6,
        seed=11,
        workers=1,
        size_px=32,
        fps=5,
        split_fractions=(0.0, 0.0, 1.0),
        exo_cameras=(1, 1),
        steps=(7, 9),
        bench_questions=12,
        egomcq_questions=8,
        mir_clips=20,
        vln_questions=8,
    )


@pytest.fixture(scope="session")
def bench_world(bench_spec: SimSpec) -> Path:
    """The rendered world of `bench_spec`."""
    from exo2ego.sim.export import simulate

    simulate(bench_spec)
    return bench_spec.out


@pytest.fixture(scope="session")
def source_spec(tmp_path_factory: pytest.TempPathFactory) -> SimSpec:
    """Thirteen takes, eight of them for training, so short that all their frames have a number of their own."""
    return SimSpec(
        out=tmp_path_factory.mktemp("sources") / "sim",
        takes=13,
        seed=21,
        workers=1,
        size_px=64,
        fps=10,
        split_fractions=(8 / 13, 2 / 13, 3 / 13),
        exo_cameras=(1, 1),
        steps=(2, 4),
        sources=SOURCES,
    )


@pytest.fixture(scope="session")
def coded(source_spec: SimSpec) -> CodedSources:
    """The sources of `source_spec`, cut from videos whose every frame shows its number: nothing is rendered."""
    return CodedSources(source_spec)
