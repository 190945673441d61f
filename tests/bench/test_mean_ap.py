"""Charades' mAP against a slow transcription of the published scorer, and against scikit-learn where they agree."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from exo2ego.bench.mean_ap import class_precisions, mean_average_precision, video_bootstrap, weighted_means
from exo2ego.bench.retrieval import Lots
from exo2ego.errors import InputError


def slow_class(scores: list[float], labels: list[bool], lots: list[float]) -> float:
    """One class, as the published code goes through it: every video in order, hits and misses counted."""
    order = sorted(range(len(scores)), key=lambda video: (-scores[video], lots[video]))
    hits = misses = 0
    total = 0.0
    for video in order:
        if labels[video]:
            hits += 1
            total += hits / (hits + misses)
        else:
            misses += 1
    return total / hits if hits else float("nan")


def slow(scores: np.ndarray, labels: np.ndarray, seed: int) -> list[float]:
    """All classes; videos without a label are ranked last by the score -inf, as published."""
    fixed = scores.copy()
    fixed[labels.sum(axis=1) == 0] = -np.inf
    labelled = np.flatnonzero(labels.any(axis=1))
    lots = Lots(len(labelled), seed)
    found = []
    for number in range(scores.shape[1]):
        drawn = np.zeros(len(scores))
        drawn[labelled] = lots.of(np.full(len(labelled), number), np.arange(len(labelled))).astype(float)
        found.append(slow_class(fixed[:, number].tolist(), labels[:, number].tolist(), drawn.tolist()))
    return found


def problem(videos: int, classes: int, levels: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Random scores (few levels: many ties) and labels; some videos and classes may have none."""
    generator = np.random.default_rng(seed)
    labels = generator.random((videos, classes)) < 0.3
    labels[0, 0] = True
    return generator.integers(0, levels, (videos, classes)) / 3.0 - 2.0, labels


@given(st.integers(1, 12), st.integers(1, 5), st.integers(1, 40), st.integers(0, 2**16))
def test_every_class_equals_the_slow_version_with_ties_and_empty_rows(
    videos: int, classes: int, levels: int, seed: int
) -> None:
    scores, labels = problem(videos, classes, levels, seed)
    np.testing.assert_allclose(class_precisions(scores, labels, seed=5), slow(scores, labels, 5))


@given(st.integers(2, 30), st.integers(0, 2**16))
def test_scikit_learn_agrees_where_no_two_scores_are_equal(videos: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    labels = generator.random((videos, 3)) < 0.5
    labels[:2] = [[True, True, True], [False, True, False]]
    scores = generator.permutation(videos * 3).reshape(videos, 3).astype(np.float64)
    lowest = np.where(labels.any(axis=1)[:, None], scores, -1.0)
    wanted = [average_precision_score(labels[:, number], lowest[:, number]) for number in range(3)]
    assert mean_average_precision(scores, labels) == pytest.approx(np.mean(wanted))


def test_videos_without_labels_change_nothing_whatever_their_scores() -> None:
    scores, labels = problem(9, 3, 50, 1)
    more = np.vstack([scores, [[99.0, -99.0, 0.0]]])
    padded = np.vstack([labels, [[False] * 3]])
    np.testing.assert_array_equal(class_precisions(more, padded), class_precisions(scores, labels))


def test_what_is_not_a_number_is_refused() -> None:
    scores, labels = np.zeros((3, 2)), np.array([[True, False], [False, False], [True, False]])
    assert np.isnan(class_precisions(scores, labels)[1])
    with pytest.raises(InputError, match="class 1 has no video"):
        mean_average_precision(scores, labels)
    with pytest.raises(InputError, match="no video has a label"):
        class_precisions(scores, np.zeros((3, 2), dtype=bool))
    for bad in (np.nan, np.inf):
        broken = scores.copy()
        broken[2, 1] = bad
        with pytest.raises(InputError, match=r"similarity\[2, 1\]"):
            class_precisions(broken, labels)
    with pytest.raises(InputError, match="must be alike"):
        class_precisions(scores, labels.T)


@given(st.integers(0, 2**16))
def test_a_video_drawn_twice_counts_twice(seed: int) -> None:
    generator = np.random.default_rng(seed)
    scores = generator.permutation(60).reshape(20, 3).astype(np.float64)
    labels = generator.random((20, 3)) < 0.4
    labels[:3] = np.eye(3, dtype=bool)
    weights = generator.integers(0, 3, (2, 20)).astype(np.float64)
    weights[:, :3] = 1.0
    order = np.argsort(-scores, axis=0).T
    found = weighted_means(weights, np.take_along_axis(labels.T, order, axis=1), order)
    for draw, mean in zip(weights, found, strict=True):
        each = [average_precision_score(labels[:, c], scores[:, c], sample_weight=draw) for c in range(3)]
        assert mean == pytest.approx(np.mean(each))


def test_the_interval_is_around_the_figure_and_shrinks_with_more_videos() -> None:
    def width(videos: int) -> float:
        generator = np.random.default_rng(0)
        labels = generator.random((videos, 4)) < 0.4
        labels[:4] |= np.eye(4, dtype=bool)
        scores = labels + generator.normal(0, 0.8, labels.shape)
        low, high = video_bootstrap(scores, labels, draws=200)
        value = mean_average_precision(scores, labels)
        assert low < value < high
        assert value - low == pytest.approx(high - value, rel=0.5)
        return high - low

    assert width(400) < width(40) / 2
