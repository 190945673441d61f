"""Packing and jitter: what is read where, and pictures that are never mirrored."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from exo2ego.data.batch import PAD_SEGMENT, jitter_frames, pack_text
from exo2ego.data.chat import IGNORE, Segment


def segment(question, answer):
    """Ids 100.. for the question, 200.. for the answer."""
    asked, said = tuple(range(100, 100 + question)), tuple(range(200, 200 + answer))
    return Segment(ids=asked + said, labels=(IGNORE,) * question + said)


sizes = st.tuples(st.integers(1, 4), st.integers(0, 3))


@given(st.lists(st.lists(sizes, min_size=1, max_size=3), min_size=1, max_size=4))
def test_packing_keeps_every_token_and_reads_before_every_answer(samples):
    segments = [[segment(q, a) for q, a in row] for row in samples]
    packed = pack_text(segments, pad_id=7)
    for row, parts in enumerate(segments):
        ids = [i for part in parts for i in part.ids]
        real = packed.segments[row] != PAD_SEGMENT
        assert packed.tokens[row][real].tolist() == ids
        assert (packed.tokens[row][~real] == 7).all()
        wanted = [label for part in parts for label in part.labels if label != IGNORE]
        places = packed.before_answers()[row]
        assert packed.labels[row, 1:][places[:-1]].tolist() == wanted
        assert int(packed.last_of_segment()[row].sum()) == len(parts)


def test_offsets_start_anew_in_each_segment():
    packed = pack_text([[segment(2, 1), segment(1, 1)]], pad_id=0)
    assert packed.offsets.tolist() == [[0, 1, 2, 0, 1]]
    assert packed.segments.tolist() == [[0, 0, 0, 1, 1]]
    assert packed.last_of_segment().tolist() == [[False, False, True, False, True]]


def test_a_sample_without_text_is_refused():
    with pytest.raises(ValueError, match="no text segment"):
        pack_text([[segment(1, 1)], []], pad_id=0)


def test_jitter_moves_all_frames_together_and_keeps_left_left():
    frames = np.zeros((3, 16, 16, 3), np.uint8)
    frames[:, :, :8] = 200
    for seed in range(20):
        moved = jitter_frames(frames, np.random.default_rng(seed), 3)
        assert moved.dtype == np.uint8
        assert moved.shape == frames.shape
        assert (moved[0] == moved[1]).all()
        assert moved[:, :, 0].min() > 100
        assert moved[:, :, -1].max() == 0
    assert jitter_frames(frames, np.random.default_rng(0), 0) is frames


def test_to_moves_every_tensor():
    packed = pack_text([[segment(1, 1)]], pad_id=0).to(torch.device("meta"))
    assert {packed.tokens.device.type, packed.offsets.device.type, packed.labels.device.type} == {"meta"}
