"""What the sub-verbs of `exo2ego bench` share: the choice of tasks, and how scores are shown."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from exo2ego.errors import InputError, MissingFileError, NoQuestionsError

if TYPE_CHECKING:
    from rich.console import Console

    from exo2ego.bench.items import Item
    from exo2ego.bench.score import TaskScores
    from exo2ego.bench.tasks.base import Task

ALL = "all"
SHOWN_REASONS = 5


def tasks_named(names: str) -> "list[Task]":
    """`all`, or the tasks of a list `a,b`, in the order given.

    Raises:
        InputError: a name is unknown, or stands twice.
    """
    from exo2ego.bench.tasks import TASKS

    if names == ALL:
        return list(TASKS.values())
    wanted = [name.strip() for name in names.split(",")]
    for name in wanted:
        if name not in TASKS:
            raise InputError(f"--tasks {names}: {name!r} is unknown; choose from {', '.join(TASKS)}, or all")
        if wanted.count(name) > 1:
            raise InputError(f"--tasks {names}: {name!r} stands twice; name each task once")
    return [TASKS[name] for name in wanted]


def task_root(root: Path, names: str, task: "Task") -> Path:
    """Where a task's files lie: `root` itself when one task is named, the task's folder below when several are."""
    return root if names == task.name else root / task.directory


def tasks_present(root: Path, names: str) -> "tuple[list[Task], list[str]]":
    """The tasks to run, and for `all` the names of those that have no folder below `root`.

    Raises:
        InputError: a name is unknown, or stands twice.
        MissingFileError: `all`, and no task has a folder.
    """
    tasks = tasks_named(names)
    if names != ALL:
        return tasks, []
    here = [task for task in tasks if task_root(root, names, task).is_dir()]
    if not here:
        folders = ", ".join(task.directory for task in tasks)
        raise MissingFileError(f"{root}: holds no folder of a task; --tasks all looks for {folders}")
    return here, [task.name for task in tasks if task not in here]


def load_present(
    root: Path, names: str, load: "Callable[[Task, Path], list[Item]]", tell: Callable[[str], None], what: str
) -> "list[tuple[Task, Path, list[Item]]]":
    """Task, folder and items of each task; with `all`, those without a folder or a question are told and left out.

    Raises:
        InputError, MissingFileError: as `tasks_present`; what `load` raises.
        NoQuestionsError: no task has a question, or a task that was named has none.
    """
    from exo2ego.cli.common import add_bar, progress

    tasks, absent = tasks_present(root, names)
    if absent:
        tell(f"without a folder in {root}, so not {what}: {', '.join(absent)}")
    loaded: list[tuple[Task, Path, list[Item]]] = []
    nothing: NoQuestionsError | None = None
    with progress() as bars:
        show = add_bar(bars, "reading questions", unit="tasks")
        for done, task in enumerate(tasks):
            show(done, len(tasks), task.name)
            folder = task_root(root, names, task)
            try:
                loaded.append((task, folder, load(task, folder)))
            except NoQuestionsError as error:
                if names != ALL:
                    raise
                nothing = error
                tell(f"without a question, so not {what}: {task.name} ({error})")
        show(len(tasks), len(tasks))
    if nothing is not None and not loaded:
        raise nothing
    return loaded


def _added_later(name: str) -> bool:
    """Whether `bench judge` has added a figure: it is what the command was given for, so it is shown."""
    return " judge " in name or " sentence similarity " in name


def score_all(terminal: "Console", folders: "Sequence[Path]", alpha: float | None = None) -> None:
    """Scores task folders of a run and prints the headline figures of each, under a bar that counts items."""
    from exo2ego.bench.run import read_run
    from exo2ego.bench.score import score_folder
    from exo2ego.cli.common import add_bar, progress

    counts = [int(read_run(folder).get("items", 0)) for folder in folders]
    with progress() as bars:
        show = add_bar(bars, "scoring", unit="items")
        for number, folder in enumerate(folders):
            show(sum(counts[:number]), sum(counts), folder.name)
            print_scores(terminal, score_folder(folder, alpha), folder)
            show(sum(counts[: number + 1]), sum(counts))


def print_scores(terminal: "Console", scores: "TaskScores", out: Path) -> None:
    """The headline figures of one task, and where the others are."""
    from exo2ego.bench.report_text import bias_line, shown
    from exo2ego.bench.tasks import TASKS

    apart = TASKS[scores.task].apart
    for measure in scores.measures:
        parts = {"told", "kind"} & set(measure.score.groups)
        whole = not measure.score.groups
        if measure.headline or parts or (whole and (apart or _added_later(measure.score.name))):
            score = measure.score
            counts = f"n {score.n}, unparsed {score.unparsed}, unscored {score.unscored}"
            counts += f", unjudged {score.unjudged}" if score.unjudged else ""
            part = ", ".join(score.groups.values())
            name = f"{score.name} [{part}]" if part else score.name
            terminal.print(f"{name}: {shown(score)} ({counts})", markup=False)
    for lost in scores.quarantined[:SHOWN_REASONS]:
        named = ", ".join(lost.item_ids[:3]) + (", ..." if len(lost.item_ids) > 3 else "")
        terminal.print(f"unscored, {len(lost.item_ids)} item(s) ({named}): {lost.reason}", markup=False)
    if len(scores.quarantined) > SHOWN_REASONS:
        terminal.print(f"{len(scores.quarantined) - SHOWN_REASONS} more reasons are in predictions.jsonl", markup=False)
    if scores.bias is not None:
        terminal.print(bias_line(scores.bias), markup=False)
    if not scores.measures:
        terminal.print(f"{scores.task}: no item has a public answer; submission files are in {out}", markup=False)
    terminal.print(f"written: {out / 'scores.json'}", markup=False)
