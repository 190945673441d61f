"""Scoring of free text: the figures of `text_metrics`, and those of each judge, over all items and by label."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from exo2ego.bench.answers import normal_answer, spoken
from exo2ego.bench.items import Item, right_answer
from exo2ego.bench.judge import FULL_MARKS, Verdict
from exo2ego.bench.stats import Stratum
from exo2ego.bench.tasks.base import Measure, ScoreSettings, measure, nothing_answered
from exo2ego.bench.text_metrics import Metric
from exo2ego.records import Prediction

Parts = Iterable[tuple[dict[str, str], Sequence[Item]]]
"""(labels, members): the whole set first, with no labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The value of one answer."""

    value: float
    unparsed: bool = False
    unjudged: bool = False


Marker = Callable[[Item, Prediction], Mark | None]
"""None: nothing can be said of this item (it is unscored)."""


def mean_measures(
    title: str,
    parts: Parts,
    predictions: Mapping[str, Prediction],
    settings: ScoreSettings,
    mark: Marker,
    *,
    headline: bool = False,
    chance: Callable[[Item], float | None] = lambda item: None,
) -> list[Measure]:
    """The mean of `mark` over each part. Items without an answer count as unscored; empty parts are left out.

    Raises:
        InputError: no item of the whole set has an answer.
    """
    measures: list[Measure] = []
    for labels, members in parts:
        answered = [(item, predictions.get(item.item_id)) for item in members]
        marks = [
            (item, given)
            for item, prediction in answered
            if prediction is not None and prediction.error is None
            if (given := mark(item, prediction)) is not None
        ]
        if not marks:
            if not labels:
                raise nothing_answered(title, members, predictions)
            continue
        chances = [chance(item) for item, _ in marks]
        known = [value for value in chances if value is not None]
        measures.append(
            measure(
                title,
                (_stratum(marks),),
                seed=settings.seed,
                unparsed=sum(given.unparsed for _, given in marks),
                unscored=len(members) - len(marks),
                unjudged=sum(given.unjudged for _, given in marks),
                chance=sum(known) / len(known) if len(known) == len(chances) else None,
                groups=labels,
                headline=headline and not labels,
            )
        )
    return measures


def _stratum(marks: Sequence[tuple[Item, Mark]]) -> Stratum:
    return Stratum(
        item_ids=tuple(item.item_id for item, _ in marks),
        clusters=tuple(item.cluster for item, _ in marks),
        values=tuple(given.value for _, given in marks),
    )


def metric_marker(metric: Metric) -> Marker:
    """`metric` of the text against the right answer; a text of which nothing is left is unparsed and worth 0."""

    def mark(item: Item, prediction: Prediction) -> Mark:
        text = spoken(prediction.text or "")
        if not normal_answer(text):
            return Mark(value=0.0, unparsed=True)
        (value,) = metric([text], [right_answer(item)])
        return Mark(value=value)

    return mark


def judge_measures(
    name: str,
    parts: Callable[[], Parts],
    predictions: Mapping[str, Prediction],
    settings: ScoreSettings,
    *,
    headline: bool = False,
) -> list[Measure]:
    """Accuracy (share of "yes") and mean score of each judge; the first judge's accuracy is the headline.

    Unjudged replies are wrong, worth 0, and counted; answers that the judge has not seen are unscored.
    """
    measures: list[Measure] = []
    for number, (judge, verdicts) in enumerate(settings.verdicts.items()):
        if not any(item.item_id in verdicts for _, members in list(parts())[:1] for item in members):
            continue
        told = f"{settings.protocol}, judge {judge}"
        measures += mean_measures(
            f"{name} judge accuracy ({told})",
            parts(),
            predictions,
            settings,
            _verdict_marker(verdicts, lambda verdict: float(verdict.correct is True)),
            headline=headline and number == 0,
        )
        measures += mean_measures(
            f"{name} judge score of {FULL_MARKS} ({told})",
            list(parts())[:1],
            predictions,
            settings,
            _verdict_marker(verdicts, lambda verdict: (verdict.score or 0) / FULL_MARKS),
        )
    return measures


def _verdict_marker(verdicts: Mapping[str, Verdict], value: Callable[[Verdict], float]) -> Marker:
    def mark(item: Item, prediction: Prediction) -> Mark | None:
        if not normal_answer(prediction.text or ""):
            return Mark(value=0.0, unparsed=True)
        verdict = verdicts.get(item.item_id)
        return None if verdict is None else Mark(value=value(verdict), unjudged=verdict.correct is None)

    return mark
