"""`bench run`: each flag reaches the engine or run.json; which tasks are meant, where they lie; what is shown."""

import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from exo2ego.bench import run as bench_run
from exo2ego.bench.baselines import RandomModel
from exo2ego.bench.local_engine import LocalEngine
from exo2ego.bench.model import AnswerModel
from exo2ego.bench.run import Progress, RunSettings
from exo2ego.bench.score import Quarantine, TaskScores
from exo2ego.bench.stats import Stratum
from exo2ego.bench.tasks import TASKS
from exo2ego.bench.tasks.base import Measure, measure
from exo2ego.cli.__main__ import main as exo2ego
from exo2ego.cli.bench import main
from exo2ego.cli.bench_common import load_present, print_scores, task_root, tasks_named, tasks_present
from exo2ego.cli.bench_run import Run, answer_bar
from exo2ego.cli.common import console, progress
from exo2ego.errors import InputError, MissingFileError, NoQuestionsError
from exo2ego.records import Prediction, Usage


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What each task's run is told. Nothing is asked; one answer cost something."""
    seen: list[dict[str, Any]] = []
    run_on = bench_run.run_on

    def noted(engine: Any, task: Any, items: Any, root: Path, out: Path, settings: RunSettings, **more: Any) -> Any:
        seen.append({"engine": engine, "task": task.name, "ids": [i.item_id for i in items], "root": root, "out": out})
        seen[-1] |= {"settings": settings, **more}
        kept: Mapping[str, Prediction] = run_on(engine, task, items, root, out, settings, allow_missing=True)
        usage = Usage(requests=1, prompt_tokens=70, completion_tokens=5)
        first = next(iter(kept))
        return {**kept, first: replace(kept[first], usage=usage)}

    monkeypatch.setattr(bench_run, "run_on", noted)
    return seen


def ask(root: Path, out: Path, *more: str, tasks: str = "egoschema") -> None:
    assert main(["run", "--model", "random", "--tasks", tasks, "--root", str(root), "--out", str(out), *more]) == 0


def test_flags_are_settings_of_the_run_and_stand_in_run_json(
    shared_bench: Path, tmp_path: Path, ran: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--protocol", "letter", "--style", "first_person", "--limit", "4", "--seed", "9", "--alpha", "0.5"]
    flags += ["--shuffle-options", "3", "--allow-missing", "--retry-errors"]
    ask(shared_bench / "egoschema", tmp_path / "run", *flags)
    (told,) = ran
    settings = told["settings"]
    assert settings == RunSettings(
        task="egoschema",
        protocol="letter",
        style="first_person",
        model="random",
        fingerprint=settings.fingerprint,
        seed=9,
        limit=4,
        alpha=0.5,
        shuffle_options=3,
    )
    assert (told["root"], told["out"]) == (shared_bench / "egoschema", tmp_path / "run/egoschema")
    assert (told["allow_missing"], told["retry_errors"]) == (True, True)
    assert len(told["ids"]) == 4
    record = json.loads((tmp_path / "run/egoschema/run.json").read_text())
    named = ("task", "protocol", "style", "model", "seed", "limit", "alpha", "shuffle_options")
    assert {name: record[name] for name in named} == {name: getattr(settings, name) for name in named}
    assert "egoschema: asked with 1 requests, 70 + 5 tokens\n" in capsys.readouterr().out


def test_without_flags_a_task_is_asked_whole_in_its_own_protocol(
    shared_bench: Path, tmp_path: Path, ran: list[dict[str, Any]]
) -> None:
    ask(shared_bench, tmp_path / "run", "--allow-missing", tasks="egomcq,epic_mir")
    assert [told["task"] for told in ran] == ["egomcq", "epic_mir"]
    for told in ran:
        task = TASKS[told["task"]]
        bare = RunSettings(
            task=task.name,
            protocol=task.default_protocol,
            model="random",
            fingerprint=told["settings"].fingerprint,
        )
        assert told["settings"] == bare
        assert told["root"] == shared_bench / task.directory
        assert told["ids"] == [item.item_id for item in task.load(told["root"])]
        assert told["retry_errors"] is False


def test_full_asks_what_has_no_public_answer_too(
    shared_bench: Path, tmp_path: Path, ran: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    ask(shared_bench / "egoschema", tmp_path / "run", "--full", "--allow-missing")
    assert (len(ran[0]["ids"]), ran[0]["settings"].full) == (12, True)
    assert (tmp_path / "run/egoschema/submission.json").is_file()


def test_a_limit_draws_from_the_seed(shared_bench: Path, tmp_path: Path, ran: list[dict[str, Any]]) -> None:
    for seed, name in ((1, "a"), (1, "b"), (2, "c")):
        ask(shared_bench / "egomcq", tmp_path / name, "--limit", "5", "--seed", str(seed), tasks="egomcq")
    assert ran[0]["ids"] == ran[1]["ids"] != ran[2]["ids"]


def test_the_seed_is_the_models_too(shared_bench: Path, tmp_path: Path) -> None:
    """`random` under another seed draws other answers to the same questions."""
    answers = []
    for seed in (1, 1, 2):
        out = tmp_path / f"run-{len(answers)}"
        ask(shared_bench / "egomcq", out, "--seed", str(seed), tasks="egomcq")
        answers.append((out / "egomcq/predictions.jsonl").read_text())
    assert answers[0] == answers[1] != answers[2]


def test_workers_of_this_process_and_of_ray(
    shared_bench: Path, tmp_path: Path, ran: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[AnswerModel, int]] = []

    @contextmanager
    def ray(load: Any, workers: int) -> Any:
        made.append((load(), workers))
        yield LocalEngine(load())

    module = ModuleType("exo2ego.bench.ray_engine")  # the real one loads Ray
    module.RayEngine = ray  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for more in ([], ["--workers", "5"]):
        ask(shared_bench / "egomcq", tmp_path / f"run{len(more)}", "--engine", "ray", *more, tasks="egomcq")
    assert [(type(model), workers) for model, workers in made] == [(RandomModel, 2), (RandomModel, 5)]
    assert exo2ego(["bench", "run", "--model", "random", "--tasks", "egomcq", "--root", str(shared_bench / "egomcq"),
                    "--out", str(tmp_path / "x"), "--workers", "7"]) == 2, "random answers one at a time"  # fmt: skip


def test_every_flag_of_run_is_tried_above() -> None:
    tried = {"protocol", "style", "limit", "seed", "alpha", "shuffle_options", "allow_missing", "retry_errors", "full"}
    assert {field.name for field in fields(Run)} == tried | {"model", "tasks", "root", "out", "engine", "workers"}


def test_the_bar_shows_rate_and_failures(screen: Callable[[], list[str]]) -> None:
    with progress() as bars:
        answer_bar(bars, "EgoMCQ", 20)(Progress(done=11, total=20, errors=0, items_per_s=3.21, eta_s=3.0))
    calm = screen()[-1]
    assert re.search(r"EgoMCQ .* 11/20 .* 3\.2 items/s", calm)
    assert "unscored" not in calm
    with progress() as bars:
        answer_bar(bars, "EgoMCQ", 20)(Progress(done=12, total=20, errors=2, items_per_s=3.21, eta_s=3.0))
    assert "3.2 items/s, 2 unscored" in screen()[-1]


def test_tasks_are_those_named_in_that_order_or_all() -> None:
    assert [task.name for task in tasks_named("vln_qa, egomcq")] == ["vln_qa", "egomcq"]
    assert tasks_named("all") == list(TASKS.values())
    with pytest.raises(InputError, match=re.escape(f"choose from {', '.join(TASKS)}, or all")):
        tasks_named("egomqc")


def test_one_task_lies_in_the_root_itself_several_below_it(tmp_path: Path) -> None:
    task = TASKS["egotaskqa_direct"]
    assert task_root(tmp_path, "egotaskqa_direct", task) == tmp_path
    for names in ("all", "egomcq,egotaskqa_direct"):
        assert task_root(tmp_path, names, task) == tmp_path / task.directory


def test_all_means_the_folders_that_are_there(tmp_path: Path) -> None:
    """A task that is named is looked for even where its folder is not: its own message says what is missing."""
    (tmp_path / TASKS["egoplan"].directory).mkdir(parents=True)
    here, absent = tasks_present(tmp_path, "all")
    assert [task.name for task in here] == ["egoplan"]
    assert absent == [name for name in TASKS if name != "egoplan"]
    named, none = tasks_present(tmp_path / "gone", "egoplan,vln_qa")
    assert ([task.name for task in named], none) == (["egoplan", "vln_qa"], [])
    with pytest.raises(MissingFileError, match="holds no folder of a task"):
        tasks_present(tmp_path / "gone", "all")


def test_only_all_forgives_a_task_without_questions(tmp_path: Path) -> None:
    for name in ("egoplan", "vln_qa"):
        (tmp_path / TASKS[name].directory).mkdir(parents=True)
    told: list[str] = []

    def load(task: Any, root: Path) -> list[Any]:
        if task.name == "vln_qa":
            raise NoQuestionsError(f"{root}: holds no question")
        return [root]

    found = load_present(tmp_path, "all", load, told.append, "run")
    assert [(task.name, root, items) for task, root, items in found] == [
        ("egoplan", tmp_path / "egoplan", [tmp_path / "egoplan"])
    ]
    assert told[0].startswith(f"without a folder in {tmp_path}, so not run: egomcq, ")
    assert told[1:] == [f"without a question, so not run: vln_qa ({tmp_path / 'vln_qa'}: holds no question)"]
    with pytest.raises(NoQuestionsError):
        load_present(tmp_path, "egoplan,vln_qa", load, told.append, "run")


def score(name: str, right: Sequence[float], groups: dict[str, str] | None = None, *, headline: bool) -> Measure:
    ids = tuple(f"i{place}" for place in range(len(right)))
    strata = (Stratum(item_ids=ids, clusters=ids, values=tuple(right)),)
    return measure(name, strata, seed=0, chance=0.5, headline=headline, groups=groups or {})


def lines_of(scores: TaskScores, capsys: pytest.CaptureFixture[str]) -> list[str]:
    print_scores(console(), scores, Path("run"))
    return capsys.readouterr().out.splitlines()


def test_what_is_shown_of_a_task(capsys: pytest.CaptureFixture[str]) -> None:
    """Headlines, told and untold, and what a judge adds; finer parts are in the file."""
    half, name = (1.0, 0.0), "egoschema accuracy (letter)"
    measures = (
        score(name, half, headline=True),
        score(name, half, {"told": "untold"}, headline=False),
        score(name, half, {"facet": "colour"}, headline=False),
        score("egoschema something else (letter)", half, headline=False),
        score("egoschema judge accuracy (open, judge rule)", half, headline=False),
        score("egoschema sentence similarity (open)", half, headline=False),
    )
    lines = lines_of(TaskScores(task="egoschema", run={}, measures=measures), capsys)
    assert [line.partition(":")[0] for line in lines] == [
        "egoschema accuracy (letter)",
        "egoschema accuracy (letter) [untold]",
        "egoschema judge accuracy (open, judge rule)",
        "egoschema sentence similarity (open)",
        "written",
    ]
    assert lines[0].startswith("egoschema accuracy (letter): 50.0 [")
    assert lines[0].endswith("(n 2, unparsed 0, unscored 0)")


def test_replies_a_judge_could_not_be_read_in_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    found = score("qaego4d_open judge accuracy (open, judge x)", (1.0, 0.0), headline=True)
    unread = replace(found, score=replace(found.score, unjudged=3))
    first, _ = lines_of(TaskScores(task="qaego4d_open", run={}, measures=(unread,)), capsys)
    assert first.endswith("(n 2, unparsed 0, unscored 0, unjudged 3)")


def test_a_task_that_stands_apart_is_shown_though_it_is_no_headline(capsys: pytest.CaptureFixture[str]) -> None:
    found = (score("forgetting accuracy (letter)", (1.0,), headline=False),)
    assert lines_of(TaskScores(task="forgetting", run={}, measures=found), capsys)[0].startswith("forgetting accuracy")


def test_the_first_reasons_are_told_with_three_items_each(capsys: pytest.CaptureFixture[str]) -> None:
    lost = tuple(
        Quarantine(reason=f"VideoError: [{place}].mp4", item_ids=tuple(f"q{n}" for n in range(place + 1)))
        for place in range(7)
    )
    measures = (score("egoschema accuracy (letter)", (1.0,), headline=True),)
    lines = lines_of(TaskScores(task="egoschema", run={}, measures=measures, quarantined=lost), capsys)[1:-1]
    assert lines[0] == "unscored, 1 item(s) (q0): VideoError: [0].mp4"
    assert lines[2] == "unscored, 3 item(s) (q0, q1, q2): VideoError: [2].mp4"
    assert lines[3] == "unscored, 4 item(s) (q0, q1, q2, ...): VideoError: [3].mp4"
    assert lines[5:] == ["2 more reasons are in predictions.jsonl"]


def test_a_task_without_public_answers_says_where_the_submission_is(capsys: pytest.CaptureFixture[str]) -> None:
    lines = lines_of(TaskScores(task="egoschema", run={}, measures=()), capsys)
    assert lines == ["egoschema: no item has a public answer; submission files are in run", "written: run/scores.json"]
