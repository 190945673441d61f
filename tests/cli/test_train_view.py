"""The bars of training: one a stage, with the step, the loss and the rate of the newest step."""

import io
import re
from collections.abc import Callable

import pytest
from rich.console import Console
from rich.progress import Progress

from exo2ego.cli import train_view
from exo2ego.training.loop import StepReport


def row(stage: str, step: int, steps: int = 60, loss: float = 2.0, rate: float = 31.0) -> StepReport:
    return StepReport(
        stage=stage,
        step=step,
        steps=steps,
        loss=loss,
        losses={"vtg": loss},
        grad_norm=1.0,
        lr=1e-3,
        clips_per_s=rate,
        eta_s=0.0,
    )


def display() -> tuple[Progress, Callable[[], list[str]]]:
    """A display on paper, and what stands on it: a line a bar."""
    progress = train_view.training_display()
    file = io.StringIO()
    progress.live.console = Console(file=file, width=120, force_terminal=False)

    def shown() -> list[str]:
        progress.live.console.print(progress.get_renderable())
        return [line.rstrip() for line in file.getvalue().splitlines() if line.strip()]

    return progress, shown


def test_a_bar_shows_stage_step_loss_and_rate() -> None:
    progress, shown = display()
    update = train_view.bar_updater(progress)
    update(row("guidance", 1, steps=300, loss=3.14159))
    update(row("guidance", 42, steps=300, loss=0.98765, rate=30.6))
    (line,) = shown()
    assert re.match(r"guidance \S+ *\S* *42/300 loss 0\.988  31 clips/s \S+$", line), line


def test_every_stage_has_a_bar_of_its_own() -> None:
    progress, shown = display()
    update = train_view.bar_updater(progress)
    for report in (row("teacher", 60), row("guidance", 1, steps=300), row("guidance", 2, steps=300)):
        update(report)
    assert [(task.description, task.completed, task.total) for task in progress.tasks] == [
        ("teacher", 60, 60),
        ("guidance", 2, 300),
    ]
    assert [line.split()[0] for line in shown()] == ["teacher", "guidance"]


def test_a_resumed_run_begins_where_it_stands() -> None:
    progress, shown = display()
    train_view.bar_updater(progress)(row("practice", 37))
    assert "37/60" in shown()[0]
    assert not progress.finished
    train_view.bar_updater(progress)(row("practice", 60))
    assert progress.tasks[-1].finished


def test_a_display_that_is_there_is_joined() -> None:
    """The demo's bars stand below one another in one display."""
    progress, _ = display()
    with train_view.training_progress(progress) as report:
        report(row("teacher", 3))
    assert [task.description for task in progress.tasks] == ["teacher"]
    assert not progress.live.is_started


def test_without_one_a_display_is_opened_and_closed(capsys: pytest.CaptureFixture[str]) -> None:
    """Piped into a file, its last state is a line there."""
    with train_view.training_progress() as report:
        report(row("teacher", 3))
    assert re.search(r"^teacher .*3/60 loss 2\.000  31 clips/s", capsys.readouterr().out)
