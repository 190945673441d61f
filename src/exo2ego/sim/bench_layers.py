"""Balanced questions: which of all that could be asked are asked, so that their words give no answer away.

Questions are dealt out in layers. A layer holds one question for each of its answers, and all its questions belong to
one group (mostly: one wording). Wrong options are drawn from the answers of the other questions of the layer. Within a
layer every answer is right equally often behind the same words, and any set of options is as likely with one of them
right as with another: whoever does not see the video can only draw.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from exo2ego.sim.world import TakePlan

ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth")
NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A question that could be asked about a take."""

    plan: TakePlan
    facet: str
    group: str
    """Questions of a group share layers: mostly the wording."""
    question: str
    answer: str
    start_s: float
    end_s: float
    """What must be seen to answer."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """What only one benchmark's rows need."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question with the wrong options that its layer offers it (none for open questions)."""

    candidate: Candidate
    wrong: tuple[str, ...]
    chance: float
    """What a blind draw scores: one in the options, or one in the answers of the layer for open questions."""


def deal(
    rng: np.random.Generator,
    candidates: Iterable[Candidate],
    most: int,
    *,
    options: int | None = None,
    complete: Mapping[str, int] | None = None,
) -> list[Asked]:
    """Choose at most `most` questions as whole layers, about equally many of every facet.

    Args:
        rng: decides which.
        candidates: all that could be asked, in a fixed order.
        most: how many at most; less where whole layers do not fit.
        options: options a question (the right one included): layers have at least so many answers.
        complete: for open questions: facet -> how many answers there are, all of which a layer must have.
    """
    waiting: dict[str, list[list[Candidate]]] = {}
    for group in _groups(candidates).values():
        facet = group[0].facet
        waiting.setdefault(facet, []).extend(_layers(rng, group, (complete or {}).get(facet, options or 2)))
    for facet, layers in waiting.items():
        waiting[facet] = [layers[number] for number in rng.permutation(len(layers))]
    asked: dict[str, list[Asked]] = {facet: [] for facet in waiting}
    left = most
    while any(waiting.values()):
        facet = min((name for name, layers in waiting.items() if layers), key=lambda name: len(asked[name]))
        layer = waiting[facet].pop()
        if len(layer) <= left:
            asked[facet] += _ask(rng, layer, options)
            left -= len(layer)
    return [one for ones in asked.values() for one in ones]


def _groups(candidates: Iterable[Candidate]) -> dict[tuple[str, str], list[Candidate]]:
    found: dict[tuple[str, str], list[Candidate]] = {}
    for one in candidates:
        found.setdefault((one.facet, one.group), []).append(one)
    return found


def _layers(rng: np.random.Generator, group: list[Candidate], least: int) -> list[list[Candidate]]:
    """As many layers of at least so many answers as there are."""
    by_answer: dict[str, list[Candidate]] = {}
    for number in rng.permutation(len(group)):
        by_answer.setdefault(group[number].answer, []).append(group[number])
    layers: list[list[Candidate]] = []
    while True:
        layer = [ones.pop() for ones in by_answer.values() if ones]
        if len(layer) < least:
            return layers
        layers.append(layer)


def _ask(rng: np.random.Generator, layer: list[Candidate], options: int | None) -> list[Asked]:
    if options is None:
        return [Asked(candidate=one, wrong=(), chance=1 / len(layer)) for one in layer]
    asked = []
    for one in layer:
        others = [other.answer for other in layer if other is not one]
        wrong = tuple(others[number] for number in rng.permutation(len(others))[: options - 1])
        asked.append(Asked(candidate=one, wrong=wrong, chance=1 / options))
    return asked


def labels(facet: str, told: Sequence[str], chance: float | None = None) -> dict[str, str]:
    """An entry of `groups.json`; `told` names the facets that narrations tell."""
    entry = {"facet": facet, "told": "told" if facet in told else "untold"}
    return entry if chance is None else entry | {"chance": f"{chance:.4f}"}
