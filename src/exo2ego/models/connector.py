"""STC connector of VideoLLaMA2: patches of all frames in, a short grid of LLM-width tokens out.

Per-frame RegStage, a strided 3-D convolution, per-frame RegStage, a two-layer MLP. Module names follow the public
checkpoints (`s1.b1.conv1.conv`, `sampler.0`, `readout.2`), so that their weights load by name (model.md 1.2, 1.6).
Shapes: `B` batch, `T` frames, `P` patches, `V` tower width, `N` visual tokens, `D` LLM width.
"""

from torch import Tensor, nn
from torch.nn import functional

from exo2ego.models.vision import Grid


class LayerNorm2d(nn.LayerNorm):
    """Layer norm over the channels of a (B, C, H, W) map."""

    def forward(self, x: Tensor) -> Tensor:
        """float[B, C, H, W] -> the same shape."""
        return functional.layer_norm(
            x.permute(0, 2, 3, 1), self.normalized_shape, self.weight, self.bias, self.eps
        ).permute(0, 3, 1, 2)


class ConvNorm(nn.Module):
    """Convolution without bias, layer norm, optional SiLU. The norm is called `bn` as in the checkpoints."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, *, groups: int = 1, act: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, groups=groups, bias=False)
        self.bn = LayerNorm2d(out_channels, eps=1e-6)
        self.act = nn.SiLU() if act else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """float[B, C, H, W] -> float[B, C', H, W]."""
        out: Tensor = self.act(self.bn(self.conv(x)))
        return out


class SqueezeExcite(nn.Module):
    """Channel gate from the mean of one frame."""

    def __init__(self, channels: int, reduced: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, reduced, 1)
        self.fc2 = nn.Conv2d(reduced, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """float[B, C, H, W] -> the same shape."""
        gate = self.fc2(functional.silu(self.fc1(x.mean((2, 3), keepdim=True))))
        out: Tensor = x * gate.sigmoid()
        return out


class Bottleneck(nn.Module):
    """RegNet-Y block with bottle ratio 1 and group size 1: the 3x3 convolution is depthwise."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = ConvNorm(in_channels, out_channels, 1)
        self.conv2 = ConvNorm(out_channels, out_channels, 3, groups=out_channels)
        self.se = SqueezeExcite(out_channels, round(in_channels * 0.25))
        self.conv3 = ConvNorm(out_channels, out_channels, 1, act=False)
        self.downsample: nn.Module = nn.Identity()
        if in_channels != out_channels:
            self.downsample = ConvNorm(in_channels, out_channels, 1, act=False)

    def forward(self, x: Tensor) -> Tensor:
        """float[B, C, H, W] -> float[B, C', H, W]."""
        y = self.conv3(self.se(self.conv2(self.conv1(x))))
        return functional.silu(y + self.downsample(x))


class BlockConv3d(nn.Conv3d):
    """Conv3d whose stride equals its kernel, computed as one matrix product over the blocks: same weights, same result.

    CPUs have no fast path for Conv3d in bfloat16 (benchmarks/conv3d_cpu.py).
    """

    def __init__(self, channels: int, size: int, padding: int) -> None:
        super().__init__(channels, channels, size, stride=size, padding=padding)

    def forward(self, x: Tensor) -> Tensor:
        """float[B, C, T, H, W] -> float[B, C, T', H', W']."""
        size, pad = self.kernel_size[0], int(self.padding[0])
        x = functional.pad(x, (pad,) * 6)
        batch, channels = x.shape[:2]
        t, h, w = (n // size for n in x.shape[2:])
        x = x[:, :, : t * size, : h * size, : w * size]
        blocks = x.reshape(batch, channels, t, size, h, size, w, size).permute(0, 2, 4, 6, 1, 3, 5, 7).flatten(4)
        return functional.linear(blocks, self.weight.flatten(1), self.bias).permute(0, 4, 1, 2, 3)


def reg_stage(in_channels: int, out_channels: int, depth: int) -> nn.Sequential:
    """`depth` bottlenecks named b1, b2, ... as in timm's RegStage."""
    stage = nn.Sequential()
    for i in range(depth):
        stage.add_module(f"b{i + 1}", Bottleneck(in_channels if i == 0 else out_channels, out_channels))
    return stage


class STCConnector(nn.Module):
    """Spatial-Temporal Convolution connector.

    `padding=1` is the published `stc_connector` (16 x 24 x 24 patches -> 9 x 13 x 13 = 1521 tokens), `padding=0` is
    `stc_connector_v35` (-> 8 x 12 x 12 = 1152).
    """

    def __init__(self, *, in_width: int, out_width: int, depth: int = 4, padding: int = 1) -> None:
        super().__init__()
        if padding not in (0, 1):
            raise ValueError(f"padding must be 0 (stc_connector_v35) or 1 (stc_connector), not {padding}")
        self.padding = padding
        self.s1 = reg_stage(in_width, out_width, depth)
        self.sampler = nn.Sequential(BlockConv3d(out_width, 2, padding), nn.SiLU())
        self.s2 = reg_stage(out_width, out_width, depth)
        self.readout = nn.Sequential(nn.Linear(out_width, out_width), nn.GELU(), nn.Linear(out_width, out_width))

    def out_grid(self, grid: Grid) -> Grid:
        """Grid of the tokens for a grid of patches."""
        t, h, w = ((n + 2 * self.padding - 2) // 2 + 1 for n in (grid.t, grid.h, grid.w))
        return Grid(t=t, h=h, w=w)

    def forward(self, patches: Tensor, grid: Grid) -> Tensor:
        """float[B, T, P, V] with P = grid.h * grid.w -> float[B, N, D] with N = out_grid(grid).tokens."""
        batch, frames = patches.shape[:2]
        x = patches.reshape(batch * frames, grid.h, grid.w, -1).permute(0, 3, 1, 2)  # (B*T, V, h, w)
        x = self.s1(x).unflatten(0, (batch, frames)).transpose(1, 2)  # (B, D, T, h, w)
        x = self.sampler(x).transpose(1, 2)  # (B, T', D, h', w')
        short = x.shape[1]
        x = self.s2(x.flatten(0, 1)).unflatten(0, (batch, short))
        out: Tensor = self.readout(x.permute(0, 1, 3, 4, 2).flatten(1, 3))
        return out
