"""Run folders -> one comparison: terminal table, HTML page, CSV, Markdown card. Needs neither model nor videos."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exo2ego.bench.files import write_text
from exo2ego.bench.report_html import page
from exo2ego.bench.score import TaskScores, read_scores, run_folders
from exo2ego.bench.shuffle import PositionBias
from exo2ego.bench.stats import Interval, Stratum, bootstrap, paired_difference
from exo2ego.bench.tasks import TASKS
from exo2ego.bench.tasks.base import Measure, Published
from exo2ego.errors import InputError
from exo2ego.records import Score

AVERAGE = "average of headline figures"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunScores:
    """All tasks of one RUN, under the name that the report gives it."""

    name: str
    tasks: dict[str, TaskScores]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure in every run that has it."""

    name: str
    groups: dict[str, str]
    headline: bool
    scores: tuple[Score | None, ...]
    """One a run, in the order of `Report.runs`."""
    gains: tuple[Interval | None, ...]
    """The first run minus this one, on the same items; None for the first."""
    apart: bool = False
    """Of a task that is reported apart (`Task.apart`)."""

    @property
    def label(self) -> str:
        """Name with its subset, e.g. `egoschema accuracy (likelihood) [facet colour]`."""
        subset = ", ".join(
            f"{key} {value}" if key in ("facet", "reasoning") else value for key, value in self.groups.items()
        )
        return f"{self.name} [{subset}]" if subset else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that the four forms of the report show."""

    runs: tuple[str, ...]
    rows: tuple[Row, ...]
    published: tuple[tuple[str, Published], ...]
    """(task title, number): only for tasks of which a complete run on the real data is shown."""
    cards: tuple[dict[str, Any], ...]
    """`run.json` of every run and task."""
    simulated: bool


def read_runs(folders: Sequence[Path]) -> list[RunScores]:
    """The scores of each RUN. Runs are named after their model; equal names get their folder's name as well.

    Raises:
        MissingFileError: a folder is no run, or is not scored yet.
        InputError: two runs answered different items of one task.
    """
    loaded = [(folder, {scores.task: scores for scores in map(read_scores, run_folders(folder))}) for folder in folders]
    if not loaded:
        raise InputError("no run folder given; name one or more folders that `bench run` wrote")
    require_same_items(loaded)
    models = [next(iter(tasks.values())).run["model_name"] for _, tasks in loaded]
    names = [
        name if models.count(name) == 1 else f"{name} ({folder.resolve().name})"
        for name, (folder, _) in zip(models, loaded, strict=True)
    ]
    return [RunScores(name=name, tasks=tasks) for name, (_, tasks) in zip(names, loaded, strict=True)]


def require_same_items(loaded: Sequence[tuple[Path, dict[str, TaskScores]]]) -> None:
    """Refuse to put figures of different questions side by side.

    Raises:
        InputError: the item hashes of one task differ between two folders.
    """
    first: dict[str, tuple[Path, str]] = {}
    for folder, tasks in loaded:
        for name, scores in tasks.items():
            item_hash = scores.run["item_hash"]
            other, expected = first.setdefault(name, (folder, item_hash))
            if item_hash != expected:
                raise InputError(
                    f"{folder} and {other} answered different {name} items ({item_hash}, {expected}); "
                    "run both on the same --root, --limit and --seed"
                )


def build(runs: Sequence[RunScores]) -> Report:
    """Rows of all runs side by side, the average of the headline figures last."""
    rows = [row for task in TASKS for row in _task_rows(task, runs)]
    average = _average(runs)
    every = [scores for run in runs for scores in run.tasks.values()]
    return Report(
        runs=tuple(run.name for run in runs),
        rows=(*rows, *([average] if average else [])),
        published=tuple(
            (TASKS[name].title, number) for name in TASKS if _official(name, every) for number in TASKS[name].published
        ),
        cards=tuple(scores.run for scores in every),
        simulated=any(scores.run.get("simulated") for scores in every),
    )


def _official(name: str, every: Sequence[TaskScores]) -> bool:
    """Whether all shown runs of a task are complete runs on data that can be the real ones."""
    least, most = TASKS[name].official_sizes
    shown = [scores.run for scores in every if scores.task == name]
    return bool(shown) and all(not run.get("simulated") and least <= run.get("items", 0) <= most for run in shown)


def _task_rows(task: str, runs: Sequence[RunScores]) -> list[Row]:
    tables = [_table(run.tasks[task].measures) if task in run.tasks else {} for run in runs]
    keys = dict.fromkeys(key for table in tables for key in table)
    rows = []
    for key in keys:
        measures = [table.get(key) for table in tables]
        shown = next(measure for measure in measures if measure is not None)
        rows.append(
            Row(
                name=shown.score.name,
                groups=dict(shown.score.groups),
                headline=shown.headline,
                apart=TASKS[task].apart,
                scores=tuple(measure.score if measure else None for measure in measures),
                gains=_gains([measure.strata if measure else None for measure in measures]),
            )
        )
    return rows


def _table(measures: Sequence[Measure]) -> dict[tuple[str, str], Measure]:
    return {(measure.score.name, str(sorted(measure.score.groups.items()))): measure for measure in measures}


def _gains(strata: Sequence[tuple[Stratum, ...] | None]) -> tuple[Interval | None, ...]:
    first = strata[0]
    return tuple(
        paired_difference(first, other) if index and first is not None and other is not None else None
        for index, other in enumerate(strata)
    )


def _average(runs: Sequence[RunScores]) -> Row | None:
    """Mean of the headline figures that all runs share; None where they share fewer than two."""
    tables = [
        {
            measure.score.name: measure
            for scores in run.tasks.values()
            for measure in scores.measures
            if measure.headline
        }
        for run in runs
    ]
    shared = [name for name in tables[0] if all(name in table for table in tables)]
    if len(shared) < 2 or any(len(table) != len(shared) for table in tables):
        return None
    # Each figure counts once, whether it has one part or two directions.
    parts = [_balanced([table[name] for name in shared]) for table in tables]
    scores = []
    for table, strata in zip(tables, parts, strict=True):
        interval = bootstrap(strata)
        chances = [table[name].score.chance for name in shared]
        known = [chance for chance in chances if chance is not None]
        scores.append(
            Score(
                name=AVERAGE,
                value=interval.value,
                low=interval.low,
                high=interval.high,
                n=sum(len(stratum.values) for stratum in strata),
                unparsed=sum(table[name].score.unparsed for name in shared),
                unscored=sum(table[name].score.unscored for name in shared),
                unjudged=sum(table[name].score.unjudged for name in shared),
                chance=sum(known) / len(known) if len(known) == len(chances) else None,
            )
        )
    return Row(name=AVERAGE, groups={}, headline=True, scores=tuple(scores), gains=_gains(parts))


def _balanced(measures: Sequence[Measure]) -> tuple[Stratum, ...]:
    """All parts, repeated so that a figure of one part weighs as much as one of two."""
    most = max(len(measure.strata) for measure in measures)
    return tuple(stratum for measure in measures for stratum in measure.strata * (most // len(measure.strata)))


def bias_line(bias: PositionBias) -> str:
    """What asking in several orders showed, in one line."""
    shares = ", ".join(
        f"{chr(ord('A') + place)} {100 * share.value:.1f} [{100 * share.low:.1f}, {100 * share.high:.1f}]"
        for place, share in enumerate(bias.shares)
    )
    same = bias.consistency
    return (
        f"position bias over {bias.orders} orders: shares in percent {shares}; "
        f"chi-square {bias.chi_square:.1f}, {bias.degrees} degrees of freedom, p {bias.p_value:.2g}; "
        f"same option in every order {100 * same.value:.1f} [{100 * same.low:.1f}, {100 * same.high:.1f}]"
    )


def shown(score: Score | None) -> str:
    """`61.3 [57.0, 65.5]`: percent with its interval; a dash where there is none."""
    if score is None:
        return "–"
    return f"{100 * score.value:.1f} [{100 * score.low:.1f}, {100 * score.high:.1f}]"


def shown_gain(gain: Interval | None) -> str:
    """`+3.1 [0.4, 5.9]`: difference in points; a dash where there is none."""
    if gain is None:
        return "–"
    return f"{100 * gain.value:+.1f} [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]"


def header(report: Report) -> list[str]:
    """Column titles of the table: figure, chance, runs, gains over the others, counts."""
    gains = [f"{report.runs[0]} minus {name}" for name in report.runs[1:]]
    return ["figure (percent)", *report.runs, *gains, "chance", "n", "unparsed", "unscored"]


def cells(row: Row) -> list[str]:
    """One line of the table, as `header`."""
    given = [score for score in row.scores if score is not None]
    chance = given[0].chance
    return [
        row.label,
        *(shown(score) for score in row.scores),
        *(shown_gain(gain) for gain in row.gains[1:]),
        "–" if chance is None else f"{100 * chance:.1f}",
        _each(score.n for score in given),
        _each(_unread(score) for score in given),
        _each(score.unscored for score in given),
    ]


def _unread(score: Score) -> str:
    """Answers that could not be read and, where a judge was asked, its replies that could not."""
    return f"{score.unparsed} + {score.unjudged} unjudged" if score.unjudged else str(score.unparsed)


def _each(counts: Any) -> str:
    """Counts of the runs: one number where they agree, else `5/7`."""
    numbers = list(counts)
    return str(numbers[0]) if len(set(numbers)) == 1 else "/".join(map(str, numbers))


def as_csv(report: Report) -> str:
    """Every figure of every run, one a line, in 0..1 with full precision."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    counts = ("n", "unparsed", "unscored", "chance", "unjudged")
    writer.writerow(["run", "figure", "groups", "value", "low", "high", *counts])
    for row in report.rows:
        for name, score in zip(report.runs, row.scores, strict=True):
            if score is not None:
                groups = ";".join(f"{key}={value}" for key, value in row.groups.items())
                values = [score.value, score.low, score.high, score.n, score.unparsed, score.unscored]
                writer.writerow([name, row.name, groups, *values, score.chance, score.unjudged])
    return table.getvalue()


def as_markdown(report: Report) -> str:
    """A card to paste: what was run, the table, what others published (real data only)."""
    titles = header(report)
    lines = ["# EgoBench", "", data_note(report), ""]
    lines += ["| " + " | ".join(map(_plain, titles)) + " |", "|" + "---|" * len(titles)]
    lines += ["| " + " | ".join(_plain(cell) for cell in cells(row)) + " |" for row in report.rows]
    lines += [
        "",
        "Intervals: 95 % bootstrap by recording. Unparsed answers are wrong; unscored items are left out.",
        "",
    ]
    lines += [f"- {card}" for card in run_lines(report)]
    if report.published:
        lines += ["", "## Published by others (not measured here)", ""]
        lines += [f"- {line}" for line in published_lines(report)]
    return "\n".join(lines) + "\n"


def _plain(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")


def data_note(report: Report) -> str:
    """One sentence on whose data this is."""
    if report.simulated:
        return "Simulated data: no figure here may stand beside a published one."
    return "Data as found in the given folders."


def run_lines(report: Report) -> list[str]:
    """What each run was: model, task, protocol with its meaning, style, items, hash."""
    return [
        f"{card['model_name']}: {card['task']}, protocol {card['protocol']} "
        f"({TASKS[card['task']].protocols[card['protocol']].describe}), style {card['style']}, "
        f"{card.get('items')} items, hash {card['item_hash']}"
        for card in report.cards
    ]


def published_lines(report: Report) -> list[str]:
    """Others' numbers with whose they are and why they may not compare."""
    return [
        f"{title}, {number.measure.strip('( ')}: {100 * number.value:.1f}, {number.who} ({number.caution})"
        for title, number in report.published
    ]


def write_report(report: Report, out: Path) -> list[Path]:
    """Write `report.html`, `report.csv` and `report.md` below `out`; returns their paths.

    Raises:
        OutputError: they cannot be written.
    """
    html = page(
        note=data_note(report),
        titles=header(report),
        rows=[(row.headline, cells(row)) for row in report.rows],
        bars=[
            (
                row.label,
                [(name, score) for name, score in zip(report.runs, row.scores, strict=True) if score is not None],
            )
            for row in report.rows
            if row.headline or row.apart or {"told", "kind"} & set(row.groups)
        ],
        runs=run_lines(report),
        published=published_lines(report),
    )
    files = {"report.html": html, "report.csv": as_csv(report), "report.md": as_markdown(report)}
    for name, content in files.items():
        write_text(out / name, content)
    return [out / name for name in files]
