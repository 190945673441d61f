"""The compact row of floats behaves like the tuple it stands in for; what answers cost adds up."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo2ego.records import FloatRow, Usage


@given(st.lists(st.floats(allow_nan=False), max_size=20))
def test_a_row_is_the_same_sequence(values: list[float]) -> None:
    row = FloatRow(values)
    assert row == tuple(values)
    assert hash(row) == hash(tuple(values))
    assert list(row) == values
    assert list(row[1:3]) == values[1:3]
    assert np.array(row).tolist() == values
    assert np.array([row, row]).shape == (2, len(values))
    assert (row == FloatRow([*values, 1.0])) is False
    assert row != "text"


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(TypeError):
        FloatRow(["1.0"])  # type: ignore[list-item]


def test_what_several_answers_cost_is_their_sum() -> None:
    one = Usage(requests=1, prompt_tokens=10, completion_tokens=2, cost=0.25)
    total = Usage.total([one, one, Usage(requests=3)])
    assert total == Usage(requests=5, prompt_tokens=20, completion_tokens=4, cost=0.5)
    assert total.told() == "5 requests, 20 + 4 tokens, cost 0.5000"
    assert Usage.total([]).told() == "0 requests, 0 + 0 tokens"
