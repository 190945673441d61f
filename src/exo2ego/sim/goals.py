"""Goals: short procedures that a test take pursues, so that its next step follows from the goal and what was done.

Only test takes have goals. What the train takes show, and how often, is therefore that of a world without them.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np

from exo2ego.sim.spec import VERBS

Steps = tuple[tuple[str, int], ...]
"""(verb, slot) in order; slots are the objects on the table, dealt out anew for every goal."""

PROCEDURES: dict[str, dict[str, Steps]] = {
    "Cooking": {
        "make a drink": (("lifts", 0), ("pours", 1), ("stirs", 0), ("taps", 2), ("turns", 0)),
        "serve a meal": (("shakes", 0), ("presses", 1), ("pours", 2), ("stirs", 1), ("lifts", 0)),
    },
    "Bike Repair": {
        "fix the part": (("turns", 0), ("taps", 1), ("presses", 2), ("shakes", 1), ("pours", 0)),
        "test the part": (("stirs", 0), ("turns", 1), ("shakes", 2), ("lifts", 1), ("taps", 0)),
    },
    "Music": {
        "set up the stage": (("presses", 0), ("lifts", 1), ("turns", 2), ("pours", 0), ("shakes", 1)),
        "play a beat": (("taps", 0), ("stirs", 1), ("lifts", 2), ("presses", 0), ("shakes", 1)),
    },
}
"""Scenario -> goal -> steps. Steps leave things where they stand, so that the table always allows them."""

PURSUE = 0.75
"""How often a step goes on with the goal where the table allows it; the others are taken as in takes without goals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A procedure as a take pursued it."""

    name: str
    steps: Steps
    """(verb, number of the object among the take's) in order."""
    events: tuple[int, ...] = ()
    """Index of the event that did each step, as far as the take got."""

    @property
    def complete(self) -> bool:
        """Whether the take did every step."""
        return len(self.events) == len(self.steps)


class Pursuit:
    """What a test take being planned wants to do next: the steps of one goal, other steps between and after them."""

    def __init__(self, rng: np.random.Generator, scenario: str, objects: int, held: Callable[[str, int], bool]) -> None:
        """Choose a goal of `scenario` for `objects` things; `held(verb, object)` says what only tests may show."""
        self._rng = rng
        name, steps = list(PROCEDURES[scenario].items())[int(rng.integers(len(PROCEDURES[scenario])))]
        deals = [tuple((verb, deal[slot]) for verb, slot in steps) for deal in permutations(range(objects))]
        order = [deals[number] for number in rng.permutation(len(deals))]
        # Test takes are to show held-out combinations half of the time, their goals' steps too.
        best = max(order, key=lambda deal: sum(held(verb, number) for verb, number in deal))
        self.goal = Goal(name=name, steps=best)

    def wish(self, legal: Callable[[str, int], bool]) -> tuple[str, int] | None:
        """The next step of the goal, or None where this step is to be a free one."""
        if self.goal.complete:
            return None
        verb, number = self.goal.steps[len(self.goal.events)]
        return (verb, number) if self._rng.random() < PURSUE and legal(verb, number) else None

    def did(self, event: int) -> None:
        """Note that this event did the wished step."""
        self.goal = replace(self.goal, events=(*self.goal.events, event))


def step_text(verb: str, kind: str) -> str:
    """A step as EPIC-KITCHENS narrations have it: `lift cup`."""
    return f"{VERBS[verb]} {kind}"
