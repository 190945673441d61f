"""Batches: a pure function of (seed, step), every example once an epoch, roles and texts where they belong."""

import random

import numpy as np
import pytest
import torch
from training_fixtures import build, planned_pair

from exo2ego.errors import LeakageError
from exo2ego.models.weights import load_model_folder
from exo2ego.training.run import build_stream, stage_examples
from exo2ego.training.stages import STAGES
from exo2ego.training.stream import example_order, pair_examples


@pytest.fixture
def streams(recipe, start, pairs, instructions):
    processor = load_model_folder(start).processor

    def make(stage, seed=0):
        shards = pairs if STAGES[stage].data == "pairs" else instructions
        examples = stage_examples(STAGES[stage], [shards], recipe)
        return build_stream(examples, recipe, recipe.stages[stage], processor, seed)

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


def test_held_out_samples_are_refused(videos, tmp_path):
    shards = build(tmp_path / "shards", [planned_pair(videos, 0, split="val")])
    with pytest.raises(LeakageError, match="split 'val'"):
        pair_examples(shards, ("ego",), "What?")
