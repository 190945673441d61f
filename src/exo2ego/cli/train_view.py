"""Live progress of training: stage, loss, clips/s, time left."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from exo2ego.training.loop import StepReport


@contextmanager
def training_progress(progress: Progress | None = None) -> Iterator[Callable[[StepReport], None]]:
    """A bar per stage; yields the callback that moves it. Joins an existing display when one is given."""
    if progress is not None:
        yield bar_updater(progress)
        return
    with training_display() as display:
        yield bar_updater(display)


def training_display() -> Progress:
    """Columns that suit training."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
    )


def bar_updater(progress: Progress) -> Callable[[StepReport], None]:
    """Callback that makes one bar a stage and keeps it up to date."""
    tasks: dict[str, int] = {}

    def report(row: StepReport) -> None:
        if row.stage not in tasks:
            tasks[row.stage] = int(progress.add_task(row.stage, total=row.steps, note=""))
        note = f"loss {row.loss:.3f}  {row.clips_per_s:.0f} clips/s"
        progress.update(tasks[row.stage], completed=row.step, note=note)  # type: ignore[arg-type]

    return report
