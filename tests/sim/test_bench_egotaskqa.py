"""EgoTaskQA of the simulated world: the real keys, answers true of the take, both references, the official lists."""

import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from exo2ego.sim.bench_egotaskqa import ACTIONS, COMPLETE, ING, MOVERS, answer_set, questions, rows
from exo2ego.sim.bench_layers import Asked, Candidate
from exo2ego.sim.spec import KINDS, VERBS, SimSpec
from exo2ego.sim.world import Event, plan_takes

REAL = Path(__file__).parents[3] / "shared" / "data" / "egothinker" / "egotaskqa_mcq.first1500.json"
KEYS = (
    *("question", "answer", "interval", "program", "type", "category", "semantic", "structural", "reference"),
    *("reasoning_type", "video_id", "question_id"),
)
WORDS = {**{lemma: verb for verb, lemma in VERBS.items()}, **{ing: verb for verb, ing in ING.items()}}


@pytest.fixture(scope="module")
def asked(exam_spec: SimSpec) -> list[Asked]:
    """All questions of a world of test takes."""
    return questions(exam_spec, plan_takes(exam_spec))


@pytest.fixture(scope="module")
def listed(asked: list[Asked]) -> list[dict[str, Any]]:
    """Their rows."""
    return rows(asked)


def moved(event: Event, events: Sequence[Event]) -> bool:
    return any(o.verb in MOVERS and o.item == event.item and o.index != event.index for o in events)


def truth(one: Candidate) -> str | bool:
    """The answer, found again from the words of the question and the take's events."""
    events = one.plan.events
    words = re.findall(r"[a-z]+", one.question.split(":")[0].lower())
    verbs = [WORDS[word] for word in words if word in WORDS]
    done = [event for event in events if verbs and event.verb == verbs[0]]
    named = {"first": events[0], "second": events[1], "third": events[2], "last": events[-1]}
    places = [named[word] for word in words if word in named]
    match one.facet:
        case "what":
            return any(event.kind == words[-1] for event in done)
        case "order":
            return done[0].index < next(event.index for event in events if event.verb == verbs[1])
        case "after":
            asked_for = next(event for event in events if event.verb == verbs[1])
            return events[asked_for.index + 1].verb == verbs[0]
        case "after action":
            return ACTIONS[events[done[0].index + 1].verb]
        case "after object":
            return events[done[0].index + 1].kind
        case "action":
            return ACTIONS[places[0].verb]
        case "when":
            return places[0].verb == verbs[0]
        case "object":
            return places[0].kind
        case "colour":
            kinds = {item.kind: item.colour for item in one.plan.items}
            return places[0].colour if places else kinds[words[-1]]
        case "hand":
            return done[0].hand
        case "same hand":
            return places[0].hand == places[1].hand
        case "same object":
            return places[0].item == places[1].item
        case "cause":
            return places[0].verb in MOVERS
        case "what if":
            return moved(done[0] if verbs else places[0], events)
        case "next":
            following = next(event for event in events if event.start_s >= one.end_s)
            return ACTIONS[following.verb]
    raise AssertionError(one.facet)


def test_answers_are_true(asked: list[Asked]) -> None:
    """Found from the question's words alone; every facet occurs, each answer of an open one equally often."""
    for one in asked:
        expected = truth(one.candidate)
        expected = expected if isinstance(expected, str) else "yes" if expected else "no"
        assert one.candidate.answer == expected, one.candidate.question
    counted: dict[str, Counter[str]] = {}
    for one in asked:
        counted.setdefault(one.candidate.facet, Counter())[one.candidate.answer] += 1
    assert set(counted) == {
        *("what", "order", "after", "after action", "after object", "action", "when", "object", "colour", "hand"),
        *("same hand", "same object", "cause", "what if", "next"),
    }
    for facet, answers in counted.items():
        if facet in COMPLETE and facet != "after action":
            assert len(answers) == COMPLETE[facet]
        if facet != "next" and facet != "after action":
            assert len(set(answers.values())) == 1, facet


def test_the_next_step_is_not_in_the_video(asked: list[Asked], listed: list[dict[str, Any]]) -> None:
    """A predictive question's interval ends where the step begins, and its goal names the step; others see all."""
    for one, row in zip(asked, listed, strict=True):
        frames = int(row["interval"].split("|")[3])
        if one.candidate.facet == "next":
            assert frames < one.candidate.plan.frames
            assert row["answer"].split()[0].lower() in row["question"]
        else:
            assert frames == one.candidate.plan.frames


def test_references_and_reasoning_types(listed: list[dict[str, Any]]) -> None:
    """Indirect questions name no verb and no kind but where they ask yes or no; types are joined as officially."""
    assert {row["reference"] for row in listed} == {"direct", "indirect"}
    assert {row["type"][0] for row in listed} == {"descriptive", "explanatory", "counterfactual", "predictive"}
    for number, row in enumerate(listed):
        parts = [*row["type"], *row["category"], row["semantic"], row["structural"], row["reference"]]
        assert row["reasoning_type"] == "$".join(parts)
        assert (row["structural"] == "verify") == (row["answer"] in ("yes", "no"))
        assert row["question_id"] == number
        if row["reference"] == "indirect" and row["structural"] == "query":
            assert not set(re.findall(r"[a-z]+", row["question"].lower())) & {*KINDS, *VERBS.values()}


def test_rows_have_the_keys_and_types_of_the_release(listed: list[dict[str, Any]]) -> None:
    """One video id an interval; ids are numbers; types and categories are lists."""
    for row in listed:
        assert tuple(row) == KEYS
        assert isinstance(row["video_id"], int)
        assert isinstance(row["type"], list)
        assert isinstance(row["category"], list)
        assert all(isinstance(row[key], str) for key in KEYS[:4])
    assert len({(row["interval"], row["video_id"]) for row in listed}) == len({row["interval"] for row in listed})
    assert len({(row["interval"], row["question"]) for row in listed}) == len(listed)


def test_answer_set_is_in_lower_case_behind_two_place_holders(listed: list[dict[str, Any]]) -> None:
    """As the official preprocessing writes it: the most common first, no answer twice."""
    lines = answer_set(listed).splitlines()
    assert lines[:2] == ["<UNK0>", "<UNK1>"]
    assert len(set(lines)) == len(lines)
    assert set(lines[2:]) == {row["answer"].lower() for row in listed}
    assert set(lines[2:4]) == {"yes", "no"}


@pytest.mark.skipif(not REAL.exists(), reason="no ../shared/data/egothinker")
def test_intervals_look_like_the_real_ones(listed: list[dict[str, Any]]) -> None:
    """Four parts, `P1` or `P2`, two numbers."""
    real = {entry["video_path"].removesuffix(".mp4") for entry in json.loads(REAL.read_text())}
    form = re.compile(r"[A-Za-z0-9_-]+\|P[12]\|\d+\|\d+")
    assert all(form.fullmatch(name) for name in real)
    assert all(form.fullmatch(row["interval"]) for row in listed)
