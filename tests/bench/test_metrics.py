"""The plainest metric."""

import pytest

from exo2ego.bench.metrics import accuracy
from exo2ego.errors import InputError


def test_accuracy_counts_no_choice_as_wrong_and_needs_answers() -> None:
    assert accuracy([0, None, 1], [0, 0, 0]) == pytest.approx(1 / 3)
    with pytest.raises(InputError):
        accuracy([], [])
