"""`exo2ego bench run | score | report | check | prompts`: EgoBench from the command line."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from exo2ego.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from exo2ego.bench.run import Progress
    from exo2ego.bench.score import TaskScores
    from exo2ego.bench.tasks.base import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Ask a model the items of a task; run again to continue after an interruption. Scores when complete.

    Example: exo2ego bench run --model exo2ego:out/student --task all --root sim/bench --out runs/student
    """

    model: str
    """exo2ego:DIR, blind:DIR (the same model without video) or random."""
    task: str
    """egomcq, egoschema, epic_mir, or all."""
    root: Path
    """Folder of the task's files; for `all`, the folder that holds egomcq/, egoschema/ and epic_mir/."""
    out: Path
    """Run folder; each task gets a folder of its own below."""
    protocol: str | None = None
    """How items are put to the model; `exo2ego bench prompts` lists them. Default: the task's own."""
    style: str = "base"
    """Prompt style: base, details or first_person."""
    limit: int | None = None
    """Ask only this many items, drawn by lot from the seed."""
    seed: int = 0
    """For --limit, the random model and the bootstrap."""
    alpha: float = 1.0
    """EPIC MIR, video to text: share of log P(sentence) that is taken off."""
    full: bool = False
    """EgoSchema: ask all 5,031 questions and write a submission, not only the 500 with public answers."""
    allow_missing: bool = False
    """Go on without videos that are not there; their items count as unscored."""
    retry_errors: bool = False
    """Ask again the items that failed before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Score a run folder again; needs no model.

    Example: exo2ego bench score runs/student
    """

    run: Annotated[Path, tyro.conf.Positional]
    """Folder that `bench run` wrote."""
    alpha: float | None = None
    """EPIC MIR, video to text: another alpha than the run's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Compare runs: a table here; HTML, CSV and a Markdown card in a folder. Gains are those of the first run.

    Example: exo2ego bench report runs/student runs/ego_only runs/random --out report
    """

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders that `bench run` wrote."""
    out: Path
    """Folder for report.html, report.csv and report.md."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Read a task's files and look for its videos, without a model.

    Example: exo2ego bench check egomcq --root data/egomcq
    """

    task: Annotated[str, tyro.conf.Positional]
    """egomcq, egoschema or epic_mir."""
    root: Path
    """Folder of the task's files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompts:
    """Print what is asked, word for word, in every protocol and style.

    Example: exo2ego bench prompts --task egoschema
    """

    task: str = "all"
    """egomcq, egoschema, epic_mir, or all."""


Command = (
    Annotated[Run, tyro.conf.subcommand("run")]
    | Annotated[Score, tyro.conf.subcommand("score")]
    | Annotated[Report, tyro.conf.subcommand("report")]
    | Annotated[Check, tyro.conf.subcommand("check")]
    | Annotated[Prompts, tyro.conf.subcommand("prompts")]
)


def main(argv: list[str]) -> int:
    """Run one command; errors for the user pass through to `cli/__main__.py`. `check`: 2 when videos are missing."""
    command: Run | Score | Report | Check | Prompts = tyro.cli(Command, prog="exo2ego bench", args=argv)
    if isinstance(command, Run):
        return _run(command)
    if isinstance(command, Score):
        return _score(command)
    if isinstance(command, Report):
        return _report(command)
    return _check(command) if isinstance(command, Check) else _prompts(command)


def _tasks(name: str) -> "list[Task]":
    from exo2ego.bench.tasks import TASKS

    if name == "all":
        return list(TASKS.values())
    if name not in TASKS:
        raise InputError(f"task {name!r} is unknown; choose from {', '.join(TASKS)} or all")
    return [TASKS[name]]


def _run(command: Run) -> int:
    from exo2ego.bench.items import Item, require_videos
    from exo2ego.bench.model import load_model, model_fingerprint
    from exo2ego.bench.run import RunSettings, run
    from exo2ego.bench.score import score_folder
    from exo2ego.bench.tasks.base import require_protocol
    from exo2ego.cli.common import console

    terminal = console()
    # All files are checked before the model is loaded, so that a mistake shows in a second and not after an hour.
    loaded: list[tuple[Task, Path, list[Item]]] = []
    for task in _tasks(command.task):
        root = command.root / task.name if command.task == "all" else command.root
        items = task.load(root, command.limit, command.seed, full=command.full)
        if not command.allow_missing:
            require_videos(items, root)
        loaded.append((task, root, items))
    fingerprint = model_fingerprint(command.model)
    model = load_model(command.model, command.seed)
    for task, _, _ in loaded:
        require_protocol(model, task, command.protocol or task.default_protocol)
    for task, root, items in loaded:
        settings = RunSettings(
            task=task.name,
            protocol=command.protocol or task.default_protocol,
            style=command.style,
            model=command.model,
            fingerprint=fingerprint,
            seed=command.seed,
            limit=command.limit,
            full=command.full,
            alpha=command.alpha,
        )
        out = command.out / task.name
        with _ProgressBar(terminal, task.title, len(items)) as bar:
            run(model, task, items, root, out, settings, allow_missing=command.allow_missing,
                retry_errors=command.retry_errors, on_progress=bar)  # fmt: skip
        _print_scores(terminal, score_folder(out), out)
    return 0


class _ProgressBar:
    """A bar with rate, time left and failures; the callback of `run`."""

    def __init__(self, terminal: "Console", title: str, total: int) -> None:
        from exo2ego.cli.common import progress

        self._bar = progress(terminal)
        self._task = self._bar.add_task(title, total=total, note="")

    def __enter__(self) -> "Callable[[Progress], None]":
        self._bar.start()
        return self._update

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def _update(self, progress: "Progress") -> None:
        failed = f", {progress.errors} unscored" if progress.errors else ""
        self._bar.update(self._task, completed=progress.done, note=f"{progress.items_per_s:.1f} items/s{failed}")


def _print_scores(terminal: "Console", scores: "TaskScores", out: Path) -> None:
    from exo2ego.bench.report import shown

    for measure in scores.measures:
        if measure.headline or "told" in measure.score.groups:
            score = measure.score
            counts = f"n {score.n}, unparsed {score.unparsed}, unscored {score.unscored}"
            part = ", ".join(score.groups.values())
            name = f"{score.name} [{part}]" if part else score.name
            terminal.print(f"{name}: {shown(score)} ({counts})", markup=False)
    if not scores.measures:
        terminal.print(f"{scores.task}: no item has a public answer; submission files are in {out}", markup=False)
    terminal.print(f"written: {out / 'scores.json'}", markup=False)


def _score(command: Score) -> int:
    from exo2ego.bench.score import run_folders, score_folder
    from exo2ego.cli.common import console

    for folder in run_folders(command.run):
        _print_scores(console(), score_folder(folder, command.alpha), folder)
    return 0


def _report(command: Report) -> int:
    from exo2ego.bench.report import build, published_lines, read_runs, write_report
    from exo2ego.bench.report_table import tables
    from exo2ego.cli.common import console

    terminal = console()
    report = build(read_runs(command.runs))
    for table in tables(report):
        terminal.print(table)
    for line in published_lines(report):
        terminal.print(f"published by others: {line}", markup=False)
    for path in write_report(report, command.out):
        terminal.print(f"written: {path}", markup=False)
    return 0


def _check(command: Check) -> int:
    from exo2ego.bench.items import items_hash, missing_videos

    if command.task == "all":
        raise InputError("check reads one task at a time; name egomcq, egoschema or epic_mir")
    (task,) = _tasks(command.task)
    items = task.load(command.root, full=True)
    missing = missing_videos(items, command.root)
    videos = {video.path for item in items for video in item.videos}
    print(f"{task.title}: {len(items)} items, {len(videos)} videos, {len(missing)} missing, hash {items_hash(items)}")
    for name in missing:
        print(f"missing: {name}")
    return 2 if missing else 0


def _prompts(command: Prompts) -> int:
    from exo2ego.bench.prompts import STYLES

    for task in _tasks(command.task):
        for name, protocol in task.protocols.items():
            default = ", default" if name == task.default_protocol else ""
            print(f"== {task.name}, protocol {name}{default}: {protocol.describe}")
            for style in STYLES:
                print(f"-- style {style}\n{protocol.example(style)}\n")
    return 0
