"""Several guarded processes behind one call, for threads that read files at the same time, each at its own risk."""

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from queue import LifoQueue
from types import TracebackType
from typing import Any, Self, TypeVar

from exo2ego.data.guard import MEMORY_LIMIT_BYTES, Guard

R = TypeVar("R")
Job = TypeVar("Job")
Outcome = TypeVar("Outcome")

AHEAD = 8
"""Jobs handed out for each thread: all at once would be a record for each of a hundred thousand files."""
_STOP_CHECK_S = 0.02


class GuardPool:
    """Up to `workers` guards. A child is started when all that run are busy, and lives until the pool is closed.

    with GuardPool(4, time_limit_s=20) as pool:
        for info in pool.over(lambda path: pool.call(probe, path), paths): ...
    """

    def __init__(self, workers: int, *, time_limit_s: float, memory_limit_bytes: int = MEMORY_LIMIT_BYTES) -> None:
        """Limits as `Guard` has them, for each process. Raises ValueError for limits or a number of 0."""
        if workers < 1:
            raise ValueError(f"workers must be at least 1: {workers}")
        self._guards = [Guard(time_limit_s=time_limit_s, memory_limit_bytes=memory_limit_bytes) for _ in range(workers)]
        # The one used last is taken first: as many children as calls at one time, not as many as there may be.
        self._free: LifoQueue[Guard] = LifoQueue()
        for guard in self._guards:
            self._free.put(guard)
        self._is_closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def call(self, function: Callable[..., R], *args: Any, name: str = "", time_limit_s: float | None = None) -> R:
        """`Guard.call` on a guard that is free, or becomes free. From any thread. RuntimeError on a closed pool."""
        guard = self._free.get()
        try:
            if self._is_closed:
                raise RuntimeError("the pool of guarded processes is closed")
            return guard.call(function, *args, name=name, time_limit_s=time_limit_s)
        finally:
            self._free.put(guard)

    def close(self) -> None:
        """Ends all children, also in the middle of a call; no other is started. May be called again."""
        self._is_closed = True
        self._end_calls()

    def over(self, work: Callable[[Job], Outcome], jobs: Iterable[Job]) -> Iterator[Outcome]:
        """`work(job)` of every job, each in a thread, in the order in which they end; `work` uses `call`.

        `jobs` are taken from the iterable `AHEAD` a thread before they are due. What `work` raises is raised here.
        However the loop over this ends (an error, Ctrl-C, `close` of the iterator), calls that still run are ended.
        """
        threads = ThreadPoolExecutor(len(self._guards))
        waiting = iter(jobs)
        running: set[Future[Outcome]] = set()
        try:
            while True:
                room = AHEAD * len(self._guards) - len(running)
                running |= {threads.submit(work, job) for job in islice(waiting, room)}
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
            # More than once: a thread may have been about to start its child when the others were ended.
            while not all(future.done() for future in running):
                self._end_calls()
                time.sleep(_STOP_CHECK_S)

    def _end_calls(self) -> None:
        for guard in self._guards:
            guard.close()
