"""The report as files: HTML page, CSV, and a Markdown card to paste into a model card."""

import csv
import io
from pathlib import Path

from exo2ego.bench.files import write_text
from exo2ego.bench.report import Report
from exo2ego.bench.report_html import page
from exo2ego.bench.report_text import (
    LEGEND,
    bias_lines,
    cells,
    data_note,
    header,
    lost_lines,
    published_lines,
    run_lines,
)


def as_csv(report: Report) -> str:
    """Every figure of every run, one a line, in 0..1 with full precision; `gain` is the first run minus this one."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    counts = ("n", "unparsed", "unscored", "chance", "unjudged")
    gain_titles = ("gain", "gain_low", "gain_high", "gain_p")
    writer.writerow(["run", "figure", "groups", "value", "low", "high", *counts, *gain_titles])
    for row in report.rows:
        for name, score, gain in zip(report.runs, row.scores, row.gains, strict=True):
            if score is not None:
                groups = ";".join(f"{key}={value}" for key, value in row.groups.items())
                values = [score.value, score.low, score.high, score.n, score.unparsed, score.unscored]
                gained = ["", "", "", ""] if gain is None else [gain.value, gain.low, gain.high, gain.p_value]
                writer.writerow([name, row.name, groups, *values, score.chance, score.unjudged, *gained])
    return table.getvalue()


def as_markdown(report: Report) -> str:
    """A card to paste: what was run, the table, what others published (real data only)."""
    titles = header(report)
    lines = ["# EgoBench", "", data_note(report), ""]
    lines += ["| " + " | ".join(map(_plain, titles)) + " |", "|" + "---|" * len(titles)]
    lines += ["| " + " | ".join(_plain(cell) for cell in cells(row)) + " |" for row in report.rows]
    lines += [
        "",
        "Intervals: 95 % bootstrap by recording; p: sign flips by recording, not corrected for the number of figures. "
        f"Unparsed answers are wrong; unscored items are left out. {LEGEND}.",
        "",
    ]
    lines += [f"- {card}" for card in run_lines(report)]
    lines += [f"- {line}" for line in (*bias_lines(report), *lost_lines(report))]
    if report.published:
        lines += ["", "## Published by others (not measured here)", ""]
        lines += [f"- {line}" for line in published_lines(report)]
    return "\n".join(lines) + "\n"


def _plain(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")


def write_report(report: Report, out: Path) -> list[Path]:
    """Write `report.html`, `report.csv` and `report.md` below `out`; returns their paths.

    Raises:
        OutputError: they cannot be written.
    """
    files = {"report.html": page(report), "report.csv": as_csv(report), "report.md": as_markdown(report)}
    for name, content in files.items():
        write_text(out / name, content)
    return [out / name for name in files]
