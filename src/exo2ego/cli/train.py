"""`exo2ego train`: one stage of a recipe, resumable at any moment."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from exo2ego.cli.common import pick_device, quiet_libraries, typed_arguments

EXAMPLE = (
    "example: exo2ego train --recipe tiny --stage guidance --init-from runs/teacher/final "
    "--data shards/pairs --out runs/guidance"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainCommand:
    """Train one stage of a recipe: initial, teacher, guidance, practice, or a baseline (ego_only, mixed)."""

    stage: str
    """Which stage of the recipe."""
    data: Annotated[tuple[Path, ...], tyro.conf.UseAppendAction] = ()
    """Shard folder (repeat for several)."""
    out: Path
    """Where checkpoints, logs and the model go; run again to resume."""
    init_from: Path | None = None
    """Exported model or the `final` folder of the stage before. Default: the shipped start; for `initial`, random
    weights."""
    recipe: str = "tiny"
    """Name of the recipe."""
    seed: int = 0
    """Seeds data order, dropout and new layers."""
    steps: int | None = None
    """Other number of optimiser steps than the recipe's."""
    batch_size: int | None = None
    """Other batch size than the recipe's."""
    lr: float | None = None
    """Other learning rate than the recipe's."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute; under `torchrun`, `cuda` is each process's own GPU."""
    print_recipe: bool = False
    """Print the complete recipe as JSON and stop."""


def main(argv: list[str]) -> int:
    """Run the verb."""
    command: TrainCommand = typed_arguments(
        TrainCommand, argv, prog="exo2ego train", description=f"{TrainCommand.__doc__}\n\n{EXAMPLE}"
    )
    import json

    from exo2ego.cli.train_steps import chosen_recipe, start_folder
    from exo2ego.cli.train_view import training_progress
    from exo2ego.training.run import train_stage

    recipe = chosen_recipe(command.recipe, command.stage, command.steps, command.batch_size, command.lr)
    if command.print_recipe:
        print(json.dumps(recipe.as_json(), indent=1))
        return 0
    quiet_libraries()
    start = start_folder(recipe, command.stage, command.init_from, command.data, command.out, command.seed)
    with training_progress() as report:
        run = train_stage(
            recipe,
            command.stage,
            start=start,
            data=command.data,
            out=command.out,
            seed=command.seed,
            report=report,
            device=pick_device(command.device),
        )
    print(f"model: {run.model}\nstart of the next stage: {run.final}\nlog: {run.log}")
    return 0
