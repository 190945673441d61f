"""Figures of short answers: each against a slow, literal transcription of its definition, on any texts."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo2ego.bench.answers import normal_answer
from exo2ego.bench.text_metrics import METRICS, bleu_1, exact_match, plain_accuracy, rouge_l, token_f1

WORDS = st.sampled_from(["cup", "Cup", "the", "table", "on", "7", "seven", "in", "cup.", ",", "a"])
TEXTS = st.lists(WORDS, max_size=7).map(" ".join)


def literal_rouge_l(said: str, right: str) -> float:
    """f-measure of the longest common subsequence of lower-case runs of letters and digits (Lin 2004, equation 2)."""
    a, b = (re.findall(r"[a-z0-9]+", text.lower()) for text in (said, right))
    longest = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in range(len(a)):
        for j in range(len(b)):
            same = a[i] == b[j]
            longest[i + 1][j + 1] = longest[i][j] + 1 if same else max(longest[i][j + 1], longest[i + 1][j])
    common = longest[-1][-1]
    if not common:
        return 0.0
    precision, recall = common / len(a), common / len(b)
    return 2 * precision * recall / (precision + recall)


def literal_bleu_1(said: str, right: str) -> float:
    """Clipped precision of words times brevity penalty (Papineni 2002); punctuation marks are words of their own."""
    a, b = (re.findall(r"\w+|[^\w\s]", text.lower()) for text in (said, right))
    if not a or not b:
        return 0.0
    clipped = sum(min(a.count(word), b.count(word)) for word in set(a))
    return clipped / len(a) * (1.0 if len(a) > len(b) else math.exp(1 - len(b) / len(a)))


def literal_f1(said: str, right: str) -> float:
    """SQuAD's: words in common, each as often as both have it."""
    a, b = normal_answer(said).split(), normal_answer(right).split()
    left, common = list(b), 0
    for word in a:
        if word in left:
            left.remove(word)
            common += 1
    if not common:
        return 0.0
    precision, recall = common / len(a), common / len(b)
    return 2 * precision * recall / (precision + recall)


@given(TEXTS, TEXTS)
def test_rouge_l_is_its_definition(said: str, right: str) -> None:
    assert rouge_l([said], [right])[0] == pytest.approx(literal_rouge_l(said, right))


@given(TEXTS, TEXTS)
def test_bleu_1_is_its_definition(said: str, right: str) -> None:
    assert bleu_1([said], [right])[0] == pytest.approx(literal_bleu_1(said, right))


@given(TEXTS, TEXTS)
def test_token_f1_is_its_definition(said: str, right: str) -> None:
    assert token_f1([said], [right])[0] == pytest.approx(literal_f1(said, right))


@given(st.text(max_size=30), st.text(max_size=30))
def test_every_figure_lies_between_0_and_1_for_any_text(said: str, right: str) -> None:
    for metric in METRICS.values():
        (value,) = metric([said], [right])
        assert 0.0 <= value <= 1.0


@pytest.mark.parametrize("name", list(METRICS))
def test_the_same_words_are_worth_1_and_none_0(name: str) -> None:
    metric = METRICS[name]
    assert metric(["in the sink", "under it"], ["in the sink", "blue cup"]) == pytest.approx([1.0, 0.0])
    assert metric([], []) == []


def test_plain_is_the_official_equality_and_exact_forgives_form_only() -> None:
    said = ["Seven.", "seven", "7", "seven or eight", ""]
    right = ["seven"] * 5
    assert plain_accuracy(said, right) == [0.0, 1.0, 0.0, 0.0, 0.0]
    assert exact_match(said, right) == [1.0, 1.0, 1.0, 0.0, 0.0]
    assert exact_match(["", "the"], ["", "the"]) == [0.0, 0.0]  # nothing is left to be right
