"""The bars of training: one a stage, with the step, the time left, the loss and the rate of the newest step."""

import re
from collections.abc import Callable

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


Screen = Callable[[], list[str]]


def shown(rows: list[StepReport], screen: Screen) -> list[str]:
    """The bars as they stand after these steps, a line each."""
    with train_view.training_progress() as report:
        for one in rows:
            report(one)
    return screen()[-len({one.stage for one in rows}) :]


def test_a_bar_shows_stage_step_time_left_loss_and_rate(screen: Screen) -> None:
    rows = [row("guidance", 1, steps=300, loss=3.14159), row("guidance", 42, steps=300, loss=0.98765, rate=30.6)]
    (line,) = shown(rows, screen)
    time = r"\d+:\d\d:\d\d"
    left = rf"left ({time}|-:--:--)"
    assert re.match(rf"guidance +[━╸╺]+ +42/300 {time} {left} +loss 0\.988  31 clips/s$", line), line


def test_every_stage_has_a_bar_of_its_own(screen: Screen) -> None:
    rows = [row("teacher", 60), row("guidance", 1, steps=300), row("guidance", 2, steps=300)]
    lines = shown(rows, screen)
    assert [line.split()[0] for line in lines] == ["teacher", "guidance"]
    assert " 60/60 " in lines[0]
    assert " 2/300 " in lines[1]


def test_a_resumed_run_begins_where_it_stands(screen: Screen) -> None:
    (line,) = shown([row("practice", 37)], screen)
    assert " 37/60 " in line
