"""The report in a terminal: headline figures with their told and untold parts, what stands apart, then the gains.

The files hold the rest. Made for 80 columns: the interval stands below its value, the protocol in the caption.
"""

from collections.abc import Sequence

from rich.table import Table

from exo2ego.bench.report import Report, Row
from exo2ego.bench.report_text import LEGEND, beside_chance, shown_gain
from exo2ego.records import Score

RUNS_ACROSS = 3
"""Runs in one table of 80 columns; more runs make more tables."""


def tables(report: Report) -> list[Table]:
    """The figures of all runs; with several runs, also the first run minus each other one on the same items."""
    rows = _first_rows(report)
    found = [_figures(report, rows, places) for places in _across(range(len(report.runs)))]
    return [*found, *(_gains(report, rows, places) for places in _across(range(1, len(report.runs))))]


def _across(places: range) -> list[range]:
    """The runs of each table."""
    return [places[start : start + RUNS_ACROSS] for start in range(0, len(places), RUNS_ACROSS)]


def _first_rows(report: Report) -> list[Row]:
    headlines = {row.name for row in report.rows if row.headline}
    first = [row for row in report.rows if row.headline or (row.name in headlines and set(row.groups) == {"told"})]
    return [*first, *(row for row in report.rows if row.apart and set(row.groups) <= {"told"})]


def _figures(report: Report, rows: Sequence[Row], places: range) -> Table:
    protocols = dict.fromkeys(row.name.partition(" (")[2].rstrip(")") for row in rows)
    out = Table(
        title="EgoBench, percent with 95 % intervals",
        caption=LEGEND + "\nprotocols: " + "; ".join(filter(None, protocols)),
    )
    out.add_column("figure", overflow="fold")
    for name in (*(report.runs[place] for place in places), "chance", "items"):
        out.add_column(name, justify="right", overflow="fold")
    for row in rows:
        if row.apart and not row.groups:
            out.add_section()
        given = [score for score in row.scores if score is not None]
        chance = given[0].chance
        values = [_two_lines(beside_chance(row.scores[place])) for place in places]
        cells = [_title(row), *values, "–" if chance is None else f"{100 * chance:.1f}", _items(given)]
        out.add_row(*cells, style="bold" if row.headline else None)
    return out


def _gains(report: Report, rows: Sequence[Row], places: range) -> Table:
    out = Table(
        title=f"{report.runs[0]} minus the others, on the same items",
        caption="points; paired intervals; p by recording",
    )
    out.add_column("figure", overflow="fold")
    for place in places:
        out.add_column(report.runs[place], justify="right", overflow="fold")
    for row in rows:
        gains = [_two_lines(shown_gain(row.gains[place])) for place in places]
        out.add_row(_title(row), *gains, style="bold" if row.headline else None)
    return out


def _title(row: Row) -> str:
    """Name without protocol; a part of a figure is indented below it."""
    part = ", ".join(row.groups.values())
    return f"  {part}" if part else row.name.partition(" (")[0]


def _two_lines(text: str) -> str:
    return text.replace(" [", "\n\\[", 1).replace("] p", "]\np", 1)


def _items(scores: Sequence[Score]) -> str:
    """How many items, and below, where there are any, how many answers were unreadable or absent in the worst run."""
    lines = [str(max(score.n for score in scores))]
    for word in ("unparsed", "unjudged", "unscored"):
        worst = max(getattr(score, word) for score in scores)
        lines += [f"{worst} {word}"] if worst else []
    return "\n".join(lines)
