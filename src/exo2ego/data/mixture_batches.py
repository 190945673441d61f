"""Which samples of the stream make up a step: a fixed number, or as many as a token budget holds, of like length.

Positions are taken in windows. Within a window samples are sorted by length (ties by lot), cut into batches, and the
batches are shuffled, as is each one inside: a pure function of (seed, window). With a fixed batch size the window of a
step is a division; with a budget it follows from how many batches the earlier windows gave, so a checkpoint keeps it.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

BUDGET_WINDOW = 1024
"""Samples in a window of a token budget for which none is given."""

Batches = list[list[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRule:
    """How a batch is limited: exactly one of `batch_size` and `tokens_per_batch`. Raises ValueError for anything else.

    Lengths are in tokens. A batch costs (its longest text + `fixed_tokens`) times its samples, padding included.
    """

    batch_size: int | None = None
    tokens_per_batch: int | None = None
    bucket_samples: int | None = None
    """Samples in a window. None: no buckets for a batch size, `BUDGET_WINDOW` for a budget."""
    fixed_tokens: int = 0
    """What every sample has before its text: the opening words and the visual tokens."""

    def __post_init__(self) -> None:
        limits = (self.batch_size, self.tokens_per_batch)
        if (self.batch_size is None) == (self.tokens_per_batch is None):
            raise ValueError(f"give exactly one of batch_size and tokens_per_batch, not {limits[0]} and {limits[1]}")
        if any(value is not None and value < 1 for value in (*limits, self.bucket_samples)):
            raise ValueError(
                "batch_size, tokens_per_batch and bucket_samples must be at least 1, "
                f"not {limits[0]}, {limits[1]}, {self.bucket_samples}"
            )
        if self.batch_size and self.bucket_samples and self.bucket_samples % self.batch_size:
            raise ValueError(
                f"bucket_samples {self.bucket_samples} must be a multiple of batch_size {self.batch_size}, "
                f"e.g. {64 * self.batch_size}"
            )

    @property
    def window(self) -> int | None:
        """Samples in a window; None where samples are taken as they come."""
        return self.bucket_samples or (BUDGET_WINDOW if self.tokens_per_batch else None)

    def cost(self, lengths: Sequence[int]) -> int:
        """Tokens of a batch with these text lengths, padding and visual tokens included."""
        return len(lengths) * (max(lengths) + self.fixed_tokens) if lengths else 0


def cut(lengths: Sequence[int], rule: BatchRule, seed: int, window: int) -> Batches:
    """Batches of indices into `lengths` (tokens), each index once.

    Raises ValueError for a length that no batch can hold.
    """
    rng = np.random.default_rng([seed, 5, window])
    ties = rng.permutation(len(lengths))
    longest_first = sorted(range(len(lengths)), key=lambda i: (-lengths[i], ties[i]))
    batches = _by_count(longest_first, rule.batch_size) if rule.batch_size else _by_cost(longest_first, lengths, rule)
    return [[batches[b][i] for i in rng.permutation(len(batches[b]))] for b in rng.permutation(len(batches))]


def _by_count(order: Sequence[int], size: int) -> Batches:
    return [list(order[start : start + size]) for start in range(0, len(order), size)]


def _by_cost(longest_first: Sequence[int], lengths: Sequence[int], rule: BatchRule) -> Batches:
    budget = rule.tokens_per_batch or 0
    batches: Batches = []
    room = 0
    for index in longest_first:
        if not room:  # the first of a batch is its longest: it decides how many fit
            room = budget // (lengths[index] + rule.fixed_tokens)
            if not room:
                raise ValueError(f"{lengths[index] + rule.fixed_tokens} tokens do not fit a batch of {budget}")
            batches.append([])
        batches[-1].append(index)
        room -= 1
    return batches


@dataclass(slots=True)
class BatchPlan:
    """Positions of the sample stream by step. `lengths` is asked for the text lengths of one window at a time."""

    rule: BatchRule
    seed: int
    lengths: Callable[[range], Sequence[int]]
    _windows: list[int] = field(default_factory=lambda: [0])
    """Windows whose first step is known, ascending, for a budget."""
    _first_steps: list[int] = field(default_factory=lambda: [0])
    _cut: dict[int, Batches] = field(default_factory=dict)
    """The window in use and the one before."""

    def positions(self, step: int) -> list[int]:
        """The samples of step `step` (from 0)."""
        if self.rule.window is None:
            size = self.rule.batch_size or 0
            return list(range(step * size, (step + 1) * size))
        window, index = self.locate(step)
        return self.batches(window)[index]

    def used(self, step: int) -> tuple[int, list[int]]:
        """What `step` steps have used: all positions below a number, and some more."""
        if self.rule.window is None:
            return step * (self.rule.batch_size or 0), []
        window, index = self.locate(step)
        part = self.batches(window)[:index] if index else []
        return window * self.rule.window, [position for batch in part for position in batch]

    def locate(self, step: int) -> tuple[int, int]:
        """(window, batch within it) of a step. For a budget it is found from the nearest known step before."""
        if self.rule.batch_size:
            return divmod(step, (self.rule.window or self.rule.batch_size) // self.rule.batch_size)
        known = bisect_right(self._first_steps, step) - 1
        window, first = self._windows[known], self._first_steps[known]
        while step >= first + len(self.batches(window)):
            first += len(self.batches(window))
            window += 1
            self.know(window, first)
        return window, step - first

    def know(self, window: int, first_step: int) -> None:
        """That `window` begins at `first_step`: a resumed run need not go through the windows before."""
        if first_step not in self._first_steps:
            at = bisect_right(self._first_steps, first_step)
            self._first_steps.insert(at, first_step)
            self._windows.insert(at, window)

    def batches(self, window: int) -> Batches:
        """The batches of a window, as positions."""
        if window not in self._cut:
            start = window * (self.rule.window or 0)
            places = range(start, start + (self.rule.window or 0))
            found = [[start + i for i in batch] for batch in cut(self.lengths(places), self.rule, self.seed, window)]
            self._cut = {w: b for w, b in self._cut.items() if w == window - 1} | {window: found}
        return self._cut[window]
