"""The throw-away reader: which words count, for which question, and that it sees the order of times."""

import pytest
import torch
from torch.nn.functional import layer_norm

from exo2ego.data.batch import pack_text
from exo2ego.data.chat import IGNORE, NO_TOPIC, Segment
from exo2ego.models.tags import TagReader, tag_loss
from exo2ego.models.vision import Grid

END = 2


def text(*rows):
    """Each row: (topic, answer ids) of its segments, behind a question token and before an end-of-sequence one."""
    return pack_text(
        [
            [Segment(ids=(9, *answer, END), labels=(IGNORE, *answer, END), topic=topic) for topic, answer in row]
            for row in rows
        ],
        pad_id=0,
    )


@pytest.fixture
def head():
    torch.manual_seed(0)
    return torch.nn.Linear(8, 12, bias=False)


def logprob(head, vector, word):
    return head(layer_norm(vector, (8,))).log_softmax(-1)[word]


def test_loss_is_the_mean_over_answers_of_the_mean_over_their_words(head):
    read = torch.randn(2, 2, 3, 8)
    packed = text([(0, (3, 4)), (2, (5,))], [(1, (7,))])
    wanted = 0
    for reading in read:
        first = (logprob(head, reading[0, 0], 3) + logprob(head, reading[0, 0], 4)) / 2
        wanted = wanted - (first + logprob(head, reading[0, 2], 5) + logprob(head, reading[1, 1], 7)) / 3 / 2
    torch.testing.assert_close(tag_loss(read, head, packed), wanted)


def test_word_zero_counts_where_it_is_an_answer_and_padding_does_not(head):
    read = torch.randn(1, 2, 1, 8)
    packed = text([(0, (0,))], [(0, (3,)), (0, (4,))])
    wanted = -sum(logprob(head, read[0, row, 0], word) for row, word in ((0, 0), (1, 3), (1, 4))) / 3
    torch.testing.assert_close(tag_loss(read, head, packed), wanted)


def test_answers_to_questions_of_no_group_do_not_count_and_a_batch_of_them_moves_nothing(head):
    read = torch.randn(1, 1, 1, 8)
    mixed = text([(0, (3,)), (NO_TOPIC, (4, 5))])
    torch.testing.assert_close(tag_loss(read, head, mixed), -logprob(head, read[0, 0, 0], 3))
    read.requires_grad_()
    nothing = tag_loss(read, head, text([(NO_TOPIC, (4,))]))
    nothing.backward()
    assert nothing == 0
    assert not read.grad.any()


@pytest.mark.parametrize("grid", [Grid(t=4, h=2, w=2), Grid(t=2, h=3, w=1)])
def test_attention_reads_when_something_happens_and_the_mean_does_not(grid):
    """Two clips that differ only in the order of their times must be told apart by the first reading."""
    torch.manual_seed(0)
    reader = TagReader(8, grid, 16, topics=3)
    tokens = torch.randn(1, grid.tokens, 8)
    turned = tokens.reshape(1, grid.t, -1, 8).flip(1).reshape(1, grid.tokens, 8)
    difference = (reader(tokens) - reader(turned)).abs().amax((1, 2, 3))
    assert reader(tokens).shape == (2, 1, 3, 8)
    assert difference[0] > 1e-3
    assert difference[1] < 1e-5


def test_a_reader_without_question_groups_is_refused():
    with pytest.raises(ValueError, match="question_groups"):
        TagReader(8, Grid(t=1, h=1, w=1), 16, topics=0)
