"""The measuring stations of the demo: every task for every model, and the rows that compare them."""

from pathlib import Path
from typing import TYPE_CHECKING

from exo2ego.cli.demo_steps import ARMS, CHANCE_NAME, MEASURED, START_NAME, Demo

if TYPE_CHECKING:
    from exo2ego.bench.report import Report

CONTENDERS = (*ARMS, START_NAME, CHANCE_NAME)
"""In the order of the table; gains are those of the first."""


def model_spec(demo: Demo, name: str) -> str:
    """How the bench names a contender's model."""
    if name == CHANCE_NAME:
        return "random"
    if name == START_NAME:
        from exo2ego.models.weights import START

        return f"exo2ego:{START}"
    return f"exo2ego:{demo.model(name)}"


def measure(demo: Demo, name: str) -> None:
    """Asks one contender every item of every task in `MEASURED`, then scores; goes on where it was stopped."""
    from exo2ego.bench.models import load_model, model_fingerprint
    from exo2ego.bench.run import RunSettings, run
    from exo2ego.bench.score import score_folder
    from exo2ego.bench.tasks import TASKS
    from exo2ego.cli.bench_run import answer_bar
    from exo2ego.cli.common import progress

    spec = model_spec(demo, name)
    fingerprint = model_fingerprint(spec)
    model = load_model(spec, demo.seed)
    with progress() as bars:
        for task in (TASKS[task_name] for task_name in MEASURED):
            root = demo.world / "bench" / task.name
            items = task.load(root, None, demo.seed)
            settings = RunSettings(
                task=task.name,
                protocol=task.default_protocol,
                model=spec,
                fingerprint=fingerprint,
                seed=demo.seed,
            )
            show = answer_bar(bars, f"{name}: {task.name}", len(items))
            run(model, task, items, root, demo.scores(name) / task.name, settings, on_progress=show)
            score_folder(demo.scores(name) / task.name)


def compare(folders: list[Path]) -> "Report":
    """The scores of all contenders side by side."""
    from exo2ego.bench.report import build, read_runs

    return build(read_runs(folders))


def score_rows(report: "Report") -> tuple[list[str], list[tuple[bool, list[str]]]]:
    """Column titles and (is headline, cells): headline figures and the told / untold halves; the rest is in the CSV."""
    from exo2ego.bench.report_text import cells, header

    titles = header(report)
    gains = range(len(report.runs) + 1, 2 * len(report.runs))
    # Of the gains only the one over the same start without the teacher: the others follow from the table.
    dropped = set(list(gains)[1:])
    kept = [row for row in report.rows if row.headline or "told" in row.groups]
    rows = [(row.headline, [c for i, c in enumerate(cells(row)) if i not in dropped]) for row in kept]
    return [title for i, title in enumerate(titles) if i not in dropped], rows
