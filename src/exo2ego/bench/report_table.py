"""The report in a terminal: headline figures with their told and untold parts, what stands apart, then the gains.

The files hold the rest. Made for 80 columns: the interval stands below its value, the protocol in the caption.
"""

from collections.abc import Sequence

from rich.table import Table

from exo2ego.bench.report import Report, Row, shown, shown_gain
from exo2ego.records import Score


def tables(report: Report) -> list[Table]:
    """The figures of all runs; with several runs, also the first run minus each other one on the same items."""
    rows = _first_rows(report)
    found = [_figures(report, rows)]
    if len(report.runs) > 1:
        found.append(_gains(report, rows))
    return found


def _first_rows(report: Report) -> list[Row]:
    headlines = {row.name for row in report.rows if row.headline}
    first = [row for row in report.rows if row.headline or (row.name in headlines and set(row.groups) == {"told"})]
    return [*first, *(row for row in report.rows if row.apart and set(row.groups) <= {"told"})]


def _figures(report: Report, rows: Sequence[Row]) -> Table:
    protocols = dict.fromkeys(row.name.partition(" (")[2].rstrip(")") for row in rows)
    out = Table(
        title="EgoBench, percent with 95 % intervals", caption="protocols: " + "; ".join(filter(None, protocols))
    )
    out.add_column("figure")
    for name in (*report.runs, "chance", "items"):
        out.add_column(name, justify="right", overflow="fold")
    for row in rows:
        if row.apart and not row.groups:
            out.add_section()
        given = [score for score in row.scores if score is not None]
        chance = given[0].chance
        values = [_two_lines(shown(score)) for score in row.scores]
        cells = [_title(row), *values, "–" if chance is None else f"{100 * chance:.1f}", _items(given)]
        out.add_row(*cells, style="bold" if row.headline else None)
    return out


def _gains(report: Report, rows: Sequence[Row]) -> Table:
    out = Table(title=f"{report.runs[0]} minus the others, on the same items", caption="points; paired intervals")
    out.add_column("figure")
    for name in report.runs[1:]:
        out.add_column(name, justify="right", overflow="fold")
    for row in rows:
        gains = [_two_lines(shown_gain(gain)) for gain in row.gains[1:]]
        out.add_row(_title(row), *gains, style="bold" if row.headline else None)
    return out


def _title(row: Row) -> str:
    """Name without protocol; a part of a figure is indented below it."""
    part = ", ".join(row.groups.values())
    return f"  {part}" if part else row.name.partition(" (")[0]


def _two_lines(text: str) -> str:
    return text.replace(" [", "\n\\[", 1)


def _items(scores: Sequence[Score]) -> str:
    """How many items, and below, where there are any, how many answers were unreadable or absent in the worst run."""
    lines = [str(max(score.n for score in scores))]
    for word in ("unparsed", "unjudged", "unscored"):
        worst = max(getattr(score, word) for score in scores)
        lines += [f"{worst} {word}"] if worst else []
    return "\n".join(lines)
