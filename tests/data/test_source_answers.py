"""Answers as sentences: built from the question where its form is known, behind a lead where it is not."""

import doctest
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo2ego.data.sources import answers, egtea_labels, english, options, ssv2
from exo2ego.data.sources.answers import mine, question_of, told

OPENEQA = Path(__file__).parents[3] / "shared/data/openeqa/open-eqa-v0.json"


@pytest.mark.parametrize("module", [answers, egtea_labels, english, options, ssv2], ids=lambda module: module.__name__)
def test_examples_in_docstrings_hold(module: object) -> None:
    result = doctest.testmod(module)  # type: ignore[arg-type]
    assert result.attempted
    assert not result.failed


@pytest.mark.parametrize(
    ("question", "answer", "said"),
    [
        ("What did I do with the coffee?", "gave it to Person B", "I gave it to Person B."),
        ("what did I do after I opened the fridge", "I took the milk", "I took the milk."),
        ("What did I put in the box?", "the cup", "I put the cup in the box."),
        ("What did I pick up from the table?", "a spoon", "I picked up a spoon from the table."),
        ("What did I look at?", "the recipe", "I looked at the recipe."),
        ("Who did I talk to?", "Person A", "I talked to Person A."),
        ("Who did I talk to before leaving?", "Person A", "I talked to Person A before leaving."),
        ("Where did I put the knife?", "on the table", "I put the knife on the table."),
        ("How many oven trays did I put in the trolley?", "seven", "I put seven oven trays in the trolley."),
        ("What was I holding in my left hand?", "a phone", "I was holding a phone in my left hand."),
        ("What was I doing?", "cutting an onion", "I was cutting an onion."),
        ("Where was the knife?", "In the drawer", "I saw it in the drawer."),
        ("Is the lamp on or off", "on", "I see that the lamp is on."),
        ("Is the trash can empty?", "No, it's full", "No, as far as I can tell, it's full."),
        ("What color are the pillows in the kitchen?", "Blue", "I see that the pillows in the kitchen are blue."),
        ("What is above the mirror?", "Lights", "I see lights."),
        ("What is the red object?", "umbrella", "I see an umbrella."),
        ("I lost my vase, so what can I use for flowers?", "bottle", "I can use a bottle."),
        ("How can I cool the room?", "Turn on the fan", "I can turn on the fan."),
        ("What can I do?", "you can use your phone", "I can use my phone."),
        ("Did I close the fridge?", "yes", "Yes, I closed the fridge."),
        ("Did I leave the tap open?", "No.", "No, I did not leave the tap open."),
        ("Which hand did I use?", "Left hand", "I used my left hand."),
        ("What tool did I use to tighten the bolt?", "spanner", "I used a spanner to tighten the bolt."),
        ("Why did I turn the bike?", "to check the chain", "I turned the bike to check the chain."),
        ("When did I open the door?", "before lunch", "I opened the door before lunch."),
        ("What did Person A do with the ball?", "threw it away", "I saw that Person A threw it away."),
        ("Where did I walk to?", "the kitchen", "I walked to the kitchen."),
        ("What colour was the shirt?", "red", "I saw that the shirt was red."),
        ("Where can I nap?", "on the couch", "I can nap on the couch."),
    ],
)
def test_known_forms(question: str, answer: str, said: str) -> None:
    assert (
        re.sub(
            r"^(?:From what I can see|As far as I can tell|Going by what I see), I", "I", told(question, answer, "x")
        )
        == said
    )


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What did I put in the box?", "in the kitchen"),
        ("Where did I put the knife?", "the table"),
        ("Where did I see the dog before I left?", "in the garden"),
        ("How many cups did I wash?", "one"),
        ("Which colour did I paint the wall?", "red"),
        ("What did I pick from the floor and put on the table?", "a cloth"),
        ("What did I do?", "the dishes"),
        ("Who is in the picture?", "Gandhi"),
    ],
)
def test_what_fits_no_form_keeps_its_words(question: str, answer: str) -> None:
    said = told(question, answer, "x")
    assert re.fullmatch(rf"(?:From what I can see|As far as I can tell|Going by what I see), {answer}\.", said)


def test_the_lead_depends_on_the_id_only() -> None:
    said = {told("Why?", "because", f"q{n}") for n in range(50)}
    assert len(said) == 3
    assert told("Why?", "because", "q7") == told("Why?", "because", "q7")


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_texts_give_one_clean_line(question: str, answer: str) -> None:
    said = told(question, answer, "x")
    assert said == " ".join(said.split())
    assert said[-1] in ".!?"
    assert len(said) < 200
    assert question_of(question).endswith(("?", "!", "."))


def test_you_is_me() -> None:
    assert mine("closest to you as you enter") == "closest to me as I enter"
    assert mine("Your bag, if it is yours") == "my bag, if it is mine"


@pytest.mark.skipif(not OPENEQA.is_file(), reason="open-eqa-v0.json is not beside this checkout (../shared/data)")
def test_all_real_answers_of_openeqa_read_well() -> None:
    rows = json.loads(OPENEQA.read_text())
    said = [told(row["question"], row["answer"], row["question_id"]) for row in rows]
    led = [
        text for text in said if re.match(r"(?:From what I can see|As far as I can tell|Going by what I see), ", text)
    ]
    assert len(led) < 0.25 * len(rows)
    for text in said:
        assert re.search(r"\b(?:I|me|my|I'm|I'll)\b", text), text
        assert text[-1] in ".!?", text
        assert not re.search(
            r"  |\byou\b|\byour\b|\.\.|,\.|\ba [aeio]\w|\ban [bcdfgjkpqtvwyz]|\bI is\b|\bI (?:takes|sees)\b", text
        ), text
