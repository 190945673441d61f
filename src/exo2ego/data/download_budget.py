"""The smallest useful part of a download for a disk: takes that fit, all scenarios, much text for each byte.

    1. Every scenario gets one take: of those within an equal share of the room, the one with the most pairs for each
       byte; its cheapest take where none is. Where the disk cannot hold one of each, the cheapest scenarios come first.
    2. While anything fits: the scenario with the fewest bytes so far, in it the university with the fewest bytes so
       far, and of theirs the take with the most pairs for each byte. A take that does not fit is out.

Scenarios end with equal bytes until a small one is used up; then the others share what it left. Ties go to the name
that sorts first, so that the same files give the same takes. Nothing is drawn by lot.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from exo2ego.data.download_needs import Cost, TakeNeed
from exo2ego.data.download_sizes import show_bytes
from exo2ego.errors import InputError


def choose(found: Sequence[TakeNeed], budget_bytes: int, cost: Cost) -> list[TakeNeed]:
    """Takes whose costs add up to at most the budget, ordered by uid.

    Raises InputError when there are takes and not one fits.
    """
    priced = {need.take.take_uid: (need, max(1, cost(need))) for need in found}
    if priced and min(price for _, price in priced.values()) > budget_bytes:
        least = min(price for _, price in priced.values())
        raise InputError(
            f"a budget of {show_bytes(budget_bytes)} holds no take; the smallest needs {show_bytes(least)}"
        )
    shelf = _Shelf(priced.values(), budget_bytes)
    shelf.one_of_each()
    shelf.fill()
    return sorted(shelf.chosen, key=lambda need: need.take.take_uid)


class _Shelf:
    """Takes still to be had, and those chosen."""

    def __init__(self, priced: Iterable[tuple[TakeNeed, int]], budget_bytes: int) -> None:
        self.left = budget_bytes
        self.chosen: list[TakeNeed] = []
        self.used: Counter[tuple[str, ...]] = Counter()
        """Bytes by (scenario,) and by (scenario, university)."""
        self.groups: dict[str, dict[str, list[tuple[TakeNeed, int]]]] = {}
        """Scenario -> university -> takes, the best last."""
        best_first = sorted(priced, key=_rank)
        for need, price in reversed(best_first):
            universities = self.groups.setdefault(need.take.scenario, {})
            universities.setdefault(need.take.university, []).append((need, price))

    def one_of_each(self) -> None:
        """Step 1."""
        cheapest = {
            scenario: min(price for takes in universities.values() for _, price in takes)
            for scenario, universities in self.groups.items()
        }
        order = sorted(cheapest, key=lambda scenario: (cheapest[scenario], scenario))
        while sum(cheapest[scenario] for scenario in order) > self.left:
            order.pop()
        owed = sum(cheapest[scenario] for scenario in order)
        for done, scenario in enumerate(order):
            owed -= cheapest[scenario]
            share = self.left // (len(order) - done)
            room = max(cheapest[scenario], min(share, self.left - owed))
            takes = [entry for entries in self.groups[scenario].values() for entry in entries if entry[1] <= room]
            need, price = min(takes, key=_rank)
            self.groups[scenario][need.take.university].remove((need, price))
            self._take(need, price)

    def fill(self) -> None:
        """Step 2."""
        while self.groups:
            scenario = min(self.groups, key=lambda name: (self.used[name,], name))
            universities = self.groups[scenario]
            if not universities:
                del self.groups[scenario]
                continue
            university = min(universities, key=lambda name: (self.used[scenario, name], name))
            takes = universities[university]
            # What does not fit now never will: room only shrinks.
            while takes and takes[-1][1] > self.left:
                takes.pop()
            if takes:
                self._take(*takes.pop())
            else:
                del universities[university]

    def _take(self, need: TakeNeed, price: int) -> None:
        self.chosen.append(need)
        self.left -= price
        self.used[need.take.scenario,] += price
        self.used[need.take.scenario, need.take.university] += price


def _rank(priced: tuple[TakeNeed, int]) -> tuple[float, int, str]:
    """Most pairs for each byte first, then the cheaper, then by uid."""
    need, price = priced
    return -need.pairs / price, price, need.take.take_uid
