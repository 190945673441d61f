"""`exo2ego bench report`: runs side by side, here and as files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Compare runs: a table here; HTML, CSV and a Markdown card in a folder. Gains are those of the first run.

    Example: exo2ego bench report runs/student runs/ego_only runs/random --out report
    """

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders that `bench run` wrote."""
    out: Path
    """Folder for report.html, report.csv and report.md."""

    def __call__(self) -> int:
        """Read the scores, print the table, write the files."""
        from exo2ego.bench.report import build, read_runs
        from exo2ego.bench.report_files import write_report
        from exo2ego.bench.report_table import tables
        from exo2ego.bench.report_text import bias_lines, lost_lines, published_lines
        from exo2ego.cli.common import add_bar, console, progress

        terminal = console()
        with progress() as bars:
            runs = read_runs(self.runs, add_bar(bars, "reading scores", unit="tasks"))
            report = build(runs, add_bar(bars, "comparing runs", unit="figures"))
        for table in tables(report):
            terminal.print(table)
        for line in (*bias_lines(report), *lost_lines(report)):
            terminal.print(line, markup=False)
        for line in published_lines(report):
            terminal.print(f"published by others: {line}", markup=False)
        for path in write_report(report, self.out):
            terminal.print(f"written: {path}", markup=False)
        return 0
