"""`exo2ego bench run`: ask a model the items of some tasks, then score."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from exo2ego.cli.common import add_bar, require_seed
from exo2ego.errors import EnvironmentUnfitError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from rich.console import Console
    from rich.progress import Progress

    from exo2ego.bench.items import Item
    from exo2ego.bench.local_engine import Engine
    from exo2ego.bench.run import Progress as RunProgress
    from exo2ego.bench.run import RunSettings
    from exo2ego.bench.tasks.base import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Ask a model the items of tasks; run again to continue after an interruption. Scores each task when complete.

    Example: exo2ego bench run --model exo2ego:out/student --tasks all --root sim/bench --out runs/student
    """

    model: str
    """exo2ego:DIR, hf:ID or hf:DIR, openai:URL#MODEL, blind:MODEL (the same without video), random or majority;
    settings follow as ,key=value (docs/models.md)."""
    tasks: str
    """Names of tasks, separated by commas, or all."""
    root: Path
    """Folder of the task's files; for several tasks, the folder that holds one folder for each."""
    out: Path
    """Run folder; each task gets a folder of its own below."""
    protocol: str | None = None
    """How items are put to the model; `exo2ego bench prompts` lists them. Default: the task's own."""
    style: str = "base"
    """Prompt style: base, details or first_person."""
    limit: int | None = None
    """Ask only this many items, drawn by lot from the seed."""
    seed: int = 0
    """For --limit, the random model and the bootstrap."""
    alpha: float = 1.0
    """EPIC MIR, video to text: share of log P(sentence) that is taken off."""
    shuffle_options: int = 1
    """Ask each item with listed options in so many seeded orders of them; the answers vote, position bias is told."""
    full: bool = False
    """EgoSchema: ask all 5,031 questions and write a submission, not only the 500 with public answers."""
    allow_missing: bool = False
    """Go on without videos that are not there; their items count as unscored."""
    retry_errors: bool = False
    """Ask again the items that failed before."""
    engine: Literal["local", "ray"] = "local"
    """local: this process. ray: worker processes, each with the model (extra `ray`), also on other machines."""
    workers: int | None = None
    """How many questions are in flight. local: up to what the model allows, its default; ray: workers, default 2."""

    def __call__(self) -> int:
        """Ask, task by task, and score."""
        require_seed(self.seed)
        from exo2ego.bench.models import model_fingerprint
        from exo2ego.bench.run import run_on
        from exo2ego.bench.tasks.base import require_protocol
        from exo2ego.cli.bench_common import score_all
        from exo2ego.cli.common import console, progress
        from exo2ego.records import Usage

        terminal = console()
        loaded = self._load(terminal)
        fingerprint = model_fingerprint(self.model)
        with self._engine() as engine:
            for task, _, _ in loaded:
                require_protocol(engine, task, self.protocol or task.default_protocol)
            for task, root, items in loaded:
                settings, out = self._settings(terminal, task, fingerprint, len(loaded) == 1), self.out / task.name
                with progress() as bars:
                    kept = run_on(engine, task, items, root, out, settings, allow_missing=self.allow_missing,
                                  retry_errors=self.retry_errors,
                                  on_progress=answer_bar(bars, task.title, len(items)))  # fmt: skip
                spent = Usage.total(prediction.usage for prediction in kept.values() if prediction.usage)
                if spent.requests:
                    terminal.print(f"{task.name}: asked with {spent.told()}", markup=False)
                score_all(terminal, [out])
        return 0

    def _engine(self) -> "AbstractContextManager[Engine]":
        """Who asks: this process, or Ray's workers."""
        from exo2ego.bench.local_engine import LocalEngine
        from exo2ego.bench.models import load_model

        if self.engine == "local":
            return nullcontext(LocalEngine(load_model(self.model, self.seed), self.workers))
        try:
            from exo2ego.bench.ray_engine import RayEngine
        except ModuleNotFoundError as error:
            raise EnvironmentUnfitError("--engine ray: Ray is not installed; pip install 'exo2ego[ray]'") from error
        return RayEngine(partial(load_model, self.model, self.seed), self.workers or 2)

    def _settings(self, terminal: "Console", task: "Task", fingerprint: str, alone: bool) -> "RunSettings":
        from exo2ego.bench.run import RunSettings

        protocol, orders = self.protocol or task.default_protocol, self.shuffle_options
        if orders > 1 and not alone and task.protocols[protocol].choose is None:
            terminal.print(f"{task.name}: shows no list of options, so it is asked in one order", markup=False)
            orders = 1
        return RunSettings(
            task=task.name,
            protocol=protocol,
            style=self.style,
            model=self.model,
            fingerprint=fingerprint,
            seed=self.seed,
            limit=self.limit,
            full=self.full,
            alpha=self.alpha,
            shuffle_options=orders,
        )

    def _load(self, terminal: "Console") -> "list[tuple[Task, Path, list[Item]]]":
        """All files are checked before the model is loaded, so that a mistake shows in a second, not after an hour."""
        from exo2ego.bench.items import require_videos
        from exo2ego.cli.bench_common import load_present

        def load(task: "Task", root: Path) -> "list[Item]":
            items = task.load(root, self.limit, self.seed, full=self.full)
            if not self.allow_missing:
                require_videos(items, root)
            return items

        return load_present(self.root, self.tasks, load, lambda line: terminal.print(line, markup=False), "run")


def answer_bar(display: "Progress", title: str, items: int) -> "Callable[[RunProgress], None]":
    """A bar of `display` with answers a second and failures, and what moves it: the callback of `run`."""
    bar = add_bar(display, title, total=items)

    def show(at: "RunProgress") -> None:
        failed = f", {at.errors} unscored" if at.errors else ""
        bar(at.done, at.total, f"{at.items_per_s:.1f} items/s{failed}")

    return show
