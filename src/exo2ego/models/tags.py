"""A throw-away reader for the encoder's first training: visual tokens to the words of a clip's answers.

It stands in for the image-text pre-training that the paper's CLIP tower brings. Attention pooling that keeps time
learns
verbs several times sooner than the mean of all tokens (docs/results.md).
Shapes: `B` batch, `N` visual tokens on a grid of `t` times, `D` LLM width.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from exo2ego.data.batch import PackedText
from exo2ego.data.chat import IGNORE
from exo2ego.models.vision import Grid

QUERIES = 4


class TagReader(nn.Module):
    """Four attention pools at each time, then a two-layer mix of all times into one vector of LLM width."""

    def __init__(self, dim: int, grid: Grid, hidden: int) -> None:
        super().__init__()
        self.times = grid.t
        self.place = nn.Parameter(torch.zeros(grid.tokens, dim))
        self.attend = nn.Linear(dim, QUERIES)
        self.mix = nn.Sequential(nn.Linear(grid.t * QUERIES * dim, hidden), nn.GELU(), nn.Linear(hidden, dim))

    def forward(self, tokens: Tensor) -> Tensor:
        """float[B, N, D] -> float[B, D]."""
        cells = (tokens + self.place).reshape(len(tokens), self.times, -1, tokens.shape[2])  # (B, t, N / t, D)
        weight = self.attend(cells).softmax(dim=2)
        pooled = torch.einsum("btpq,btpd->btqd", weight, cells)
        out: Tensor = self.mix(pooled.flatten(1))
        return out


def tag_loss(read: Tensor, lm_head: nn.Linear, text: PackedText) -> Tensor:
    """Cross-entropy of the words of all answers of a sample, in any order, given float[B, D]; float32 scalar.

    Words are scored by the LLM's own head, so that the LLM's word vectors learn with the encoder.
    """
    normed = functional.layer_norm(read.float(), read.shape[-1:])
    logprobs = lm_head(normed).float().log_softmax(-1)  # (B, vocabulary)
    said = text.labels != IGNORE
    wanted = torch.zeros_like(logprobs)
    wanted.scatter_reduce_(1, text.labels.clamp(min=0), said.to(wanted.dtype), reduce="amax")
    loss: Tensor = -(wanted * logprobs).sum() / wanted.sum()
    return loss
