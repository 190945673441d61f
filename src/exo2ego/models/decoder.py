"""The causal language model of Transformers behind the video: what is asked of it, its head, its attention masks.

Texts are read side by side behind one video (`models/splice.py`, `inference/shared_prefix.py`), which needs layers that
only attend, told by a mask and by positions what to attend to. A model that does otherwise is refused when it is built.
Shapes: `B` batch, `Q` rows that look, `K` columns looked at, `D` LLM width.
"""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModel, AutoModelForCausalLM
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_MASKED_LM_MAPPING_NAMES,
)

from exo2ego.errors import InputError

FULL, SLIDING = "full_attention", "sliding_attention"
"""The kinds of layers (Transformers' `layer_types`) that can read texts side by side."""
LOGIT_SCALES = ("logit_scale", "logits_scaling", "output_multiplier", "lm_head_multiplier")
"""Settings by which some models scale their logits, one multiplying with what another of the same name divides by."""
TIMES_LOGIT_SCALE = ("cohere", "cohere2", "cohere2_moe")
OVER_LOGITS_SCALING = ("granite", "granitemoe", "granitemoeshared")
"""The kinds of models known to multiply their logits with `logit_scale`, or to divide them by `logits_scaling`."""

Masks = Tensor | dict[str, Tensor]
"""One mask for all layers, or one for each kind of layer."""


class Head(nn.Linear):
    """Hidden states to logits, times `scale`; with `cap`, squeezed into (-cap, cap) as Gemma does."""

    def __init__(self, width: int, words: int, *, bias: bool, scale: float, cap: float | None) -> None:
        super().__init__(width, words, bias=bias)
        self.scale, self.cap = scale, cap

    def forward(self, hidden: Tensor) -> Tensor:
        """float[..., D] -> float[..., vocabulary]."""
        logits = super().forward(hidden)
        if self.scale != 1:
            logits = logits * self.scale
        return logits if self.cap is None else torch.tanh(logits / self.cap) * self.cap


def build_head(config: Any) -> Head:
    """The head that the causal model of this text config has."""
    with torch.device("meta"):  # only looked at: whether its head has a bias stands in no config
        head = AutoModelForCausalLM.from_config(config).get_output_embeddings()
    cap = getattr(config, "final_logit_softcapping", None)
    scale = _logit_scale(config) or 1.0
    return Head(config.hidden_size, config.vocab_size, bias=head.bias is not None, scale=scale, cap=cap)


def _logit_scale(config: Any) -> float | None:
    """What the model multiplies its logits with; None: they are scaled in a way that is not known here."""
    if config.model_type in TIMES_LOGIT_SCALE:
        return float(config.logit_scale)
    if config.model_type in OVER_LOGITS_SCALING:
        return 1 / float(config.logits_scaling)
    scales = {getattr(config, name, None) for name in LOGIT_SCALES}
    return 1.0 if scales <= {None, 1} else None


def build_decoder(config: Any) -> nn.Module:
    """A fresh language model without its head. Raises InputError for one that cannot read texts side by side."""
    reason = next(_objections_to_config(config), None)
    if reason is None:
        model: nn.Module = AutoModel.from_config(config)
        reason = next(_objections_to_model(config, model), None)
    if reason is not None:
        raise InputError(
            f"a language model of type '{config.model_type}' cannot be used here: {reason}; "
            "use a decoder whose layers only attend, such as mistral, llama, qwen3, gemma3_text, granite or gpt2"
        )
    return model


def _objections_to_config(config: Any) -> Iterator[str]:
    kind = config.model_type
    if config.get_text_config() is not config:
        yield "it is made of several models; give the config of its text part alone"
    if kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES or kind in MODEL_FOR_MASKED_LM_MAPPING_NAMES:
        yield "it is no causal language model of Transformers"
    odd = {*(getattr(config, "layer_types", None) or ())} - {FULL, SLIDING}
    if odd:
        yield f"it has layers of the kind {', '.join(sorted(odd))}"
    if getattr(config, "alibi", False):
        yield "it tells places by their distance (ALiBi), not by positions"
    if getattr(config, "hidden_size_per_layer_input", None):
        yield "its layers read words beside the vectors, and visual tokens are no words"
    if _logit_scale(config) is None:
        scales = [f"{name} is {value}" for name in LOGIT_SCALES if (value := getattr(config, name, None)) is not None]
        yield f"its logits are scaled in a way that is not known here ({', '.join(scales)})"


def _objections_to_model(config: Any, model: Any) -> Iterator[str]:
    if model._is_stateful:
        yield "it keeps a state from word to word"
    missing = {"inputs_embeds", "attention_mask", "position_ids", "past_key_values"} - {
        *inspect.signature(model.forward).parameters
    }
    if missing:
        yield f"its forward takes no {', '.join(sorted(missing))}"
    width = model.get_input_embeddings().embedding_dim
    if width != config.hidden_size:
        yield f"its word vectors are {width} wide and its layers {config.hidden_size}"


def require_room(config: Any, visual_tokens: int) -> None:
    """Raises InputError where visual tokens fill all places of the language model: nothing could be asked then."""
    places = getattr(config, "max_position_embeddings", None)
    if places is not None and visual_tokens >= places:
        raise InputError(
            f"{visual_tokens} visual tokens do not fit the {places} places (max_position_embeddings) of the language "
            f"model of type '{config.model_type}'; use fewer frames, larger patches, or another language model"
        )


def word_vectors_name(model: Any) -> str:
    """Where the word vectors stand in a language model: `embed_tokens`, `wte`, ..."""
    words = model.get_input_embeddings()
    name: str = next(name for name, module in model.named_modules() if module is words)
    return name


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionForm:
    """How a loaded language model wants to be told who may look at whom. Transformers hands masks of four dimensions on
    as they are: without the model's own sliding window, and to eager attention, which adds them to its scores."""

    added: torch.dtype | None
    """Masks are added to the scores, in this type; None: they are boolean."""
    window: int | None
    """Tokens that a layer with a sliding window sees, its own included."""
    by_layer: bool
    """Masks are given for each kind of layer; else one for all."""

    @classmethod
    def of(cls, model: Any) -> "AttentionForm":
        """Of a language model, or of one that holds it. Raises InputError for attention that takes no such masks."""
        config = model.config.get_text_config()
        implementation = config._attn_implementation
        if implementation not in ("sdpa", "eager"):
            raise InputError(
                f"attention '{implementation}' cannot read texts side by side; "
                "load the model with attn_implementation='sdpa' or 'eager'"
            )
        kinds = getattr(config, "layer_types", None)
        slides = kinds is None or SLIDING in kinds
        return cls(
            added=model.dtype if implementation == "eager" else None,
            window=getattr(config, "sliding_window", None) if slides else None,
            by_layer=slides and kinds is not None,
        )

    def masks(self, seen: Tensor, rows: Tensor, columns: Tensor) -> Masks:
        """What the model takes as `attention_mask`.

        Args:
            seen: bool[B, 1, Q, K], True where a row may look at a column.
            rows, columns: int64[B, Q] and [B, K], the place of each token in its own text, the video's tokens included.
        """
        if self.window is None:
            return self._formed(seen)
        near = columns[:, None, None, :] > rows[:, None, :, None] - self.window
        if self.by_layer:
            return {FULL: self._formed(seen), SLIDING: self._formed(seen & near)}
        return self._formed(seen & near)

    def _formed(self, seen: Tensor) -> Tensor:
        if self.added is None:
            return seen
        # The least finite number, as Transformers takes: a row that may look nowhere stays finite.
        return torch.zeros_like(seen, dtype=self.added).masked_fill(~seen, torch.finfo(self.added).min)
