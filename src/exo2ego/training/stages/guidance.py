"""Stage 2, Teacher-Student Guidance: ego encoder and both mappings learn from synchronized pairs.

The exo encoder and the LLM are frozen, but the LLM must carry gradient to the ego side, so only y is computed without
it. Paper: VTG on concat(x, ego_to_exo(x)) + KL(y || ego_to_exo(x)) + cycle consistency both ways. Ours may add the KL
between the frozen LLM's answers and a contrastive term (weights in the recipe).
"""

import torch
from torch import Tensor

from exo2ego.data.batch import Batch, PackedText, join_texts
from exo2ego.models.language import kl_divergence
from exo2ego.models.roles import Roles
from exo2ego.training.config import Objectives
from exo2ego.training.objectives import contrastive_loss, cycle_loss, feature_kl
from exo2ego.training.stages.stage import Losses, Stage


def losses(roles: Roles, batch: Batch, objectives: Objectives) -> Losses:
    """Every loss whose weight is not zero."""
    x, mapped, both = roles.student_tokens(batch.videos["ego"])
    with torch.no_grad():
        y = roles.exo_tokens(batch.videos["exo"])
    out = text_losses(roles, batch, objectives, mapped, both, y)
    if objectives.kl:
        out["kl"] = feature_kl(y, mapped, axis=objectives.kl_axis, temperature=objectives.kl_temperature)
    if objectives.contrastive:
        out["contrastive"] = contrastive_loss(mapped, y, temperature=objectives.contrastive_temperature)
    return out | cycle_losses(roles, batch, objectives, x, mapped, y)


def text_losses(roles: Roles, batch: Batch, objectives: Objectives, mapped: Tensor, both: Tensor, y: Tensor) -> Losses:
    """VTG on concat(x, ego_to_exo(x)) and, with a weight, the KL of the answers to the probe questions."""
    language, text, probes = roles.language, batch.text, batch.probes
    if not objectives.answer_kl:
        return {"vtg": language.answer_loss(language.read(batch.prefix, both, text), text)}
    if probes is None:
        raise ValueError("answer_kl needs probe questions in the batch")
    if objectives.answer_reads == "concat":  # the same visual tokens: one pass reads narration and probes
        hidden = language.read(batch.prefix, both, join_texts(text, probes))
        told, asked = hidden[:, : text.tokens.shape[1]], hidden[:, text.tokens.shape[1] :]
    else:
        told, asked = language.read(batch.prefix, both, text), language.read(batch.prefix, mapped, probes)
    said = teacher_answers(roles, batch, probes, y)
    answers = language.logits_at(asked, probes.last_of_segment())
    return {
        "vtg": language.answer_loss(told, text),
        "answer_kl": kl_divergence(said, answers, objectives.answer_kl_temperature),
    }


@torch.no_grad()
def teacher_answers(roles: Roles, batch: Batch, probes: PackedText, y: Tensor) -> Tensor:
    """float32[K, vocabulary]: what the frozen LLM would say first to each probe, reading the exo view's tokens.

    The probes are questions only: what distils is what the teacher says about its view of the same moment.
    """
    return roles.language.logits_at(roles.language.read(batch.prefix, y, probes), probes.last_of_segment())


def cycle_losses(roles: Roles, batch: Batch, objectives: Objectives, x: Tensor, mapped: Tensor, y: Tensor) -> Losses:
    """Cycle consistency of the tokens float[B, N, D], forward (from ego) and backward (from exo)."""
    grid = roles.grid(batch.videos["ego"])
    stop = objectives.cycle_stop_gradient
    out: Losses = {}
    if objectives.cycle_forward:
        out["cycle_forward"] = cycle_loss(roles.exo_to_ego(mapped, grid), x, stop_gradient=stop)
    if objectives.cycle_backward:
        there = roles.exo_to_ego(y, grid)
        out["cycle_backward"] = cycle_loss(roles.ego_to_exo(there, grid), y, stop_gradient=stop)
    return out


STAGE = Stage(
    title="Teacher-Student Guidance",
    data="pairs",
    views=("ego", "exo"),
    trains=("ego.*", "ego_to_exo.*", "exo_to_ego.*"),
    exports="student",
    losses=losses,
)
