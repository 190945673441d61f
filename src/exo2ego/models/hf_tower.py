"""Frame-wise vision models of Transformers as towers: which of their numbers are patches, and where each patch lies.

No config says how many tokens stand before the patches, nor what grid a hierarchical model ends with; one forward
without numbers (meta device) shows it when the tower is built. Shapes: `B` batch, `T` frames, `P` patches per frame
(h * w), `V` tower width.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModel
from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

from exo2ego.errors import InputError

ROW_BY_ROW = ("swin", "swinv2")
"""Models that merge patches as they go and keep them row by row; others of that sort have orders of their own."""
USE = "use a frame-wise model such as clip_vision_model, siglip_vision_model, dinov2, dinov3_vit, vit, swin or convnext"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What the chosen hidden state of a vision model is made of."""

    rows: int
    columns: int
    prefix_tokens: int
    """Class, distillation and register tokens, which stand before the patches."""
    width: int


class TransformersVisionTower(nn.Module):
    """Any frame-wise vision model of Transformers (CLIP, SigLIP, DINOv3, ...): one hidden layer, prefix tokens dropped.

    VideoLLaMA2 reads `hidden_states[-2]` without the class token and without the final norm (model.md 1.1).
    """

    def __init__(self, model: nn.Module, *, select_layer: int, layout: Layout) -> None:
        super().__init__()
        self.model = model
        self.select_layer, self.layout, self.width = select_layer, layout, layout.width

    def forward(self, video: Tensor) -> Tensor:
        """float[B, T, 3, H, W] -> float[B, T, P, V]."""
        batch, frames = video.shape[:2]
        states = self.model(pixel_values=video.flatten(0, 1), output_hidden_states=True).hidden_states
        chosen: Tensor = states[self.select_layer]
        rows = chosen.flatten(2).transpose(1, 2) if chosen.dim() == 4 else chosen
        patches = rows[:, self.layout.prefix_tokens :]
        return patches.reshape(batch, frames, *patches.shape[1:])

    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches of one frame."""
        return self.layout.rows, self.layout.columns


def build_transformers_tower(config: Any, select_layer: int) -> TransformersVisionTower:
    """A fresh tower. Raises InputError for a model that does not give patches of single frames."""
    layout = layout_of(config, select_layer)
    return TransformersVisionTower(AutoModel.from_config(config), select_layer=select_layer, layout=layout)


def layout_of(config: Any, select_layer: int) -> Layout:
    """What hidden state `select_layer` holds. Raises InputError where that is not patches in rows and columns."""
    if hasattr(config, "vision_config"):
        raise unfit(config, "it is made of several models; give its vision_config alone")
    if config.model_type not in MODEL_MAPPING_NAMES:
        raise unfit(config, "AutoModel of Transformers does not build it alone")
    height, width = pair(getattr(config, "image_size", None))
    if not height:
        raise unfit(config, "its config names no image_size, so it has no fixed grid of patches")
    if height != width:
        raise unfit(config, f"it takes pictures of {height} x {width}, and frames are squares")
    if getattr(config, "mask_ratio", None) is not None:
        raise unfit(config, "it is a masked autoencoder, whose patches lie in an order of their own")
    states = hidden_states(config, height)
    if not -len(states) <= select_layer < len(states):
        raise unfit(config, f"it has {len(states)} hidden states, and vision_feature_layer is {select_layer}")
    shape = tuple(states[select_layer].shape)
    if len(shape) == 4:
        return _layout_of_map(config, shape)
    if len(shape) != 3 or shape[0] != 2:
        raise unfit(config, f"of two frames it gives numbers of shape {shape}")
    return _layout_of_tokens(config, shape[1], shape[2])


def _layout_of_map(config: Any, shape: tuple[int, ...]) -> Layout:
    """Convolutional models give channels, rows, columns."""
    if shape[0] != 2 or shape[1] != getattr(config, "hidden_size", shape[1]):
        raise unfit(config, f"of two frames it gives numbers of shape {shape}")
    return Layout(rows=shape[2], columns=shape[3], prefix_tokens=0, width=shape[1])


def _layout_of_tokens(config: Any, tokens: int, width: int) -> Layout:
    if config.model_type in ROW_BY_ROW:
        side = math.isqrt(tokens)
        return Layout(rows=side, columns=side, prefix_tokens=0, width=width)
    (height, _), (patch_rows, patch_columns) = pair(config.image_size), pair(getattr(config, "patch_size", None))
    rows, columns = (height // patch_rows, height // patch_columns) if patch_rows else (0, 0)
    prefix = tokens - rows * columns
    registers = int(getattr(config, "num_register_tokens", None) or 0)
    # A class token and a distillation token at most: what is more may as well stand behind the patches.
    if not rows or not registers <= prefix <= registers + 2:
        raise unfit(config, f"it gives {tokens} tokens for {rows} x {columns} patches")
    return Layout(rows=rows, columns=columns, prefix_tokens=prefix, width=width)


def hidden_states(config: Any, size_px: int) -> tuple[Tensor, ...]:
    """All hidden states of two frames, on the meta device. Raises InputError where the model takes no single frames."""
    try:
        with torch.device("meta"), torch.no_grad():
            model = AutoModel.from_config(config).eval()
            states = model(pixel_values=torch.empty(2, 3, size_px, size_px), output_hidden_states=True).hidden_states
    # what models of other sorts raise: they want videos, sizes or masks beside the pixels, or are for words
    except (TypeError, ValueError, RuntimeError, AttributeError, ImportError) as error:
        reason = str(error).strip().partition("\n")[0][:120]
        raise unfit(config, f"it takes no frames alone ({reason})") from error
    if not states:
        raise unfit(config, "it gives no hidden states")
    return tuple(states)


def pair(size: Any) -> tuple[int, int]:
    """A size as configs write it, one number or two; (0, 0) where there is none."""
    values = [size, size] if isinstance(size, int) else list(size or ())
    return (int(values[0]), int(values[1])) if len(values) == 2 else (0, 0)


def unfit(config: Any, reason: str) -> InputError:
    """The line for a vision model that is refused."""
    return InputError(f"a vision model of type '{config.model_type}' cannot be a tower: {reason}; {USE}")
