"""`exo2ego train`: one stage of a recipe, resumable at any moment."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from exo2ego.cli.common import console, pick_device, quiet_libraries, require_seed, typed_arguments

EXAMPLE = (
    "example: exo2ego train --recipe tiny --stage guidance --init-from runs/teacher/final "
    "--data shards/pairs --out runs/guidance\n\n"
    "a mixture with a token budget, kept away from the benchmarks: exo2ego train --stage practice "
    "--init-from runs/guidance/final --data egtea=shards/egtea:0.3 --data egotimeqa=shards/egotimeqa:0.7 "
    "--tokens-per-batch 8192 --held-out held-out.jsonl --out runs/practice"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainCommand:
    """Train one stage of a recipe: initial, teacher, guidance, practice, or a baseline (ego_only, mixed)."""

    stage: str
    """Which stage of the recipe."""
    data: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """Shard folder, or NAME=FOLDER:WEIGHT (repeat for several). Without weights, shares follow from sizes."""
    mix: Path | None = None
    """JSON file of weighted sources, in place of --data (docs/data/mixture.md)."""
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
    tokens_per_batch: int | None = None
    """As many samples a step as fit into so many tokens (visual tokens and padding count), in place of a batch size."""
    bucket_samples: int | None = None
    """Make batches of like length within windows of so many samples, a multiple of the batch size."""
    held_out: Path | None = None
    """List of what benchmarks ask about, from `exo2ego bench contamination --export`: refuse to train on it."""
    drop_held_out: bool = False
    """Leave out what --held-out names, and count it, instead of refusing."""
    lr: float | None = None
    """Other learning rate than the recipe's."""
    precision: Literal["auto", "bf16", "fp32"] | None = None
    """Other autocast than the recipe's: `auto` is bfloat16 where the hardware computes in it, else float32."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute; under `torchrun`, `cuda` is each process's own GPU."""
    print_recipe: bool = False
    """Print the complete recipe as JSON and stop."""


def main(argv: list[str]) -> int:
    """Run the verb."""
    command: TrainCommand = typed_arguments(
        TrainCommand, argv, prog="exo2ego train", description=f"{TrainCommand.__doc__}\n\n{EXAMPLE}"
    )
    require_seed(command.seed)
    import json

    from exo2ego.cli.train_steps import chosen_held_out, chosen_recipe, start_folder
    from exo2ego.cli.train_view import training_progress
    from exo2ego.data.jsonfile import load_json
    from exo2ego.data.mixture import choose_mixture
    from exo2ego.training.data_report import summary_lines
    from exo2ego.training.run import train_stage

    changes = {
        "steps": command.steps,
        "batch_size": command.batch_size,
        "tokens_per_batch": command.tokens_per_batch,
        "bucket_samples": command.bucket_samples,
        "lr": command.lr,
    }
    given = {name: value for name, value in changes.items() if value is not None}
    recipe = chosen_recipe(command.recipe, command.stage, given, command.precision)
    if command.print_recipe:
        print(json.dumps(recipe.as_json(), indent=1))
        return 0
    quiet_libraries()
    mixture = choose_mixture(command.data, command.mix)
    held_out = chosen_held_out(command.held_out, command.drop_held_out)
    start = start_folder(recipe, command.stage, command.init_from, mixture.folders, command.out, command.seed)
    with training_progress() as report:
        run = train_stage(
            recipe,
            command.stage,
            start=start,
            data=mixture,
            out=command.out,
            seed=command.seed,
            report=report,
            device=pick_device(command.device),
            held_out=held_out,
            drop_held_out=command.drop_held_out,
            note=lambda line: console().print(line, markup=False),
        )
    if run.data.is_file():  # a run that an earlier version finished has none
        print("\n".join(summary_lines(load_json(run.data))))
    print(f"model: {run.model}\nstart of the next stage: {run.final}\nlog: {run.log}\ndata: {run.data}")
    return 0
