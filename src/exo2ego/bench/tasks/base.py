"""What every task is made of: how to load it, how to ask (protocols), how to score; and the scoring of choices."""

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from exo2ego.bench.items import Item
from exo2ego.bench.judge import Verdict
from exo2ego.bench.model import CAPABILITIES, AnswerModel, Capable
from exo2ego.bench.stats import Stratum, bootstrap
from exo2ego.errors import FormatError, InputError
from exo2ego.records import Prediction, Score


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One protocol: how an item is put to a model, and whether the answer is text or scores."""

    describe: str
    """One line for `--help`, reports and the card."""
    ask: Callable[[AnswerModel, Item, str], Prediction]
    """(model, item with absolute videos, style) -> prediction. VideoErrors pass through."""
    example: Callable[[str], str]
    """style -> the words asked, for `bench prompts`."""
    needs: frozenset[str] = frozenset({"logprobs"})
    """Which of `model.CAPABILITIES` a model must have to be asked like this."""
    choose: Callable[[Item, Prediction], int | None] | None = None
    """Only where the options are shown to the model in an order: the option that an answer names, None for unreadable
    text. `--shuffle-options` asks such an item in several orders and lets the answers vote."""
    judged: bool = False
    """Answers are free text that `bench judge` can compare with the right one, `item.options[item.answer]`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One figure together with what it was made of, so that two runs can be compared item by item."""

    score: Score
    strata: tuple[Stratum, ...]
    headline: bool = False
    """Counts in the average over tasks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreSettings:
    """What a score depends on besides items and predictions."""

    protocol: str
    seed: int = 0
    alpha: float = 1.0
    """EPIC MIR (video to text) and Charades-Ego: how much of log P(text) is taken off (0 none, 1 pointwise mutual
    information)."""
    verdicts: Mapping[str, Mapping[str, Verdict]] = field(default_factory=dict)
    """Judge -> item id -> what it said of the answer that stands in the run now (`bench judge`)."""
    similarities: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Sentence model -> item id -> cosine of the answer and the right one, -1..1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A number from somebody's paper. Shown beside ours on the real data only, never recomputed here."""

    measure: str
    """Start of the name of the measure it stands beside."""
    value: float
    """In 0..1, as our scores."""
    who: str
    caution: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One benchmark. Adding one = a file in this folder, a line in `TASKS`, a test."""

    name: str
    title: str
    load: Callable[..., list[Item]]
    """`load(root, limit=None, seed=0, full=False)`; raises InputError subclasses naming file, row and field."""
    protocols: Mapping[str, Ask]
    default_protocol: str
    score: Callable[[Sequence[Item], Mapping[str, Prediction], ScoreSettings], list[Measure]]
    official_sizes: tuple[int, int]
    """Least and greatest number of items of a complete run on the real data; others are never shown beside papers."""
    published: tuple[Published, ...] = ()
    folder: str | None = None
    """Its folder below the root where several tasks are run; None: as the task is called."""
    apart: bool = False
    """Reported apart: no part of EgoBench, its figures count in no average."""
    submission: Callable[[Sequence[Item], Mapping[str, Prediction]], dict[str, str]] | None = None
    """File name -> content, for servers that hold the answers."""

    @property
    def directory(self) -> str:
        """Name of its folder where several tasks lie side by side."""
        return self.folder or self.name


def require_protocol(model: Capable, task: Task, protocol: str) -> None:
    """Refuse a protocol that is not there or that the model cannot answer, before anything is asked.

    Raises:
        InputError: no such protocol, or the model lacks what it needs; names the protocols that are possible.
    """
    if protocol not in task.protocols:
        known = ", ".join(task.protocols)
        raise InputError(f"--protocol {protocol}: {task.name} has no such protocol; choose from {known}")
    missing = sorted(task.protocols[protocol].needs - model.capabilities)
    if not missing:
        return
    can = [name for name, ask in task.protocols.items() if ask.needs <= model.capabilities]
    lacks = " and no ".join(f"{name}: {CAPABILITIES[name]}" for name in missing)
    advice = f"choose --protocol {' or '.join(can)}" if can else f"no protocol of {task.name} can do without"
    raise InputError(f"{model.name} has no {lacks}; {task.name}'s protocol {protocol} needs them; {advice}")


@dataclass(slots=True, kw_only=True)
class _Marks:
    """Marks collected for one subset of the items."""

    ids: list[str] = field(default_factory=list)
    clusters: list[str] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    chances: list[float] = field(default_factory=list)
    unparsed: int = 0
    unscored: int = 0


def choice_measures(
    items: Sequence[Item],
    predictions: Mapping[str, Prediction],
    name: str,
    settings: ScoreSettings,
    choose: Callable[[Item, Prediction], int | None],
    groups: Mapping[str, str] | None = None,
    headline: bool = True,
) -> list[Measure]:
    """Accuracy over `items` with a known answer, then over each `told` and each `facet` label they carry.

    `name` is completed by the metric and the protocol. An item without a prediction counts as unscored.
    """
    known = [item for item in items if item.answer is not None]
    measures: list[Measure] = []
    for labels, members in subsets(known):
        marks = _mark(members, predictions, choose)
        if not members:
            continue
        title = f"{name} accuracy ({settings.protocol})"
        if not marks.values:
            if not labels:
                raise nothing_answered(title, members, predictions)
            continue
        measures.append(_measure(title, marks, {**(groups or {}), **labels}, settings.seed, headline and not labels))
    return measures


def nothing_answered(title: str, items: Sequence[Item], predictions: Mapping[str, Prediction]) -> InputError:
    """What to raise where no item has an answer; repeats the first reason that the run recorded."""
    kept = (predictions.get(item.item_id) for item in items)
    first = next((prediction.error for prediction in kept if prediction is not None and prediction.error), None)
    why = f" (the first: {first})" if first else ""
    return InputError(f"{title}: none of {len(items)} items has an answer{why}; see predictions.jsonl, then run again")


def subsets(items: Sequence[Item]) -> Iterable[tuple[dict[str, str], list[Item]]]:
    """All items, then those of each value of `told` and of `facet`: (labels, members), less values that all share."""
    yield {}, list(items)
    for label in ("told", "facet"):
        values = {item.groups.get(label) for item in items}
        for value in sorted(value for value in values if value is not None and len(values) > 1):
            yield {label: value}, [item for item in items if item.groups.get(label) == value]


def _mark(
    items: Iterable[Item], predictions: Mapping[str, Prediction], choose: Callable[[Item, Prediction], int | None]
) -> _Marks:
    marks = _Marks()
    for item in items:
        prediction = predictions.get(item.item_id)
        if prediction is None or prediction.error is not None:
            marks.unscored += 1
            continue
        choice = choose(item, prediction)
        marks.unparsed += choice is None
        marks.ids.append(item.item_id)
        marks.clusters.append(item.cluster)
        marks.values.append(float(choice == item.answer))
        marks.chances.append(item.chance if item.chance is not None else 0.0)
    return marks


def _measure(name: str, marks: _Marks, groups: dict[str, str], seed: int, headline: bool) -> Measure:
    strata = (Stratum(item_ids=tuple(marks.ids), clusters=tuple(marks.clusters), values=tuple(marks.values)),)
    chance = sum(marks.chances) / len(marks.chances) if marks.chances else None
    return measure(
        name,
        strata,
        seed=seed,
        unparsed=marks.unparsed,
        unscored=marks.unscored,
        chance=chance,
        groups=groups,
        headline=headline,
    )


def measure(
    name: str,
    strata: tuple[Stratum, ...],
    *,
    seed: int,
    unparsed: int = 0,
    unscored: int = 0,
    unjudged: int = 0,
    chance: float | None = None,
    groups: Mapping[str, str] | None = None,
    headline: bool = False,
) -> Measure:
    """A figure with its interval. Raises InputError when nothing at all could be scored."""
    interval = bootstrap(strata, seed)
    score = Score(
        name=name,
        value=interval.value,
        low=interval.low,
        high=interval.high,
        n=sum(len(stratum.values) for stratum in strata),
        unparsed=unparsed,
        unscored=unscored,
        unjudged=unjudged,
        chance=chance,
        groups=dict(groups or {}),
    )
    return Measure(score=score, strata=strata, headline=headline)


def best(scores: Sequence[float], expected: int, item_id: str) -> int:
    """Position of the greatest of `expected` scores; equals are decided by a lot that depends on the item's id only.

    (The first of equals would be right as often as the benchmark's authors put the answer first.)
    """
    require_scores(scores, expected, item_id)
    greatest = [index for index, score in enumerate(scores) if score == max(scores)]
    return greatest[zlib.crc32(item_id.encode()) % len(greatest)]


def require_scores(scores: Sequence[float], expected: int, item_id: str) -> None:
    """Refuse a prediction that does not belong to its item.

    Raises:
        FormatError: the number of scores differs from the number of candidates.
    """
    if len(scores) != expected:
        raise FormatError(
            f"predictions.jsonl: item {item_id}: {len(scores)} scores for {expected} candidates; run again"
        )


def as_prediction(item: Item, scores: Sequence[float]) -> Prediction:
    """Scores as they are kept: rounded to 1e-6, which no ranking of log-probabilities needs more than."""
    return Prediction(item_id=item.item_id, scores=tuple(round(float(score), 6) for score in scores))
