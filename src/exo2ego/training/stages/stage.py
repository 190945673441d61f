"""What a stage is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from exo2ego.data.batch import Batch
from exo2ego.models.roles import Roles
from exo2ego.training.config import Objectives

Losses = dict[str, Tensor]
"""Unweighted losses by name (fields of `Objectives`), float32 scalars."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One way to train the roles."""

    title: str
    """The paper's name."""
    data: Literal["pairs", "instructions"]
    views: tuple[str, ...]
    """Videos a batch must hold: `ego`, `exo`."""
    trains: tuple[str, ...]
    """Default name patterns of what trains."""
    exports: Literal["exo", "student"]
    """What is usable afterwards: the exo encoder with the LLM, or the student with `ego_to_exo`."""
    losses: Callable[[Roles, Batch, Objectives], Losses]
