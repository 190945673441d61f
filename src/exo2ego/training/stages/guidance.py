"""Stage 2, Teacher-Student Guidance: ego encoder and both mappings learn from synchronized pairs.

The exo encoder and the LLM are frozen, but the LLM must carry gradient to the ego side, so only y is computed without it.
Paper: VTG on concat(x, ego_to_exo(x)) + KL(y || ego_to_exo(x)) + cycle consistency both ways. Ours may add the KL between the
frozen LLM's answers and a contrastive term (weights in the recipe).
"""

import torch
from torch import Tensor

from exo2ego.data.batch import Batch
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
    hidden = roles.language.read(batch.prefix, both, batch.text)
    out: Losses = {"vtg": roles.language.answer_loss(hidden, batch.text)}
    if objectives.kl:
        out["kl"] = feature_kl(y, mapped, axis=objectives.kl_axis, temperature=objectives.kl_temperature)
    out |= cycle_losses(roles, batch, objectives, x, mapped, y)
    if objectives.contrastive:
        out["contrastive"] = contrastive_loss(mapped, y, temperature=objectives.contrastive_temperature)
    if objectives.answer_kl:
        student = mapped if objectives.answer_reads == "mapped" else both
        out["answer_kl"] = answer_kl(roles, batch, student, y, objectives.answer_kl_temperature)
    return out


def cycle_losses(
    roles: Roles, batch: Batch, objectives: Objectives, x: Tensor, mapped: Tensor, y: Tensor
) -> Losses:
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


def answer_kl(roles: Roles, batch: Batch, student: Tensor, y: Tensor, temperature: float) -> Tensor:
    """KL between the frozen LLM's first-answer-word distributions read from y and from the student's tokens.

    The probes are questions only: what distils is what the teacher says about its view of the same moment.
    """
    if batch.probes is None:
        raise ValueError("answer_kl needs probe questions in the batch")
    places = batch.probes.last_of_segment()
    with torch.no_grad():
        said = roles.language.logits_at(roles.language.read(batch.prefix, y, batch.probes), places)
    hidden = roles.language.read(batch.prefix, student, batch.probes)
    return kl_divergence(said, roles.language.logits_at(hidden, places), temperature)


STAGE = Stage(
    title="Teacher-Student Guidance",
    data="pairs",
    views=("ego", "exo"),
    trains=("ego.*", "ego_to_exo.*", "exo_to_ego.*"),
    exports="student",
    losses=losses,
)
