"""Figures as a reader sees them: percent, interval, and a mark on what is not above chance."""

import pytest

from exo2ego.bench.report_text import beside_chance
from exo2ego.records import Score


def score(low: float, chance: float | None) -> Score:
    return Score(name="m", value=0.3, low=low, high=0.4, n=9, unparsed=0, unscored=0, chance=chance)


@pytest.mark.parametrize(
    ("low", "chance", "says"),
    [
        (0.25, 0.2, "30.0 [25.0, 40.0]"),
        (0.2001, 0.2, "30.0 [20.0, 40.0]"),
        (0.2, 0.2, "30.0~ [20.0, 40.0]"),
        (0.1, 0.2, "30.0~ [10.0, 40.0]"),
        (0.25, 0.5, "30.0~ [25.0, 40.0]"),
        (0.0, None, "30.0 [0.0, 40.0]"),
    ],
)
def test_a_figure_whose_interval_reaches_chance_is_marked(low: float, chance: float | None, says: str) -> None:
    """Also where all of it lies below chance; not where nothing is known of chance."""
    assert beside_chance(score(low, chance)) == says


def test_what_a_run_does_not_have_is_a_dash() -> None:
    assert beside_chance(None) == "–"
