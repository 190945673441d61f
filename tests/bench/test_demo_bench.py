"""The demo measured: one table from scores.json to the page, asked again only where it was stopped."""

import csv
import html
import io
import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from bench_fakes import FakeModel, sees_the_kind
from rich.console import Console

from exo2ego.bench import models
from exo2ego.bench.baselines import RandomModel
from exo2ego.bench.model import AnswerModel
from exo2ego.bench.report_table import tables
from exo2ego.cli import demo as verb
from exo2ego.cli.demo_bench import CONTENDERS, measure, score_rows
from exo2ego.cli.demo_examples import Answer, Example, examples_file
from exo2ego.cli.demo_steps import ARMS, MEASURED, SHORT, Demo, demo_recipe
from exo2ego.data.atomic import write_text
from exo2ego.errors import OutputError


class Named(RandomModel):
    """A chance model under a contender's name."""

    def __init__(self, name: str, seed: int) -> None:
        super().__init__(seed)
        self._name = name

    @property
    def name(self) -> str:
        return self._name


def contender(spec: str) -> AnswerModel:
    """`ours` is always right about EgoMCQ; the others draw lots, each its own."""
    name = spec.rpartition("/")[2]
    if name == "ours":
        model = FakeModel(sees_the_kind)
        model.name = name
        return model
    return Named(name, seed=len(name))


@pytest.fixture(scope="module")
def patched() -> Iterator[list[str]]:
    """No weights are loaded; the specifications that were asked for."""
    asked: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "model_fingerprint", lambda spec: spec.rpartition("/")[2])
        patch.setattr(models, "load_model", lambda spec, seed: (asked.append(spec), contender(spec))[1])
        yield asked


@pytest.fixture(scope="module")
def demo(shared_bench: Path, tmp_path_factory: pytest.TempPathFactory, patched: list[str]) -> Demo:
    """All contenders measured, with logs and examples as the stations before leave them."""
    demo = Demo(out=tmp_path_factory.mktemp("demo"), size=SHORT, seed=0, workers=1, device="cpu")
    for task in MEASURED:
        shutil.copytree(shared_bench / task, demo.world / "bench" / task)
    shutil.copy(demo.world / "bench/egoschema/videos/q1.mp4", demo.world / "bench/egoschema/videos/q2.mp4")
    for name in CONTENDERS:
        measure(demo, name)
    for arm, stages in ARMS.items():
        for stage in stages:
            write_text(demo.stage(arm, stage) / "log.jsonl", '{"step": 1, "loss": 2.5}\n{"step": 2, "loss": 2.0}\n')
    said = {"ours": "a cup", "no-teacher": "a box", "start": ""}
    answers = (Answer(question="What is it?", said=said), Answer(question="Which hand?", said=said))
    example = Example(
        clip_id="t-1",
        scenario="Music",
        narration="C taps the cup.",
        video="examples/clip-1.mp4",
        ego=("data:,e",) * 3,
        exo=("data:,x",) * 3,
        answers=answers,
    )
    examples = [asdict(replace(example, video=f"examples/clip-{number}.mp4")) for number in (1, 2, 3)]
    write_text(examples_file(demo), json.dumps(examples))
    verb.write_report(demo)
    return demo


def figures(demo: Demo, name: str) -> dict[tuple[str, str], dict[str, Any]]:
    """(figure, subset) -> its score, of all of a contender's scores.json."""
    found = {}
    for task in MEASURED:
        for one in json.loads((demo.scores(name) / task / "scores.json").read_text())["measures"]:
            groups = one["score"]["groups"]
            found[one["score"]["name"], ", ".join(groups.values())] = one["score"] | {"headline": one["headline"]}
    return found


def cells_of(page: str) -> list[list[str]]:
    """The page's table of scores, an interval back on its value's line."""
    table = re.search(r"<h2>Scores</h2>.*?</table>", page, flags=re.DOTALL)
    assert table is not None
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", table.group(0), flags=re.DOTALL)
    cells = [re.findall(r"<t[hd]>(.*?)</t[hd]>", row) for row in rows]
    return [[html.unescape(cell.replace("<small>", " ").replace("</small>", "")) for cell in row] for row in cells]


def test_every_contender_answers_every_task_of_the_demo(demo: Demo, patched: list[str]) -> None:
    assert len(patched) >= len(CONTENDERS)
    for name in CONTENDERS:
        for task in MEASURED:
            record = json.loads((demo.scores(name) / task / "run.json").read_text())
            assert (record["task"], record["seed"], record["limit"]) == (task, 0, None)
            assert record["model_name"] == name
    items = {(demo.scores(name) / "egomcq/items.jsonl").read_bytes() for name in CONTENDERS}
    assert len(items) == 1, "all are asked the same"


def test_the_pages_table_holds_the_figures_of_scores_json(demo: Demo) -> None:
    titles, *rows = cells_of(demo.report.read_text())
    assert titles[:5] == ["figure (percent)", *CONTENDERS]
    scores = {name: figures(demo, name) for name in CONTENDERS}
    shown = [key for key, score in scores["ours"].items() if score["headline"] or "told" in score["groups"]]
    assert len(rows) == len(shown) + 1, "headlines, told and untold, and the average"
    for key, row in zip(shown, rows, strict=False):
        assert row[0] == (f"{key[0]} [{key[1]}]" if key[1] else key[0])
        for column, name in enumerate(CONTENDERS, start=1):
            score = scores[name][key]
            value, low, high = (f"{100 * score[part]:.1f}" for part in ("value", "low", "high"))
            marked = "~" if score["low"] <= score["chance"] else ""
            assert row[column] == f"{value}{marked} [{low}, {high}]"
        difference = 100 * (scores["ours"][key]["value"] - scores["no-teacher"][key]["value"])
        assert row[5].startswith(f"{difference:+.1f} [")
        cells = dict(zip(titles, row, strict=True))
        assert cells["n"] == str(scores["ours"][key]["n"])
        assert cells["chance"] == f"{100 * scores['ours'][key]['chance']:.1f}"


def test_what_is_not_above_chance_is_marked_on_the_page_and_in_the_terminal(demo: Demo) -> None:
    """By its interval, figure by figure and model by model; the guess always, or the mark would mean nothing."""
    report = verb.comparison(demo)
    titles, *rows = cells_of(demo.report.read_text())
    place = titles.index("random")
    assert all("~ [" in row[place] for row in rows)
    assert any("~ [" not in row[1] for row in rows)
    assert "~ not above chance: the interval reaches it." in demo.report.read_text()
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(*(table for table in tables(report) if "random" in [column.header for column in table.columns]))
    assert "~ not above chance: the interval reaches it" in console.export_text()


def test_the_only_gain_shown_is_that_over_the_start_without_a_teacher(demo: Demo) -> None:
    titles, rows = score_rows(verb.comparison(demo))
    assert [title for title in titles if "minus" in title] == ["ours minus no-teacher"]
    assert {len(cells) for _, cells in rows} == {len(titles)}
    assert rows[-1][1][0] == "average of headline figures"
    assert [cells for _, cells in rows] == cells_of(demo.report.read_text())[1:]


def test_the_csv_beside_the_page_holds_the_rest(demo: Demo) -> None:
    rows = list(csv.DictReader((demo.out / "bench/report.csv").read_text().splitlines()))
    for name in CONTENDERS:
        own = {(row["figure"], row["groups"]): row for row in rows if row["run"] == name}
        found = figures(demo, name)
        assert len(own) == len(found) + 1
        for (figure, _), score in found.items():
            groups = ";".join(f"{key}={value}" for key, value in score["groups"].items())
            assert float(own[figure, groups]["value"]) == score["value"]


def test_what_is_answered_is_not_asked_again(demo: Demo, patched: list[str], screen: Callable[[], list[str]]) -> None:
    """After a stop in the middle only what is missing; the scores are the same."""
    predictions = demo.scores("start") / "egomcq/predictions.jsonl"
    whole, before = predictions.read_text(), figures(demo, "start")
    predictions.write_text("".join(whole.splitlines(keepends=True)[:7]))
    (demo.scores("start") / "egoschema/scores.json").unlink()
    measure(demo, "start")
    assert sorted(predictions.read_text().splitlines()) == sorted(whole.splitlines())
    assert figures(demo, "start") == before
    out = "\n".join(screen())
    for task, total in (("egomcq", 20), ("egoschema", 10), ("epic_mir", 21)):
        assert re.search(rf"start: {task} .*{total}/{total} ", out)


def test_answers_of_another_model_are_not_mixed_in(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "model_fingerprint", lambda spec: "another")
    with pytest.raises(OutputError):
        measure(demo, "random")


def test_the_page_says_how_it_was_made_and_what_to_paste(demo: Demo) -> None:
    page = html.unescape(demo.report.read_text())
    steps = demo_recipe(SHORT).stages
    for arm, stages in ARMS.items():
        assert f"{arm}: " + ", ".join(f"{stage} {steps[stage].optim.steps}" for stage in stages) in page
    assert "exo2ego demo --short --seed 0" in page
    assert f"{SHORT.takes} simulated takes, seed 0" in page
    lines = verb.ask_lines(demo)
    assert all(line in page for line in lines)
    assert "clip-1.mp4" in lines[0]
    assert "clip-3.mp4" in lines[1], "the second line is about another clip"
    assert '"Which hand?"' in lines[1]


def test_a_stage_has_one_plot_with_a_curve_for_each_arm_that_went_through_it(demo: Demo) -> None:
    found = {panel.title: set(panel.logs) for panel in verb.panels(demo)}
    stages = {stage for path in ARMS.values() for stage in path}
    assert found == {stage.replace("_", " "): {arm for arm, path in ARMS.items() if stage in path} for stage in stages}
    assert all(log.is_file() for panel in verb.panels(demo) for log in panel.logs.values())
    assert found["practice"] == {"ours", "no-teacher"}


def test_a_command_with_a_blank_in_its_path_can_be_pasted(demo: Demo, tmp_path: Path) -> None:
    other = replace(demo, out=tmp_path / "my runs")
    write_text(examples_file(other), examples_file(demo).read_text())
    for line in verb.ask_lines(other):
        assert f"'{other.out / 'examples'}/" in line
        assert line.endswith(f"--model '{other.model('ours')}'")
    full = replace(demo, size=replace(SHORT, takes=64), seed=7)
    assert dict(verb.how_made(full))["command"] == "exo2ego demo --seed 7"
