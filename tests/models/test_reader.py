"""The throw-away reader: which answers count, told apart by question, and that order in time is seen."""

import pytest
import torch

from exo2ego.data.batch import pack_text
from exo2ego.data.chat import IGNORE, Segment
from exo2ego.models.reader import AnswerReader, answer_word_loss, one_word_answers
from exo2ego.models.vision import Grid

EOS = 2


def segment(question, answer):
    return Segment(ids=(*question, *answer, EOS), labels=(*(IGNORE,) * len(question), *answer, EOS))


def test_only_answers_of_one_word_count():
    packed = pack_text(
        [
            [segment((5, 6), (20,)), segment((5, 7), (21, 22, 23)), segment((8,), (24,))],
            [segment((5, 7), (21, 22)), segment((5, 6), (25,))],
        ],
        pad_id=3,
    )
    rows, buckets, words = one_word_answers(packed)
    assert rows.tolist() == [0, 0, 1]
    assert words.tolist() == [20, 24, 25]
    assert buckets[0] == buckets[2] != buckets[1]


def test_word_order_of_a_question_matters():
    packed = pack_text([[segment((5, 6), (20,)), segment((6, 5), (20,))]], pad_id=3)
    _, buckets, _ = one_word_answers(packed)
    assert buckets[0] != buckets[1]


@pytest.mark.parametrize("grid", [Grid(t=4, h=2, w=2), Grid(t=2, h=3, w=1)])
def test_it_reads_when_something_happens(grid):
    """Two clips that differ only in the order of their times must be told apart."""
    reader = AnswerReader(8, grid, 16, 30)
    tokens = torch.randn(1, grid.tokens, 8)
    turned = tokens.reshape(1, grid.t, -1, 8).flip(1).reshape(1, grid.tokens, 8)
    zero = torch.zeros(1, dtype=torch.long)
    assert (reader(tokens, zero, zero) - reader(turned, zero, zero)).abs().max() > 1e-3


def test_two_questions_about_one_clip_are_learnt():
    torch.manual_seed(0)
    grid = Grid(t=2, h=1, w=2)
    reader = AnswerReader(8, grid, 32, 30)
    tokens = torch.randn(4, grid.tokens, 8)
    packed = pack_text([[segment((5, 6), (20 + i,)), segment((7,), (27 - i,))] for i in range(4)], pad_id=3)
    optimizer = torch.optim.Adam(reader.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        loss = answer_word_loss(reader, tokens, packed)
        loss.backward()
        optimizer.step()
    assert float(loss) < 0.05


def test_a_batch_without_one_word_answers_is_refused():
    packed = pack_text([[segment((5,), (20, 21))]], pad_id=3)
    with pytest.raises(ValueError, match="single word"):
        answer_word_loss(AnswerReader(8, Grid(t=1, h=1, w=2), 4, 30), torch.randn(1, 2, 8), packed)
