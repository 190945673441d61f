"""Impossible worlds are refused in one line that names the value."""

from pathlib import Path
from typing import Any

import pytest

from exo2ego.errors import InputError
from exo2ego.sim.spec import COLOURS, KINDS, SCENARIOS, VERBS, SimSpec


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("takes", 0),
        ("workers", 0),
        ("size_px", 33),
        ("size_px", 16),
        ("fps", 1),
        ("split_fractions", (0.5, 0.5, 0.5)),
        ("split_fractions", (1.2, -0.2, 0.0)),
        ("exo_cameras", (3, 2)),
        ("exo_cameras", (0, 2)),
        ("mir_clips", -1),
        ("vln_questions", -1),
        ("benches", ("egomcq", "egomqc")),
        ("benches", ("egomcq", "egomcq")),
    ],
)
def test_impossible_values_are_refused(field: str, value: Any) -> None:
    """The message names the field."""
    with pytest.raises(InputError, match=field):
        SimSpec(out=Path("x"), **{field: value})


def test_vocabulary_is_as_large_as_promised() -> None:
    """At least 10 verbs, 8 kinds, 6 colours, 3 scenarios, which use known kinds only."""
    assert (len(VERBS), len(KINDS), len(COLOURS), len(SCENARIOS)) >= (10, 8, 6, 3)
    assert {kind for _, _, pool in SCENARIOS.values() for kind in pool} <= set(KINDS)
