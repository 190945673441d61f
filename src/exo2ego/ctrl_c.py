"""Ctrl-C and processes that are just being started."""

import contextlib
import signal
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def kept_from_children() -> Iterator[None]:
    """A terminal sends Ctrl-C to every process in it. Those that are started in here have it blocked from their first
    moment: an interpreter that it meets while it starts prints a traceback. This process gets it when the block ends,
    since a start that is broken off in the middle leaves a child that prints one as well.
    """
    pressed: list[int] = []
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    # Blocked in this thread, it reaches another one, and Python interrupts the main thread all the same.
    handler = None
    if threading.current_thread() is threading.main_thread():
        handler = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        yield
    finally:
        if handler is not None:
            signal.signal(signal.SIGINT, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        if pressed:
            signal.raise_signal(signal.SIGINT)
