"""Metrics against literal slow versions of the official definitions, and against the real EPIC-KITCHENS-100 files."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exo2ego.bench.metrics import ROWS_AT_ONCE, accuracy, relevancy, retrieval
from exo2ego.bench.tasks import epic_files
from exo2ego.errors import InputError

REAL = Path(__file__).parents[3] / "shared/data/epic_kitchens_mir"
GRADES = (0.0, 0.25, 0.5, 0.75, 1.0)


def slow_ap(similarity: list[float], relevance: list[float], lots: list[float]) -> float:
    order = sorted(range(len(similarity)), key=lambda j: (-similarity[j], lots[j]))
    total, cumulated = 0.0, 0.0
    for rank, column in enumerate(order, start=1):
        cumulated += relevance[column]
        if relevance[column] == 1:
            total += cumulated / rank
    return total / sum(value == 1 for value in relevance)


def slow_ndcg(similarity: list[float], relevance: list[float], lots: list[float]) -> float:
    order = sorted(range(len(similarity)), key=lambda j: (-similarity[j], lots[j]))
    k = sum(value > 0 for value in relevance)
    gain = sum(relevance[column] / math.log2(rank + 1) for rank, column in enumerate(order[:k], start=1))
    ideal = sorted(relevance, reverse=True)
    return gain / sum(ideal[rank - 1] / math.log2(rank + 1) for rank in range(1, k + 1))


def slow_relevancy(verb_a: int, nouns_a: frozenset[int], verb_b: int, nouns_b: frozenset[int]) -> float:
    return (float(verb_a == verb_b) + len(nouns_a & nouns_b) / len(nouns_a | nouns_b)) / 2


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 6), st.integers(1, 9), st.integers(1, 5), st.integers(0, 2**16))
def test_retrieval_equals_the_literal_version_with_and_without_ties(
    rows: int, columns: int, levels: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    relevance = generator.choice(GRADES, size=(rows, columns))
    relevance[np.arange(rows), generator.integers(0, columns, rows)] = 1.0
    similarity = generator.integers(0, levels * columns, size=(rows, columns)) / 7.0
    found = retrieval(similarity, relevance, seed=3)
    for row in range(rows):
        lots = np.random.default_rng((3, row)).random(columns).tolist()
        query = (similarity[row].tolist(), relevance[row].tolist(), lots)
        assert found.average_precision[row] == pytest.approx(slow_ap(*query))
        assert found.ndcg[row] == pytest.approx(slow_ndcg(*query))


def test_rows_ranked_in_blocks_are_the_rows_ranked_alone() -> None:
    generator = np.random.default_rng(0)
    relevance = generator.choice(GRADES, size=(ROWS_AT_ONCE + 5, 7))
    relevance[:, 2] = 1.0
    similarity = generator.random(relevance.shape)
    whole = retrieval(similarity, relevance)
    tail = retrieval(similarity[ROWS_AT_ONCE:], relevance[ROWS_AT_ONCE:])
    np.testing.assert_allclose(whole.ndcg[ROWS_AT_ONCE:], tail.ndcg)


def test_a_model_that_says_the_same_of_everything_gains_nothing_from_the_order_of_the_file() -> None:
    relevance = np.zeros((400, 20))
    relevance[:, 0] = 1.0  # a stable sort would put the right one first everywhere
    precision = retrieval(np.zeros_like(relevance), relevance).average_precision.mean()
    assert precision == pytest.approx(np.mean(1 / np.arange(1, 21)), abs=0.05)


def test_the_graded_precision_is_not_the_binary_one() -> None:
    ranked = retrieval(np.array([[3.0, 2.0, 1.0]]), np.array([[0.5, 1.0, 0.0]]))
    assert ranked.average_precision[0] == pytest.approx(1.5 / 2)  # a binary one would be 1 / 2


def test_what_cannot_be_scored_is_refused() -> None:
    good, relevance = np.zeros((2, 2)), np.eye(2)
    nan = np.array([[0.0, 1.0], [np.nan, 0.0]])
    with pytest.raises(InputError, match=r"similarity\[1, 0\] = nan"):
        retrieval(nan, relevance)
    with pytest.raises(InputError, match="query 1 has no candidate"):
        retrieval(good, np.array([[1.0, 0.0], [0.5, 0.0]]))
    with pytest.raises(InputError, match="shapes"):
        retrieval(good, np.eye(3))
    with pytest.raises(InputError, match="not empty"):
        retrieval(np.zeros((0, 2)), np.zeros((0, 2)))


def test_relevancy_equals_the_literal_version() -> None:
    generator = np.random.default_rng(1)
    sets = [frozenset(generator.choice(6, size=generator.integers(1, 4)).tolist()) for _ in range(30)]
    verbs = generator.integers(0, 3, 30).tolist()
    found = relevancy(verbs[:20], sets[:20], verbs[20:], sets[20:])
    wanted = [[slow_relevancy(verbs[i], sets[i], verbs[j], sets[j]) for j in range(20, 30)] for i in range(20)]
    np.testing.assert_allclose(found, wanted, atol=1e-12)
    with pytest.raises(InputError, match="noun class"):
        relevancy([0], [frozenset()], [0], [frozenset()])


def test_accuracy_counts_no_choice_as_wrong_and_needs_answers() -> None:
    assert accuracy([0, None, 1], [0, 0, 0]) == pytest.approx(1 / 3)
    with pytest.raises(InputError):
        accuracy([], [])


@pytest.fixture(scope="module")
def real_relevance() -> np.ndarray:
    if not REAL.is_dir():
        pytest.skip("the EPIC-KITCHENS-100 csvs are not beside this checkout (../shared/data/epic_kitchens_mir)")
    prior, *clips = epic_files.load(REAL)
    sentences = prior.meta["sentences"]
    return relevancy(
        [clip.meta["verb"] for clip in clips],
        [frozenset(clip.meta["nouns"]) for clip in clips],
        [sentence["verb"] for sentence in sentences],
        [frozenset(sentence["nouns"]) for sentence in sentences],
    )


def test_golden_relevancy_of_the_real_files(real_relevance: np.ndarray) -> None:
    assert real_relevance.shape == (9668, 3842)
    assert real_relevance.mean() == pytest.approx(0.0549290, abs=5e-8)
    assert (real_relevance == 1).sum() == 62_535
    assert 100 * (real_relevance > 0).mean() == pytest.approx(11.3744, abs=5e-5)
    assert real_relevance[:3, :6].tolist() == [[1, 0.5, 0.5, 0, 0.5, 0], [0.5, 1, 0, 0, 0, 0], [0.5, 0, 1, 0, 0.5, 0]]


@pytest.mark.slow
def test_golden_random_row_of_the_challenge(real_relevance: np.ndarray) -> None:
    similarity = np.random.default_rng(0).random(real_relevance.shape)
    to_text, to_video = retrieval(similarity, real_relevance), retrieval(similarity.T, real_relevance.T)
    assert 100 * to_text.average_precision.mean() == pytest.approx(5.69, abs=0.03)
    assert 100 * to_video.average_precision.mean() == pytest.approx(5.59, abs=0.03)
    assert 100 * to_text.ndcg.mean() == pytest.approx(10.8, abs=0.06)
    assert 100 * to_video.ndcg.mean() == pytest.approx(11.0, abs=0.06)
