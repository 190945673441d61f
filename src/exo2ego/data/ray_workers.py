"""Work over Ray: pieces handed out to workers on one machine or many; the piece of a worker that dies is handed out
again. The only importer of Ray (extra `ray`).

A piece's result counts only when all of it has come, so nothing is lost or kept twice. Workers that come up late, or
that a smaller cluster cannot hold any more, do not stop the others.
"""

import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import ray
from ray.exceptions import NodeDiedError, ObjectLostError, RayActorError, RayTaskError

from exo2ego.errors import EnvironmentUnfitError, InputError

MAX_DEATHS = 3
"""So many workers may die over one piece before the run gives up and names it."""
STRAGGLERS_S = 30.0
"""When one worker is ready, the others have so long to be there from the beginning."""
START_LIMIT_S = 600.0
"""A cluster on which no worker can start within this time is given up: it is full, or too small."""
_LOST = (RayActorError, ObjectLostError, NodeDiedError)

P = TypeVar("P")
R = TypeVar("R")


class _Worker:
    """One process; Ray makes it an actor."""

    def __init__(self) -> None:
        self._work: Callable[[Any], Any] | None = None

    def start(self, make: Callable[[], tuple[Callable[[Any], Any], Any]]) -> Any:
        """What the worker says of itself when it is ready."""
        self._work, greeting = make()
        return greeting

    def do(self, piece: Any) -> Any:
        assert self._work is not None
        return self._work(piece)


class RayWorkers(Generic[P, R]):
    """Workers on this machine's Ray, or on the cluster at `address` (default: that of `RAY_ADDRESS`), which must see
    the same files.

    `make` is called once in each worker; it returns the function that does a piece, and a greeting. `count` None: one
    worker for each CPU of the cluster, but not more than `most`, the number of pieces. A context manager: Ray stops
    with it, unless it ran before.
    """

    def __init__(
        self,
        make: Callable[[], tuple[Callable[[P], R], Any]],
        count: int | None = None,
        address: str | None = None,
        most: int | None = None,
        purpose: str = "started",
    ) -> None:
        if count is not None and count < 1:
            raise InputError(f"--workers {count}: must be 1 or more")
        self._make, self._count, self._most = make, count or 0, most
        self._address, self._purpose = address, purpose
        self._idle: list[Any] = []
        self._starting: dict[Any, Any] = {}
        self._running: dict[Any, tuple[Any, P]] = {}
        self._failed_starts = 0
        self._started_here = False
        self.greeting: Any = None

    def __enter__(self) -> Self:
        try:
            self._connect()
            self._count = self._count or max(1, int(ray.cluster_resources().get("CPU", 1)))
            self._count = min(self._count, self._most or self._count)
            for _ in range(self._count):
                self._spawn()
            self._gather()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _connect(self) -> None:
        if ray.is_initialized():
            return
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray would tell its makers
        address = self._address or os.environ.get("RAY_ADDRESS")
        try:
            if address:
                ray.init(address=address, log_to_driver=False)
            else:
                ray.init(
                    address="local",
                    num_cpus=max(self._count, os.cpu_count() or 1),
                    include_dashboard=False,
                    log_to_driver=False,
                    _node_ip_address="127.0.0.1",
                )
        except (ConnectionError, ValueError, RuntimeError) as error:
            reason = _first_line(error)
            raise EnvironmentUnfitError(f"no Ray cluster at {address or 'this machine'} ({reason})") from error
        self._started_here = True

    def _stop(self) -> None:
        everyone = [*self._idle, *self._starting.values(), *(worker for worker, _ in self._running.values())]
        for worker in everyone:
            ray.kill(worker)
        self._idle, self._starting, self._running = [], {}, {}
        if self._started_here:
            ray.shutdown()
            self._started_here = False

    def _spawn(self) -> None:
        """A new worker, on its way. GPUs are shared out evenly where there are any."""
        gpus = min(1.0, ray.cluster_resources().get("GPU", 0.0) / self._count)
        worker = ray.remote(num_cpus=1, num_gpus=gpus)(_Worker).remote()
        self._starting[worker.start.remote(self._make)] = worker

    def _gather(self) -> None:
        """Waits for the workers: for one of them as long as it takes, for the others a little."""
        deadline = time.monotonic() + START_LIMIT_S
        while self._starting and time.monotonic() < deadline:
            self._await_one(list(self._starting), deadline)
            if self._idle:
                deadline = min(deadline, time.monotonic() + STRAGGLERS_S)

    def _await_one(self, promises: list[Any], deadline: float) -> Any:
        """The first promise that is kept, None where that was a worker's start. Raises EnvironmentUnfitError when there
        is no worker by then."""
        ready, _ = ray.wait(promises, num_returns=1, timeout=max(0.0, deadline - time.monotonic()))
        if not ready:
            if not self._idle and not self._running:
                raise EnvironmentUnfitError(
                    f"no Ray worker could start within {START_LIMIT_S:.0f} s; give fewer --workers, or free the cluster"
                )
            return None
        if ready[0] in self._starting:
            self._welcome(ready[0])
            return None
        return ready[0]

    def _welcome(self, promise: Any) -> None:
        worker = self._starting.pop(promise)
        try:
            self.greeting = _result(promise)
        except _LOST as error:
            self._failed_starts += 1
            if self._failed_starts >= MAX_DEATHS or not (self._idle or self._running or self._starting):
                raise EnvironmentUnfitError(
                    f"a Ray worker died while it {self._purpose} ({_first_line(error)}); give fewer --workers"
                ) from error
            self._spawn()
        else:
            self._idle.append(worker)

    def results(self, pieces: Iterable[P], name: Callable[[P], str]) -> Iterator[tuple[P, R]]:
        """Every piece with its result, once, in the order in which they come. A piece is taken from `pieces` only when
        a worker is free; `name` is what messages call it.

        Raises EnvironmentUnfitError when `MAX_DEATHS` workers died over the same piece, or none is left and none can
        start; whatever a worker raised, as it was raised there.
        """
        source = iter(pieces)
        again: deque[P] = deque()
        deaths: Counter[str] = Counter()
        try:
            while True:
                while self._idle:
                    piece = again.popleft() if again else next(source, None)
                    if piece is None:
                        break
                    worker = self._idle.pop()
                    self._running[worker.do.remote(piece)] = (worker, piece)
                if self._idle and not self._running:
                    return
                promise = self._await_one([*self._running, *self._starting], time.monotonic() + START_LIMIT_S)
                if promise is None:
                    continue
                worker, piece = self._running.pop(promise)
                try:
                    found: R = _result(promise)
                except _LOST as error:
                    deaths[name(piece)] += 1
                    if deaths[name(piece)] == MAX_DEATHS:
                        raise _given_up(name(piece), error) from error
                    again.append(piece)
                    ray.kill(worker)
                    self._spawn()
                else:
                    self._idle.append(worker)
                    yield piece, found
        finally:
            self._idle += [worker for worker, _ in self._running.values()]
            self._running = {}


def _result(promise: Any) -> Any:
    """What a worker returns; what it raised is raised here as it was raised there."""
    try:
        return ray.get(promise)
    except RayTaskError as error:
        if isinstance(error.cause, Exception):
            raise error.cause from None
        raise


def _given_up(name: str, error: Exception) -> EnvironmentUnfitError:
    return EnvironmentUnfitError(
        f"{MAX_DEATHS} Ray workers died over {name} ({_first_line(error)}); what was done before is kept: give fewer "
        "--workers if memory is short, and run the same command again"
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
