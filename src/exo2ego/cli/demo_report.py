"""The demo's report as one HTML file: curves, moments from both views with what the models said, the table.

Nothing is fetched from anywhere; every text is escaped; the template lies beside this file.
"""

import io
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import jinja2
import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from exo2ego.cli.demo_examples import Example
from exo2ego.errors import FormatError, MissingFileError

GREY = "#808080"
"""Readable on white and on black: the page follows the reader's light or dark setting."""
COLOURS = ("#2f7ed8", "#d9730d", "#3a9d5d")
SMOOTH_STEPS = 10

Losses = tuple[list[int], list[float]]
"""Steps and total losses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One plot: a stage, with one curve for each model that went through it (name -> log file)."""

    title: str
    logs: Mapping[str, Path]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoReport:
    """Everything that the page shows."""

    how: Sequence[tuple[str, str]]
    """(what, value): how the numbers were made."""
    panels: Sequence[Panel]
    examples: Sequence[Example]
    titles: Sequence[str]
    rows: Sequence[tuple[bool, Sequence[str]]]
    """(is headline, cells), as `titles`."""
    legend: str
    """What the marks in the cells mean."""
    note: str
    """One sentence on whose data this is."""
    commands: Sequence[str]
    """Lines to paste."""


def read_losses(log: Path) -> Losses:
    """Steps and losses of a training log (JSON lines with `step` and `loss`). MissingFileError, FormatError."""
    if not log.is_file():
        raise MissingFileError(f"training log: no file {log}; run the demo again")
    steps, losses = [], []
    for number, line in enumerate(log.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            row = json.loads(line)
            steps.append(int(row["step"]))
            losses.append(float(row["loss"]))
        except (ValueError, KeyError, TypeError) as error:
            raise FormatError(f"{log}: row {number} is no step ({error}); delete its folder and run again") from error
    return steps, losses


def smoothed(values: Sequence[float], width: int = SMOOTH_STEPS) -> list[float]:
    """Mean of the last `width` values at each place.

    >>> smoothed([1.0, 3.0, 5.0], 2)
    [1.0, 2.0, 4.0]
    """
    return [sum(part) / len(part) for part in (values[max(0, i - width + 1) : i + 1] for i in range(len(values)))]


def _draw_panel(axes: Axes, panel: Panel, colours: Mapping[str, str]) -> None:
    for name, log in panel.logs.items():
        colour = colours[name]
        steps, losses = read_losses(log)
        axes.plot(steps, losses, color=colour, alpha=0.25, lw=0.8)
        axes.plot(steps, smoothed(losses), color=colour, lw=1.6, label=name)
    axes.set_title(panel.title, fontsize=10, color=GREY)
    axes.set_xlabel("step", fontsize=8, color=GREY)
    axes.tick_params(colors=GREY, labelsize=8)
    axes.patch.set_alpha(0)
    axes.grid(color=GREY, alpha=0.2)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(GREY)
    axes.legend(fontsize=8, frameon=False, labelcolor=GREY)


def curves_svg(panels: Sequence[Panel]) -> str:
    """All plots as one `<svg>` element without a background of its own."""
    columns = min(len(panels), 2)
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(9.0, 2.7 * rows), layout="constrained")
    figure.patch.set_alpha(0)
    names = dict.fromkeys(name for panel in panels for name in panel.logs)
    colours = dict(zip(names, itertools.cycle(COLOURS), strict=False))
    grid = figure.subplots(rows, columns, squeeze=False).flatten()
    for axes, panel in zip(grid, panels, strict=False):
        _draw_panel(axes, panel, colours)
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "exo2ego"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    return svg[svg.index("<svg") :]


def render(report: DemoReport) -> str:
    """The page."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = files("exo2ego.cli").joinpath("demo_report.html.jinja").read_text(encoding="utf-8")
    return environment.from_string(source).render(
        report=report, curves=curves_svg(report.panels) if report.panels else ""
    )
