"""Spread work over processes of their own: order of finishing does not matter, a killed worker is one line."""

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from exo2ego.ctrl_c import kept_from_children
from exo2ego.errors import OutputError


def spread(work: Callable[..., int], batches: Sequence[tuple[Any, ...]], *, workers: int, broken: str) -> Iterator[int]:
    """Call `work(*batch)` for every batch; yields what each call returns as it finishes.

    Raises:
        OutputError: a worker was killed; `broken` says where and of what kind.
    """
    if workers == 1 or len(batches) <= 1:
        for batch in batches:
            yield work(*batch)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(batches)), mp_context=context, initializer=_end_at_ctrl_c) as pool:
        with kept_from_children():
            pending = {pool.submit(work, *batch) for batch in batches}
        try:
            while pending:
                finished, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in finished:
                    yield future.result()
        except BrokenProcessPool:
            raise OutputError(f"{broken} worker was killed (out of memory?); run again, with fewer --workers") from None
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _end_at_ctrl_c() -> None:
    """Initializer of a worker: Ctrl-C, also one that came before this, ends it without a word; its parent speaks."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
