"""Layers: whole or not at all, every answer once, wrong options from the layer, caps kept."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from exo2ego.sim.bench_layers import Asked, Candidate, deal, labels
from exo2ego.sim.world import TakePlan

answers_strategy = st.lists(
    st.tuples(st.sampled_from("fg"), st.sampled_from("xyz"), st.sampled_from("abcdef")), max_size=80
)


def candidates(plan: TakePlan, rows: list[tuple[str, str, str]]) -> list[Candidate]:
    return [
        Candidate(plan=plan, facet=facet, group=group, question=group, answer=answer, start_s=0.0, end_s=1.0)
        for facet, group, answer in rows
    ]


def balanced(asked: list[Asked], most: int) -> None:
    """Within a group no answer is asked for twice before another one of its layer was asked for."""
    assert len(asked) <= most
    for one in asked:
        assert len({one.candidate.answer, *one.wrong}) == len(one.wrong) + 1


@given(rows=answers_strategy, most=st.integers(0, 60), seed=st.integers(0, 100))
def test_closed_questions_offer_options_of_their_layer(
    plans: list[TakePlan], rows: list[tuple[str, str, str]], most: int, seed: int
) -> None:
    """Four options, all answers of the group; asking twice for one answer means that three others were asked too."""
    asked = deal(np.random.default_rng(seed), candidates(plans[0], rows), most, options=4)
    balanced(asked, most)
    for facet, group in {(one.candidate.facet, one.candidate.group) for one in asked}:
        members = [one for one in asked if (one.candidate.facet, one.candidate.group) == (facet, group)]
        counted = Counter(one.candidate.answer for one in members)
        assert len(counted) >= 4
        assert sorted(counted.values())[-4] == max(counted.values())
        for one in members:
            assert len(one.wrong) == 3
            assert set(one.wrong) <= set(counted)
            assert one.chance == 0.25


@given(rows=answers_strategy, seed=st.integers(0, 100))
def test_open_questions_ask_for_every_answer_equally_often(
    plans: list[TakePlan], rows: list[tuple[str, str, str]], seed: int
) -> None:
    """Whole layers of six only; facets without a number of answers need two."""
    asked = deal(np.random.default_rng(seed), candidates(plans[0], rows), 1000, complete={"f": 6})
    for group in "xyz":
        counted = Counter(o.candidate.answer for o in asked if (o.candidate.facet, o.candidate.group) == ("f", group))
        available = Counter(answer for facet, name, answer in rows if (facet, name) == ("f", group))
        expected = min(available[answer] for answer in "abcdef")
        assert counted == (dict.fromkeys("abcdef", expected) if expected else {})


def test_a_blind_draw_is_right_as_often_for_every_option(plans: list[TakePlan]) -> None:
    """A group in which `a` is the answer nine times as often as the others gives no hint."""
    rows = [("f", "x", answer) for answer in "a" * 900 + "b" * 100 + "c" * 100 + "d" * 100 + "e" * 100]
    asked = deal(np.random.default_rng(0), candidates(plans[0], rows), 10**6, options=4)
    assert Counter(one.candidate.answer for one in asked) == dict.fromkeys("abcde", 100)
    right_when_offered = [one.candidate.answer == "a" for one in asked if "a" in (one.candidate.answer, *one.wrong)]
    assert abs(np.mean(right_when_offered) - 0.25) < 0.04


def test_labels_name_chance_only_where_there_is_one() -> None:
    """`told` for facets that narrations tell."""
    assert labels("verb", ("verb",)) == {"facet": "verb", "told": "told"}
    assert labels("hand", ("verb",), 0.25) == {"facet": "hand", "told": "untold", "chance": "0.2500"}
