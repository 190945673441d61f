"""View mappings: `ego_to_exo` (the paper's F) and `exo_to_ego` (its G), nine residual blocks between down- and
upsampling.

The paper names the CycleGAN generator form; at LLM width that would be 3.3 B parameters, so a 1x1 bottleneck of
`width` channels comes first (model.md 2.2). Halvings are spatial only. Shapes: `B` batch, `N` tokens, `D` LLM width.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from exo2ego.models.vision import Grid

MAPPING_KINDS = ("resnet", "mlp")


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with a skip, no activation after the sum (as in CycleGAN)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        # replicate: `reflect` fails where a halved map is one cell wide
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, padding_mode="replicate")
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, padding_mode="replicate")
        # group norm, not CycleGAN's instance norm: on a 3x3 map that one removes the mean, which carries the content
        self.norm1 = nn.GroupNorm(min(32, width // 4), width)
        self.norm2 = nn.GroupNorm(min(32, width // 4), width)

    def forward(self, x: Tensor) -> Tensor:
        """float[M, W, h, w] -> the same shape."""
        y = functional.relu(self.norm1(self.conv1(x)))
        out: Tensor = x + self.norm2(self.conv2(y))
        return out


class ResNetMapping(nn.Module):
    """Tokens of one view to tokens of the other; shape in = shape out for any grid, odd ones included.

    With `residual` the input is added back and the last layer starts near zero, so that training starts from the
    identity, which the frozen LLM can read; without it the form is the literal one.
    """

    def __init__(self, *, dim: int, width: int, blocks: int = 9, halvings: int = 2, residual: bool = True) -> None:
        super().__init__()
        self.residual = residual
        self.norm = nn.LayerNorm(dim)
        self.enter = nn.Linear(dim, width)
        self.down = nn.ModuleList(nn.Conv2d(width, width, 3, stride=2, padding=1) for _ in range(halvings))
        self.blocks = nn.Sequential(*(ResidualBlock(width) for _ in range(blocks)))
        self.up = nn.ModuleList(nn.ConvTranspose2d(width, width, 3, stride=2, padding=1) for _ in range(halvings))
        self.leave = nn.Linear(width, dim)
        if residual:
            nn.init.normal_(self.leave.weight, std=1e-3)
            nn.init.zeros_(self.leave.bias)

    def forward(self, tokens: Tensor, grid: Grid) -> Tensor:
        """float[B, N, D] with N = grid.tokens -> float[B, N, D]."""
        x = self.enter(self.norm(tokens)).unflatten(1, (grid.t, grid.h, grid.w))
        x = x.flatten(0, 1).permute(0, 3, 1, 2)  # (B*t, W, h, w)
        sizes: list[torch.Size] = []
        for down in self.down:
            sizes.append(x.shape[-2:])
            x = functional.relu(down(x))
        x = self.blocks(x)
        for up in self.up:
            x = functional.relu(up(x, output_size=sizes.pop()))
        y = self.leave(x.permute(0, 2, 3, 1).reshape(tokens.shape[0], grid.tokens, -1))
        out: Tensor = tokens + y if self.residual else y
        return out


class MLPMapping(nn.Module):
    """The paper's FC ablation: each token on its own through two linear layers."""

    def __init__(self, *, dim: int, residual: bool = True) -> None:
        super().__init__()
        self.residual = residual
        self.norm = nn.LayerNorm(dim)
        self.enter = nn.Linear(dim, dim)
        self.leave = nn.Linear(dim, dim)
        if residual:
            nn.init.normal_(self.leave.weight, std=1e-3)
            nn.init.zeros_(self.leave.bias)

    def forward(self, tokens: Tensor, grid: Grid) -> Tensor:
        """float[B, N, D] -> float[B, N, D]; `grid` is not used."""
        y: Tensor = self.leave(functional.gelu(self.enter(self.norm(tokens))))
        return tokens + y if self.residual else y


ViewMapping = ResNetMapping | MLPMapping


def build_mapping(kind: str, *, dim: int, width: int, blocks: int, residual: bool) -> ViewMapping:
    """A mapping by the name used in recipes: `resnet` (the method) or `mlp` (the FC ablation)."""
    if kind == "resnet":
        return ResNetMapping(dim=dim, width=width, blocks=blocks, residual=residual)
    if kind == "mlp":
        return MLPMapping(dim=dim, residual=residual)
    raise ValueError(f"unknown mapping {kind!r}; available: {', '.join(MAPPING_KINDS)}")
