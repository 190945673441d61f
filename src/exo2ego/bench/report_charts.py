"""The report's pictures as `<svg>` elements: bars with intervals for every figure, and a radar of the headline ones.

Others' published numbers are open grey diamonds and a dashed grey line: never bars, which are ours alone.
"""

import io
from collections.abc import Sequence
from typing import Any, cast

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.projections.polar import PolarAxes

from exo2ego.bench.report import AVERAGE, Report, Row

BAR_INCHES = 0.16
"""Height of one bar, so that six runs of ten figures stay readable."""
LEAST_SPOKES = 3
SEED_PAPER = "Exo2Ego (paper)"
GREY = "#777777"
COLOURS = ("#2f7ed8", "#d9730d", "#3a9d5d", "#8e5bc0", "#c0395b", "#7a6a4f", "#1aa6a6", "#555555")


def colour(place: int) -> str:
    """Of the run at that place; more than eight begin again."""
    return COLOURS[place % len(COLOURS)]


def bars(report: Report, rows: Sequence[Row]) -> str:
    """One group of bars for each figure, with intervals, chance (dotted) and others' numbers (diamonds)."""
    runs = len(report.runs)
    height_inches = 1.1 + 0.22 * ((runs + 2) // 3) + len(rows) * (0.22 + BAR_INCHES * runs)
    figure = Figure(figsize=(9.5, height_inches), layout="constrained")
    axes = figure.add_subplot()
    step = 0.84 / runs
    for place, name in enumerate(report.runs):
        found = [(number, row.scores[place]) for number, row in enumerate(rows)]
        drawn = [(number, score) for number, score in found if score is not None]
        axes.barh(
            [number + (place - (runs - 1) / 2) * step for number, _ in drawn],
            [100 * score.value for _, score in drawn],
            step * 0.92,
            color=colour(place),
            label=name,
            xerr=[
                [100 * max(score.value - score.low, 0.0) for _, score in drawn],
                [100 * max(score.high - score.value, 0.0) for _, score in drawn],
            ],
            error_kw={"lw": 0.9, "capsize": 1.5, "ecolor": "#222222"},
        )
    _chance_and_others(axes, rows)
    axes.set_yticks(range(len(rows)), [row.short for row in rows], fontsize=9)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(0, 100)
    axes.set_xlabel("percent")
    axes.grid(axis="x", alpha=0.25)
    axes.set_axisbelow(True)
    figure.legend(loc="outside upper left", ncols=3, fontsize=8, frameon=False)
    return svg(figure)


def _chance_and_others(axes: Axes, rows: Sequence[Row]) -> None:
    chances, others = 0, 0
    for number, row in enumerate(rows):
        chance = next((score.chance for score in row.scores if score is not None), None)
        if chance is not None:
            label = None if chances else "chance"
            axes.plot([100 * chance] * 2, [number - 0.45, number + 0.45], ":", color="black", lw=1.2, label=label)
            chances += 1
        for one in row.published:
            label = None if others else "published by others, not measured here"
            place = ([100 * one.value], [number + 0.47])  # below the bars, which would hide it
            axes.plot(*place, "D", ms=5, mfc="white", mec=GREY, mew=1.1, ls="none", zorder=5, label=label)
            others += 1


def radar(report: Report, rows: Sequence[Row]) -> str:
    """All headline figures of each run as one outline; empty where there are fewer than three."""
    spokes = [row for row in rows if row.headline and row.name != AVERAGE]
    if len(spokes) < LEAST_SPOKES:
        return ""
    angles = np.linspace(0, 2 * np.pi, len(spokes), endpoint=False).tolist()
    figure = Figure(figsize=(7.5, 6.2), layout="constrained")
    axes = cast(PolarAxes, figure.add_subplot(projection="polar"))
    for place, name in enumerate(report.runs):
        values = [np.nan if score is None else 100 * score.value for score in (row.scores[place] for row in spokes)]
        _outline(axes, angles, values, color=colour(place), lw=1.6, marker="o", ms=3, label=name)
    paper = [next((100 * one.value for one in row.published if one.who == SEED_PAPER), np.nan) for row in spokes]
    if np.isfinite(paper).any():
        label = f"{SEED_PAPER}, as published"
        _outline(axes, angles, paper, color=GREY, lw=1.2, ls="--", marker="D", ms=4, mfc="none", label=label)
    axes.set_theta_offset(np.pi / 2)
    axes.set_theta_direction(-1)
    axes.set_xticks(angles, [row.short.removesuffix(" accuracy").replace(" ", "\n", 1) for row in spokes], fontsize=8)
    axes.tick_params(axis="x", pad=18)
    axes.set_rlim(0, 100)
    axes.set_rgrids([25, 50, 75, 100], ["25", "50", "75", "100"], fontsize=7, color=GREY)
    figure.legend(loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    return svg(figure)


def _outline(axes: Axes, angles: Sequence[float], values: Sequence[float], **style: Any) -> None:
    """A closed line; it is open where a figure is missing."""
    axes.plot([*angles, angles[0]], [*values, values[0]], **style)


def svg(figure: Figure) -> str:
    """The picture as an element; the same bytes for the same figure."""
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "exo2ego"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
