"""The losses between the two views: pure functions of tensors. Shapes: `B` batch, `N` tokens, `D` width."""

import torch
from torch import Tensor
from torch.nn import functional

from exo2ego.models.language import kl_divergence
from exo2ego.training.config import KLAxis


def feature_kl(exo: Tensor, mapped: Tensor, *, axis: KLAxis, temperature: float) -> Tensor:
    """KL(y || ego_to_exo(x)), float32 scalar; y = `exo` is a target and gets no gradient (paper section 3, stage 2).

    Both are float[B, N, D]. They are layer-normed without weights first: LLM-space channels have outliers that would
    make the softmax one-hot. `channel`: over D per token; `position`: over N per channel (channel-wise distillation,
    arXiv 2011.13256); `pooled`: over D of the mean token, for views in which a position shows different places.
    """
    target, student = exo.detach().float(), mapped.float()
    if axis == "pooled":
        target, student = target.mean(1, keepdim=True), student.mean(1, keepdim=True)
    target, student = (functional.layer_norm(t, t.shape[-1:]) for t in (target, student))
    if axis == "position":
        target, student = target.transpose(1, 2), student.transpose(1, 2)
    return kl_divergence(target, student, temperature)


def cycle_loss(back: Tensor, original: Tensor, *, stop_gradient: bool) -> Tensor:
    """Mean absolute difference after mapping there and back, float32 scalar (paper: CCL)."""
    target = original.detach() if stop_gradient else original
    return (back.float() - target.float()).abs().mean()


def contrastive_loss(mapped: Tensor, exo: Tensor, *, temperature: float) -> Tensor:
    """Symmetric InfoNCE between mean tokens of float[B, N, D] pairs; row i of both is the same moment."""
    student = functional.normalize(mapped.float().mean(1), dim=-1)
    target = functional.normalize(exo.detach().float().mean(1), dim=-1)
    logits = student @ target.T / temperature
    labels = torch.arange(len(logits), device=logits.device)
    return (functional.cross_entropy(logits, labels) + functional.cross_entropy(logits.T, labels)) / 2
