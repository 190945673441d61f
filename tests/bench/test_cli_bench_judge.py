"""`bench judge` from the command line: a real server on loopback, resumed, compared, refused in one line."""

import json
from pathlib import Path
from typing import Any

import pytest
from bench_fakes import FakeModel
from chat_server import Answer, chat_server, completion

from exo2ego.bench.run import RunSettings, run
from exo2ego.bench.tasks import TASKS
from exo2ego.cli.__main__ import main as exo2ego
from exo2ego.cli.bench import main


@pytest.fixture
def out(bench_root: Path, tmp_path: Path) -> Path:
    """A run of QAEgo4D open (all answers `a cup`) and of EgoMCQ, which has nothing to judge."""
    for name, protocol in (("qaego4d_open", "open"), ("egomcq", "likelihood")):
        task = TASKS[name]
        root = bench_root / task.directory
        settings = RunSettings(task=name, protocol=protocol, model="fake")
        model = FakeModel(lambda video, text: 0.0, text="a cup")
        run(model, task, task.load(root), root, tmp_path / "run" / name, settings)
    return tmp_path / "run"


def verdict(_: int, request: dict[str, Any]) -> Answer:
    right = "Correct answer: a cup" in request["messages"][1]["content"]
    return completion(json.dumps({"pred": "yes" if right else "no", "score": 5 if right else 1}))


def test_a_server_judges_a_run_and_two_judges_are_compared(
    out: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with chat_server(verdict) as server:
        spec = f"openai:{server.url}#tiny-judge"
        assert main(["judge", str(out), "--judge", spec]) == 0
        assert len(server.requests) == 8
        assert main(["judge", str(out), "--judge", f"{spec},concurrency=9"]) == 0
        assert len(server.requests) == 8  # nothing is asked twice, however it is reached
    assert [message["role"] for message in server.requests[0]["messages"]] == ["system", "user"]
    assert server.requests[0]["temperature"] == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "8 of 8 answers judged, 0 replies unreadable, 0 without a reply; 80 + 16 tokens" in shown
    assert "qaego4d_open judge accuracy (open, judge tiny-judge#" in shown
    assert main(["judge", str(out), "--judge", "rule", "--agreement"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "100.0 % equal, kappa 1.000" in shown
    (pair,) = json.loads((out / "qaego4d_open/agreement.json").read_text())
    assert pair["n"] == 8
    assert not (out / "egomcq/judgements.jsonl").exists()


def test_a_judge_that_thinks_has_room(out: Path) -> None:
    with chat_server(verdict) as server:
        spec = f"openai:{server.url}#tiny-judge,least_tokens=4000"
        assert main(["judge", str(out), "--judge", spec]) == 0
    assert {request["max_tokens"] for request in server.requests} == {4000}


def test_a_server_that_talks_nonsense_gives_no_right_answer(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with chat_server(lambda number, request: completion("I would say yes.")) as server:
        assert main(["judge", str(out), "--judge", f"openai:{server.url}#tiny-judge"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "8 replies unreadable" in shown
    assert "unjudged 8" in shown
    assert main(["score", str(out)]) == 0
    assert main(["report", str(out), "--out", str(out / "report")]) == 0
    assert "0 + 8 unjudged" in (out / "report/report.md").read_text()


def test_an_outage_is_one_line_and_exit_2(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with chat_server(lambda number, request: Answer(status=500, body=b"down")) as server:
        spec = f"openai:{server.url}#tiny-judge,attempts=1"
        assert exo2ego(["bench", "judge", str(out), "--judge", spec]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "gives no reply; 0 new ones are kept" in error


def test_other_words_are_a_file(out: Path, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("[system]\nBe brief.\n[user]\n{question}|{answer}|{predicted}\n")
    with chat_server(verdict) as server:
        arguments = ["--judge", f"openai:{server.url}#tiny-judge", "--prompt", str(tmp_path / "words.txt")]
        assert main(["judge", str(out / "qaego4d_open"), *arguments]) == 0
    assert server.requests[0]["messages"][0]["content"] == "Be brief."
    asked = {request["messages"][1]["content"] for request in server.requests}  # in no order: four at once
    assert "What did I lift 0?|a cup|a cup" in asked


def test_mistakes_are_one_line_and_exit_2(out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_folder = str(out)
    for arguments, message in (
        ([run_folder], "say what to do: --judge JUDGE, --similarity DIR or --agreement"),
        ([run_folder, "--agreement", "--prompt", "x"], "--prompt is for a judge; add --judge JUDGE"),
        ([run_folder, "--judge", "gpt"], "unknown kind 'gpt'"),
        ([run_folder, "--judge", "rule", "--prompt", str(tmp_path / "none")], "is not there"),
        ([run_folder, "--agreement"], "0 judge(s) asked; agreement needs two"),
        ([run_folder, "--similarity", str(tmp_path)], "no sentence model there"),
        ([str(out / "egomcq"), "--judge", "rule"], "no run with free text here"),
        ([str(tmp_path / "none"), "--judge", "rule"], "no run.json here"),
    ):
        assert exo2ego(["bench", "judge", *arguments]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert message in error


def test_the_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["judge", "--help"])
    assert left.value.code == 0
    assert "Example: exo2ego bench judge" in " ".join(capsys.readouterr().out.split())


def test_egotaskqa_shows_open_and_binary_and_the_judge(
    bench_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, out = str(bench_root / "egotaskqa"), str(tmp_path / "run")
    assert main(["run", "--model", "random", "--tasks", "egotaskqa_direct", "--root", root, "--out", out]) == 0
    assert main(["judge", out, "--judge", "rule"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for part in ("(exact) [open]", "(exact) [binary]", "egotaskqa_direct judge accuracy (exact, judge rule#"):
        assert part in shown
