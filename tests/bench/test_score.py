"""Scoring a folder needs its files only, and refuses files that do not belong together."""

import json
from pathlib import Path

import pytest
from bench_fakes import FakeModel, sees_the_kind

from exo2ego.bench.run import RunSettings, run
from exo2ego.bench.score import read_scores, run_folders, score_folder
from exo2ego.bench.tasks import TASKS
from exo2ego.errors import FormatError, MissingFileError


@pytest.fixture
def scored(bench_root: Path, tmp_path: Path) -> Path:
    task, root, out = TASKS["egoschema"], bench_root / "egoschema", tmp_path / "run/egoschema"
    settings = RunSettings(task="egoschema", protocol="likelihood", model="fake", full=True)
    run(FakeModel(sees_the_kind), task, task.load(root, full=True), root, out, settings)
    score_folder(out)
    return out


def test_scores_are_read_back_as_they_were_written(scored: Path) -> None:
    assert read_scores(scored).measures == score_folder(scored).measures


def test_withheld_answers_give_submission_files(scored: Path) -> None:
    assert len(json.loads((scored / "submission.json").read_text())) == 12
    assert (scored / "submission.csv").read_text().count("\n") == 13
    assert read_scores(scored).measures[0].score.n == 10


def test_missing_predictions_are_unscored(scored: Path) -> None:
    path = scored / "predictions.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:4]))
    score = score_folder(scored).measures[0].score
    assert (score.n, score.unscored) == (4, 6)


def test_items_or_predictions_of_another_run_are_refused(scored: Path) -> None:
    items = (scored / "items.jsonl").read_text()
    (scored / "items.jsonl").write_text(items.replace('"answer": 1', '"answer": 2', 1))
    with pytest.raises(FormatError, match="is not what was run"):
        score_folder(scored)
    (scored / "items.jsonl").write_text(items)
    with (scored / "predictions.jsonl").open("a") as file:
        file.write('{"item_id": "stranger", "scores": [1.0]}\n')
    with pytest.raises(FormatError, match="'stranger' is no item"):
        score_folder(scored)


def test_damaged_files_are_named(scored: Path) -> None:
    (scored / "scores.json").write_text('{"measures": [{}]}')
    with pytest.raises(FormatError, match=r"scores\.json: damaged"):
        read_scores(scored)
    (scored / "items.jsonl").write_text('{"item_id": "x"}\n')
    with pytest.raises(FormatError, match=r"items\.jsonl: row 1"):
        score_folder(scored)
    (scored / "run.json").write_text("{}")
    with pytest.raises(FormatError, match=r"run\.json"):
        score_folder(scored)


@pytest.mark.parametrize("damage", ["value", "low", "n", "values", "length", "entry"])
def test_scores_that_another_hand_changed_are_one_line(scored: Path, damage: str) -> None:
    """Before, a word among the figures was a traceback in `bench report`, or a figure that was not there."""
    path = scored / "scores.json"
    content = json.loads(path.read_text())
    first = content["measures"][0]
    if damage == "values":
        first["strata"][0]["values"][0] = "right"
    elif damage == "length":
        first["strata"][0]["values"].pop()
    elif damage == "entry":
        first["strata"] = ["none"]
    else:
        first["score"][damage] = "high"
    path.write_text(json.dumps(content))
    with pytest.raises(FormatError, match=r"scores\.json: damaged \(.*run `exo2ego bench score .*` again"):
        read_scores(scored)


def test_a_run_is_found_from_its_folder_or_from_a_task_folder(scored: Path, tmp_path: Path) -> None:
    assert run_folders(scored) == run_folders(scored.parent) == [scored]
    with pytest.raises(MissingFileError, match="give the --out"):
        run_folders(tmp_path / "nowhere")
    (scored / "scores.json").unlink()
    with pytest.raises(MissingFileError, match="bench score"):
        read_scores(scored)
