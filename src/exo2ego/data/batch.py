"""Segments and frames to the tensors of one step.

Shapes: `B` batch, `T` frames, `L` text tokens of all segments of a sample, padded on the right.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from exo2ego.data.chat import IGNORE, NO_TOPIC, Segment

PAD_SEGMENT = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedText:
    """Independent segments of each sample, side by side. A segment sees the prefix and itself only."""

    tokens: Tensor
    """int64[B, L]"""
    labels: Tensor
    """int64[B, L], `IGNORE` outside the answers."""
    segments: Tensor
    """int64[B, L]: number of the segment, `PAD_SEGMENT` where padded."""
    offsets: Tensor
    """int64[B, L]: position within the segment."""
    topics: Tensor
    """int64[B, L]: topic of the segment, `NO_TOPIC` where it has none and where padded."""

    def last_of_segment(self) -> Tensor:
        """bool[B, L]: the last token of every segment, where the next token would be an answer's first."""
        following = torch.full_like(self.segments, PAD_SEGMENT)
        following[:, :-1] = self.segments[:, 1:]
        return (self.segments != PAD_SEGMENT) & (self.segments != following)

    def before_answers(self) -> Tensor:
        """bool[B, L]: tokens after which an answer token follows (the places where the LM loss reads)."""
        out = torch.zeros_like(self.labels, dtype=torch.bool)
        out[:, :-1] = self.labels[:, 1:] != IGNORE
        return out

    def rows(self, start: int | None, stop: int | None) -> "PackedText":
        """Samples `start` to `stop` of the batch, as slices count."""
        return PackedText(**{f.name: getattr(self, f.name)[start:stop] for f in fields(self)})

    def to(self, device: torch.device) -> "PackedText":
        """The same on another device."""
        return PackedText(
            tokens=self.tokens.to(device),
            labels=self.labels.to(device),
            segments=self.segments.to(device),
            offsets=self.offsets.to(device),
            topics=self.topics.to(device),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One step's data."""

    ids: tuple[str, ...]
    """Names of the samples, for messages."""
    videos: Mapping[str, Tensor]
    """uint8[B, T, H, W, 3] by role: `ego`, `exo`."""
    prefix: tuple[int, ...]
    """Token ids before the video, the same for all."""
    text: PackedText
    probes: PackedText | None = None
    """Questions without answers, for the distillation of the frozen LLM's answers."""
    counts: bool = True
    """False for a stand-in: this process had no sample in the step, and what it computes must weigh nothing."""

    def to(self, device: torch.device) -> "Batch":
        """The same on another device."""
        return Batch(
            ids=self.ids,
            videos={k: v.to(device, non_blocking=True) for k, v in self.videos.items()},
            prefix=self.prefix,
            text=self.text.to(device),
            probes=None if self.probes is None else self.probes.to(device),
            counts=self.counts,
        )


def pack_text(samples: Sequence[Sequence[Segment]], pad_id: int) -> PackedText:
    """Segments of each sample to padded tensors.

    Raises ValueError for a sample without segments: it would train on nothing.
    """
    if any(not segments for segments in samples):
        raise ValueError("a sample has no text segment")
    length = max(sum(len(s.ids) for s in segments) for segments in samples)
    fills = {"tokens": pad_id, "labels": IGNORE, "segments": PAD_SEGMENT, "offsets": 0, "topics": NO_TOPIC}
    arrays = {name: np.full((len(samples), length), fill, dtype=np.int64) for name, fill in fills.items()}
    for row, segments in enumerate(samples):
        start = 0
        for number, segment in enumerate(segments):
            stop = start + len(segment.ids)
            arrays["tokens"][row, start:stop] = segment.ids
            arrays["labels"][row, start:stop] = segment.labels
            arrays["segments"][row, start:stop] = number
            arrays["topics"][row, start:stop] = segment.topic
            arrays["offsets"][row, start:stop] = np.arange(stop - start)
            start = stop
    return PackedText(**{name: torch.from_numpy(array) for name, array in arrays.items()})


def join_texts(first: PackedText, second: PackedText) -> PackedText:
    """Segments of both behind the same video, `second` to the right of `first`'s padded width."""
    moved = second.segments + first.segments.amax() + 1
    return PackedText(
        tokens=torch.cat([first.tokens, second.tokens], dim=1),
        labels=torch.cat([first.labels, second.labels], dim=1),
        segments=torch.cat([first.segments, torch.where(second.segments == PAD_SEGMENT, PAD_SEGMENT, moved)], dim=1),
        offsets=torch.cat([first.offsets, second.offsets], dim=1),
        topics=torch.cat([first.topics, second.topics], dim=1),
    )


def jitter_frames(frames: NDArray[np.uint8], rng: np.random.Generator, shift_px: int) -> NDArray[np.uint8]:
    """uint8[T, H, W, 3] shifted as a whole by up to `shift_px` with repeated borders, brightness scaled by 0.8 to 1.2.

    Never mirrored: left and right are facts that questions ask for.
    """
    if shift_px == 0:
        return frames
    dy, dx = rng.integers(-shift_px, shift_px + 1, size=2)
    height, width = frames.shape[1:3]
    rows = np.clip(np.arange(height) + dy, 0, height - 1)
    columns = np.clip(np.arange(width) + dx, 0, width - 1)
    moved = frames[:, rows][:, :, columns]
    scale = float(rng.uniform(0.8, 1.2))
    out: NDArray[np.uint8] = np.clip(moved.astype(np.float32) * scale, 0, 255).astype(np.uint8)
    return out
