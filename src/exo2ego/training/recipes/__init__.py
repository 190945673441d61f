"""Recipes: Python functions that return a complete, typed statement of a run."""

from collections.abc import Callable

from exo2ego.errors import InputError
from exo2ego.training.config import Recipe
from exo2ego.training.recipes import ablations
from exo2ego.training.recipes.paper import paper
from exo2ego.training.recipes.tiny import tiny

RECIPES: dict[str, Callable[[], Recipe]] = {
    "tiny": tiny,
    "paper": paper,
    "tiny-no-lora": ablations.no_lora,
    "tiny-both-cycles": ablations.both_cycles,
    "tiny-contrastive": ablations.contrastive,
    "tiny-forward-cycle-only": ablations.forward_cycle_only,
    "tiny-no-exo-to-ego": ablations.no_exo_to_ego,
    "tiny-no-kl": ablations.no_kl,
    "tiny-fc-mapping": ablations.fc_mapping,
    "tiny-paper-losses": ablations.paper_losses,
}


def recipe_named(name: str) -> Recipe:
    """The recipe of that name. Raises InputError, which lists the names, where there is none."""
    if name not in RECIPES:
        raise InputError(f"unknown recipe {name!r}; available: {', '.join(RECIPES)}")
    return RECIPES[name]()
