"""Questions: no wording gives the answer away, and first person asks only what narrations tell."""

import re

import pytest

from exo2ego.sim.bench_questions import VALUES
from exo2ego.sim.narrate import text_of
from exo2ego.sim.questions import FIRST_PERSON, QUESTIONS, TOLD_FACETS, answers, first_person_answers, wording
from exo2ego.sim.spec import COLOURS, KINDS, VERBS
from exo2ego.sim.world import TakePlan

_ANSWERS = {value for values in VALUES.values() for value in values} | set(VERBS.values())


@pytest.mark.parametrize("table", [QUESTIONS, FIRST_PERSON], ids=["third person", "first person"])
def test_no_question_names_an_answer(table: dict[str, tuple[str, ...]]) -> None:
    """`What is done` may be asked; `taps` may be spoken of only where the count of taps is asked."""
    for facet, texts in table.items():
        for text in texts:
            words = set(re.findall(r"[a-z]+", text.lower()))
            allowed = {"tap", "taps", "one"} if facet in ("count", "verb") else set()
            assert not words & (_ANSWERS - allowed), text


def test_canonical_wording_is_most_common_and_all_occur() -> None:
    """About 60 % canonical."""
    drawn = [wording(QUESTIONS, "colour", str(number)) for number in range(2000)]
    assert set(drawn) == set(QUESTIONS["colour"])
    assert 0.55 < drawn.count(QUESTIONS["colour"][0]) / len(drawn) < 0.65


def test_answers_are_the_truth(plans: list[TakePlan]) -> None:
    """Every facet's answer is one of its values, and direction or count exist for their verbs only."""
    for event in plans[0].events + plans[1].events:
        facts = answers(event)
        for facet, values in facts.items():
            if facet in VALUES:
                assert set(values) <= set(VALUES[facet])
        assert ("direction" in facts, "count" in facts) == (event.verb == "slides", event.verb == "taps")
        assert facts["describe"] == (f"The person {event.verb} the {event.kind}.",)


def test_narrations_and_first_person_tell_verb_and_kind_only(plans: list[TakePlan]) -> None:
    """What is untold must not be told, or there is nothing for the exo teacher to add."""
    assert set(first_person_answers(plans[0].events[0])) - {"describe"} == set(TOLD_FACETS)
    untold = set(COLOURS) | {"left", "right", "one", "two", "three", "once", "twice", "times"}
    for plan in plans:
        for event in plan.events:
            texts = [text_of(event, 0), text_of(event, 1), *first_person_answers(event)["describe"]]
            for text in texts:
                words = set(re.findall(r"[a-z]+", text.lower()))
                assert not words & untold
                assert words & set(KINDS) == {event.kind}
                assert event.verb in words or VERBS[event.verb] in words
