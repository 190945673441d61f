"""Narrations as the camera wearer would tell them: instructions, hands, other people's names for the wearer."""

import csv
import doctest
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo2ego.data.sources import first_person as module
from exo2ego.data.sources.first_person import asked_of_me, first_person, hands_used

REAL = Path(__file__).parents[3] / "shared/data/egoexolearn/association_exo_train.first2500.csv"


def test_examples_in_docstrings_hold() -> None:
    result = doctest.testmod(module)
    assert result.attempted > 8
    assert not result.failed


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Hold the pot in your left hand and stir.", "I hold the pot in my left hand and stir."),
        ("Next, use your right hand to add salt.", "Next, I use my right hand to add salt."),
        ("Then use a spoon.", "Then I use a spoon."),
        ("After stirring with your hand, add flour.", "After stirring with my hand, I add flour."),
        ("With the right hand wearing gloves, pick it up.", "With my right hand wearing gloves, I pick it up."),
        ("In their left hand, they hold the pot.", "In my left hand, I hold the pot."),
        ("Both hands tear the bread.", "Both of my hands tear the bread."),
        (
            "One hand holds a bowl, while the other hand stirs.",
            "One of my hands holds a bowl, while my other hand stirs.",
        ),
        ("#C C picks up the cup", "I pick up the cup."),
        ("The person is washing his hands", "I am washing my hands."),
        ("The camera wearer carefully carries a plate.", "I carefully carry a plate."),
        ("She presses the button, then she leaves", "I press the button, then she leaves."),
        ("Hold it. Do not add water.", "I hold it. I do not add water."),
        ("I use my hand to mix.", "I use my hand to mix."),
        ("Sliced scallion whites", "I see sliced scallion whites."),
        ("Showing the eggs", "I am showing the eggs."),
        ("Person B opens the door.", "I see person B opens the door."),
        ("[Right hand] Hold the lid.", "I hold the lid."),
        ("Using [left/right hand], pour it into the pot.", "I pour it into the pot."),
    ],
)
def test_narrations(text: str, said: str) -> None:
    assert first_person(text) == said


@pytest.mark.parametrize(
    ("text", "used"),
    [
        ("The left hand holds it, the right hand cuts it.", "I use both hands."),
        ("Use your left and right hands.", "I use both hands."),
        ("The left hand gives it to the other hand.", None),
        ("The knob on the right-hand side is turned.", None),
        ("Use your hand.", None),
        ("Using [left hand/both hands], pour it.", None),
    ],
)
def test_which_hand_is_said_only_where_it_is_known(text: str, used: str | None) -> None:
    assert hands_used(text) == used


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("How does the camera wearer's right hand move?", "How does my right hand move?"),
        ("Does the camera wearer use a knife?", "Do I use a knife?"),
        ("What is the camera wearer likely to do?", "What am I likely to do?"),
        ("The camera wearer only uses a spoon.", "I only use a spoon."),
        ("The left hand puts the onion in the pot.", "My left hand puts the onion in the pot."),
        ("Which is on the right side?", "Which is on the right side?"),
    ],
)
def test_questions(text: str, asked: str) -> None:
    assert asked_of_me(text) == asked


@given(st.text(max_size=80))
def test_any_text_gives_one_clean_line(text: str) -> None:
    said = first_person(text)
    assert said == " ".join(said.split())
    assert not said or said[-1] in ".!?"


@pytest.mark.skipif(
    not REAL.is_file(), reason="narrations of EgoExoLearn are not beside this checkout (../shared/data)"
)
def test_all_real_narrations_become_mine() -> None:
    with REAL.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    texts = [row[name] for row in rows for name in ("narration_en", "narration_en_hand_prompt") if row[name].strip()]
    said = [first_person(text) for text in texts]
    starts = [text for text in said if re.match(r"(?:I|My|I'm|(?:Both|One) of my)\b", text)]
    assert len(starts) > 0.88 * len(said)
    seen = [text for text in said if text.startswith("I see ")]
    assert len(seen) < 0.015 * len(said)
    for text in said:
        assert re.search(r"\b(?:I|I'm|me|my|My|myself)\b", text), text
        assert text[-1] in ".!?", text
        wrong = re.search(
            r"  |_|:|\byour?\b|\b(?:the|your|his|her|their) (?:left|right) hand\b(?! side)|"
            r"\bI (?:takes|uses|holds|puts|picks|is|has|does)\b|[\[\]]|\.\.",
            text,
        )
        assert not wrong, text
