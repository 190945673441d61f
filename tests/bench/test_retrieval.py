"""EPIC retrieval against literal slow versions of the official definitions, and against the real files."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exo2ego.bench import retrieval as module
from exo2ego.bench.retrieval import Grades, Lots, ranking, relevancy, retrieval
from exo2ego.bench.tasks import epic_files
from exo2ego.errors import InputError

REAL = Path(__file__).parents[3] / "shared/data/epic_kitchens_mir"
KINDS = ("wide", "outlier", "huge", "tiny", "few")
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
    coded = retrieval(similarity, Grades.of(relevance), seed=3)
    assert (coded.ndcg == found.ndcg).all()
    lots = Lots(columns, 3)
    for row in range(rows):
        drawn = lots.of(np.full(columns, row), np.arange(columns)).tolist()
        query = (similarity[row].tolist(), relevance[row].tolist(), drawn)
        assert found.average_precision[row] == pytest.approx(slow_ap(*query))
        assert found.ndcg[row] == pytest.approx(slow_ndcg(*query))


@settings(max_examples=60)
@given(
    st.integers(1, 4),
    st.integers(1, 60),
    st.sampled_from(["wide", "outlier", "huge", "tiny", "few"]),
    st.integers(0, 99),
)
def test_however_the_values_lie_the_ranking_is_the_exact_one(rows: int, columns: int, kind: str, seed: int) -> None:
    generator = np.random.default_rng(seed)
    values = {
        "wide": generator.standard_cauchy((rows, columns)),
        # All but one value fall into one place of a 16-bit scale: only the values themselves tell them apart.
        "outlier": np.where(np.arange(columns) == columns // 2, 1e9, generator.random((rows, columns))),
        "huge": generator.choice([-1.7e308, 1.7e308, 0.0], (rows, columns)),
        "tiny": generator.integers(0, 9, (rows, columns)) * 5e-324,
        "few": generator.integers(0, 3, (rows, columns)).astype(float),
    }[kind]
    lots = Lots(columns, seed)
    for row, order in enumerate(ranking(values, lots, 7)):
        drawn = lots.of(np.full(columns, row + 7), np.arange(columns))
        assert order.tolist() == sorted(range(columns), key=lambda c: (-values[row, c], drawn[c]))


def test_rows_ranked_in_blocks_are_the_rows_ranked_together(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    relevance = generator.choice(GRADES, size=(11, 7))
    relevance[:, 2] = 1.0
    similarity = generator.integers(0, 5, relevance.shape).astype(float)
    whole = retrieval(similarity, relevance)
    monkeypatch.setattr(module, "AT_ONCE", 3 * 7)
    parts = retrieval(similarity, relevance)
    np.testing.assert_allclose(parts.ndcg, whole.ndcg)
    np.testing.assert_allclose(parts.average_precision, whole.average_precision)


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
    with pytest.raises(InputError, match=r"similarity\[0, 1\] = -inf"):
        retrieval(np.array([[0.0, -np.inf]]), np.ones((1, 2)))
    with pytest.raises(InputError, match=r"relevance\[1, 0\] = nan"):
        retrieval(good, nan)
    with pytest.raises(InputError, match=r"relevance\[0, 1\] = 1.5 .* must be in 0..1"):
        retrieval(good, np.array([[1.0, 1.5], [1.0, 0.0]]))
    with pytest.raises(InputError, match="query 1 has no candidate"):
        retrieval(good, np.array([[1.0, 0.0], [0.5, 0.0]]))
    with pytest.raises(InputError, match="shapes"):
        retrieval(good, np.eye(3))
    with pytest.raises(InputError, match="not empty"):
        retrieval(np.zeros((0, 2)), np.zeros((0, 2)))


def test_two_candidates_that_score_the_same_come_first_equally_often() -> None:
    lots = Lots(5, 0)
    rows = np.arange(4000)
    first, last = (lots.of(rows, np.full(4000, column)) for column in (0, 4))
    assert (first < last).mean() == pytest.approx(0.5, abs=0.03)
    best = np.array([lots.of(rows, np.full(4000, column)) for column in range(5)]).argmin(axis=0)
    assert np.bincount(best, minlength=5).min() > 700


def test_relevancy_equals_the_literal_version() -> None:
    generator = np.random.default_rng(1)
    sets = [frozenset(generator.choice(6, size=generator.integers(1, 4)).tolist()) for _ in range(30)]
    verbs = generator.integers(0, 3, 30).tolist()
    found = relevancy(verbs[:20], sets[:20], verbs[20:], sets[20:])
    wanted = [[slow_relevancy(verbs[i], sets[i], verbs[j], sets[j]) for j in range(20, 30)] for i in range(20)]
    np.testing.assert_allclose(found.dense(), wanted, atol=1e-12)
    with pytest.raises(InputError, match="noun class"):
        relevancy([0], [frozenset()], [0], [frozenset()])


@pytest.fixture(scope="module")
def real_relevance() -> Grades:
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


def test_golden_relevancy_of_the_real_files(real_relevance: Grades) -> None:
    table = real_relevance.dense()
    assert table.shape == (9668, 3842)
    assert table.mean() == pytest.approx(0.0549290, abs=5e-8)
    assert (table == 1).sum() == 62_535
    assert 100 * (table > 0).mean() == pytest.approx(11.3744, abs=5e-5)
    assert np.round(real_relevance.levels, 4).tolist() == [
        *(0.0, 0.0833, 0.1, 0.125, 0.1667, 0.2, 0.25, 0.3, 0.3333, 0.375),
        *(0.5, 0.6, 0.625, 0.6667, 0.75, 0.8333, 0.875, 1.0),
    ]
    assert table[:3, :6].tolist() == [[1, 0.5, 0.5, 0, 0.5, 0], [0.5, 1, 0, 0, 0, 0], [0.5, 0, 1, 0, 0.5, 0]]


@pytest.mark.slow
def test_golden_random_row_of_the_challenge(real_relevance: Grades) -> None:
    similarity = np.random.default_rng(0).random(real_relevance.codes.shape)
    to_text, to_video = retrieval(similarity, real_relevance), retrieval(similarity.T, real_relevance.transposed)
    assert 100 * to_text.average_precision.mean() == pytest.approx(5.69, abs=0.03)
    assert 100 * to_video.average_precision.mean() == pytest.approx(5.59, abs=0.03)
    assert 100 * to_text.ndcg.mean() == pytest.approx(10.8, abs=0.06)
    assert 100 * to_video.ndcg.mean() == pytest.approx(11.0, abs=0.06)
