"""Optimiser and learning-rate schedule of a stage."""

import math

import torch
from torch import nn

from exo2ego.training.config import Optim


def learning_rate(step: int, optim: Optim) -> float:
    """Rate of step `step` (from 0): linear warm-up, then cosine to zero (paper: cosine, warm-up 0.1 / 0.03)."""
    warm = max(1, round(optim.warmup * optim.steps))
    if step < warm:
        return optim.lr * (step + 1) / warm
    progress = (step - warm) / max(1, optim.steps - warm)
    return optim.lr * 0.5 * (1 + math.cos(math.pi * progress))


def build_optimizer(model: nn.Module, optim: Optim) -> torch.optim.AdamW:
    """AdamW over the trainable parameters; no weight decay on vectors (norms, biases)."""
    trainable = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trainable if p.ndim > 1], "weight_decay": optim.weight_decay},
        {"params": [p for p in trainable if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=optim.lr, betas=optim.betas)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """One rate for all groups."""
    for group in optimizer.param_groups:
        group["lr"] = rate
