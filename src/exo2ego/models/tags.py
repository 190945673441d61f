"""A throw-away reader for the encoder's first training: visual tokens to the words of a clip's answers.

It stands in for the image-text pre-training that the paper's CLIP tower brings. Each group of questions has a head of
its own: one head for all words makes every fact a twelfth of the loss, and only motion is learnt (docs/results.md).
Shapes: `B` batch, `N` visual tokens on a grid of `t` times, `D` LLM width, `K` question groups, `L` text tokens.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from exo2ego.data.batch import PackedText
from exo2ego.data.chat import IGNORE, NO_TOPIC
from exo2ego.models.vision import Grid

QUERIES = 4


class TagReader(nn.Module):
    """Two readings: four attention pools at each time, mixed over all times; and the plain mean of all tokens.

    The first learns fast. The second asks that the mean token alone tells every fact, which is what an LLM that has
    not yet learnt where to look gets to see.
    """

    def __init__(self, dim: int, grid: Grid, hidden: int, topics: int) -> None:
        super().__init__()
        if topics < 1:
            raise ValueError("a tag reader needs question groups to read for: set question_groups in the recipe")
        self.times, self.topics = grid.t, topics
        self.place = nn.Parameter(torch.zeros(grid.tokens, dim))
        self.attend = nn.Linear(dim, QUERIES)
        self.mix = nn.Sequential(nn.Linear(grid.t * QUERIES * dim, hidden), nn.GELU())
        self.heads = nn.Linear(hidden, topics * dim)
        self.mean_heads = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, topics * dim))

    def forward(self, tokens: Tensor) -> Tensor:
        """float[B, N, D] -> float[2, B, K, D]: by attention, from the mean."""
        cells = (tokens + self.place).reshape(len(tokens), self.times, -1, tokens.shape[2])  # (B, t, N / t, D)
        weight = self.attend(cells).softmax(dim=2)
        pooled = torch.einsum("btpq,btpd->btqd", weight, cells)
        read = torch.stack([self.heads(self.mix(pooled.flatten(1))), self.mean_heads(tokens.mean(1))])
        return read.reshape(2, len(tokens), self.topics, -1)


def tag_loss(read: Tensor, lm_head: nn.Linear, text: PackedText) -> Tensor:
    """Cross-entropy of the words of each answer, in any order, under float[R, B, K, D]; float32 scalar.

    Every answer counts the same, whatever its length; its end-of-sequence token does not count, nor do answers to
    questions of no group; 0 where there is none to count, as in a batch of captions. Words are scored by the LLM's own
    head, so that its word vectors learn with the encoder.
    """
    places, answers = answers_told(text)
    rows, columns = places.nonzero(as_tuple=True)
    if not len(rows):
        return (read.float() * 0.0).sum()  # still of the graph: the reader's gradients are zeros, not absent
    heard = functional.layer_norm(read.float(), read.shape[-1:])[:, rows, text.topics[rows, columns]]
    logits = lm_head(heard).float()  # (R, words, vocabulary)
    targets = text.labels[rows, columns].expand(len(read), -1)
    losses = functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none").view(targets.shape)
    weights = 1 / torch.bincount(answers)[answers].float()
    out: Tensor = (losses * weights).sum() / (weights.sum() * len(read))
    return out


def answers_told(text: PackedText) -> tuple[Tensor, Tensor]:
    """bool[B, L], int64[W]: the W words of answers to questions of a group, and a number for the answer of each."""
    places = (text.labels != IGNORE) & (text.topics != NO_TOPIC) & ~text.last_of_segment()
    rows, columns = places.nonzero(as_tuple=True)
    return places, rows * (text.segments.amax() + 1) + text.segments[rows, columns]
