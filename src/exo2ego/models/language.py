"""The causal LM of Transformers, its LoRA, and what is read from it: losses and distributions at chosen places.

The only importer of PEFT. Shapes: `B` batch, `N` visual tokens, `L` packed text tokens, `D` LLM width, `K` places
read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn import functional
from transformers.pytorch_utils import Conv1D

from exo2ego.data.batch import PackedText
from exo2ego.models.decoder import AttentionForm
from exo2ego.models.splice import splice


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraSpec:
    """Low-rank adapters on all linear layers of the LLM but its head (paper: r 128, alpha 256, dropout 0.1)."""

    rank: int
    alpha: int
    dropout: float

    def __post_init__(self) -> None:
        if self.rank <= 0 or self.alpha <= 0 or not 0 <= self.dropout < 1:
            raise ValueError(f"impossible LoRA: rank {self.rank}, alpha {self.alpha}, dropout {self.dropout}")


class Language(nn.Module):
    """LLM and head. Knows nothing of video but that some input rows are not words."""

    def __init__(self, model: nn.Module, lm_head: nn.Linear) -> None:
        super().__init__()
        self.model, self.lm_head = model, lm_head

    def read(self, prefix: Sequence[int], visual: Tensor | None, text: PackedText) -> Tensor:
        """Hidden states of the text, float[B, L, D], given the video's tokens float[B, N, D]."""
        inputs = splice(self.model.get_input_embeddings(), prefix, visual, text)  # type: ignore[operator]
        masks = AttentionForm.of(self.model).masks(inputs.mask, inputs.positions, inputs.positions)
        out: Any = self.model(
            inputs_embeds=inputs.embeds, attention_mask=masks, position_ids=inputs.positions, use_cache=False
        )
        hidden: Tensor = out.last_hidden_state[:, inputs.prefix_length :]
        return hidden

    def logits_at(self, hidden: Tensor, places: Tensor) -> Tensor:
        """float[B, L, D], bool[B, L] -> float32[K, vocabulary] at the K true places, row by row."""
        logits: Tensor = self.lm_head(hidden[places])
        return logits.float()

    def answer_loss(self, hidden: Tensor, text: PackedText) -> Tensor:
        """Mean cross-entropy over all answer tokens of the batch (VTG), float32 scalar."""
        places = text.before_answers()
        targets = text.labels[:, 1:][places[:, :-1]]
        return functional.cross_entropy(self.logits_at(hidden, places), targets)


def add_lora(language: Language, spec: LoraSpec) -> None:
    """Put adapters into the LLM, in place; their parameters have `lora_` in their names."""
    from peft import LoraConfig, inject_adapter_in_model

    config = LoraConfig(
        r=spec.rank,
        lora_alpha=spec.alpha,
        lora_dropout=spec.dropout,
        target_modules=linear_names(language.model),
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in language.model.modules()),
    )
    inject_adapter_in_model(config, language.model)


def linear_names(model: nn.Module) -> list[str]:
    """Last parts of the names of all linear layers, sorted; GPT-2 writes its own as `Conv1D`."""
    linear = (nn.Linear, Conv1D)
    return sorted({name.rsplit(".", 1)[-1] for name, module in model.named_modules() if isinstance(module, linear)})


def fold_lora(language: Language) -> None:
    """Add the adapters to the weights they adapt and take them out, in place: the LLM is a plain one again."""
    from peft.tuners.lora import LoraLayer

    for name, module in list(language.model.named_modules()):
        if isinstance(module, LoraLayer):
            module.merge()
            parent_name, _, child = name.rpartition(".")
            setattr(language.model.get_submodule(parent_name), child, module.get_base_layer())


def kl_divergence(teacher_logits: Tensor, student_logits: Tensor, temperature: float) -> Tensor:
    """KL(teacher || student) over the last axis, mean over rows, times temperature squared (Hinton et al. 2015)."""
    teacher = functional.log_softmax(teacher_logits.float() / temperature, dim=-1)
    student = functional.log_softmax(student_logits.float() / temperature, dim=-1)
    per_row = functional.kl_div(student, teacher, log_target=True, reduction="none").sum(-1)
    return per_row.mean() * temperature**2
