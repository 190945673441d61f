"""Shards built on this machine: in this process, or in several that go with their parent, however it ends."""

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for_input

from exo2ego.ctrl_c import kept_from_children
from exo2ego.data.shard_group import Group, build_group
from exo2ego.errors import OutputError

AHEAD = 2
"""Groups that wait for each worker: more would only fill memory."""


def run_here(groups: Iterator[Group], count: int, workers: int) -> Iterator[Group]:
    """Builds `count` groups; yields each when it is done.

    Raises OutputError when a worker is killed or the disk refuses.
    """
    workers = min(workers, count)
    if workers <= 1:
        for group in groups:
            build_group(group)
            yield group
        return
    # Not forked: the caller may hold threads (progress display, torch) that would not survive.
    context = get_context("spawn")
    lifeline, held = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_leave_with_parent, initargs=(lifeline,))
    running: dict[Future[int], Group] = {}
    try:
        while True:
            for group in islice(groups, AHEAD * workers - len(running)):
                with kept_from_children():  # the first ones start the workers
                    running[pool.submit(build_group, group)] = group
            if not running:
                break
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                future.result()
                yield running.pop(future)
    except BrokenProcessPool:
        where = next(iter(running.values())).folder
        raise OutputError(f"{where}: a worker was killed (out of memory?); run again, with fewer --workers") from None
    finally:
        if running:
            held.close()  # after Ctrl-C or an error: what is half done is thrown away
        pool.shutdown(wait=True, cancel_futures=True)
        held.close()
        lifeline.close()


def _leave_with_parent(lifeline: Connection) -> None:
    """Initializer of a worker: Ctrl-C is the parent's business; a parent that stops or dies takes the worker along.

    The parent holds the only other end of the pipe, which ends with it, however it ends. No lock is shared: one held by
    a killed process would never be released.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        wait_for_input([lifeline])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
