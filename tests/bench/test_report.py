"""Reports: equal items only, gains with their interval, others' numbers on real data only, nothing unescaped."""

import csv
import dataclasses
import io
import json
import re
from pathlib import Path

import pytest
from bench_fakes import FakeModel, sees_the_kind
from rich.console import Console

from exo2ego.bench.baselines import RandomModel
from exo2ego.bench.model import AnswerModel
from exo2ego.bench.report import AVERAGE, RunScores, as_markdown, build, cells, header, read_runs, write_report
from exo2ego.bench.report_table import tables
from exo2ego.bench.run import RunSettings, run
from exo2ego.bench.score import score_folder
from exo2ego.bench.tasks import TASKS
from exo2ego.errors import InputError

SHOWN = ("egomcq", "egoschema", "epic_mir", "forgetting")


def make_run(
    root: Path, out: Path, model: AnswerModel, names: tuple[str, ...] = SHOWN, limit: int | None = None
) -> Path:
    for name in names:
        task = TASKS[name]
        settings = RunSettings(task=name, protocol=task.default_protocol, model=model.name)
        run(model, task, task.load(root / task.directory, limit), root / task.directory, out / name, settings)
        score_folder(out / name)
    return out


@pytest.fixture
def two(bench_root: Path, tmp_path: Path) -> list[RunScores]:
    ours = make_run(bench_root, tmp_path / "ours", FakeModel(sees_the_kind))
    lot = make_run(bench_root, tmp_path / "lot", RandomModel(3))
    return read_runs([ours, lot])


def test_runs_stand_side_by_side_with_the_gain(two: list[RunScores]) -> None:
    report = build(two)
    assert report.runs == ("fake", "random")
    inter = next(row for row in report.rows if row.name.startswith("egomcq/inter"))
    assert inter.scores[0] is not None
    assert inter.scores[0].value == 1.0
    assert inter.gains[0] is None
    assert inter.gains[1] is not None
    assert inter.gains[1].low > 0
    assert len(header(report)) == len(cells(inter))


def test_what_stands_apart_is_shown_after_the_average_and_is_not_in_it(two: list[RunScores]) -> None:
    report = build(two)
    apart = [row for row in report.rows if row.apart]
    assert {row.name for row in apart} == {"forgetting accuracy (likelihood)"}
    assert not any(row.headline for row in apart)
    shown = [str(cell) for cell in tables(report)[0].columns[0].cells]
    assert shown.index("forgetting accuracy") > shown.index(AVERAGE)
    assert "forgetting accuracy" in as_markdown(report)


def test_the_average_weighs_each_headline_figure_once(two: list[RunScores]) -> None:
    report = build(two)
    rows = [row for row in report.rows if row.headline and row.name != AVERAGE]
    assert [row.name.split(" (")[0] for row in rows] == [
        "egomcq/inter accuracy", "egomcq/intra accuracy", "egoschema accuracy", "epic_mir mAP", "epic_mir nDCG",
    ]  # fmt: skip
    average = report.rows[-1]
    for position in (0, 1):
        values = [row.scores[position].value for row in rows]  # type: ignore[union-attr]
        assert average.scores[position].value == pytest.approx(sum(values) / len(values))  # type: ignore[union-attr]


def test_different_items_are_never_compared(bench_root: Path, tmp_path: Path) -> None:
    whole = make_run(bench_root, tmp_path / "whole", FakeModel(sees_the_kind), ("egomcq",))
    part = make_run(bench_root, tmp_path / "part", FakeModel(sees_the_kind), ("egomcq",), limit=5)
    with pytest.raises(InputError, match="answered different egomcq items"):
        read_runs([whole, part])
    with pytest.raises(InputError, match="no run folder"):
        read_runs([])


def test_runs_of_one_model_are_told_apart_by_their_folder(bench_root: Path, tmp_path: Path) -> None:
    folders = [make_run(bench_root, tmp_path / name, FakeModel(sees_the_kind), ("egomcq",)) for name in ("s1", "s2")]
    assert [scores.name for scores in read_runs(folders)] == ["fake (s1)", "fake (s2)"]


def test_all_files_are_written_and_agree(two: list[RunScores], tmp_path: Path) -> None:
    report = build(two)
    html, table, card = (path.read_text() for path in write_report(report, tmp_path / "report"))
    assert "<svg" in html
    assert not re.search(r"""(?:src|href)=["'](?!#)|url\((?!#)|@import""", html)  # nothing is fetched from anywhere
    assert "<script" not in html
    rows = list(csv.DictReader(table.splitlines()))
    inter = next(row for row in rows if row["run"] == "fake" and row["figure"].startswith("egomcq/inter"))
    assert float(inter["value"]) == 1.0
    assert "| egomcq/inter accuracy (likelihood) | 100.0 [" in card


def test_the_terminal_shows_headlines_and_their_parts_in_80_columns(two: list[RunScores]) -> None:
    console = Console(width=80, record=True, file=io.StringIO())
    for table in tables(build(two)):
        console.print(table)
    text = console.export_text()
    for words in (
        "│ egomcq/inter accuracy ",
        "│   untold ",
        "fake minus the others",
        "100.0 │",
        "[72.2, 100.0]",
        "likelihood",
    ):
        assert words in text, text
    assert "facet" not in text
    assert "alpha=0" not in text


def test_names_are_escaped(two: list[RunScores], tmp_path: Path) -> None:
    runs = [dataclasses.replace(two[0], name="<b>|x"), two[1]]
    html, _, card = (path.read_text() for path in write_report(build(runs), tmp_path / "report"))
    assert "<b>" not in html
    assert "<b>\\|x" in card


def official(runs: list[RunScores], task: str, **changes: object) -> list[RunScores]:
    """The runs of one task, as if they were of another size or origin."""
    return [
        RunScores(name=r.name, tasks={task: dataclasses.replace(r.tasks[task], run={**r.tasks[task].run, **changes})})
        for r in runs
    ]


def test_published_numbers_stand_beside_complete_real_runs_only(two: list[RunScores]) -> None:
    real = build(official(two, "egoschema", simulated=False, items=500))
    assert any("Exo2Ego (paper)" in line for line in as_markdown(real).splitlines())
    assert "not measured here" in as_markdown(real)
    for changes in ({"simulated": True, "items": 500}, {"simulated": False, "items": 100}):
        report = build(official(two, "egoschema", **changes))
        assert report.published == ()
        assert "Exo2Ego" not in as_markdown(report)
    assert "Simulated data" in as_markdown(build(two))


def test_scores_hold_no_path_of_this_machine(bench_root: Path, tmp_path: Path) -> None:
    out = make_run(bench_root, tmp_path / "run", FakeModel(sees_the_kind), ("egomcq",))
    for path in (out / "egomcq").iterdir():
        assert str(tmp_path) not in path.read_text(), path.name
    assert json.loads((out / "egomcq/run.json").read_text())["items"] == 20
