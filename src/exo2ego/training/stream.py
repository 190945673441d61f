"""Shards to batches, in an order that is a pure function of (seed, step): resuming is jumping to a step.

Shapes: `T` frames, `S` pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from exo2ego.data.batch import Batch, jitter_frames, pack_text
from exo2ego.data.chat import NO_TOPIC, ChatFormat, Segment, TextTokenizer, encode_question, encode_segment, prefix_ids
from exo2ego.data.shards import ShardSample, ShardSet
from exo2ego.data.video import read_clip
from exo2ego.errors import LeakageError
from exo2ego.records import Turn

CACHE_BYTES = 3 << 30
"""Decoded clips kept in memory; beyond it they are decoded again at each use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One training example: a stored sample, which view plays which role, and what is said about it."""

    shards: ShardSet
    sample: ShardSample
    views: dict[str, str]
    """Role (`ego`, `exo`) -> name of the stored view."""
    conversations: tuple[tuple[Turn, ...], ...]

    @property
    def name(self) -> str:
        """For messages: sample and views."""
        return f"{self.sample.key}[{','.join(self.views.values())}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSpec:
    """How batches are made."""

    seed: int
    batch_size: int
    num_frames: int
    size_px: int
    segments: int
    probes: int
    probe_questions: tuple[str, ...]
    jitter_px: int
    question_groups: tuple[tuple[str, ...], ...] = ()


def pair_examples(shards: ShardSet, roles: Sequence[str], question: str) -> list[Example]:
    """One example per (narration, exo view). Whatever the roles, the list and its order are the same: arms see equal
    data."""
    refuse_held_out(shards)
    return [
        Example(
            shards=shards,
            sample=sample,
            views={role: "ego" if role == "ego" else camera for role in roles},
            conversations=((Turn(question=question, answer=sample.text),),),
        )
        for sample, camera, _ in shards.pairs
    ]


def instruction_examples(shards: ShardSet, role: str) -> list[Example]:
    """One example per stored video span with all its conversations."""
    refuse_held_out(shards)
    return [
        Example(shards=shards, sample=sample, views={role: "video"}, conversations=sample.conversations)
        for sample in shards.samples
    ]


def refuse_held_out(shards: ShardSet) -> None:
    """Raises LeakageError when a sample of another split than `train` is among them."""
    for sample in shards.samples:
        if sample.split != "train":
            raise LeakageError(
                f"sample {sample.key} of take {sample.take_uid} is of split {sample.split!r}; train on 'train' only"
            )


def example_order(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    """int64[count]: the order of one epoch."""
    return np.random.default_rng([seed, epoch]).permutation(count)


@dataclass(slots=True)
class FrameCache:
    """Decoded clips in memory, up to a number of bytes."""

    num_frames: int
    size_px: int
    limit_bytes: int = CACHE_BYTES
    _clips: dict[tuple[int, str, str], NDArray[np.uint8]] = field(default_factory=dict)
    _bytes: int = 0

    def get(self, shards: ShardSet, sample: ShardSample, view: str) -> NDArray[np.uint8]:
        """uint8[T, S, S, 3] of one stored clip."""
        key = (id(shards), sample.key, view)
        if key in self._clips:
            return self._clips[key]
        clip = read_clip(shards.read(sample, view), None, None, self.num_frames, self.size_px)
        if self._bytes + clip.nbytes <= self.limit_bytes:
            self._clips[key] = clip
            self._bytes += clip.nbytes
        return clip


class Stream:
    """Batches by step number."""

    def __init__(
        self, examples: Sequence[Example], spec: StreamSpec, tokenizer: TextTokenizer, chat: ChatFormat, pad_id: int
    ) -> None:
        if not examples:
            raise LeakageError("there is no example to train on; is the split 'train' empty?")
        self.examples, self.spec, self.tokenizer, self.chat, self.pad_id = examples, spec, tokenizer, chat, pad_id
        self.cache = FrameCache(spec.num_frames, spec.size_px)
        self.topics = {text: number for number, group in enumerate(spec.question_groups) for text in group}
        self._orders: dict[int, NDArray[np.int64]] = {}

    def indices(self, step: int) -> list[int]:
        """Which examples step `step` (from 0) takes; epochs follow each other without a gap."""
        count = len(self.examples)
        return [int(self._order(p // count)[p % count]) for p in self._positions(step)]

    def _positions(self, step: int) -> range:
        return range(step * self.spec.batch_size, (step + 1) * self.spec.batch_size)

    def _order(self, epoch: int) -> NDArray[np.int64]:
        if epoch not in self._orders:
            self._orders = {epoch: example_order(self.spec.seed, epoch, len(self.examples))}
        return self._orders[epoch]

    def epochs(self, steps: int) -> float:
        """How often an example is seen on average in `steps` steps."""
        return steps * self.spec.batch_size / len(self.examples)

    def batch(self, step: int, rank: int = 0, ranks: int = 1) -> Batch:
        """The share of process `rank` in the batch of step `step`, the same on every call and every machine."""
        rng = np.random.default_rng([self.spec.seed, 1, step, rank])
        chosen = [self.examples[i] for i in self.indices(step)[rank::ranks]]
        videos = {role: self._videos(chosen, role, rng) for role in chosen[0].views}
        probes = [self._probe_segments(rng) for _ in chosen] if self.spec.probes else None
        return Batch(
            ids=tuple(e.name for e in chosen),
            videos=videos,
            prefix=prefix_ids(self.tokenizer, self.chat),
            text=pack_text([self._text_segments(e, rng) for e in chosen], self.pad_id),
            probes=None if probes is None else pack_text(probes, self.pad_id),
        )

    def _videos(self, examples: Sequence[Example], role: str, rng: np.random.Generator) -> torch.Tensor:
        clips = [self.cache.get(e.shards, e.sample, e.views[role]) for e in examples]
        return torch.from_numpy(np.stack([jitter_frames(c, rng, self.spec.jitter_px) for c in clips]))

    def _text_segments(self, example: Example, rng: np.random.Generator) -> list[Segment]:
        count = min(self.spec.segments, len(example.conversations))
        picks = rng.choice(len(example.conversations), size=count, replace=False)
        return [self._segment(example.conversations[int(i)]) for i in picks]

    def _segment(self, turns: Sequence[Turn]) -> Segment:
        topic = self.topics.get(turns[0].question, NO_TOPIC)
        return replace(encode_segment(self.tokenizer, self.chat, turns), topic=topic)

    def _probe_segments(self, rng: np.random.Generator) -> list[Segment]:
        questions = self.spec.probe_questions
        picks = rng.choice(len(questions), size=min(self.spec.probes, len(questions)), replace=False)
        return [encode_question(self.tokenizer, self.chat, questions[int(i)]) for i in picks]
