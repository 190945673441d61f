"""A throw-away reader for the encoder's first training: visual tokens to the one-word answers of a clip's questions.

It stands in for the image-text pre-training that the paper's CLIP tower brings. An LLM from scratch behind an encoder
from scratch stays at the text prior; and one bag of all answer words dilutes each fact so much that only motion is
learnt (docs/results.md). So every question has its own gate on a shared reading of the clip, as separate heads would.
Shapes: `B` batch, `N` visual tokens on a grid of `t` times, `D` LLM width, `H` hidden width, `K` answers in a batch.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from exo2ego.data.batch import PAD_SEGMENT, PackedText
from exo2ego.data.chat import IGNORE
from exo2ego.models.vision import Grid

QUERIES = 4
BUCKETS = 251
"""Questions are told apart by a hash of their tokens; two of them rarely share a gate."""


class AnswerReader(nn.Module):
    """Four attention pools at each time, a mix of all times, a gate and a bias of the question, one layer to words."""

    def __init__(self, dim: int, grid: Grid, hidden: int, vocabulary: int) -> None:
        super().__init__()
        self.times = grid.t
        self.place = nn.Parameter(torch.zeros(grid.tokens, dim))
        self.attend = nn.Linear(dim, QUERIES)
        self.mix = nn.Sequential(nn.Linear(grid.t * QUERIES * dim, hidden), nn.GELU())
        self.gate = nn.Embedding(BUCKETS, hidden)
        self.prior = nn.Embedding(BUCKETS, vocabulary)
        self.words = nn.Linear(hidden, vocabulary)
        nn.init.zeros_(self.prior.weight)

    def forward(self, tokens: Tensor, rows: Tensor, buckets: Tensor) -> Tensor:
        """float[B, N, D], int64[K] clip numbers, int64[K] question buckets -> float[K, vocabulary]."""
        cells = (tokens + self.place).reshape(len(tokens), self.times, -1, tokens.shape[2])  # (B, t, N / t, D)
        weight = self.attend(cells).softmax(dim=2)
        clip = self.mix(torch.einsum("btpq,btpd->btqd", weight, cells).flatten(1))  # (B, H)
        out: Tensor = self.words(clip[rows] * self.gate(buckets)) + self.prior(buckets)
        return out


def one_word_answers(text: PackedText) -> tuple[Tensor, Tensor, Tensor]:
    """Clip number, question bucket and answer word, int64[K] each, of every segment whose answer is one word.

    A one-word answer is one label followed by the end of sequence.
    """
    said = text.labels != IGNORE
    count = int(text.segments.max()) + 1
    owner = functional.one_hot(text.segments.clamp(min=0), count) * (text.segments != PAD_SEGMENT).unsqueeze(-1)
    words = (owner * said.unsqueeze(-1)).sum(1)  # (B, segments): answer tokens, end of sequence included
    asked = text.tokens * (1 + text.offsets) * ~said
    buckets = (owner * asked.unsqueeze(-1)).sum(1) % BUCKETS
    first = said & ~functional.pad(said[:, :-1], (1, 0))
    rows, places = torch.nonzero(first & (words.gather(1, text.segments.clamp(min=0)) == 2), as_tuple=True)
    segments = text.segments[rows, places]
    return rows, buckets[rows, segments], text.labels[rows, places]


def answer_word_loss(reader: AnswerReader, tokens: Tensor, text: PackedText) -> Tensor:
    """Mean cross-entropy of the one-word answers, float32 scalar. Raises ValueError where there is none."""
    rows, buckets, words = one_word_answers(text)
    if not len(rows):
        raise ValueError("no answer of this batch is a single word; the reader needs some")
    return functional.cross_entropy(reader(tokens, rows, buckets).float(), words)
