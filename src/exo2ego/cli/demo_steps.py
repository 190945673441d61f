"""The stations of the demo: each a function from folders to folders, each resumable by itself."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from exo2ego import __version__
from exo2ego.data.atomic import write_folder, write_text
from exo2ego.errors import OutputError

if TYPE_CHECKING:
    from exo2ego.training.config import Recipe

ARMS: dict[str, tuple[str, ...]] = {
    "ours": ("teacher", "guidance", "practice"),
    "no-teacher": ("ego_only", "practice"),
}
"""Name of a trained model -> its stages in order, from the shipped start. Both see the same ego clips as many times."""

CLIP_ALPHA = 1.4
"""Narrations of the simulated takes are 2.2 s apart, so clips are 1.6 s wide: as wide as a simulated act."""

START_NAME, CHANCE_NAME = "start", "random"

MEASURED = ("egomcq", "egoschema", "epic_mir")
"""Tasks of the demo, which is to take minutes; `exo2ego sim` writes the others too, `exo2ego bench run` asks them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSize:
    """How much of everything. Decides the results; the number of workers does not and is not here."""

    takes: int
    bench_questions: int
    egomcq_questions: int
    mir_clips: int
    examples: int
    split_fractions: tuple[float, float, float] = (0.65, 0.1, 0.25)
    exo_cameras: tuple[int, int] = (2, 3)
    steps: Mapping[str, int] = field(default_factory=dict)
    """Stage -> optimiser steps, where the demo takes other than the recipe's."""


FULL = DemoSize(
    takes=64,
    bench_questions=400,
    egomcq_questions=100,
    mir_clips=120,
    examples=6,
    split_fractions=(0.6, 0.05, 0.35),
    exo_cameras=(2, 2),
    steps={"teacher": 30, "guidance": 150, "ego_only": 180, "practice": 70},
)
SHORT = DemoSize(
    takes=12,
    bench_questions=24,
    egomcq_questions=12,
    mir_clips=8,
    examples=3,
    steps={"teacher": 8, "guidance": 16, "ego_only": 24, "practice": 8},
)
"""Proves that every station works, in a few minutes; far too little to show a difference between models."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """One demo: where it writes and what it does there."""

    out: Path
    size: DemoSize
    seed: int
    workers: int
    device: str

    @property
    def world(self) -> Path:
        """The simulated data sets."""
        return self.out / "world"

    @property
    def source(self) -> Path:
        """The simulated Ego-Exo4D download."""
        return self.world / "ego_exo4d"

    @property
    def pairs(self) -> Path:
        """Shards of synchronized ego-exo clips."""
        return self.out / "shards" / "pairs"

    @property
    def instructions(self) -> Path:
        """Shards of first-person conversations."""
        return self.out / "shards" / "instructions"

    def stage(self, arm: str, stage: str) -> Path:
        """Folder of one training run."""
        return self.out / "train" / f"{arm}-{stage}"

    def model(self, arm: str) -> Path:
        """Exported model of an arm."""
        return self.out / "models" / arm

    def scores(self, name: str) -> Path:
        """Benchmark run of a model."""
        return self.out / "bench" / name

    @property
    def report(self) -> Path:
        """The page that shows everything."""
        return self.out / "report.html"


def claim(demo: Demo, start_manifest: str) -> None:
    """Makes `demo.out` this demo's folder, or finds that it is; OutputError when it holds another demo.

    `start_manifest` is the text of the shipped weights' manifest: other weights make another demo.
    """
    settings = {
        "version": __version__,
        "size": asdict(demo.size),
        "seed": demo.seed,
        "start": hashlib.sha256(start_manifest.encode()).hexdigest()[:16],
    }
    note = demo.out / "demo.json"
    try:
        if note.is_file():
            if json.loads(note.read_text(encoding="utf-8")) != json.loads(json.dumps(settings)):
                raise OutputError(f"{demo.out} holds a demo of other settings; choose another --out or delete it")
            return
        if demo.out.exists() and any(demo.out.iterdir()):
            raise OutputError(f"{demo.out} is not empty and holds no demo; choose another --out")
        write_text(note, json.dumps(settings, indent=1) + "\n")
    except ValueError as error:
        raise OutputError(f"{note} is damaged ({error}); delete {demo.out} and run again") from error
    except OSError as error:
        raise OutputError(f"cannot write {demo.out}: {error.strerror}; choose another --out") from error


def simulate_takes(demo: Demo) -> None:
    """Station 1: the small world, as an Ego-Exo4D download, instructions and benchmark folders."""
    from exo2ego.cli.common import progress
    from exo2ego.cli.sim import simulation_bars
    from exo2ego.sim.export import simulate
    from exo2ego.sim.spec import SimSpec

    size = demo.size
    spec = SimSpec(
        out=demo.world,
        takes=size.takes,
        seed=demo.seed,
        workers=demo.workers,
        split_fractions=size.split_fractions,
        exo_cameras=size.exo_cameras,
        bench_questions=size.bench_questions,
        egomcq_questions=size.egomcq_questions,
        mir_clips=size.mir_clips,
        benches=(*MEASURED, "egoschema_exo"),
    )
    with progress() as bars:
        simulate(spec, simulation_bars(bars))


def build_data(demo: Demo) -> None:
    """Station 2: Ego-ExoClip pairs and first-person instructions, as shards. Both verbs show their own progress."""
    from exo2ego.cli.data import main as data

    workers = ["--workers", str(demo.workers)]
    clips = ["--alpha", str(CLIP_ALPHA), "--pool", "annotation", "--rewrite-subject"]
    data(["clips", "--source", str(demo.source), "--out", str(demo.pairs), *clips, *workers])
    instructions = str(demo.world / "instruct" / "ego.json")
    data(
        [
            *("instruct", "--source", instructions, "--videos", str(demo.source)),
            *("--out", str(demo.instructions), *workers),
        ]
    )


def demo_recipe(size: DemoSize) -> "Recipe":
    """The recipe `tiny`, with the steps that the demo has time for."""
    from exo2ego.training.recipes.tiny import tiny

    recipe = tiny()
    stages = {
        name: replace(stage, optim=replace(stage.optim, steps=size.steps.get(name, stage.optim.steps)))
        for name, stage in recipe.stages.items()
    }
    return replace(recipe, stages=stages)


def train(demo: Demo, arm: str, stage: str) -> None:
    """One stage of one arm, from the stage before it (or from the shipped start)."""
    from exo2ego.cli.train_view import training_progress
    from exo2ego.models.weights import START
    from exo2ego.training.run import StageRun, train_stage
    from exo2ego.training.stages import STAGES

    stages = ARMS[arm]
    before = stages[: stages.index(stage)]
    data = demo.pairs if STAGES[stage].data == "pairs" else demo.instructions
    with training_progress() as report:
        train_stage(
            demo_recipe(demo.size),
            stage,
            start=StageRun(out=demo.stage(arm, before[-1])).final if before else START,
            data=[data],
            out=demo.stage(arm, stage),
            seed=demo.seed,
            report=report,
            device=demo.device,
        )


def export_models(demo: Demo) -> None:
    """A copy of each arm's last model under a name that people can type."""
    from exo2ego.training.run import StageRun

    for arm, stages in ARMS.items():
        model = StageRun(out=demo.stage(arm, stages[-1])).model
        write_folder(demo.model(arm), partial(shutil.copytree, model, dirs_exist_ok=True))
