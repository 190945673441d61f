"""The exo twin: the folder that the simulation writes, figures that stand apart, a cue that fits the view."""

from pathlib import Path

import pytest
from bench_fakes import FakeModel, sees_the_kind

from exo2ego.bench.prompts import CUE, CUES
from exo2ego.bench.tasks import TASKS, egoschema, forgetting
from exo2ego.bench.tasks.base import ScoreSettings
from exo2ego.cli.bench import main


def test_the_questions_are_those_of_the_ego_set_and_no_figure_counts_in_an_average(bench_root: Path) -> None:
    task = TASKS["forgetting"]
    items = task.load(bench_root / task.directory)
    assert items == egoschema.load(bench_root / "egoschema")
    model = FakeModel(sees_the_kind)
    predictions = {item.item_id: task.protocols["likelihood"].ask(model, item, "base") for item in items}
    measures = task.score(items, predictions, ScoreSettings(protocol="likelihood"))
    assert measures[0].score.name == "forgetting accuracy (likelihood)"
    assert {label for measure in measures for label in measure.score.groups.values()} >= {"told", "untold"}
    assert not any(measure.headline for measure in measures)
    assert not task.published


def test_the_view_is_named_rightly(bench_root: Path) -> None:
    items = forgetting.TASK.load(bench_root / "egoschema_exo")
    model = FakeModel(sees_the_kind)
    forgetting.TASK.protocols["likelihood"].ask(model, items[0], "first_person")
    assert CUES["forgetting"] in model.asked[0][1]
    assert CUE not in model.asked[0][1]


def test_its_figure_is_printed_though_it_is_no_headline(
    bench_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = str(bench_root / "egoschema_exo")
    out = str(tmp_path / "out")
    assert main(["run", "--model", "random", "--tasks", "forgetting", "--root", root, "--out", out]) == 0
    assert "forgetting accuracy (likelihood): " in capsys.readouterr().out
