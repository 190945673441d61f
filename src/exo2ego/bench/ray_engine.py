"""Asking with Ray: the model once in each worker, items handed out in small chunks, answers kept by the driver.

The chunk of a worker that dies is handed out again (`data/ray_workers.py`): its answers are kept only when all of them
have come, so nothing is lost or kept twice, and only that chunk is asked twice.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType

from exo2ego.bench.asking import Asking
from exo2ego.bench.items import Item
from exo2ego.bench.model import AnswerModel
from exo2ego.data.ray_workers import RayWorkers
from exo2ego.errors import InputError
from exo2ego.records import Prediction

CHUNK = 8
"""Items handed out together: what a dying worker costs, against a message for each item."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Items that go to one worker together."""

    asking: Asking
    items: Sequence[Item]

    @property
    def name(self) -> str:
        """For messages."""
        return f"items {self.items[0].item_id} to {self.items[-1].item_id}"


class RayEngine:
    """Workers on this machine's Ray, or on the cluster that `RAY_ADDRESS` names (which must see the same files).

    `loader` is called once in each worker. Use as a context manager: Ray stops with it, unless it ran before.
    """

    def __init__(self, loader: Callable[[], AnswerModel], workers: int) -> None:
        if workers < 1:
            raise InputError(f"--workers {workers}: must be 1 or more")
        self._workers: RayWorkers[Chunk, list[Prediction]] = RayWorkers(
            partial(_load, loader), workers, purpose="loaded the model"
        )
        self.name = ""
        self.capabilities: frozenset[str] = frozenset()

    def __enter__(self) -> "RayEngine":
        self._workers.__enter__()
        self.name, self.capabilities = self._workers.greeting
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._workers.__exit__(kind, error, trace)

    def answers(self, asking: Asking, items: Sequence[Item]) -> Iterator[Prediction]:
        """Every item's answer once, chunk by chunk in the order in which they come.

        Raises:
            EnvironmentUnfitError: several workers died over the same chunk, or none can start.
            Exception: whatever a worker raised, as it was raised there.
        """
        asking = replace(asking, root=asking.root.resolve())  # workers may stand in another folder
        chunks = (Chunk(asking=asking, items=items[at : at + CHUNK]) for at in range(0, len(items), CHUNK))
        for _, found in self._workers.results(chunks, lambda chunk: chunk.name):
            yield from found


def _load(loader: Callable[[], AnswerModel]) -> tuple[Callable[[Chunk], list[Prediction]], tuple[str, frozenset[str]]]:
    """In a worker: the model, ready to answer chunks; its name and capabilities."""
    model = loader()
    return partial(_answer, model), (model.name, model.capabilities)


def _answer(model: AnswerModel, chunk: Chunk) -> list[Prediction]:
    return [chunk.asking.answer(model, item) for item in chunk.items]
