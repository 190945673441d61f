"""Pictures to the tensors that Transformers' video models take, without torchvision (its video processors need it).

Shapes: `T` frames, `H` and `W` pixels, `p` side of a patch, `N` patches.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from exo2ego.errors import VideoError

LONGEST_ASPECT = 200
"""Pictures longer than this many times their width have no sensible size in patches (Qwen2-VL has the same bound)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Colours:
    """Means and deviations that a model's pictures are normalised with, in 0..1 by channel."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


def normalised(pictures: NDArray[np.uint8], height_px: int, width_px: int, colours: Colours) -> Tensor:
    """uint8[T, H, W, 3] -> float32[T, 3, height, width]: bicubic with anti-aliasing, then (x - mean) / std.

    One picture at a time: full-size video as floats would not fit into memory.
    """
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (colours.mean, colours.std))
    out = torch.empty(len(pictures), 3, height_px, width_px)
    for place, picture in enumerate(pictures):
        x = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1).float()
        if x.shape[1:] != (height_px, width_px):
            x = functional.interpolate(x[None], (height_px, width_px), mode="bicubic", antialias=True)[0]
            x = x.round_().clamp_(0, 255)
        out[place] = (x / 255 - mean) / std
    return out


def fitting_size(height_px: int, width_px: int, multiple: int, least_px: float, most_px: float) -> tuple[int, int]:
    """Height and width that are multiples of `multiple`, near the picture's own shape, with an area in the bounds.

    The rule of Qwen2-VL's processor (`smart_resize`), on which all models with a free picture size agree.

    Raises:
        VideoError: the picture is a line rather than a picture.
    """
    longer, shorter = max(height_px, width_px), min(height_px, width_px)
    if longer > LONGEST_ASPECT * shorter:
        raise VideoError(f"a picture of {width_px} x {height_px} px is too long and thin for this model")
    height, width = (max(multiple, round(side / multiple) * multiple) for side in (height_px, width_px))
    if height * width > most_px:
        shrink = math.sqrt(height_px * width_px / most_px)
        height, width = (
            max(multiple, math.floor(side / shrink / multiple) * multiple) for side in (height_px, width_px)
        )
    elif height * width < least_px:
        grow = math.sqrt(least_px / (height_px * width_px))
        height, width = (math.ceil(side * grow / multiple) * multiple for side in (height_px, width_px))
    return height, width


def patches(frames: Tensor, side: int, merge: int, depth: int) -> tuple[Tensor, tuple[int, int, int]]:
    """float[T, 3, H, W] -> float[N, 3 * depth * side * side] and the grid (in time, down, across), N their product.

    A patch holds `depth` consecutive frames (the last frame is repeated to fill it up). The order is by time, then by
    blocks of `merge` x `merge` patches, since a block becomes one token.
    """
    frames = torch.cat([frames, frames[-1:].expand(-len(frames) % depth, -1, -1, -1)])
    time, down, across = len(frames) // depth, frames.shape[2] // side, frames.shape[3] // side
    x = frames.reshape(time, depth, 3, down // merge, merge, side, across // merge, merge, side)
    # time, block row, block column, row in block, column in block, channel, depth, y, x
    x = x.permute(0, 3, 6, 4, 7, 2, 1, 5, 8)
    return x.reshape(time * down * across, -1), (time, down, across)


def changed_tokens(pixels: Tensor, grid: Sequence[int], merge: int, threshold: float = 0.1) -> Tensor:
    """float[N, C] of `patches` -> bool[N / merge^2]: which tokens differ from the same place one step before.

    VideoLLaMA3's token compression: a token whose pixels moved by no more than `threshold` of 255 on average is left
    out; of every time step at least the first token stays.
    """
    time, down, across = grid
    x = pixels.reshape(time, down * across // merge**2, -1)
    keep = torch.ones(x.shape[:2], dtype=torch.bool)
    keep[1:] = (x[1:] - x[:-1]).abs().mean(-1) * 255 > threshold
    keep[:, 0] |= ~keep.any(1)
    return keep.flatten()
