"""EgoSchema-style questions about test events: which are asked, with which five options, and what chance is."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from exo2ego.sim.questions import QUESTIONS, TOLD_FACETS, UNTOLD_FACETS, answers
from exo2ego.sim.spec import COLOURS, COUNTS, HANDS, KINDS, VERBS, SimSpec
from exo2ego.sim.world import Event, TakePlan, uid

FACETS = (*TOLD_FACETS, *UNTOLD_FACETS)
QUESTIONS_PER_EVENT = 2
OPTIONS = 5
VALUES: dict[str, tuple[str, ...]] = {
    "verb": tuple(VERBS),
    "kind": KINDS,
    "colour": tuple(COLOURS),
    "hand": HANDS,
    "direction": HANDS,
    "count": COUNTS,
    "neighbour": KINDS,
}
"""Facet -> every answer that can be right."""

_FILLERS: dict[str, tuple[str, ...]] = {
    "hand": ("both", "neither", "unclear"),
    "direction": ("forwards", "backwards", "nowhere"),
    "count": ("four", "five"),
}
"""Options that are never right, where fewer than five answers exist; chance is then counted without them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchQuestion:
    """One multiple-choice question about one event."""

    q_uid: str
    facet: str
    question: str
    options: tuple[str, ...]
    answer: int
    plan: TakePlan
    event: Event

    @property
    def labels(self) -> dict[str, str]:
        """The entry of `groups.json`."""
        told = "told" if self.facet in TOLD_FACETS else "untold"
        return {"facet": self.facet, "told": told, "chance": f"{chance(self.facet):.4f}"}


def chance(facet: str) -> float:
    """Score of a blind draw among the options that can be right."""
    return 1 / min(OPTIONS, len(VALUES[facet]))


def choose(spec: SimSpec, plans: list[TakePlan]) -> list[BenchQuestion]:
    """Questions about test events: facets take turns, answers of a facet too, at most two questions an event."""
    rng = np.random.default_rng([spec.seed, 4])
    events = [(plan, event) for plan in plans if plan.split == "test" for event in plan.events]
    order = [events[number] for number in rng.permutation(len(events))]
    used: Counter[str] = Counter()
    chosen: list[BenchQuestion] = []
    # Only some events have a direction or a count: they choose their events first.
    rare = [facet for facet in FACETS if facet in ("direction", "count")]
    share = -(-spec.bench_questions // len(FACETS))
    common = [facet for facet in FACETS if facet not in rare]
    for facets, most in ((rare, share * len(rare)), (common, spec.bench_questions)):
        left, turn = list(facets), 0
        asked: dict[str, Counter[str]] = {facet: Counter() for facet in FACETS}
        while left and len(chosen) < min(most, spec.bench_questions):
            facet = left[turn % len(left)]
            found = _next(facet, order, used, asked[facet], {(q.event.event_id, q.facet) for q in chosen})
            if found is None:
                left.remove(facet)
                continue
            plan, event, answer = found
            used[event.event_id] += 1
            asked[facet][answer] += 1
            chosen.append(_question(spec, rng, plan, event, facet, answer))
            turn += 1
    return sorted(chosen, key=lambda question: question.q_uid)


def _next(
    facet: str,
    events: list[tuple[TakePlan, Event]],
    used: Counter[str],
    asked: Counter[str],
    taken: set[tuple[str, str]],
) -> tuple[TakePlan, Event, str] | None:
    """The event whose answer was asked least so far; None when the rarest of few answers has run out."""
    best: tuple[int, TakePlan, Event, str] | None = None
    for plan, event in events:
        if used[event.event_id] >= QUESTIONS_PER_EVENT or (event.event_id, facet) in taken:
            continue
        for answer in answers(event).get(facet, ()):
            if best is None or asked[answer] < best[0]:
                best = (asked[answer], plan, event, answer)
    if best is None:
        return None
    # Where few answers exist, asking on after one has run out would make a constant answer pay.
    if facet in _FILLERS and best[0] > min(asked[value] for value in VALUES[facet]):
        return None
    return best[1:]


def _question(
    spec: SimSpec, rng: np.random.Generator, plan: TakePlan, event: Event, facet: str, answer: str
) -> BenchQuestion:
    present = {event.kind, *event.neighbours} if facet == "neighbour" else {answer}
    if facet in _FILLERS:
        wrong = [value for value in (*VALUES[facet], *_FILLERS[facet]) if value != answer]
    else:
        others = [value for value in VALUES[facet] if value not in present]
        wrong = [others[number] for number in rng.permutation(len(others))[: OPTIONS - 1]]
    options = [answer, *wrong]
    mixed = [options[number] for number in rng.permutation(OPTIONS)]
    return BenchQuestion(
        q_uid=uid(spec.seed, "question", event.event_id, facet),
        facet=facet,
        question=QUESTIONS[facet][0],
        options=tuple(mixed),
        answer=mixed.index(answer),
        plan=plan,
        event=event,
    )
