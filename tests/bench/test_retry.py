"""Waits: what the server asks for, whatever it writes; doubling with a lot otherwise."""

import random
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo2ego.bench.retry import LONGEST_WAIT_S, asked_wait_s, backoff_s

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("Fri, 02 Jan 2026 03:04:15 GMT", 10.0),
        ("Fri, 02 Jan 2026 03:04:15 -0000", 10.0),
        ("Fri, 02 Jan 2020 03:04:15 GMT", 0.0),
        ("nan", None),
        ("inf", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_as_seconds_and_as_a_date(header: str | None, wait_s: float | None) -> None:
    assert asked_wait_s(header, NOW) == wait_s


@given(st.text())
def test_no_header_raises(header: str) -> None:
    wait_s = asked_wait_s(header, NOW)
    assert wait_s is None or wait_s >= 0


@given(st.integers(1, 10_000), st.integers(0, 100))
def test_backoff_doubles_up_to_a_minute_and_is_drawn_by_lot(failures: int, seed: int) -> None:
    wait_s = backoff_s(failures, random.Random(seed))
    full = min(LONGEST_WAIT_S, 2.0 ** min(failures - 1, 20))
    assert full / 2 <= wait_s <= full
    assert backoff_s(failures, random.Random(seed + 1)) != wait_s
