"""The command line: run, score, report on all three tasks, with exit codes and one-line errors."""

from pathlib import Path

import pytest

from exo2ego.cli.bench import main


def run_random(root: Path, out: Path, *more: str) -> int:
    return main(["run", "--model", "random", "--task", "all", "--root", str(root), "--out", str(out), *more])


def test_run_score_report_on_all_tasks(bench_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_random(bench_root, tmp_path / "a", "--seed", "1") == 0
    for task in ("egomcq", "egoschema", "epic_mir"):
        assert {path.name for path in (tmp_path / "a" / task).iterdir()} == {
            "run.json",
            "items.jsonl",
            "predictions.jsonl",
            "scores.json",
        }
    before = (tmp_path / "a/epic_mir/scores.json").read_bytes()
    assert main(["score", str(tmp_path / "a")]) == 0
    assert (tmp_path / "a/epic_mir/scores.json").read_bytes() == before
    assert run_random(bench_root, tmp_path / "b", "--seed", "2") == 0
    assert main(["report", str(tmp_path / "a"), str(tmp_path / "b"), "--out", str(tmp_path / "report")]) == 0
    assert {path.name for path in (tmp_path / "report").iterdir()} == {"report.html", "report.csv", "report.md"}
    assert "egomcq/intra" in capsys.readouterr().out
