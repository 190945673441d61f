"""The report in a terminal: headline figures and their told and untold parts; the files hold the rest."""

from rich.table import Table

from exo2ego.bench.report import Report, Row, cells, header


def table(report: Report) -> Table:
    """A rich table of the rows that matter first. A part of a figure stands indented below it."""
    out = Table(title="EgoBench", caption="percent [95 % interval]; unparsed is wrong, unscored is left out")
    for position, title in enumerate(header(report)):
        out.add_column(title, justify="right" if position else "left", overflow="fold")
    shown: set[str] = set()
    for row in report.rows:
        if row.headline or (row.name in shown and _is_part(row)):
            shown.add(row.name)
            first, *rest = cells(row)
            part = ", ".join(row.groups.values())
            out.add_row(f"  {part}" if part else first, *rest, style="bold" if row.headline else None)
    return out


def _is_part(row: Row) -> bool:
    return set(row.groups) == {"told"}
