"""QaEgo4D of the simulated world: the real row's form, answers that are true of the take, one right option."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from exo2ego.sim.bench_layers import NUMBERS, ORDINALS, Asked
from exo2ego.sim.bench_qaego4d import PAST, questions, rows
from exo2ego.sim.spec import VERBS, SimSpec
from exo2ego.sim.world import Event, TakePlan, plan_takes

REAL = Path(__file__).parents[3] / "shared" / "data" / "qaego4d" / "annotations.QaEgo4D_test_close.sample1.json"


@pytest.fixture(scope="module")
def asked(exam_spec: SimSpec) -> list[Asked]:
    """All questions of a world of test takes."""
    return questions(exam_spec, plan_takes(exam_spec))


@pytest.fixture(scope="module")
def listed(exam_spec: SimSpec, asked: list[Asked]) -> list[dict[str, Any]]:
    """Their rows."""
    return rows(exam_spec, asked)


def truth(facet: str, question: str, events: Sequence[Event]) -> str:
    """The answer, found again from the words of the question."""
    words = question.rstrip("?").split()
    verbs = {**{lemma: verb for verb, lemma in VERBS.items()}, **{past: verb for verb, past in PAST.items()}}
    done = [event for event in events if event.verb == next((verbs[w] for w in words if w in verbs), None)]
    numbered = [
        events[ORDINALS.index(word)] for word in words if word in ORDINALS and ORDINALS.index(word) < len(events)
    ]
    match facet:
        case "object":
            assert len({event.kind for event in done}) == 1
            return done[0].kind
        case "colour":
            return done[0].colour
        case "next":
            assert len(done) == 1
            return f"{PAST[events[done[0].index + 1].verb]} something"
        case "order":
            return numbered[0].kind
        case "often":
            return NUMBERS[sum(event.kind == words[-1] for event in events) - 1]
        case "hand":
            return f"{numbered[0].hand} then {numbered[1].hand}"
        case "direction":
            slid = next(event for event in events if event.verb == "slides")
            return f"{slid.hand} hand and to the {slid.direction}"
    raise AssertionError(facet)


def test_answers_are_true_and_wrong_ones_are_not(asked: list[Asked]) -> None:
    """Checked against the take's events, found from the question's words alone; every facet occurs."""
    for one in asked:
        candidate = one.candidate
        assert candidate.answer == truth(candidate.facet, candidate.question, candidate.plan.events)
        assert candidate.answer not in one.wrong
        assert len(set(one.wrong)) == 3
    facets = {one.candidate.facet for one in asked}
    assert facets == {"object", "colour", "next", "order", "often", "hand", "direction"}


def test_the_moment_shows_the_answer(asked: list[Asked], listed: list[dict[str, Any]]) -> None:
    """Frames at 30 a second, within the video; an event that answers lies in it."""
    for one, row in zip(asked, listed, strict=True):
        assert 0 <= row["moment_start_frame"] < row["moment_end_frame"] <= row["video_end_sec"] * 30 + 1e-6
        inside = [e for e in one.candidate.plan.events if row["moment_start_frame"] <= e.start_s * 30 + 1e-6]
        assert any(event.end_s * 30 <= row["moment_end_frame"] + 1e-6 for event in inside)


def test_ids_are_unique_and_texts_have_no_commas(listed: list[dict[str, Any]]) -> None:
    """As the real files: `<annotation uid>_<number>`, commas stripped."""
    assert len({row["sample_id"] for row in listed}) == len(listed)
    assert len({(row["video_id"], row["question"]) for row in listed}) == len(listed)
    for row in listed:
        assert row["sample_id"].rsplit("_", 1)[1].isdigit()
        assert not any("," in text for text in (row["question"], row["answer"], *row["wrong_answers"]))


def test_first_person_and_test_takes_only(plan_spec: SimSpec, plans: list[TakePlan]) -> None:
    """Questions are the camera wearer's own."""
    for one in questions(plan_spec, plans):
        assert one.candidate.plan.split == "test"
        assert {"I", "my"} & set(one.candidate.question.split())


@pytest.mark.skipif(not REAL.exists(), reason="no ../shared/data/qaego4d")
def test_rows_have_the_real_keys_types_and_order(listed: list[dict[str, Any]]) -> None:
    """Against the one real record at hand."""
    real = json.loads(REAL.read_text())[0]
    for row in listed:
        assert list(row) == list(real)
        assert {key: type(value) for key, value in row.items()} == {key: type(value) for key, value in real.items()}
        assert len(row["wrong_answers"]) == len(real["wrong_answers"])
