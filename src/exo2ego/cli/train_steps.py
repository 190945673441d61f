"""What `exo2ego train` does before the stage itself: the recipe with the user's changes, and where training starts."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from exo2ego.data.shards import open_shards
from exo2ego.errors import InputError
from exo2ego.models.weights import START
from exo2ego.training.config import Recipe
from exo2ego.training.fresh import fresh_model
from exo2ego.training.recipes import RECIPES
from exo2ego.training.run import stage_of


def chosen_recipe(name: str, stage: str, steps: int | None, batch_size: int | None, lr: float | None) -> Recipe:
    """The named recipe with other steps, batch size or rate in one stage; InputError for unknown names or values."""
    if name not in RECIPES:
        raise InputError(f"unknown recipe {name!r}; available: {', '.join(RECIPES)}")
    recipe = RECIPES[name]()
    _, config = stage_of(recipe, stage)
    changes = {k: v for k, v in (("steps", steps), ("batch_size", batch_size), ("lr", lr)) if v is not None}
    try:
        optim = replace(config.optim, **changes)  # type: ignore[arg-type]
    except ValueError as error:
        raise InputError(str(error)) from error
    return replace(recipe, stages=recipe.stages | {stage: replace(config, optim=optim)})


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
