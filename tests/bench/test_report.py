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
from exo2ego.bench.report import AVERAGE, RunScores, build, read_runs
from exo2ego.bench.report_files import as_markdown, write_report
from exo2ego.bench.report_table import tables
from exo2ego.bench.report_text import cells, header
from exo2ego.bench.run import RunSettings, run
from exo2ego.bench.score import Quarantine, TaskScores, score_folder
from exo2ego.bench.shuffle import PositionBias
from exo2ego.bench.stats import Interval, Stratum, sign_flip_p_value
from exo2ego.bench.tasks import TASKS
from exo2ego.bench.tasks.base import measure
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


def made_up(task: str, luck: float, **run: object) -> TaskScores:
    """Scores of one task without a run: 12 items of 6 recordings, right up to `luck`."""
    values = tuple(float((7 * number) % 12 < 12 * luck) for number in range(12))
    stratum = Stratum(
        item_ids=tuple(map(str, range(12))), clusters=tuple(f"v{number // 2}" for number in range(12)), values=values
    )
    title = f"{task} accuracy (letter)"
    record = {"task": task, "protocol": TASKS[task].default_protocol, "style": "base", "item_hash": "h", **run}
    return TaskScores(
        task=task,
        run={"model_name": "m", "items": TASKS[task].official_sizes[0], "simulated": False, **record},
        measures=(measure(title, (stratum,), seed=0, chance=0.2, headline=True),),
    )


CHOICES = ("egoschema", "qaego4d_closed", "egoplan", "vln_qa")


def many(count: int, **run: object) -> list[RunScores]:
    return [
        RunScores(name=f"model-{place}", tasks={task: made_up(task, place / count, **run) for task in CHOICES})
        for place in range(count)
    ]


def test_differences_come_with_the_p_value_of_the_permutation_test(tmp_path: Path) -> None:
    runs = many(3)
    report = build(runs)
    row = report.rows[0]
    strata = [run.tasks["egoschema"].measures[0].strata for run in runs]
    assert row.gains[2] is not None
    assert row.gains[2].p_value == sign_flip_p_value(strata[0], strata[2])
    assert f"p {row.gains[2].p_value:.3f}" in as_markdown(report)
    table = list(csv.DictReader(write_report(report, tmp_path)[1].read_text().splitlines()))
    last = next(line for line in table if line["run"] == "model-2")
    assert float(last["gain_p"]) == row.gains[2].p_value
    assert float(last["gain"]) == row.gains[2].value < 0
    assert table[0]["gain_p"] == ""


@pytest.mark.parametrize("count", [1, 2, 6])
def test_any_number_of_runs_fits_the_page_and_80_columns(count: int, tmp_path: Path) -> None:
    report = build(many(count))
    console = Console(width=80, record=True, file=io.StringIO())
    for table in tables(report):
        console.print(table)
    text = console.export_text()
    assert all(len(line) <= 80 for line in text.splitlines())
    assert all(name in text for name in (*report.runs, *(f"{task} accuracy" for task in CHOICES)))
    assert "…" not in text
    html = write_report(report, tmp_path)[0].read_text()
    assert html.count("<svg") == 2  # radar and bars
    assert html.count("<tr") >= len(report.rows)


def test_others_are_drawn_and_listed_as_others_and_only_beside_real_runs(tmp_path: Path) -> None:
    real = write_report(build(many(2)), tmp_path / "real")[0].read_text()
    for words in ("Published by others (not measured here)", "OpenMMEgo", TASKS["egoplan"].published[-1].caution):
        assert words in real
    rows = build(many(2)).rows
    assert {number.who for row in rows if row.name.startswith("vln_qa") for number in row.published} >= {"EgoThinker"}
    simulated = write_report(build(many(2, simulated=True)), tmp_path / "sim")[0].read_text()
    for words in ("Published by others", "OpenMMEgo", "Exo2Ego (paper)"):
        assert words not in simulated


def test_position_bias_and_lost_items_are_in_the_page_and_the_card(tmp_path: Path) -> None:
    share = Interval(value=0.5, low=0.4, high=0.6)
    bias = PositionBias(
        orders=4, items=12, asks=48, shares=(share, share), expected=(0.5, 0.5), chi_square=6.5, degrees=1,
        p_value=0.0108, consistency=share,
    )  # fmt: skip
    scores = made_up("egoschema", 0.5)
    lost = tuple(Quarantine(reason=f"VideoError: {n}.mp4 is cut short", item_ids=("q1", "q2")) for n in range(12))
    report = build([RunScores(name="m", tasks={"egoschema": dataclasses.replace(scores, bias=bias, quarantined=lost)})])
    html, _, card = (path.read_text() for path in write_report(report, tmp_path))
    for text in (html, card):
        assert "chi-square 6.5, 1 degrees of freedom, p 0.011" in text
        assert "m: egoschema, 2 unscored (q1, q2): VideoError: 0.mp4 is cut short" in text
        assert "2 more reasons are in scores.json" in text
