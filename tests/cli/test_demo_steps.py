"""The demo's stations: each is told to read what the one before wrote, with the demo's sizes, seed and device."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import pytest

from exo2ego.cli import data_clips, data_instruct, demo_steps
from exo2ego.cli import demo as verb
from exo2ego.cli.__main__ import main
from exo2ego.cli.data_common import clip_format_of
from exo2ego.cli.demo_bench import CONTENDERS, model_spec
from exo2ego.cli.demo_steps import ARMS, CHANCE_NAME, FULL, MEASURED, SHORT, START_NAME, Demo, demo_recipe
from exo2ego.data.atomic import held, write_text
from exo2ego.errors import OutputError
from exo2ego.models.weights import START
from exo2ego.sim import export as sim_export
from exo2ego.sim.spec import SimSpec
from exo2ego.training import run as training_run
from exo2ego.training.recipes import RECIPES
from exo2ego.training.run import StageRun
from exo2ego.training.stages import STAGES


def test_the_world_is_as_large_as_the_demo_and_asks_what_is_measured(
    demo: Demo, monkeypatch: pytest.MonkeyPatch, screen: Callable[[], list[str]]
) -> None:
    specs: list[SimSpec] = []

    def simulate(spec: SimSpec, progress: Callable[[str, int, int], None]) -> None:
        specs.append(spec)
        progress("rendering takes", 5, 12)

    monkeypatch.setattr(
        sim_export, "simulate", lambda spec, progress: (specs.append(spec), progress("rendering takes", 5, 12))
    )
    demo_steps.simulate_takes(replace(demo, seed=4, workers=3))
    (spec,) = specs
    shared = {field.name for field in fields(SimSpec)} & {field.name for field in fields(SHORT)} - {"steps"}
    assert shared >= {"takes", "bench_questions", "egomcq_questions", "mir_clips", "split_fractions", "exo_cameras"}
    assert {name: getattr(spec, name) for name in shared} == {name: getattr(SHORT, name) for name in shared}
    assert (spec.out, spec.seed, spec.workers) == (demo.world, 4, 3)
    assert set(spec.benches) >= set(MEASURED)
    assert " 5/12 " in screen()[-1]


def test_shards_are_built_from_that_world(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the verbs' own command lines, which must understand every word."""
    calls: list[list[str]] = []
    monkeypatch.setattr("exo2ego.cli.data.main", calls.append)
    demo_steps.build_data(replace(demo, workers=3))
    (first, *clips), (second, *instruct) = calls
    assert (first, second) == ("clips", "instruct")
    of_clips = data_clips._parser().parse_args(clips)
    assert (of_clips.source, of_clips.out, of_clips.workers) == (demo.source, demo.pairs, 3)
    assert (of_clips.alpha, of_clips.rewrite_subject) == (demo_steps.CLIP_ALPHA, True)
    of_talk = data_instruct._parser().parse_args(instruct)
    assert (of_talk.source, of_talk.videos) == ([str(demo.world / "instruct/ego.json")], demo.source)
    assert (of_talk.out, of_talk.workers) == (demo.instructions, 3)
    recipe = demo_recipe(SHORT)
    for options in (of_clips, of_talk):
        stored = clip_format_of(options)
        assert stored.size_px == recipe.size_px, "frames are stored as large as they are read"
        assert stored.num_frames >= recipe.num_frames


@pytest.fixture
def trained(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], dict[str, Any]]:
    """(arm, stage) -> what `train_stage` was told, for every stage of every arm."""
    seen: dict[str, Any] = {}

    def train_stage(recipe: Any, stage: str, **more: Any) -> None:
        seen["last"] = {"recipe": recipe, "stage": stage, **more}

    monkeypatch.setattr(training_run, "train_stage", train_stage)
    told = {}
    for arm, stages in ARMS.items():
        for stage in stages:
            demo_steps.train(replace(demo, seed=4, device="cpu"), arm, stage)
            told[arm, stage] = seen.pop("last")
    return told


def test_every_stage_starts_where_the_one_before_ended(
    demo: Demo, trained: dict[tuple[str, str], dict[str, Any]]
) -> None:
    for arm, stages in ARMS.items():
        start = START
        for stage in stages:
            told = trained[arm, stage]
            assert (told["stage"], told["start"], told["out"]) == (stage, start, demo.stage(arm, stage))
            start = StageRun(out=demo.stage(arm, stage)).final
    outs = [told["out"] for told in trained.values()]
    assert len(set(outs)) == len(outs), "no run writes into another's folder"


def test_every_stage_reads_its_kind_of_data_with_one_recipe_and_seed(
    demo: Demo, trained: dict[tuple[str, str], dict[str, Any]]
) -> None:
    for (_, stage), told in trained.items():
        assert told["data"] == [demo.pairs if STAGES[stage].data == "pairs" else demo.instructions]
        assert told["recipe"] == demo_recipe(SHORT)
        assert (told["seed"], told["device"]) == (4, "cpu")


@pytest.mark.parametrize("size", [FULL, SHORT], ids=["full", "short"])
def test_the_demo_changes_nothing_of_the_recipe_but_how_long_it_trains(size: Any) -> None:
    ours, tiny = demo_recipe(size).as_json(), RECIPES["tiny"]().as_json()
    for stage in tiny["stages"]:
        steps = ours["stages"][stage]["optim"].pop("steps")
        usual = tiny["stages"][stage]["optim"].pop("steps")
        assert steps == size.steps.get(stage, usual)
    assert ours == tiny
    assert set(size.steps) == {stage for stages in ARMS.values() for stage in stages}


def test_an_arms_model_is_that_of_its_last_stage(demo: Demo) -> None:
    for arm, stages in ARMS.items():
        for stage in stages:
            write_text(StageRun(out=demo.stage(arm, stage)).model / "config.json", f"{arm} {stage}")
    demo_steps.export_models(demo)
    for arm, stages in ARMS.items():
        assert (demo.model(arm) / "config.json").read_text() == f"{arm} {stages[-1]}"
    demo_steps.export_models(demo)
    assert [path.name for path in sorted(demo.model("ours").parent.iterdir())] == sorted(ARMS)


def test_who_is_measured(demo: Demo) -> None:
    """Both arms, what they started from, and chance; the first is the one whose gains are shown."""
    specs = {name: model_spec(demo, name) for name in CONTENDERS}
    assert next(iter(specs)) == "ours"
    assert {name: specs.pop(name) for name in ARMS} == {arm: f"exo2ego:{demo.model(arm)}" for arm in ARMS}
    assert specs == {START_NAME: f"exo2ego:{START}", CHANCE_NAME: "random"}


def test_stations_make_what_later_ones_read(demo: Demo) -> None:
    """So that a lost folder is made again, and not only what was lost with its marker."""
    makes = {station.name: set(station.makes) for station in verb.stations(demo)}
    assert makes["data"] == {demo.pairs, demo.instructions}
    for arm, stages in ARMS.items():
        for stage in stages:
            assert makes[f"train-{arm}-{stage}"] == {StageRun(out=demo.stage(arm, stage)).model}
    assert makes["export"] == {demo.model(arm) for arm in ARMS}
    assert [makes[f"bench-{name}"] for name in CONTENDERS] == [{demo.scores(name)} for name in CONTENDERS]
    assert makes["report"] == {demo.report}


def test_a_station_says_its_number_and_leaves_its_time(
    demo: Demo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = [verb.Station(name=name, title=f"Do [{name}]", run=lambda _: None, makes=()) for name in ("one", "two")]
    verb.walk(demo, path)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "[1/2] Do [one]"
    assert lines[2:] == ["[2/2] Do [two]", "[2/2] Do [two]: 0 s"]
    marker = json.loads((demo.out / "done/two.json").read_text())
    assert (marker["station"], marker["seconds_s"] >= 0) == ("two", True)


def test_a_damaged_note_of_the_demo_is_named(demo: Demo) -> None:
    demo_steps.claim(demo, "{}")
    (demo.out / "demo.json").write_text('{"version": ')
    with pytest.raises(OutputError, match=r"demo\.json is damaged .*; delete .*demo and run again"):
        demo_steps.claim(demo, "{}")


def test_the_note_holds_what_decides_the_results(demo: Demo) -> None:
    demo_steps.claim(demo, "{}")
    note = json.loads((demo.out / "demo.json").read_text())
    assert set(note) == {"version", "size", "seed", "start"}
    assert note["size"] == json.loads(json.dumps(asdict(SHORT)))


@pytest.fixture
def walked(monkeypatch: pytest.MonkeyPatch) -> list[Demo]:
    """The demos that would be walked; the table and the lines to paste are made up."""
    out: list[Demo] = []

    def walk(demo: Demo, path: Sequence[verb.Station]) -> None:
        out.append(demo)

    monkeypatch.setattr(verb, "walk", walk)
    monkeypatch.setattr(verb, "comparison", lambda demo: None)
    monkeypatch.setattr("exo2ego.bench.report_table.tables", lambda report: ["(table)"])
    monkeypatch.setattr(verb, "ask_lines", lambda demo: ["exo2ego ask [1]", "exo2ego ask [2]"])
    return out


def test_it_ends_with_the_table_the_page_and_two_lines_to_paste(
    walked: list[Demo], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "runs"
    words = ["demo", "--out", str(out), "--short", "--seed", "3", "--workers", "1", "--device", "cpu"]
    assert main(words) == 0
    page = f"(table)\n\nreport: {out / 'report.html'}\n\nask it yourself:\n  exo2ego ask [1]\n  exo2ego ask [2]\n"
    assert capsys.readouterr().out == page
    assert walked == [Demo(out=out, size=SHORT, seed=3, workers=1, device="cpu")]
    assert main([*words[:3], "--seed", "3", "--device", "cpu"]) == 2
    assert "holds a demo of other settings; choose another --out or delete it" in capsys.readouterr().err
    assert len(walked) == 1


def test_two_demos_in_one_folder_are_refused(
    walked: list[Demo], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tmp_path.joinpath("runs").mkdir()
    words = ["demo", "--out", str(tmp_path / "runs"), "--short", "--device", "cpu"]
    assert main(words) == 0
    capsys.readouterr()
    with held(tmp_path / "runs", "demo.lock"):
        assert main(words) == 2
    assert "another run is writing here" in capsys.readouterr().err
    assert len(walked) == 1
