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
            found = _next(rng, facet, order, used, asked[facet], {(q.event.event_id, q.facet) for q in chosen})
            if found is None:
                left.remove(facet)
                continue
            plan, event, answer, others = found
            used[event.event_id] += 1
            asked[facet][answer] += 1
            chosen.append(_question(spec, rng, plan, event, facet, answer, others))
            turn += 1
    return sorted(chosen, key=lambda question: question.q_uid)


def _next(
    rng: np.random.Generator,
    facet: str,
    events: list[tuple[TakePlan, Event]],
    used: Counter[str],
    asked: Counter[str],
    taken: set[tuple[str, str]],
) -> tuple[TakePlan, Event, str, list[str]] | None:
    """An event with one of the answers asked least so far, drawn by lot, and the answers that are in this round.

    A round asks once for each answer that the world still has, and offers the others of the round as wrong options:
    what a small world has little of is then as seldom wrong as it is right. None when too few answers are left.
    """
    free: dict[str, tuple[TakePlan, Event]] = {}
    for plan, event in events:
        if used[event.event_id] < QUESTIONS_PER_EVENT and (event.event_id, facet) not in taken:
            for answer in answers(event).get(facet, ()):
                free.setdefault(answer, (plan, event))
    if not free:
        return None
    least = min(asked[answer] for answer in free)
    round_left = sorted(answer for answer in free if asked[answer] == least)
    in_round = [answer for answer in VALUES[facet] if answer in round_left or asked[answer] > least]
    # Where few answers exist, asking on after one has run out would make a constant answer pay.
    if len(in_round) < min(OPTIONS, len(VALUES[facet])):
        return None
    answer = round_left[int(rng.integers(len(round_left)))]
    return (*free[answer], answer, [other for other in in_round if other != answer])


def _question(
    spec: SimSpec,
    rng: np.random.Generator,
    plan: TakePlan,
    event: Event,
    facet: str,
    answer: str,
    others: list[str],
) -> BenchQuestion:
    if facet == "neighbour":
        # The acted-on object and the second neighbour are no wrong answers.
        others = [value for value in KINDS if value not in (event.kind, *event.neighbours)]
    wrong = [others[number] for number in rng.permutation(len(others))[: OPTIONS - 1]]
    wrong += _FILLERS.get(facet, ())[: OPTIONS - 1 - len(wrong)]
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
