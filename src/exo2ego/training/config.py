"""What a training run is made of: typed, frozen, refused if impossible. Saved as JSON beside the weights.

Where the paper is silent (loss weights, temperature, KL axis, mapping width, what of the encoder trains), the field
says so.
"""

import math
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from exo2ego.data.mixture_batches import BatchRule
from exo2ego.models.language import LoraSpec
from exo2ego.models.roles import MappingSpec

KLAxis = Literal["channel", "position", "pooled"]
AnswerReads = Literal["mapped", "concat"]
Precision = Literal["auto", "bf16", "fp32"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Optim:
    """Optimiser and schedule of one stage."""

    steps: int
    """Optimiser steps. The paper gives epochs; a recipe for a data set of known size turns them into steps."""
    batch_size: int | None = None
    """Samples a step, over all processes together. Exactly one of this and `tokens_per_batch` is given."""
    lr: float
    warmup: float = 0.03
    """Share of the steps with a linearly rising rate; cosine to zero after."""
    weight_decay: float = 0.0
    clip_norm: float = 1.0
    betas: tuple[float, float] = (0.9, 0.999)
    tokens_per_batch: int | None = None
    """As many samples a step as fit: (longest text + visual tokens) x samples <= this, over all processes together."""
    bucket_samples: int | None = None
    """Batches of like length are made within windows of so many samples, a multiple of batch_size. None: no buckets
    for batch_size, windows of 1,024 for tokens_per_batch."""

    def __post_init__(self) -> None:
        if self.steps < 1 or (self.batch_size is not None and self.batch_size < 1):
            raise ValueError(f"steps and batch_size must be at least 1, not {self.steps} and {self.batch_size}")
        self.batch_rule(fixed_tokens=0)
        if not (0 < self.lr < math.inf and 0 <= self.warmup < 1 and self.clip_norm > 0):
            raise ValueError(f"impossible optimiser: lr {self.lr}, warmup {self.warmup}, clip_norm {self.clip_norm}")

    def batch_rule(self, *, fixed_tokens: int) -> BatchRule:
        """How batches are made where every sample has so many tokens before its text."""
        return BatchRule(
            batch_size=self.batch_size,
            tokens_per_batch=self.tokens_per_batch,
            bucket_samples=self.bucket_samples,
            fixed_tokens=fixed_tokens,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Objectives:
    """Weights and forms of the losses. All weights but VTG's are unpublished."""

    vtg: float = 1.0
    """LM loss on the answer given the video tokens (paper: VTG)."""
    kl: float = 0.0
    """KL(y || ego_to_exo(x)) over features (paper stage 2; its axis and temperature are unpublished)."""
    kl_axis: KLAxis = "channel"
    """Softmax over channels per token, over positions per channel, or over channels of the mean token."""
    kl_temperature: float = 1.0
    cycle_forward: float = 0.0
    """|exo_to_ego(ego_to_exo(x)) - x|_1 (paper: CCL, first term)."""
    cycle_backward: float = 0.0
    """|ego_to_exo(exo_to_ego(y)) - y|_1 (paper: CCL, second term)."""
    cycle_stop_gradient: bool = False
    """Do not let the cycle loss pull x towards what is easy to map back (x trains; y is frozen anyway)."""
    contrastive: float = 0.0
    """Cross-view InfoNCE between mean tokens of ego_to_exo(x) and y; not in the paper's losses."""
    contrastive_temperature: float = 0.07
    answer_kl: float = 0.0
    """KL between what the frozen LLM answers from y and from the student's tokens; not in the paper."""
    answer_kl_temperature: float = 1.0
    answer_reads: AnswerReads = "mapped"
    """The student's side of `answer_kl`: ego_to_exo(x) alone, or concat(x, ego_to_exo(x)) as at inference."""

    tags: float = 0.0
    """Words of the answers, in any order, by a throw-away reader with a head for each of the recipe's
    `question_groups`. For the third-person start of `tiny` only; not in the paper."""
    read_twice: bool = False
    """Stage `initial`: half of each batch gives the LLM its visual tokens twice, as many as it reads later in
    concat(x, ego_to_exo(x))."""

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if isinstance(value, bool | str):
                continue
            if not 0 <= value < math.inf or (name.endswith("temperature") and value == 0):
                raise ValueError(f"objective {name} must not be {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class StageConfig:
    """How one stage is run in one recipe."""

    optim: Optim
    trains: tuple[str, ...]
    """Patterns of parameter names that train; everything else is frozen."""
    objectives: Objectives = field(default_factory=Objectives)
    lora: LoraSpec | None = None
    tag_reader_width: int | None = None
    """Hidden width of the throw-away reader for `tags`; None: no reader."""
    segments: int = 1
    """Conversations a sample, each read on its own behind the same video."""
    probes: int = 0
    """Questions without answers a sample, for `answer_kl`."""

    def __post_init__(self) -> None:
        width = self.tag_reader_width
        if not self.trains or self.segments < 1 or self.probes < 0 or (width is not None and width < 1):
            raise ValueError(
                f"impossible stage: trains {self.trains}, segments {self.segments}, probes {self.probes}, "
                f"tag_reader_width {width}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A complete statement of a training run."""

    name: str
    mapping: MappingSpec
    stages: dict[str, StageConfig]
    num_frames: int
    size_px: int
    narration_question: str = "What does the camera-wearer do?"
    """Asked of a clip whose narration is the answer; the paper does not print its prompt."""
    probe_questions: tuple[str, ...] = ()
    """Questions whose answers are distilled from the exo view. Texts only: no answer is ever read."""
    question_groups: tuple[tuple[str, ...], ...] = ()
    """Wordings of the same question, a group each; the reader for `tags` has a head for every group."""
    jitter_px: int = 0
    """Frames of a clip are shifted together by up to this much, brightness by up to 20 %."""
    precision: Precision = "auto"
    """Autocast. `auto`: bfloat16 where the hardware computes in it, else float32."""
    checkpoint_every: int = 100
    divergence_factor: float = 4.0
    """Stop when the mean loss of the last 20 steps exceeds this many times the first 20's."""

    def __post_init__(self) -> None:
        counts = (self.num_frames, self.size_px, self.checkpoint_every)
        if min(counts) < 1 or self.jitter_px < 0 or not self.divergence_factor > 1:
            raise ValueError(
                f"recipe {self.name}: num_frames, size_px and checkpoint_every must be at least 1, not {counts}, "
                f"jitter_px at least 0, not {self.jitter_px}, divergence_factor above 1, not {self.divergence_factor}"
            )
        for name, stage in self.stages.items():
            if stage.probes and not self.probe_questions:
                raise ValueError(
                    f"recipe {self.name}: stage {name} asks {stage.probes} probes but there are no probe_questions"
                )
            if stage.objectives.answer_kl and not stage.probes:
                raise ValueError(f"recipe {self.name}: stage {name} has answer_kl but no probes to read")
            if stage.objectives.tags and (stage.tag_reader_width is None or not self.question_groups):
                raise ValueError(
                    f"recipe {self.name}: stage {name} has tags but no tag_reader_width or question_groups"
                )

    def as_json(self) -> dict[str, Any]:
        """Plain values, as saved beside the weights."""
        return asdict(self)
