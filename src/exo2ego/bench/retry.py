"""How long to wait before asking a server again: what it asks for, else exponential back-off with jitter."""

import math
import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0
LONGEST_ASKED_S = 600.0
"""A server that asks for more patience than this (a daily quota) is given up for now; ask the item again later."""

RETRIED_STATUSES = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})
"""Answers that are about the moment and not about the question."""


def asked_wait_s(header: str | None, now: datetime | None = None) -> float | None:
    """Seconds that a `Retry-After` header asks for (a number or an HTTP date, RFC 9110 10.2.3); None where unreadable.

    >>> asked_wait_s("2"), asked_wait_s("soon"), asked_wait_s(None)
    (2.0, None, None)
    """
    if header is None:
        return None
    try:
        wait_s = float(header)
    except ValueError:
        try:
            date = parsedate_to_datetime(header)
        except ValueError:
            return None
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        wait_s = (date - (now or datetime.now(UTC))).total_seconds()
    return max(wait_s, 0.0) if math.isfinite(wait_s) else None


def backoff_s(failures: int, lot: random.Random, first_wait_s: float = FIRST_WAIT_S) -> float:
    """Wait after the given number of failures: doubling up to a minute, times a lot in 0.5..1.

    The lot keeps clients that failed together from coming back together.
    """
    longest = min(LONGEST_WAIT_S, first_wait_s * 2.0 ** (min(failures, 32) - 1))
    return longest * (0.5 + 0.5 * lot.random())
