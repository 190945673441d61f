"""Asking in this process: one question after another, or as many at once as the model allows, in threads."""

from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, as_completed, wait
from itertools import islice
from typing import Protocol

from exo2ego.bench.asking import Asking
from exo2ego.bench.items import Item
from exo2ego.bench.model import AnswerModel, show_items
from exo2ego.errors import InputError
from exo2ego.records import Prediction


class Engine(Protocol):
    """Whoever gets items answered: this process, or workers."""

    @property
    def name(self) -> str:
        """The model's name."""
        ...

    @property
    def capabilities(self) -> frozenset[str]:
        """The model's capabilities."""
        ...

    def answers(self, asking: Asking, items: Sequence[Item]) -> Iterator[Prediction]:
        """Every item's answer once, in the order in which they come."""
        ...


class LocalEngine:
    """A model in this process. `workers` overrides how many questions are in flight; None: as the model says."""

    def __init__(self, model: AnswerModel, workers: int | None = None) -> None:
        if workers is not None and not 1 <= workers <= model.concurrency:
            raise InputError(
                f"--workers {workers}: {model.name} answers {model.concurrency} question(s) at once in one process; "
                "give a number up to that, or --engine ray, which loads the model once in each worker"
            )
        self._model = model
        self._workers = workers or model.concurrency

    @property
    def name(self) -> str:
        """The model's name."""
        return self._model.name

    @property
    def capabilities(self) -> frozenset[str]:
        """The model's capabilities."""
        return self._model.capabilities

    def see(self, items: Sequence[Item]) -> None:
        """Shows the items of a run to a model that wants to see them."""
        show_items(self._model, items)

    def answers(self, asking: Asking, items: Sequence[Item]) -> Iterator[Prediction]:
        """As `Engine.answers`; with one worker in the order of the items."""
        if self._workers == 1:
            return (asking.answer(self._model, item) for item in items)
        return self._in_threads(asking, items)

    def _in_threads(self, asking: Asking, items: Sequence[Item]) -> Iterator[Prediction]:
        """Never more questions in flight than workers. When one fails, or on Ctrl-C, those in flight are still kept."""
        waiting = iter(items)
        with ThreadPoolExecutor(self._workers) as pool:
            running: set[Future[Prediction]] = set()
            try:
                while True:
                    for item in islice(waiting, self._workers - len(running)):
                        running.add(pool.submit(asking.answer, self._model, item))
                    if not running:
                        return
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    good = {future for future in done if future.exception() is None}
                    yield from (future.result() for future in good)
                    for future in done - good:
                        future.result()
            except (Exception, KeyboardInterrupt):
                yield from (future.result() for future in as_completed(running) if future.exception() is None)
                raise
