"""Words do not answer the questions: a text-only reader is at chance, and finds a leak where there is one."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "blind_chance.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """The benchmark, which is no package."""
    pytest.importorskip("sklearn")
    spec = importlib.util.spec_from_file_location("blind_chance", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["blind_chance"] = module
    spec.loader.exec_module(module)
    return module


def test_a_reader_without_video_is_at_chance(script: ModuleType) -> None:
    """Chance lies within the interval of what is right on worlds that the reader has not seen, for all seven tasks.

    Each interval is one of 99.3 %, so that all seven hold chance 95 times in 100; the seed is fixed.
    """
    worlds = [script.world(seed, 20, 120) for seed in range(400, 410)]
    figures = [one for one in script.measure(worlds, folds=2, level=1 - 0.05 / 7) if one.facet == "all"]
    assert {one.task for one in figures} == {
        *("egoschema", "egomcq reversed", "qaego4d", "egotaskqa", "egotaskqa indirect", "egoplan", "vln_qa")
    }
    for one in figures:
        assert one.n > 500, one.task
        assert one.high - one.low < 0.13, one.task
        assert one.at_chance, one


def test_the_reader_finds_a_leak(script: ModuleType) -> None:
    """If every second answer of a kind were the same word, the reader would know: it is no straw man."""
    worlds = [script.world(seed, 12, 60) for seed in range(320, 324)]
    for each in worlds:
        for task in [name for name in each if name != "egoplan"]:
            del each[task]
        each["egoplan"] = [
            replace(one, answer=one.options.index(min(one.options)) if number % 2 else one.answer)
            for number, one in enumerate(each["egoplan"])
        ]
    (figure,) = script.measure(worlds)
    assert figure.low > figure.chance
    assert not figure.at_chance
