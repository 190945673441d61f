"""What is chosen for a budget: never more than fits, the same each time, something of everything, nothing left over."""

import random
from collections import Counter

import pytest
from download_fakes import need
from hypothesis import given
from hypothesis import strategies as st

from exo2ego.data.download_budget import choose
from exo2ego.data.download_needs import COSTS, TakeNeed
from exo2ego.errors import InputError

COST = COSTS["fetched"]

takes = st.lists(
    st.tuples(st.sampled_from("ABC"), st.sampled_from("xyz"), st.integers(1, 40), st.integers(1, 30)), max_size=25
).map(lambda rows: [need(f"u{n:02d}", *row) for n, row in enumerate(rows)])


def rank(one: TakeNeed) -> tuple[float, int, str]:
    return -one.pairs / COST(one), COST(one), one.take.take_uid


def slowly(found: list[TakeNeed], budget: int) -> list[str]:
    """The rule of the module's docstring, word for word, looking at everything each time."""
    left, chosen = budget, []
    order = sorted({n.take.scenario for n in found}, key=lambda s: (min(map(COST, of(found, s))), s))
    while sum(min(map(COST, of(found, s))) for s in order) > left:
        order = order[:-1]
    for number, scenario in enumerate(order):
        owed = sum(min(map(COST, of(found, s))) for s in order[number + 1 :])
        room = min(left // (len(order) - number), left - owed)
        within = [n for n in of(found, scenario) if COST(n) <= room]
        cheapest = min(map(COST, of(found, scenario)))
        one = min(within or [n for n in of(found, scenario) if COST(n) == cheapest], key=rank)
        chosen.append(one)
        left -= COST(one)
    while any(n not in chosen and COST(n) <= left for n in found):
        used = Counter[str]()
        used_at = Counter[tuple[str, str]]()
        for n in chosen:
            used[n.take.scenario] += COST(n)
            used_at[n.take.scenario, n.take.university] += COST(n)
        fits = [n for n in found if n not in chosen and COST(n) <= left]
        poorest = min({n.take.scenario for n in fits}, key=lambda s: (used[s], s))
        fits = [n for n in fits if n.take.scenario == poorest]
        at = min({n.take.university for n in fits}, key=lambda u: (used_at[poorest, u], u))
        one = min((n for n in fits if n.take.university == at), key=rank)
        chosen.append(one)
        left -= COST(one)
    return sorted(n.take.take_uid for n in chosen)


def of(found: list[TakeNeed], scenario: str) -> list[TakeNeed]:
    return [n for n in found if n.take.scenario == scenario]


def chosen_uids(found: list[TakeNeed], budget: int) -> list[str]:
    return [n.take.take_uid for n in choose(found, budget, COST)]


@given(found=takes, budget=st.integers(1, 400), seed=st.integers(0, 9))
def test_fast_and_slow_choose_the_same_whatever_the_order_of_the_rows(
    found: list[TakeNeed], budget: int, seed: int
) -> None:
    if found and min(map(COST, found)) > budget:
        with pytest.raises(InputError, match="holds no take; the smallest needs"):
            choose(found, budget, COST)
        return
    mixed = random.Random(seed).sample(found, len(found))
    assert chosen_uids(found, budget) == chosen_uids(mixed, budget) == slowly(found, budget)


@given(found=takes, budget=st.integers(40, 400))
def test_it_fits_nothing_more_would_and_every_scenario_is_there_if_it_can_be(
    found: list[TakeNeed], budget: int
) -> None:
    chosen = choose(found, budget, COST)
    left = budget - sum(map(COST, chosen))
    assert left >= 0
    assert len({n.take.take_uid for n in chosen}) == len(chosen)
    assert all(COST(n) > left for n in found if n not in chosen)
    scenarios = {n.take.scenario for n in found}
    if sum(min(map(COST, of(found, s))) for s in scenarios) <= budget:
        assert {n.take.scenario for n in chosen} == scenarios


def test_scenarios_and_universities_share_and_the_densest_takes_come_first() -> None:
    """Twelve equal takes a scenario, two universities each, room for eight takes in all: two of each university."""
    found = [
        need(f"{scenario}{university}{n}", scenario, university, 10, n + 1)
        for scenario in "AB"
        for university in "xy"
        for n in range(6)
    ]
    assert chosen_uids(found, 80) == ["Ax4", "Ax5", "Ay4", "Ay5", "Bx4", "Bx5", "By4", "By5"]


def test_one_huge_take_does_not_eat_what_other_scenarios_could_have() -> None:
    found = [need("a0", "A", "x", 90, 900), need("a1", "A", "x", 10, 10)]
    found += [need(f"b{n}", "B", "x", 10, 10) for n in range(9)]
    assert chosen_uids(found, 100)[:3] == ["a1", "b0", "b1"]
