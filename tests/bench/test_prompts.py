"""Words asked: narrations as in training, styles that only add, options listed with letters."""

import pytest

from exo2ego.bench.prompts import (
    CUE,
    CUES,
    DETAILS,
    STYLES,
    action_sentence,
    normal_narration,
    styled,
    third_person,
    with_letters,
)
from exo2ego.bench.tasks import TASKS
from exo2ego.sim.spec import VERBS


@pytest.mark.parametrize(
    "text", ["#C C lifts the cup", "C lifts the cup.", "#C C lifts the cup. ", "Camera-wearer lifts the cup."]
)
def test_narrations_about_the_wearer_become_one_form(text: str) -> None:
    assert normal_narration(text) == "Camera-wearer lifts the cup."


def test_narrations_about_others_keep_their_subject() -> None:
    assert normal_narration("#O A man X walks") == "A man X walks."


def test_third_person_of_every_verb_of_the_simulation() -> None:
    assert {third_person(lemma): lemma for lemma in VERBS.values()} == VERBS


@pytest.mark.parametrize(
    ("action", "sentence"),
    [
        ("lift cup", "Camera-wearer lifts the cup."),
        ("put down plate", "Camera-wearer puts down the plate."),
        ("turn-on light", "Camera-wearer turns on the light."),
        ("wash the pan", "Camera-wearer washes the pan."),
        ("dry hands", "Camera-wearer dries the hands."),
        ("mix", "Camera-wearer mixes."),
    ],
)
def test_actions_become_sentences(action: str, sentence: str) -> None:
    assert action_sentence(action) == sentence


def test_styles_add_lines_before_the_question_and_change_nothing_else() -> None:
    assert set(DETAILS) == set(TASKS)
    for task in TASKS:
        assert styled("Why?", task, "base") == "Why?"
        assert styled("Why?", task, "details") == f"{DETAILS[task]}\nWhy?"
        assert styled("Why?", task, "first_person") == f"{DETAILS[task]}\n{CUES.get(task, CUE)}\nWhy?"


def test_options_are_listed_with_letters() -> None:
    assert with_letters("Q?", ["x", "y"]).splitlines()[:3] == ["Q?", "(A) x", "(B) y"]


def test_every_protocol_shows_its_words() -> None:
    for task in TASKS.values():
        assert task.default_protocol in task.protocols
        for protocol in task.protocols.values():
            assert all(protocol.example(style) for style in STYLES)
