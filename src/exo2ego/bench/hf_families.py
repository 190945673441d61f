"""What differs between the video models of Transformers: a video's place in the text, and the tensors of its pixels.

Each family follows its own processor in Transformers 5.23, except for the choice of frames, which is ours for all
models alike. Shapes: `T` frames.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor

from exo2ego.bench.frames import Frames
from exo2ego.bench.hf_folder import VideoSettings
from exo2ego.bench.hf_pixels import changed_tokens, fitting_size, normalised, patches
from exo2ego.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoInputs:
    """One clip for one model."""

    text: str
    """Stands in the prompt where the template marks the video."""
    encode: Mapping[str, Tensor]
    """Arguments of `get_video_features` (or `get_image_features`)."""
    forward: Mapping[str, Tensor] = field(default_factory=dict)
    """What the model's forward needs besides: grids, times, masks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a family may look at."""

    config: Any
    """The model's Transformers config."""
    settings: VideoSettings
    token: Callable[[int], str]
    """Token id -> its text."""
    max_pixels: int
    """Area of one frame at most, where the size is free."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One kind of model."""

    marker: str
    """What the chat template writes for a video; `{video}` is the text of the config's video token."""
    modality: str
    """`video` or `image`: how the model calls what it is given."""
    prepare: Callable[[Frames, Context], VideoInputs]
    typed_tokens: bool = False
    """M-RoPE: forward needs `mm_token_type_ids`, and positions go on elsewhere than the number of tokens says."""
    template: Callable[[], str] | None = None
    """Where the template of the folder does not know videos."""


def _free_size(frames: Frames, context: Context, side: int, merge: int, depth: int, whole: bool) -> tuple[Tensor, Any]:
    """Pixels of a model with a free picture size: float[N, C] and the grid. `whole`: its bounds count all frames."""
    size, count = context.settings.size, len(frames.pictures)
    share = count if whole else 1
    least = size.get("shortest_edge", 0) / share
    most = min(size.get("longest_edge", math.inf) / share, context.max_pixels)
    height, width = frames.pictures.shape[1:3]
    fitting = fitting_size(height, width, side * merge, min(least, most), most)
    return patches(normalised(frames.pictures, *fitting, context.settings.colours), side, merge, depth)


def _qwen2(frames: Frames, context: Context) -> VideoInputs:
    vision = context.config.vision_config
    depth, merge = vision.temporal_patch_size, vision.spatial_merge_size
    pixels, grid = _free_size(frames, context, vision.patch_size, merge, depth, whole=False)
    forward = {"video_grid_thw": torch.tensor([grid])}
    if context.config.model_type == "qwen2_5_vl":
        forward["second_per_grid_ts"] = torch.tensor([depth / frames.fps])
    return VideoInputs(
        text=context.token(context.config.video_token_id) * (math.prod(grid) // merge**2),
        encode={"pixel_values_videos": pixels, "video_grid_thw": forward["video_grid_thw"]},
        forward=forward,
    )


def _qwen3(frames: Frames, context: Context) -> VideoInputs:
    config, vision = context.config, context.config.vision_config
    depth, merge = vision.temporal_patch_size, vision.spatial_merge_size
    pixels, grid = _free_size(frames, context, vision.patch_size, merge, depth, whole=True)
    opening, place, closing = map(
        context.token, (config.vision_start_token_id, config.video_token_id, config.vision_end_token_id)
    )
    times = [*frames.times_s.tolist(), *[float(frames.times_s[-1])] * (-len(frames.times_s) % depth)]
    # A step is dated with the middle between its first and last frame.
    dates = [(times[first] + times[first + depth - 1]) / 2 for first in range(0, len(times), depth)]
    tokens = place * (grid[1] * grid[2] // merge**2)
    thw = torch.tensor([grid])
    return VideoInputs(
        text="".join(f"<{date:.1f} seconds>{opening}{tokens}{closing}" for date in dates),
        encode={"pixel_values_videos": pixels, "video_grid_thw": thw},
        forward={"video_grid_thw": thw},
    )


def _video_llama3(frames: Frames, context: Context) -> VideoInputs:
    merge = int(context.settings.raw.get("merge_size", 2))
    pixels, grid = _free_size(frames, context, context.config.vision_config.patch_size, merge, 1, whole=False)
    if context.settings.raw.get("use_token_compression", True):
        keep = changed_tokens(pixels, grid, merge)
    else:
        keep = torch.ones(len(pixels) // merge**2, dtype=torch.bool)
    place = context.token(context.config.video_token_id)
    counts = keep.view(grid[0], -1).sum(1).tolist()
    return VideoInputs(
        text=",".join(f"Time {t:.1f}s:{place * n}" for t, n in zip(frames.times_s.tolist(), counts, strict=True)),
        encode={
            "pixel_values_videos": pixels,
            "video_grid_thw": torch.tensor([grid]),
            "video_merge_sizes": torch.tensor([merge]),
        },
        forward={"video_compression_mask": keep},
    )


def _square(context: Context) -> tuple[int, int]:
    """Height and width of models with one picture size."""
    size = context.settings.size
    if "height" in size and "width" in size:
        return size["height"], size["width"]
    return _vision_side(context), _vision_side(context)


def _vision_side(context: Context) -> int:
    side = context.config.vision_config.image_size
    return int(side[0] if isinstance(side, list | tuple) else side)


def _llava_onevision(frames: Frames, context: Context) -> VideoInputs:
    pixels = normalised(frames.pictures, *_square(context), context.settings.colours)
    vision = context.config.vision_config
    pooled = math.ceil(vision.image_size // vision.patch_size / 2)
    tokens = len(pixels) * pooled**2 + 1  # one more that ends the video
    return VideoInputs(
        text=context.token(context.config.video_token_id) * tokens, encode={"pixel_values_videos": pixels[None]}
    )


def _internvl(frames: Frames, context: Context) -> VideoInputs:
    pixels = normalised(frames.pictures, *_square(context), context.settings.colours)
    picture = context.token(context.config.image_token_id) * context.config.image_seq_length
    lines = [f"Frame{number}: <img>{picture}</img>" for number in range(1, len(pixels) + 1)]
    return VideoInputs(text="\n".join(lines), encode={"pixel_values": pixels})


def _smolvlm(frames: Frames, context: Context) -> VideoInputs:
    # The words are part of what the model was trained on; Transformers has them.
    from transformers.models.smolvlm import processing_smolvlm as words

    largest = context.settings.raw.get("max_image_size")
    side = int(largest["longest_edge"]) if isinstance(largest, dict) else _vision_side(context)
    pixels = normalised(frames.pictures, side, side, context.settings.colours)
    vision, scale = context.config.vision_config, context.config.scale_factor
    tokens = (side // vision.patch_size) ** 2 // scale**2
    border = "<fake_token_around_image>"
    picture = f"{border}<global-img>{context.token(context.config.image_token_id) * tokens}{border}"
    length = str(timedelta(seconds=int(frames.duration_s)))
    parts = [words.DEFAULT_VIDEO_INTRO.format(frame_count=in_words(len(pixels)), video_duration=length)]
    for time_s in frames.times_s.tolist():
        date = f"{int(time_s) // 60:02d}:{int(time_s) % 60:02d}"
        parts.append(words.FRAME_TIMESTAMP_MESSAGE.format(timestamp=date) + picture)
    return VideoInputs(text="".join(parts) + words.DEFAULT_MEDIA_OUTTRO, encode={"pixel_values": pixels[None]})


def _smolvlm_template() -> str:
    from transformers.models.smolvlm.processing_smolvlm import DEFAULT_CHAT_TEMPLATE

    return str(DEFAULT_CHAT_TEMPLATE)


_SMALL = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


def in_words(number: int) -> str:
    """A count below a hundred as SmolVLM's prompt writes it.

    >>> in_words(16), in_words(40), in_words(64)
    ('sixteen', 'forty', 'sixty-four')

    Raises:
        InputError: a hundred or more frames, which no SmolVLM was trained with.
    """
    if not 0 <= number < 100:
        raise InputError(f"--model ...,frames={number}: SmolVLM takes fewer than 100 frames")
    if number < len(_SMALL):
        return _SMALL[number]
    rest = f"-{_SMALL[number % 10]}" if number % 10 else ""
    return _TENS[number // 10 - 2] + rest


_QWEN3_MARKER = "<|vision_start|>{video}<|vision_end|>"
"""Replaced whole: each time step brings its own pair of them (as the model was trained)."""

FAMILIES: dict[str, Family] = {
    "qwen2_vl": Family(marker="{video}", modality="video", prepare=_qwen2, typed_tokens=True),
    "qwen2_5_vl": Family(marker="{video}", modality="video", prepare=_qwen2, typed_tokens=True),
    "qwen3_vl": Family(marker=_QWEN3_MARKER, modality="video", prepare=_qwen3, typed_tokens=True),
    "qwen3_vl_moe": Family(marker=_QWEN3_MARKER, modality="video", prepare=_qwen3, typed_tokens=True),
    "video_llama_3": Family(marker="{video}", modality="video", prepare=_video_llama3),
    "llava_onevision": Family(marker="{video}", modality="video", prepare=_llava_onevision),
    "internvl": Family(marker="<video>", modality="image", prepare=_internvl),
    "smolvlm": Family(marker="<video>", modality="image", prepare=_smolvlm, template=_smolvlm_template),
}
"""By `model_type` of `config.json`."""
