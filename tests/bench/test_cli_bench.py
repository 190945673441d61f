"""The command line: run, score, report on all three tasks, with exit codes and one-line errors."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from exo2ego.bench.report import build, read_runs
from exo2ego.cli.__main__ import main as exo2ego
from exo2ego.cli.bench import main
from exo2ego.errors import InputError, MissingFileError


def run_random(root: Path, out: Path, *more: str) -> int:
    return main(["run", "--model", "random", "--tasks", "all", "--root", str(root), "--out", str(out), *more])


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


def test_long_work_has_a_bar(bench_root: Path, tmp_path: Path, bars: Callable[[], dict[str, str]]) -> None:
    """On the real benchmarks every one of these takes from seconds to minutes."""
    where = ["--root", str(bench_root), "--out", str(tmp_path / "a")]
    assert main(["run", "--model", "random", "--tasks", "egomcq,egoschema", *where]) == 0
    assert bars() == {"reading questions": "2/2", "EgoMCQ": "20/20", "EgoSchema": "10/10", "scoring": "10/10"}
    assert main(["score", str(tmp_path / "a")]) == 0
    assert bars() == {"scoring": "30/30"}
    assert main(["report", str(tmp_path / "a"), str(tmp_path / "a"), "--out", str(tmp_path / "report")]) == 0
    rows = len(build(read_runs([tmp_path / "a"])).rows)
    assert bars() == {"reading scores": "4/4", "comparing runs": f"{rows}/{rows}"}


def test_check_says_what_is_there_and_what_is_missing(bench_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = bench_root / "egomcq"
    assert main(["check", "egomcq", "--root", str(root)]) == 0
    assert "EgoMCQ: complete, 20 items, 5 videos (" in capsys.readouterr().out
    (root / "videos/vid3.mp4").unlink()
    assert main(["check", "egomcq", "--root", str(root)]) == 2
    assert "missing: videos/vid3.mp4" in capsys.readouterr().out
    assert main(["check", "all", "--root", str(bench_root)]) == 2
    assert "egoschema" in capsys.readouterr().out.lower()


def test_prompts_shows_every_protocol_and_style(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prompts"]) == 0
    shown = capsys.readouterr().out
    for words in ("protocol letter", "protocol matrix_narration, default", "style first_person", "(E) Coffee."):
        assert words in shown


@pytest.mark.parametrize("command", ["run", "score", "report", "judge", "check", "contamination", "prompts"])
def test_every_help_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([command, "--help"])
    assert left.value.code == 0
    assert f"Example: exo2ego bench {command}" in " ".join(capsys.readouterr().out.split())


def test_mistakes_are_one_line_and_exit_2(bench_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "out")
    for arguments in (
        ["run", "--model", "random", "--tasks", "egoplan", "--root", str(bench_root), "--out", out],
        ["run", "--model", "random", "--tasks", "egomcq", "--root", str(tmp_path / "none"), "--out", out],
        ["run", "--model", "exo2ego:none", "--tasks", "all", "--root", str(bench_root), "--out", out],
        ["run", "--model", "random", "--tasks", "all", "--root", str(bench_root), "--out", out, "--limit", "0"],
        ["run", "--model", "random", "--tasks", "all", "--root", str(bench_root), "--out", out, "--workers", "2"],
        ["run", "--model", "random", "--tasks", "all", "--root", str(bench_root), "--out", out, "--seed", "-1"],
        ["score", str(tmp_path / "none")],
        ["score", str(tmp_path / "none"), "--alpha", "nan"],
        ["report", "--out", out],
    ):
        assert exo2ego(["bench", *arguments]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_disk_that_is_full_in_the_middle_is_one_line_and_the_run_goes_on(
    bench_root: Path,
    tmp_path: Path,
    small_disk: Callable[[int], Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = ["bench", "run", "--model", "random", "--tasks", "egoschema", "--root", str(bench_root / "egoschema")]
    assert exo2ego([*asked, "--out", str(tmp_path / "calm")]) == 0
    calm = tmp_path / "calm/egoschema"
    blocks = sum(-(-(calm / name).stat().st_size // 4096) for name in ("items.jsonl", "run.json"))
    out = small_disk(4 * blocks) / "run"  # and not one for the answers
    capsys.readouterr()
    assert exo2ego([*asked, "--out", str(out)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"{out}/egoschema/predictions.jsonl: cannot be written (No space left on device)" in said
    small_disk(4000)
    assert exo2ego([*asked, "--out", str(out)]) == 0
    for name in ("predictions.jsonl", "scores.json"):
        assert (out / "egoschema" / name).read_bytes() == (calm / name).read_bytes()


def test_missing_videos_can_be_allowed_and_are_then_unscored(bench_root: Path, tmp_path: Path) -> None:
    (bench_root / "egoschema/videos/q2.mp4").unlink()
    arguments = ["run", "--model", "random", "--tasks", "egoschema", "--root", str(bench_root / "egoschema")]
    with pytest.raises(MissingFileError, match=r"videos/q2\.mp4"):
        main([*arguments, "--out", str(tmp_path / "a")])
    assert main([*arguments, "--out", str(tmp_path / "a"), "--allow-missing"]) == 0
    scores = json.loads((tmp_path / "a/egoschema/scores.json").read_text())
    assert scores["measures"][0]["score"]["unscored"] == 1


def test_reports_need_no_torch(bench_root: Path, tmp_path: Path) -> None:
    run_random(bench_root, tmp_path / "a")
    script = (
        "import sys; from exo2ego.cli.bench import main; "
        f"run, out = {str(tmp_path / 'a')!r}, {str(tmp_path / 'r')!r}; "
        "main(['score', run]); main(['report', run, '--out', out]); "
        "assert not {'torch', 'transformers', 'av'} & set(sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment, capture_output=True)


def test_all_runs_what_is_there_and_names_what_is_not(
    bench_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (bench_root / "vln_qa").rename(tmp_path / "moved")
    assert run_random(bench_root, tmp_path / "a") == 0
    assert "so not run: vln_qa" in " ".join(capsys.readouterr().out.split())
    assert not (tmp_path / "a/vln_qa").exists()
    with pytest.raises(MissingFileError, match="holds no folder of a task"):
        run_random(tmp_path / "moved", tmp_path / "b")


def test_options_are_shuffled_where_they_are_listed_and_reasons_are_shown(
    bench_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (bench_root / "egoschema/videos/q2.mp4").unlink()
    arguments = ["--protocol", "letter", "--shuffle-options", "3", "--allow-missing"]
    root = str(bench_root / "egoschema")
    out = str(tmp_path / "a")
    assert main(["run", "--model", "random", "--tasks", "egoschema", "--root", root, "--out", out, *arguments]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "egoschema accuracy (letter, vote of 3 orders)" in shown
    assert "position bias over 3 orders: shares in percent A " in shown
    assert "unscored, 1 item(s) (q2): MissingFileError: q2.mp4 is not there" in shown
    assert main(["run", "--model", "random", "--tasks", "egoschema,egomcq", "--root", str(bench_root),
                 "--out", str(tmp_path / "b"), "--shuffle-options", "3", "--allow-missing"]) == 0  # fmt: skip
    assert "egomcq: shows no list of options, so it is asked in one order" in capsys.readouterr().out


def test_tasks_are_named_once_and_known(bench_root: Path, tmp_path: Path) -> None:
    rest = ["--root", str(bench_root), "--out", str(tmp_path / "a")]
    assert main(["run", "--model", "random", "--tasks", "egoschema, egomcq", *rest]) == 0
    assert {path.name for path in (tmp_path / "a").iterdir()} == {"egoschema", "egomcq"}
    with pytest.raises(InputError, match="'egomcq' stands twice"):
        main(["run", "--model", "random", "--tasks", "egomcq,egomcq", *rest])
    with pytest.raises(InputError, match="'' is unknown"):
        main(["run", "--model", "random", "--tasks", "egomcq,", *rest])


def test_bench_run_leaves_a_task_without_questions_out_and_runs_the_others(
    bench_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "small"
    for kind in ("direct", "indirect"):
        (root / "egotaskqa" / kind).mkdir(parents=True)
        (root / "egotaskqa" / kind / "test_qas.json").write_text("[]")
    (root / "egoschema").symlink_to(bench_root / "egoschema")
    rest = ["--model", "random", "--root", str(root), "--out", str(tmp_path / "runs")]
    assert exo2ego(["bench", "run", "--tasks", "all", *rest]) == 0
    assert "without a question, so not run: egotaskqa_indirect" in capsys.readouterr().out.replace("\n", " ")
    assert (tmp_path / "runs/egoschema/scores.json").is_file()
    assert exo2ego(["bench", "run", "--tasks", "egotaskqa_indirect", *rest]) == 2
