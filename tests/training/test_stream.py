"""Batches: a pure function of (seed, step), every example once an epoch, roles and texts where they belong."""

import random

import numpy as np
import pytest
import torch

from exo2ego.data.mixture import by_size
from exo2ego.data.mixture_order import example_order
from exo2ego.training.stages import STAGES
from exo2ego.training.stream import FrameCache


@pytest.fixture
def streams(stream_of, pairs, instructions):
    def make(stage, seed=0, **changes):
        shards = pairs if STAGES[stage].data == "pairs" else instructions
        return stream_of(stage, by_size([shards.folder]), seed=seed, **changes)

    return make


def test_the_same_step_gives_the_same_batch_whatever_ran_before(streams):
    first, second = streams("guidance"), streams("guidance")
    for step in (0, 1, 2):
        first.batch(step)
    torch.manual_seed(99)
    np.random.seed(99)
    random.seed(99)
    a, b = first.batch(5), second.batch(5)
    assert a.ids == b.ids
    assert torch.equal(a.text.tokens, b.text.tokens)
    assert torch.equal(a.probes.tokens, b.probes.tokens)
    for role in ("ego", "exo"):
        assert torch.equal(a.videos[role], b.videos[role])


def test_every_example_once_an_epoch_and_in_another_order_the_next(streams):
    stream = streams("teacher")
    epochs = [[i for step in range(e * 3, e * 3 + 3) for i in stream.indices(step)] for e in range(2)]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(12))
    assert epochs[0] != epochs[1]
    assert example_order(0, 0, 12).tolist() != example_order(1, 0, 12).tolist()


def test_arms_see_the_same_examples_in_the_same_order(streams):
    assert [streams("ego_only").indices(s) for s in range(6)] == [streams("guidance").indices(s) for s in range(6)]


def test_ranks_share_a_batch_without_overlap(streams):
    stream = streams("teacher")
    parts = [stream.batch(1, rank, 2).ids for rank in range(2)]
    assert sorted(parts[0] + parts[1]) == sorted(stream.batch(1).ids)


def test_roles_get_their_own_views(streams):
    batch = streams("guidance").batch(0)
    assert set(batch.videos) == {"ego", "exo"}
    assert batch.videos["ego"].shape == (4, 4, 64, 64, 3)
    assert not torch.equal(batch.videos["ego"], batch.videos["exo"])
    assert set(streams("teacher").batch(0).videos) == {"exo"}
    assert set(streams("practice").batch(0).videos) == {"ego"}


def test_frames_show_what_the_text_says(streams):
    """Labels line up with pictures: the dominant channel of each video is the colour its narration names."""
    stream = streams("guidance")
    batch = stream.batch(3)
    for row in range(4):
        said = stream.tokenizer.decode(batch.text.labels[row][batch.text.labels[row] >= 0])
        for view in ("ego", "exo"):
            channel = int(batch.videos[view][row].float().mean((0, 1, 2)).argmax())
            assert ("red", "green", "blue")[channel] in said


def test_probes_hold_no_answer(streams, recipe):
    stream = streams("guidance")
    batch = stream.batch(0)
    assert (batch.probes.labels == -100).all()
    text = stream.tokenizer.decode(batch.probes.tokens[0])
    assert all(question in text for question in recipe.probe_questions)


@pytest.mark.parametrize(("asked", "drawn"), [(1, 1), (2, 2), (9, 2)])
def test_segments_are_drawn_without_repetition_and_all_of_them_in_time(streams, asked, drawn):
    """A sample's conversations: as many as asked for or as there are, never one twice in a batch."""
    stream = streams("practice", segments=asked)
    seen = set()
    for step in range(8):
        batch = stream.batch(step)
        for row in range(4):
            numbers = sorted({int(n) for n in batch.text.segments[row] if n >= 0})
            assert numbers == list(range(drawn))
            texts = [stream.tokenizer.decode(batch.text.tokens[row][batch.text.segments[row] == n]) for n in numbers]
            assert len(set(texts)) == drawn
            seen |= {text.partition("?")[0].split()[-1] for text in texts}
    assert {"object", "doing"} <= seen


def test_what_does_not_fit_into_the_cache_is_decoded_again_to_the_same_frames(pairs):
    tight = FrameCache(num_frames=4, size_px=32, limit_bytes=4 * 32 * 32 * 3)
    roomy = FrameCache(num_frames=4, size_px=32)
    for sample in pairs.samples[:3] * 2:
        assert np.array_equal(tight.get(pairs, sample, "ego"), roomy.get(pairs, sample, "ego"))
