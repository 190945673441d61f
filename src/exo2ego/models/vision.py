"""Vision towers: video frames in, one row of patch features per frame out.

Shapes: `B` batch, `T` frames, `P` patches per frame (h * w), `V` tower width.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from exo2ego.models.hf_tower import TransformersVisionTower, build_transformers_tower

CONV_TOWER = "exo2ego_conv"
"""`model_type` of the small convolutional tower; every other model_type is looked up in Transformers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """How the tokens of one video are laid out: frames, rows, columns."""

    t: int
    h: int
    w: int

    @property
    def tokens(self) -> int:
        """Number of tokens, t * h * w."""
        return self.t * self.h * self.w


class TemporalConv(nn.Module):
    """3-frame convolution written as a 2-D one over the channels of three neighbouring frames (zeros beyond the ends).

    Equal to a Conv3d with kernel (3, k, k), for which CPUs have no fast path in bfloat16 (benchmarks/conv3d_cpu.py).
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, *, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3 * in_channels, out_channels, kernel, stride=stride, padding=kernel // 2)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """float[B * T, C, H, W] with T = frames -> float[B * T, C', H', W']."""
        clips = x.reshape(-1, frames, *x.shape[1:])
        empty = torch.zeros_like(clips[:, :1])
        before = torch.cat([empty, clips[:, :-1]], dim=1)
        after = torch.cat([clips[:, 1:], empty], dim=1)
        seen = torch.cat([before, clips, after], dim=2).flatten(0, 1)
        out: Tensor = self.conv(seen.contiguous(memory_format=torch.channels_last))
        return out


class ClipNorm(nn.Module):
    """Each channel over all frames and places of one clip to mean 0 and variance 1, then scaled and shifted.

    As batch norm does, it keeps channels apart and keeps what changes from frame to frame, and small towers learn from
    few clips with it; it needs no other clip, so that one encoder may read ego and exo and reads alike in training
    and in use (docs/results.md).
    """

    FLOOR = 1e-2
    """Added to the variance: a channel that sees nothing in a clip stays quiet rather than showing its noise."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """float[B * T, C, H, W] with T = frames -> the same shape."""
        clips = x.reshape(-1, frames, *x.shape[1:]).transpose(1, 2)  # (B, C, T, H, W): channels last, as the frames are
        normed = functional.group_norm(clips, clips.shape[1], self.weight, self.bias, self.FLOOR)
        return normed.transpose(1, 2).flatten(0, 1)


class ConvNormAct(nn.Module):
    """3x3 convolution that halves the map, clip norm, SiLU."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1, bias=False)
        self.norm = ClipNorm(out_channels)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """float[B * T, C, H, W] -> float[B * T, C', H / 2, W / 2]."""
        return functional.silu(self.norm(self.conv(x), frames))


class ConvBlock(nn.Module):
    """Two residual steps: a 3x3 convolution in space, then a 3-frame one in time. Starts as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.space_norm, self.time_norm = ClipNorm(channels), ClipNorm(channels)
        self.space = nn.Conv2d(channels, channels, 3, padding=1)
        self.time = TemporalConv(channels, channels, 1)
        for conv in (self.space, self.time.conv):
            nn.init.zeros_(conv.weight)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """float[B * T, C, H, W] -> the same shape."""
        x = x + self.space(functional.silu(self.space_norm(x, frames)))
        out: Tensor = x + self.time(functional.silu(self.time_norm(x, frames)), frames)
        return out


class PatchSkip(nn.Sequential):
    """Pixels of a patch straight to its feature: what colour is there needs no depth and should not have to pass it."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        half = out_channels // 2
        super().__init__(
            nn.Conv2d(in_channels, half, 4, stride=4), nn.SiLU(), nn.Conv2d(half, out_channels, 2, stride=2)
        )


class ConvVideoTower(nn.Module):
    """Small convolutional tower of the `tiny` preset: three halvings, patch size 8 pixels.

    Each frame comes with its change since the frame before, which says at once what moves, and with its colours less
    their grey, which a small object in a dull room is told by; patches' pixels also reach the features directly.
    Without the first, and with a plain small ViT, training on this scale of data stays at the text prior; without the
    others colour takes several times as many clips (docs/results.md).
    """

    def __init__(self, *, width: int, stem: int, image_size: int) -> None:
        super().__init__()
        self.width, self.image_size = width, image_size
        widths = (9, stem, stem * 2, width)
        self.trunk = nn.ModuleList(ConvNormAct(few, more) for few, more in pairwise(widths))
        self.skip = PatchSkip(9, width)
        self.block = ConvBlock(width)
        self.norm = nn.LayerNorm(width)

    def forward(self, video: Tensor) -> Tensor:
        """float[B, T, 3, H, W], normalised -> float[B, T, P, V] with P = (H / 8) * (W / 8)."""
        batch, frames = video.shape[:2]
        change = torch.cat([torch.zeros_like(video[:, :1]), video[:, 1:] - video[:, :-1]], dim=1)
        chroma = 2 * (video - video.mean(2, keepdim=True))
        seen = torch.cat([video, chroma, change], dim=2).flatten(0, 1)  # (B*T, 9, H, W)
        seen = seen.contiguous(memory_format=torch.channels_last)  # a third faster on CPU
        x = seen
        for halving in self.trunk:
            x = halving(x, frames)
        x = self.block(x + self.skip(seen), frames)
        out: Tensor = self.norm(x.flatten(2).transpose(1, 2))  # (B*T, P, V)
        return out.reshape(batch, frames, *out.shape[1:])

    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches of one frame."""
        return self.image_size // 8, self.image_size // 8


VisionTower = ConvVideoTower | TransformersVisionTower


def build_vision_tower(config: Any, *, select_layer: int) -> VisionTower:
    """Tower from a Hugging Face vision config (or one of model_type `exo2ego_conv`). Raises InputError for one that
    gives no patches of single frames."""
    if config.model_type == CONV_TOWER:
        return ConvVideoTower(width=config.hidden_size, stem=config.stem_width, image_size=config.image_size)
    return build_transformers_tower(config, select_layer)


def normalise_frames(frames: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """uint8[B, T, H, W, 3] -> float32[B, T, 3, H, W], (x / 255 - mean) / std per channel."""
    x = frames.float().div_(255.0)
    scale = torch.tensor(std, device=frames.device)
    return ((x - torch.tensor(mean, device=frames.device)) / scale).permute(0, 1, 4, 2, 3)
