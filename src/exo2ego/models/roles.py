"""Who is who in training: the exo encoder (teacher), the ego encoder (student), the two view mappings and the LLM.

One composition serves all stages; what differs between them is which names train (`trains`) and what is computed.
Shapes: `B` batch, `T` frames, `N` visual tokens, `D` LLM width.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import torch
from torch import Tensor, nn

from exo2ego.models.configuration import Exo2EgoConfig
from exo2ego.models.decoder import require_room
from exo2ego.models.language import Language
from exo2ego.models.mapping import build_mapping
from exo2ego.models.modeling import Exo2EgoForConditionalGeneration
from exo2ego.models.tags import TagReader
from exo2ego.models.vision import Grid, normalise_frames


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingSpec:
    """Form of both view mappings; the paper gives the nine blocks, its width and skip are not published."""

    kind: str = "resnet"
    width: int = 512
    blocks: int = 9
    residual: bool = True


class Roles(nn.Module):
    """Both encoders, both mappings and the LLM of one training run."""

    def __init__(self, start: Exo2EgoForConditionalGeneration, mapping: MappingSpec) -> None:
        super().__init__()
        self.config: Exo2EgoConfig = start.config
        dim = start.config.text_config.hidden_size
        self.exo = start.model.encoder()
        self.ego = copy.deepcopy(self.exo)
        # Told now, not after the teacher is trained: the student's LLM reads x and ego_to_exo(x).
        require_room(start.config.text_config, 2 * self.exo.grid(start.config.num_frames).tokens)
        self.ego_to_exo: nn.Module = build_mapping(
            mapping.kind, dim=dim, width=mapping.width, blocks=mapping.blocks, residual=mapping.residual
        )
        self.exo_to_ego = build_mapping(
            mapping.kind, dim=dim, width=mapping.width, blocks=mapping.blocks, residual=mapping.residual
        )
        if start.model.ego_to_exo is not None:
            self.ego_to_exo = copy.deepcopy(start.model.ego_to_exo)
        self.language = Language(start.model.language_model, start.lm_head)
        self.tag_reader: TagReader | None = None

    def add_tag_reader(self, hidden: int, topics: int) -> None:
        """Give the exo encoder its throw-away reader; set the attribute to None to take it away."""
        dim, grid = self.config.text_config.hidden_size, self.exo.grid(self.config.num_frames)
        self.tag_reader = TagReader(dim, grid, hidden, topics)

    def pixels(self, frames: Tensor) -> Tensor:
        """uint8[B, T, H, W, 3] -> float32[B, T, 3, H, W], normalised as the model's config says."""
        return normalise_frames(frames, tuple(self.config.image_mean), tuple(self.config.image_std))

    def grid(self, frames: Tensor) -> Grid:
        """Grid of the visual tokens for uint8[B, T, H, W, 3]; both encoders share it."""
        return self.exo.grid(frames.shape[1])

    def exo_tokens(self, frames: Tensor) -> Tensor:
        """y: uint8[B, T, H, W, 3] -> float[B, N, D] of the exo encoder."""
        tokens: Tensor = self.exo(self.pixels(frames))
        return tokens

    def ego_tokens(self, frames: Tensor) -> Tensor:
        """x: uint8[B, T, H, W, 3] -> float[B, N, D] of the ego encoder."""
        tokens: Tensor = self.ego(self.pixels(frames))
        return tokens

    def student_tokens(self, frames: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x, ego_to_exo(x) and their concat float[B, 2N, D], which is what the LLM reads (stage 2, 3, inference)."""
        x = self.ego_tokens(frames)
        mapped: Tensor = self.ego_to_exo(x, self.grid(frames))
        return x, mapped, torch.cat([x, mapped], dim=1)


def set_trainable(model: nn.Module, patterns: Sequence[str]) -> list[str]:
    """Let exactly the parameters train whose names match one of the patterns; the rest is frozen.

    Returns the names. Raises ValueError for a pattern that matches nothing: a silent typo would freeze a part.
    """
    names = [name for name, _ in model.named_parameters()]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise ValueError(f"pattern {pattern!r} matches no parameter; first names: {', '.join(names[:5])}")
    chosen = [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]
    wanted = set(chosen)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in wanted)
    return chosen


def train_mode(module: nn.Module, inherited: bool = False) -> None:
    """Training mode for modules that hold a trainable parameter, evaluation mode (no dropout) for the frozen ones.

    A module without parameters (dropout) does as the one that holds it.
    """
    parameters = list(module.parameters())
    module.training = any(p.requires_grad for p in parameters) if parameters else inherited
    for child in module.children():
        train_mode(child, module.training)
