"""Run folders -> one comparison of runs on the same questions. Needs neither model nor videos."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exo2ego.bench.score import Quarantine, TaskScores, read_scores, run_folders
from exo2ego.bench.shuffle import PositionBias
from exo2ego.bench.stats import Stratum, bootstrap, paired_difference, sign_flip_p_value
from exo2ego.bench.tasks import TASKS
from exo2ego.bench.tasks.base import Measure, Published
from exo2ego.data.told import Progress
from exo2ego.errors import InputError
from exo2ego.records import Score

AVERAGE = "average of headline figures"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunScores:
    """All tasks of one RUN, under the name that the report gives it."""

    name: str
    tasks: dict[str, TaskScores]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """The first run minus another, on the items that both have scored."""

    value: float
    low: float
    high: float
    """95 % interval, paired bootstrap by recording."""
    p_value: float
    """Sign-flip permutation test by recording; not corrected for how many figures a report holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure in every run that has it."""

    name: str
    groups: dict[str, str]
    headline: bool
    scores: tuple[Score | None, ...]
    """One a run, in the order of `Report.runs`."""
    gains: tuple[Gain | None, ...]
    """The first run minus this one, on the same items; None for the first."""
    published: tuple[Published, ...] = ()
    """Others' numbers for this figure; only where a complete run on the real data is shown."""
    apart: bool = False
    """Of a task that is reported apart (`Task.apart`)."""

    @property
    def short(self) -> str:
        """Name without its protocol, with its subset: what has room beside a picture."""
        name = self.name.partition(" (")[0]
        return ", ".join([name, *self.groups.values()]) if self.groups else name

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
    lost: tuple[tuple[str, str, Quarantine], ...] = ()
    """(run, task, items without an answer and why)."""
    biases: tuple[tuple[str, str, PositionBias], ...] = ()
    """(run, task, what asking in several orders showed)."""


def read_runs(folders: Sequence[Path], progress: Progress | None = None) -> list[RunScores]:
    """The scores of each RUN. Runs are named after their model; equal names get their folder's name as well.

    `progress` is told (tasks read, in all).

    Raises:
        MissingFileError: a folder is no run, or is not scored yet.
        InputError: two runs answered different items of one task.
    """
    if not folders:
        raise InputError("no run folder given; name one or more folders that `bench run` wrote")
    places = [(folder, place) for folder in folders for place in run_folders(folder)]
    read: dict[Path, dict[str, TaskScores]] = {folder: {} for folder in folders}
    for done, (folder, place) in enumerate(places, 1):
        scores = read_scores(place)
        read[folder][scores.task] = scores
        if progress:
            progress(done, len(places))
    loaded = [(folder, read[folder]) for folder in folders]
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


def build(runs: Sequence[RunScores], progress: Progress | None = None) -> Report:
    """Rows of all runs side by side, the average of the headline figures last. `progress`: (figures done, in all)."""
    told = progress or (lambda done, total: None)
    tables = {task: [_table(run.tasks[task].measures) if task in run.tasks else {} for run in runs] for task in TASKS}
    total = 1 + sum(len(_figures(table)) for table in tables.values())
    rows: list[Row] = []
    for row in (row for task in TASKS for row in _task_rows(task, runs, tables[task])):
        rows.append(row)
        told(len(rows), total)
    average = _average(runs)
    told(total, total)
    every = [scores for run in runs for scores in run.tasks.values()]
    return Report(
        runs=tuple(run.name for run in runs),
        rows=(*rows, *([average] if average else [])),
        published=tuple(
            (TASKS[name].title, number) for name in TASKS if _official(name, every) for number in TASKS[name].published
        ),
        cards=tuple(scores.run for scores in every),
        simulated=any(scores.run.get("simulated") for scores in every),
        lost=tuple(
            (run.name, task, lost) for run in runs for task, scores in run.tasks.items() for lost in scores.quarantined
        ),
        biases=tuple(
            (run.name, task, scores.bias)
            for run in runs
            for task, scores in run.tasks.items()
            if scores.bias is not None
        ),
    )


def _official(name: str, every: Sequence[TaskScores]) -> bool:
    """Whether all shown runs of a task are complete runs on data that can be the real ones."""
    least, most = TASKS[name].official_sizes
    shown = [scores.run for scores in every if scores.task == name]
    return bool(shown) and all(not run.get("simulated") and least <= run.get("items", 0) <= most for run in shown)


_Table = dict[tuple[str, str], Measure]


def _figures(tables: Sequence[_Table]) -> list[tuple[str, str]]:
    """Name and subset of every figure that a run has."""
    return list(dict.fromkeys(key for table in tables for key in table))


def _task_rows(task: str, runs: Sequence[RunScores], tables: Sequence[_Table]) -> Iterator[Row]:
    """`tables`: the figures of the task by name and subset, a table for each run."""
    every = [scores for run in runs for scores in run.tasks.values()]
    others = TASKS[task].published if _official(task, every) else ()
    for key in _figures(tables):
        measures = [table.get(key) for table in tables]
        shown = next(measure for measure in measures if measure is not None)
        yield Row(
            name=shown.score.name,
            groups=dict(shown.score.groups),
            headline=shown.headline,
            apart=TASKS[task].apart,
            scores=tuple(measure.score if measure else None for measure in measures),
            gains=_gains([measure.strata if measure else None for measure in measures]),
            published=tuple(
                number for number in others if shown.headline and shown.score.name.startswith(number.measure)
            ),
        )


def _table(measures: Sequence[Measure]) -> _Table:
    return {(measure.score.name, str(sorted(measure.score.groups.items()))): measure for measure in measures}


def _gains(strata: Sequence[tuple[Stratum, ...] | None]) -> tuple[Gain | None, ...]:
    first = strata[0]
    return tuple(
        _gain(first, other) if index and first is not None and other is not None else None
        for index, other in enumerate(strata)
    )


def _gain(ours: Sequence[Stratum], theirs: Sequence[Stratum]) -> Gain:
    found = paired_difference(ours, theirs)
    return Gain(value=found.value, low=found.low, high=found.high, p_value=sign_flip_p_value(ours, theirs))


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
