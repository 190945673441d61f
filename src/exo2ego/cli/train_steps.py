"""What `exo2ego train` does before the stage itself: the recipe with the user's changes, and where training starts."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from exo2ego.data.held_out import HeldOut, read_held_out
from exo2ego.data.shards import open_shards
from exo2ego.errors import InputError
from exo2ego.models.weights import START
from exo2ego.training.config import Precision, Recipe
from exo2ego.training.fresh import fresh_model
from exo2ego.training.recipes import recipe_named
from exo2ego.training.run import stage_of


def chosen_recipe(name: str, stage: str, changes: Mapping[str, float], precision: Precision | None = None) -> Recipe:
    """The named recipe with other fields of `Optim` in one stage, or another precision; InputError for unknown names
    or values.

    Of batch size and token budget, naming one takes the recipe's other away.
    """
    recipe = recipe_named(name)
    _, config = stage_of(recipe, stage)
    values: dict[str, float | None] = dict(changes)
    if "tokens_per_batch" in changes:
        values.setdefault("batch_size", None)
    elif "batch_size" in changes:
        values["tokens_per_batch"] = None
    try:
        optim = replace(config.optim, **values)  # type: ignore[arg-type]
    except ValueError as error:
        raise InputError(str(error)) from error
    stages = recipe.stages | {stage: replace(config, optim=optim)}
    return replace(recipe, stages=stages, precision=precision or recipe.precision)


def chosen_held_out(file: Path | None, drop: bool) -> HeldOut | None:
    """What `--held-out` lists; InputError where something is to be dropped and nothing is listed."""
    if file is None and drop:
        raise InputError("--drop-held-out needs --held-out FILE (exo2ego bench contamination --export FILE)")
    return None if file is None else read_held_out(file)


def start_folder(recipe: Recipe, stage: str, start: Path | None, data: Sequence[Path], out: Path, seed: int) -> Path:
    """The start the user named; else the shipped one; for `initial` a fresh random model under `out`."""
    if start is not None:
        return start
    if stage not in ("vision", "initial"):
        return START
    if recipe.name != "tiny":
        raise InputError(f"recipe {recipe.name} has no random start; give --init-from a model folder")
    fresh = out / "random"
    if not (fresh / "config.json").is_file():
        texts = [
            t
            for folder in data
            for s in open_shards(folder).samples
            for c in s.conversations
            for turn in c
            for t in (f" {turn.question}", f" {turn.answer}")
        ]
        fresh_model(recipe, texts, fresh, seed=seed)
    return fresh
