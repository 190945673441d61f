"""The throw-away reader: which words count, and that it sees the order of times."""

import pytest
import torch

from exo2ego.data.batch import pack_text
from exo2ego.data.chat import IGNORE, Segment
from exo2ego.models.tags import TagReader, tag_loss
from exo2ego.models.vision import Grid


def text(*rows):
    """Each row: answer ids of two segments behind a question token."""
    return pack_text(
        [[Segment(ids=(9, *answer), labels=(IGNORE, *answer)) for answer in row] for row in rows], pad_id=0
    )


def test_loss_is_the_mean_log_probability_of_each_different_answer_word():
    head = torch.nn.Linear(8, 12, bias=False)
    read = torch.randn(2, 8)
    packed = text([(3, 4), (4, 5)], [(7,), (7,)])
    logits = head(torch.nn.functional.layer_norm(read, (8,))).log_softmax(-1)
    wanted = -(logits[0, 3] + logits[0, 4] + logits[0, 5] + logits[1, 7]) / 4
    torch.testing.assert_close(tag_loss(read, head, packed), wanted)


def test_word_zero_counts_only_where_it_is_an_answer():
    head = torch.nn.Linear(8, 12, bias=False)
    read = torch.randn(1, 8)
    logits = head(torch.nn.functional.layer_norm(read, (8,))).log_softmax(-1)
    torch.testing.assert_close(tag_loss(read, head, text([(3,), (3,)])), -logits[0, 3])
    torch.testing.assert_close(tag_loss(read, head, text([(0,), (0,)])), -logits[0, 0])


@pytest.mark.parametrize("grid", [Grid(t=4, h=2, w=2), Grid(t=2, h=3, w=1)])
def test_it_reads_when_something_happens(grid):
    """Two clips that differ only in the order of their times must be told apart."""
    reader = TagReader(8, grid, 16)
    tokens = torch.randn(1, grid.tokens, 8)
    turned = tokens.reshape(1, grid.t, -1, 8).flip(1).reshape(1, grid.tokens, 8)
    assert (reader(tokens) - reader(turned)).abs().max() > 1e-3
