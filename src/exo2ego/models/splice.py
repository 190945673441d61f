"""Visual tokens into the prompt: one prefix (opening text, video) and any number of independent segments behind it.

A segment attends to the prefix and causally to itself, and its positions go on from the end of the prefix: each
segment is read exactly as if it stood alone (tests compare), but the video is encoded once for all. Shapes: `B`
batch, `S` prefix text tokens, `N` visual tokens, `L` packed text tokens, `D` LLM width.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from exo2ego.data.batch import PAD_SEGMENT, PackedText


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedInputs:
    """What the LLM takes."""

    embeds: Tensor
    """float[B, S + N + L, D]"""
    mask: Tensor
    """bool[B, 1, S + N + L, S + N + L], True where a row may look at a column."""
    positions: Tensor
    """int64[B, S + N + L]"""
    prefix_length: int
    """S + N"""


def attention_mask(segments: Tensor, prefix_length: int) -> Tensor:
    """int64[B, L] -> bool[B, 1, M, M] with M = prefix_length + L; padded rows see the prefix, so no row is empty."""
    batch, length = segments.shape
    total = prefix_length + length
    mask = torch.ones(total, total, dtype=torch.bool, device=segments.device).tril().repeat(batch, 1, 1)
    same = segments.unsqueeze(2) == segments.unsqueeze(1)
    mask[:, prefix_length:, prefix_length:] &= same & (segments != PAD_SEGMENT).unsqueeze(1)
    return mask.unsqueeze(1)


def splice(embedding: nn.Module, prefix: Sequence[int], visual: Tensor | None, text: PackedText) -> PackedInputs:
    """Prefix ids, visual tokens float[B, N, D] (None: no video at all) and packed text to the LLM's inputs."""
    batch = text.tokens.shape[0]
    opening = torch.tensor(prefix, device=text.tokens.device).expand(batch, -1)
    words: Tensor = embedding(text.tokens)
    parts = [embedding(opening), words] if visual is None else [embedding(opening), visual.to(words.dtype), words]
    prefix_length = sum(part.shape[1] for part in parts[:-1])
    positions = torch.arange(prefix_length, device=text.tokens.device).expand(batch, -1)
    return PackedInputs(
        embeds=torch.cat(parts, dim=1),
        mask=attention_mask(text.segments, prefix_length),
        positions=torch.cat([positions, text.offsets + prefix_length], dim=1),
        prefix_length=prefix_length,
    )
