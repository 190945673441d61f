"""Live progress of training: stage, loss, clips/s, time left."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import Progress

from exo2ego.cli.common import Bar, add_bar, progress
from exo2ego.training.loop import StepReport


@contextmanager
def training_progress() -> Iterator[Callable[[StepReport], None]]:
    """A bar per stage; yields the callback that moves it."""
    with progress() as display:
        yield bar_updater(display)


def bar_updater(display: Progress) -> Callable[[StepReport], None]:
    """Callback that makes one bar a stage and keeps it up to date."""
    bars: dict[str, Bar] = {}

    def report(row: StepReport) -> None:
        if row.stage not in bars:
            bars[row.stage] = add_bar(display, row.stage, total=row.steps)
        # The loop's own rate: it counts clips of all processes, and no time of building the model.
        bars[row.stage](row.step, row.steps, f"loss {row.loss:.3f}  {row.clips_per_s:.0f} clips/s")

    return report
