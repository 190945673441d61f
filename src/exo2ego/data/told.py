"""Telling how far a long pass over many small things has come: seldom enough to cost nothing."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

TOLD_EVERY = 500
"""Things between two calls of `progress`."""
Progress = Callable[[int, int], None]
"""(done, in all)."""
Thing = TypeVar("Thing")


def told(things: Iterable[Thing], total: int, progress: Progress | None) -> Iterator[Thing]:
    """The `total` things as they are; `progress` is told every `TOLD_EVERY` of them, and after the last."""
    for number, thing in enumerate(things, 1):
        yield thing
        if progress and (number == total or not number % TOLD_EVERY):
            progress(number, total)
