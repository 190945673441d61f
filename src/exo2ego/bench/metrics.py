"""The plainest score, and the array type of the others: `retrieval.py` (EPIC-KITCHENS-100), `mean_ap.py` (Charades)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from exo2ego.errors import InputError

Floats = NDArray[np.float64]


def accuracy(chosen: Sequence[int | None], answers: Sequence[int]) -> float:
    """Share of right choices; None (no choice could be recognised) is wrong.

    >>> accuracy([1, None, 0, 2], [1, 1, 0, 3])
    0.5
    """
    if len(chosen) != len(answers) or not answers:
        raise InputError(
            f"accuracy: needs one choice for each answer, and one at least ({len(chosen)}, {len(answers)})"
        )
    return sum(choice == answer for choice, answer in zip(chosen, answers, strict=True)) / len(answers)
