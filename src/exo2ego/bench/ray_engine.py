"""Asking with Ray: the model once in each worker, items handed out in small chunks, answers kept by the driver.

The only importer of Ray (extra `ray`). The chunk of a worker that dies is handed out again: its answers are kept only
when all of them have come, so nothing is lost or kept twice, and only that chunk is asked twice.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

import ray
from ray.exceptions import RayActorError, RayTaskError

from exo2ego.bench.asking import Asking
from exo2ego.bench.items import Item
from exo2ego.bench.model import AnswerModel
from exo2ego.errors import EnvironmentUnfitError, InputError
from exo2ego.records import Prediction

CHUNK = 8
"""Items handed out together: what a dying worker costs, against a message for each item."""
MAX_DEATHS = 3
"""So many workers may die over one chunk before the run gives up and names it."""


class Worker:
    """One process with one model; Ray makes it an actor."""

    def __init__(self) -> None:
        self._model: AnswerModel | None = None

    def load(self, loader: Callable[[], AnswerModel]) -> tuple[str, frozenset[str]]:
        """Load the model; its name and capabilities."""
        self._model = loader()
        return self._model.name, self._model.capabilities

    def answer(self, asking: Asking, items: Sequence[Item]) -> list[Prediction]:
        """All answers of one chunk."""
        assert self._model is not None
        return [asking.answer(self._model, item) for item in items]


@dataclass(slots=True, kw_only=True)
class Chunk:
    """Items that go to one worker together, and how many workers have died over them."""

    items: Sequence[Item]
    deaths: int = 0


class RayEngine:
    """Workers on this machine's Ray, or on the cluster that `RAY_ADDRESS` names (which must see the same files).

    `loader` is called once in each worker. Use as a context manager: Ray stops with it, unless it ran before.
    """

    def __init__(self, loader: Callable[[], AnswerModel], workers: int) -> None:
        if workers < 1:
            raise InputError(f"--workers {workers}: must be 1 or more")
        self._loader, self._count = loader, workers
        self._idle: list[Any] = []
        self._started_here = False
        self.name = ""
        self.capabilities: frozenset[str] = frozenset()

    def __enter__(self) -> "RayEngine":
        try:
            self._start()
            fresh = [self._spawn() for _ in range(self._count)]
            for _, ready in fresh:
                self.name, self.capabilities = _result(ready)
            self._idle = [worker for worker, _ in fresh]
        except RayActorError as error:
            self._stop()
            raise EnvironmentUnfitError(
                f"a Ray worker died while it loaded the model ({_first_line(error)}); give fewer --workers"
            ) from error
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _start(self) -> None:
        if ray.is_initialized():
            return
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray would tell its makers
        if os.environ.get("RAY_ADDRESS"):
            ray.init(log_to_driver=False)
        else:
            ray.init(
                address="local",
                num_cpus=max(self._count, os.cpu_count() or 1),
                include_dashboard=False,
                log_to_driver=False,
                _node_ip_address="127.0.0.1",
            )
        self._started_here = True

    def _stop(self) -> None:
        for worker in self._idle:
            ray.kill(worker)
        self._idle = []
        if self._started_here:
            ray.shutdown()
            self._started_here = False

    def _spawn(self) -> tuple[Any, Any]:
        """A new worker and the promise of its loaded model. GPUs are shared out evenly where there are any."""
        gpus = min(1.0, ray.cluster_resources().get("GPU", 0.0) / self._count)
        worker = ray.remote(num_cpus=1, num_gpus=gpus)(Worker).remote()
        return worker, worker.load.remote(self._loader)

    def answers(self, asking: Asking, items: Sequence[Item]) -> Iterator[Prediction]:
        """Every item's answer once, chunk by chunk in the order in which they come.

        Raises:
            EnvironmentUnfitError: `MAX_DEATHS` workers died over the same chunk.
            Exception: whatever a worker raised, as it was raised there.
        """
        asking = replace(asking, root=asking.root.resolve())  # workers may stand in another folder
        waiting = deque(Chunk(items=items[start : start + CHUNK]) for start in range(0, len(items), CHUNK))
        running: dict[Any, tuple[Any, Chunk]] = {}
        try:
            while waiting or running:
                while waiting and self._idle:
                    worker, chunk = self._idle.pop(), waiting.popleft()
                    running[worker.answer.remote(asking, chunk.items)] = (worker, chunk)
                (ready,), _ = ray.wait(list(running), num_returns=1)
                worker, chunk = running.pop(ready)
                try:
                    found = _result(ready)
                except RayActorError as error:
                    chunk.deaths += 1
                    if chunk.deaths == MAX_DEATHS:
                        raise _given_up(chunk, error) from error
                    waiting.appendleft(chunk)
                    worker, loaded = self._spawn()
                    _result(loaded)
                    self._idle.append(worker)
                else:
                    self._idle.append(worker)
                    yield from found
        finally:
            self._idle += [worker for worker, _ in running.values()]


def _result(promise: Any) -> Any:
    """What a worker returns; what it raised is raised here as it was raised there."""
    try:
        return ray.get(promise)
    except RayTaskError as error:
        if isinstance(error.cause, Exception):
            raise error.cause from None
        raise


def _given_up(chunk: Chunk, error: RayActorError) -> EnvironmentUnfitError:
    first, last = chunk.items[0].item_id, chunk.items[-1].item_id
    return EnvironmentUnfitError(
        f"{MAX_DEATHS} Ray workers died over items {first} to {last} ({_first_line(error)}); all earlier answers are "
        "kept: give fewer --workers if memory is short, and run the same command again"
    )


def _first_line(error: RayActorError) -> str:
    return str(error).strip().splitlines()[0]
