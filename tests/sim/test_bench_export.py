"""Benchmark content: one right answer each, no position or constant pays, test takes only."""

from collections import Counter

import pytest

from exo2ego.sim.bench_export import egomcq, mir_rows
from exo2ego.sim.bench_questions import FACETS, BenchQuestion, chance, choose
from exo2ego.sim.questions import QUESTIONS, UNTOLD_FACETS, answers
from exo2ego.sim.spec import KINDS, VERBS, SimSpec
from exo2ego.sim.world import Event, TakePlan

Pairs = list[tuple[TakePlan, Event]]


@pytest.fixture(scope="module")
def pairs(plans: list[TakePlan]) -> Pairs:
    """All test events."""
    return [(plan, event) for plan in plans if plan.split == "test" for event in plan.events]


@pytest.fixture(scope="module")
def questions(plan_spec: SimSpec, plans: list[TakePlan]) -> list[BenchQuestion]:
    """All EgoSchema-style questions."""
    return choose(plan_spec, plans)


def test_each_question_has_exactly_one_right_option(questions: list[BenchQuestion]) -> None:
    """Checked against the event: no other option is true of it."""
    for one in questions:
        right = answers(one.event)[one.facet]
        assert len(set(one.options)) == 5
        assert [text in right for text in one.options].index(True) == one.answer
        assert sum(text in right for text in one.options) == 1
        assert one.plan.split == "test"
        assert one.question == QUESTIONS[one.facet][0]
        if one.facet == "neighbour":
            assert one.event.kind not in one.options


def test_facets_take_turns_and_no_constant_answer_pays(questions: list[BenchQuestion]) -> None:
    """Every facet is asked; within one, answers are balanced; positions are not far from uniform."""
    by_facet = Counter(one.facet for one in questions)
    assert set(by_facet) == set(FACETS)
    assert max(Counter(one.event.event_id for one in questions).values()) <= 2
    for facet in ("hand", "direction", "count"):
        given = Counter(one.options[one.answer] for one in questions if one.facet == facet)
        assert max(given.values()) - min(given.values()) <= 1
    positions = Counter(one.answer for one in questions)
    assert max(positions.values()) < 0.35 * len(questions)


def test_labels_state_told_untold_and_the_honest_chance(questions: list[BenchQuestion]) -> None:
    """Fillers that are never right do not lower chance."""
    assert (chance("hand"), chance("direction"), chance("colour")) == (0.5, 0.5, 0.2)
    assert chance("count") == pytest.approx(1 / 3)
    for one in questions:
        assert one.labels["told"] == ("untold" if one.facet in UNTOLD_FACETS else "told")


def test_caps_are_kept(plan_spec: SimSpec, plans: list[TakePlan], pairs: Pairs) -> None:
    """The number of questions and clips is what the spec allows at most."""
    small = SimSpec(out=plan_spec.out, takes=60, seed=7, bench_questions=10, egomcq_questions=5, mir_clips=4)
    assert len(choose(small, plans)) == 10
    assert [row["types"] for row in egomcq(small, pairs).values()] == [1, 1, 1, 2, 2]
    assert len(mir_rows(small, pairs)) == 4


def test_egomcq_has_one_fitting_clip(plan_spec: SimSpec, pairs: Pairs) -> None:
    """Intra: five clips of one video; inter: five videos; only the answer's text is the query's."""
    rows = egomcq(plan_spec, pairs)
    assert Counter(row["types"] for row in rows.values()) == {1: 75, 2: 75}
    for row in rows.values():
        clips = [row["choices"][str(number)] for number in range(5)]
        fits = [clip["clip_text"] == row["query"]["clip_text"] for clip in clips]
        assert fits.count(True) == 1
        assert fits.index(True) == row["answer"]
        assert len({clip["video_uid"] for clip in clips}) == (1 if row["types"] == 2 else 5)
        assert row["query"]["clip_text"].startswith("#C C ")
    positions = Counter(row["answer"] for row in rows.values())
    assert max(positions.values()) < 0.35 * len(rows)


def test_mir_rows_have_the_real_columns_and_classes(plan_spec: SimSpec, pairs: Pairs) -> None:
    """Classes are positions in the vocabulary; timestamps are HH:MM:SS.ss and lie within the video."""
    rows = mir_rows(plan_spec, pairs)
    assert len({row["narration_id"] for row in rows}) == len(rows)
    for row in rows:
        assert row["narration"] == f"{row['verb']} {row['noun']}"
        assert list(VERBS.values())[row["verb_class"]] == row["verb"]
        assert row["all_noun_classes"] == f"[{KINDS.index(row['noun'])}]"
        assert row["start_timestamp"] < row["narration_timestamp"] < row["stop_timestamp"]
        assert len(row["start_timestamp"]) == len("00:00:00.00")
