"""Reading letters: what people and models write, and never a guess."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo2ego.bench.answers import normal_answer, parse_choice, parse_yes_no

OPTIONS = ("the blue cup", "the red cup", "a jar of salt", "the pan")


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("B", 1),
        (" b.", 1),
        ("(B)", 1),
        ("(b) the red cup", 1),
        ("B. the red cup", 1),
        ("B) the red cup", 1),
        ("**B**", 1),
        ("Answer: b", 1),
        ("The answer is (C).", 2),
        ("The best answer is: C", 2),
        ("Option D is correct", 3),
        ("The correct option is A because the cup is blue.", 0),
        ("I see a pan, so (D) fits.", 3),
        ("The red cup.", 1),
        ("The answer is the red cup", 1),
        ("The answer is a jar of salt", 2),
        ("D\nThe pan is on the stove.", 3),
        ("<think>Is it (A) or (B)?</think>\n(C)", 2),
    ],
)
def test_forms_that_name_one_option(text: str, index: int) -> None:
    assert parse_choice(text, OPTIONS) == index


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A man lifts a pan",  # the article, not the letter
        "The answer is a cup",
        "Answer: I do not know",
        "(A) or (B)",
        "E",  # beyond the options
        "(B) the blue cup",  # letter and text disagree
        "not the red cup",
        "cup",
        "ABCD",
        "The answer isn't B",
        "<think>It may be (B)",  # cut off while thinking
        "(None of these)",
    ],
)
def test_what_names_no_single_option_is_none(text: str) -> None:
    assert parse_choice(text, OPTIONS) is None


def test_an_option_that_occurs_twice_is_not_chosen_by_its_text() -> None:
    assert parse_choice("red", ("red", "Red.", "blue")) is None


@given(st.text(max_size=60))
def test_any_text_gives_an_option_or_none(text: str) -> None:
    assert parse_choice(text, OPTIONS) in (None, 0, 1, 2, 3)


@given(st.text(alphabet=string.ascii_lowercase + " ", max_size=60))
def test_prose_without_letter_marks_is_never_a_choice(text: str) -> None:
    words = text.split()
    if len(words) > 1 and not {"answer", "option", "choice"} & set(words):
        assert parse_choice(text, ("1", "2", "3", "4", "5")) is None


@given(st.integers(0, 3), st.sampled_from(["({})", "{}.", "{})", "Answer: {}", "The answer is ({}).", "Option {}"]))
def test_every_form_names_every_letter(index: int, form: str) -> None:
    assert parse_choice(form.format("ABCD"[index]), OPTIONS) == index


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("On top of Plate.", "on top of plate"),
        ("the cutting-board", "cutting board"),
        ("  A  red\tcup\n", "red cup"),
        ("Seven", "7"),
        ("The answer is: in the sink", "in sink"),
        ("ＣＵＰ", "cup"),
        ("put_down", "put down"),
        ("Café", "café"),
        ("...", ""),
        ("An", ""),
        ("<think>a hat?</think> The cup", "cup"),
        ("<think>a hat", ""),
        ("three twenty", "3 twenty"),
    ],
)
def test_short_answers_become_one_form(text: str, normal: str) -> None:
    assert normal_answer(text) == normal


@given(st.text(alphabet=string.ascii_lowercase + " ", max_size=60))
def test_case_marks_and_blanks_never_matter(text: str) -> None:
    loud = "  " + text.upper().replace(" ", " -- ") + "!!\n"
    assert normal_answer(loud) == normal_answer(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("yes", "yes"),
        ("No.", "no"),
        ("Yes, the cup moved.", "yes"),
        ("The answer is no", "no"),
        ("no no", "no"),
        ("Yes or no?", None),
        ("I think yes", None),
        ("not at all", None),
        ("none", None),
        ("", None),
    ],
)
def test_yes_and_no_are_read_at_the_beginning_only(text: str, said: str | None) -> None:
    assert parse_yes_no(text) == said
