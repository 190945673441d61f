"""`exo2ego sim`: every flag reaches the world it names, its help tells the real default, and the summary is counted."""

import re
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import pytest

from exo2ego.cli import sim as verb
from exo2ego.cli.__main__ import main
from exo2ego.sim import export
from exo2ego.sim.spec import BENCHES, SOURCES, SimSpec, SimSummary

Progress = Callable[[str, int, int], None]

SUMMARY = SimSummary(
    out=Path("w"),
    takes=3,
    events=21,
    videos=9,
    frames=1800,
    rendered_frames=600,
    seconds_s=2.5,
    splits={"train": 2, "test": 1},
    source_files=17,
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[SimSpec]:
    """The specs that the verb would simulate; nothing is rendered."""
    out: list[SimSpec] = []

    def simulate(spec: SimSpec, progress: Progress) -> SimSummary:
        out.append(spec)
        progress("rendering takes", 3, 3)
        progress("writing benchmarks", 2, 9)
        progress("videos of sources", 4, 17)
        return replace(SUMMARY, out=spec.out)

    monkeypatch.setattr(export, "simulate", simulate)
    return out


FLAGS = {
    "takes": (["--takes", "7"], 7),
    "seed": (["--seed", "5"], 5),
    "workers": (["--workers", "3"], 3),
    "size_px": (["--size-px", "64"], 64),
    "fps": (["--fps", "12"], 12),
    "split_fractions": (["--split", "0.5", "0.25", "0.25"], (0.5, 0.25, 0.25)),
    "exo_cameras": (["--exo-cameras", "1", "3"], (1, 3)),
    "steps": (["--steps", "4", "9"], (4, 9)),
    "bench_questions": (["--bench-questions", "11"], 11),
    "egomcq_questions": (["--egomcq-questions", "12"], 12),
    "mir_clips": (["--mir-clips", "13"], 13),
    "qaego4d_questions": (["--qaego4d-questions", "14"], 14),
    "egotaskqa_questions": (["--egotaskqa-questions", "15"], 15),
    "charades_videos": (["--charades-videos", "16"], 16),
    "egoplan_questions": (["--egoplan-questions", "17"], 17),
    "vln_questions": (["--vln-questions", "18"], 18),
    "benches": (["--benches", "vln_qa", "egomcq"], ("vln_qa", "egomcq")),
    "sources": (["--sources", "ssv2", "egtea"], ("ssv2", "egtea")),
    "source_facts": (["--source-facts", "all"], "all"),
}


def test_every_setting_of_a_world_has_a_flag() -> None:
    assert {"out", *FLAGS} == {field.name for field in fields(SimSpec)}


@pytest.mark.parametrize("name", FLAGS)
def test_a_flag_sets_its_own_field_and_no_other(name: str, asked: list[SimSpec]) -> None:
    words, value = FLAGS[name]
    assert main(["sim", "--out", "w", *words]) == 0
    assert asked == [replace(SimSpec(out=Path("w")), **{name: value})]


def test_without_flags_it_is_the_default_world(asked: list[SimSpec]) -> None:
    assert main(["sim", "--out", "w"]) == 0
    assert asked == [SimSpec(out=Path("w"))]
    assert asked[0].benches == BENCHES


def test_all_sources_are_named_in_one_word(asked: list[SimSpec]) -> None:
    assert main(["sim", "--out", "w", "--sources", "all"]) == 0
    assert asked[0].sources == SOURCES


def test_the_help_tells_the_defaults_that_are_used() -> None:
    """As the flags are typed: `(default 2 4)` for two numbers."""
    spec = SimSpec(out=Path("w"))
    options = {action.dest: action for action in verb._parser()._actions}
    told = {"split": spec.split_fractions, "exo_cameras": spec.exo_cameras, "steps": spec.steps}
    told |= {name: getattr(spec, name) for name in FLAGS if name in options and name not in ("sources", "benches")}
    for name, value in told.items():
        shown = " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
        found = re.search(r"\(default:? ([^)]*)\)", options[name].help or "")
        assert found is not None, name
        assert found.group(1) == shown, name
    assert (options["benches"].help or "").endswith("(default: all)")
    sources = re.findall(r"to write: ([a-z0-9 ]+),", options["sources"].help or "")
    assert sources == [" ".join(SOURCES)]


def test_every_kind_of_work_has_a_bar(asked: list[SimSpec], screen: Callable[[], list[str]]) -> None:
    """Also the benchmarks: in a large world they take longer than a user waits without a sign of life."""
    assert main(["sim", "--out", "w", "--sources", "ssv2"]) == 0
    assert [re.sub(r" +[━╸╺]+.*? (\d+/\d+) .*", r" \1", line) for line in screen()[-3:]] == [
        "rendering takes 3/3",
        "writing benchmarks 2/9",
        "videos of sources 4/17",
    ]


def test_the_summary_is_what_was_written(asked: list[SimSpec], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sim", "--out", "w", "--takes", "3", "--sources", "ssv2", "egtea"]) == 0
    out = capsys.readouterr().out
    assert "w: 3 takes (1 test, 2 train), 21 events, 9 videos, 1800 frames\n" in out
    assert "rendered 600 frames in 2.5 s: 240 frames/s\n" in out
    assert "w/sources: ssv2, egtea; 17 media files were made\n" in out


def test_nothing_is_said_of_what_was_not_done(
    asked: list[SimSpec], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A finished world has rendered nothing; one without sources has none."""
    monkeypatch.setattr(export, "simulate", lambda *_: replace(SUMMARY, rendered_frames=0, seconds_s=0.0))
    assert main(["sim", "--out", "w"]) == 0
    out = capsys.readouterr().out
    assert "frames/s" not in out
    assert "sources" not in out
