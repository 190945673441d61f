"""Examples to batches, in an order that is a pure function of (seed, step): resuming is jumping to a step.

Shapes: `T` frames, `S` pixels.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from exo2ego.data.batch import Batch, jitter_frames, pack_text
from exo2ego.data.chat import NO_TOPIC, ChatFormat, Segment, TextTokenizer, encode_question, encode_segment, prefix_ids
from exo2ego.data.mixture_batches import BatchPlan
from exo2ego.data.mixture_order import Weighted
from exo2ego.data.shards import ShardSample, ShardSet
from exo2ego.data.video import read_clip
from exo2ego.errors import CheckpointError, InputError, LeakageError
from exo2ego.records import Turn
from exo2ego.training.checkpoint import fingerprint
from exo2ego.training.config import Optim
from exo2ego.training.examples import Example, TrainingData

CACHE_BYTES = 3 << 30
"""Decoded clips kept in memory; beyond it they are decoded again at each use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSpec:
    """How batches are made."""

    seed: int
    optim: Optim
    num_frames: int
    size_px: int
    segments: int
    probes: int
    probe_questions: tuple[str, ...]
    jitter_px: int
    pad_id: int
    visual_tokens: int
    """That the LLM reads before a sample's text."""
    question_groups: tuple[tuple[str, ...], ...] = ()


class FrameCache:
    """Decoded clips in memory, up to a number of bytes.

    They lie in slabs that the C library maps apart from its heap. Tens of thousands of arrays that stay, each among a
    step's tensors that go, would leave the heap in pieces: it grew by gigabytes and every allocation searched it.
    """

    SLAB_BYTES = 64 << 20

    def __init__(self, num_frames: int, size_px: int, limit_bytes: int = CACHE_BYTES) -> None:
        self.num_frames, self.size_px = num_frames, size_px
        self._clips: dict[tuple[int, str, str], NDArray[np.uint8]] = {}
        self._shape = (num_frames, size_px, size_px, 3)
        self._room = limit_bytes // math.prod(self._shape)
        self._free: list[NDArray[np.uint8]] = []

    def get(self, shards: ShardSet, sample: ShardSample, view: str) -> NDArray[np.uint8]:
        """uint8[T, S, S, 3] of one stored clip."""
        key = (id(shards), sample.key, view)
        if key in self._clips:
            return self._clips[key]
        clip = read_clip(shards.read(sample, view), None, None, self.num_frames, self.size_px)
        if len(self._clips) == self._room:
            return clip
        place = self._place()
        place[:] = clip
        self._clips[key] = place
        return place

    def _place(self) -> NDArray[np.uint8]:
        """Where the next clip goes."""
        if not self._free:
            many = max(1, min(self.SLAB_BYTES // math.prod(self._shape), self._room - len(self._clips)))
            self._free = list(np.empty((many, *self._shape), np.uint8))
        return self._free.pop()


class Stream:
    """Batches by step number."""

    def __init__(self, data: TrainingData, spec: StreamSpec, tokenizer: TextTokenizer, chat: ChatFormat) -> None:
        if not data.examples:
            raise LeakageError("there is no example to train on; is the split 'train' empty?")
        self.examples, self.order, self.spec = data.examples, data.order, spec
        self.tokenizer, self.chat = tokenizer, chat
        self.cache = FrameCache(spec.num_frames, spec.size_px)
        self.topics = {text: number for number, group in enumerate(spec.question_groups) for text in group}
        self.prefix = prefix_ids(tokenizer, chat)
        self.rule = spec.optim.batch_rule(fixed_tokens=len(self.prefix) + spec.visual_tokens + self._probe_tokens())
        self.plan = BatchPlan(rule=self.rule, seed=spec.seed, lengths=self._lengths)
        self._texts: dict[int, list[Segment]] = {}
        self._counted = (0, [0] * len(data.order.sizes))
        self.by_position = self.rule.window is not None or isinstance(data.order, Weighted)
        """Whether what is drawn for a sample depends on its position alone; else on step and rank, as it always did."""
        if self.rule.tokens_per_batch is not None:
            self._refuse_too_long(self.rule.tokens_per_batch - self.rule.fixed_tokens)

    def indices(self, step: int) -> list[int]:
        """Which examples step `step` (from 0) takes, over all processes; epochs follow each other without a gap."""
        return self.order.examples(self.plan.positions(step))

    def seen(self, steps: int) -> dict[str, int]:
        """How many samples each source has given in the first `steps` steps."""
        before, counts = self._counted
        if steps == before + 1:
            counts = self._added(counts, self.plan.positions(before))
        elif steps != before:
            below, more = self.plan.used(steps)
            counts = self._added(self.order.seen(below), more)
        self._counted = (steps, counts)
        return dict(zip(self.order.names, counts, strict=True))

    def _added(self, counts: Sequence[int], positions: Sequence[int]) -> list[int]:
        sources = np.searchsorted(np.cumsum(self.order.sizes), self.order.examples(positions), side="right")
        more = np.bincount(sources, minlength=len(counts)).tolist()
        return [count + extra for count, extra in zip(counts, more, strict=True)]

    def epochs(self, steps: int) -> dict[str, float]:
        """How often each source's examples are seen on average in the first `steps` steps."""
        seen = self.seen(steps).items()
        return {name: count / size if size else 0.0 for (name, count), size in zip(seen, self.order.sizes, strict=True)}

    def cursor(self, step: int) -> dict[str, Any] | None:
        """Where step `step` lies, for a checkpoint; None where that follows from its number."""
        if self.rule.window is None:
            return None
        window, index = self.plan.locate(step)
        return {"window": window, "first_step": step - index, "digest": self._digest(window)}

    def resume_at(self, cursor: Mapping[str, Any] | None, source: Path) -> None:
        """Go on from a checkpoint's cursor. Raises CheckpointError when its window is cut in another way now."""
        if self.rule.window is None:
            return
        if cursor is None:
            raise CheckpointError(f"{source} does not say where in the data it stopped; delete it to go on from before")
        self.plan.know(cursor["window"], cursor["first_step"])
        if self._digest(cursor["window"]) != cursor["digest"]:
            raise CheckpointError(
                f"{source}: window {cursor['window']} of the data gives other batches than when it was written (texts, "
                "tokenizer or chat format have changed); choose another --out"
            )

    def _digest(self, window: int) -> str:
        batches = self.plan.batches(window)
        names = [[self.examples[i].name for i in self.order.examples(batch)] for batch in batches]
        lengths = [[self._length(position) for position in batch] for batch in batches]
        return fingerprint([window, batches, names, lengths])

    def batch(self, step: int, rank: int = 0, ranks: int = 1) -> Batch:
        """The share of process `rank` in the batch of step `step`, the same on every call and every machine.

        A process for which the batch has no sample gets the first one as a stand-in that counts for nothing.
        """
        positions = self.plan.positions(step)
        share = positions[rank::ranks]
        batch = self._draw(share or positions[:1], np.random.default_rng([self.spec.seed, 1, step, rank]))
        return batch if share else replace(batch, counts=False)

    def _draw(self, positions: Sequence[int], rng: np.random.Generator) -> Batch:
        chosen = [self.examples[i] for i in self.order.examples(positions)]
        if self.by_position:
            rngs = [np.random.default_rng([self.spec.seed, 3, position]) for position in positions]
        else:
            rngs = [rng] * len(chosen)
        videos = {role: self._videos(chosen, role, rngs) for role in chosen[0].views}
        probes = [self._probe_segments(r) for r in rngs] if self.spec.probes else None
        if self.by_position:
            texts = [self._text_at(position) for position in positions]
        else:
            texts = [self._text_segments(example, rng) for example in chosen]
        return Batch(
            ids=tuple(e.name for e in chosen),
            videos=videos,
            prefix=self.prefix,
            text=pack_text(texts, self.spec.pad_id),
            probes=None if probes is None else pack_text(probes, self.spec.pad_id),
        )

    def _videos(self, examples: Sequence[Example], role: str, rngs: Sequence[np.random.Generator]) -> torch.Tensor:
        clips = [self.cache.get(e.shards, e.sample, e.views[role]) for e in examples]
        return torch.from_numpy(
            np.stack([jitter_frames(c, r, self.spec.jitter_px) for c, r in zip(clips, rngs, strict=True)])
        )

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

    def _probe_tokens(self) -> int:
        """The most tokens that a sample's probes can have."""
        if not self.spec.probes:
            return 0
        lengths = [len(encode_question(self.tokenizer, self.chat, q).ids) for q in self.spec.probe_questions]
        return sum(sorted(lengths)[-self.spec.probes :])

    def _text_at(self, position: int) -> list[Segment]:
        known = self._texts.get(position)
        if known is not None:
            return known
        (index,) = self.order.examples([position])
        return self._text_segments(self.examples[index], np.random.default_rng([self.spec.seed, 2, position]))

    def _length(self, position: int) -> int:
        return sum(len(segment.ids) for segment in self._text_at(position))

    def _lengths(self, positions: range) -> list[int]:
        """Text lengths of a window; its texts are kept until the one after the next is asked for."""
        oldest = positions.start - len(positions)
        self._texts = {position: text for position, text in self._texts.items() if position >= oldest}
        self._texts |= {position: self._text_at(position) for position in positions}
        return [self._length(position) for position in positions]

    def _refuse_too_long(self, room: int) -> None:
        """Raises InputError for an example whose longest text does not fit a batch of its own.

        Only what may be too long is tokenized: a text has at most as many tokens as bytes, and a few around it.
        """
        for example in self.examples:
            if self._longest(example, self._most_tokens) <= room:
                continue
            tokens = self._longest(example, lambda turns: len(encode_segment(self.tokenizer, self.chat, turns).ids))
            if tokens > room:
                raise InputError(
                    f"{example.shards.folder}: sample {example.name} has {tokens} text tokens, with the video "
                    f"{tokens + self.rule.fixed_tokens}: more than tokens_per_batch {self.rule.tokens_per_batch}; "
                    "raise the budget or leave the sample out"
                )

    def _longest(self, example: Example, count: Callable[[Sequence[Turn]], int]) -> int:
        return sum(sorted(map(count, example.conversations))[-self.spec.segments :])

    def _most_tokens(self, turns: Sequence[Turn]) -> int:
        around = len(self.chat.before_question + self.chat.after_question + self.chat.before_answer) + 8
        return sum(len(f"{turn.question}{turn.answer}".encode()) + around for turn in turns)
