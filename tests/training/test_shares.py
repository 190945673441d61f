"""Processes with unequal shares of a batch: together they have the gradient of one process that computes it all."""

from dataclasses import asdict, replace

import pytest
import torch
from training_fixtures import build, planned_span

from exo2ego.data.mixture import by_size
from exo2ego.models.roles import train_mode
from exo2ego.models.weights import load_roles
from exo2ego.training.config import Objectives, Optim
from exo2ego.training.loop import weighted_sum
from exo2ego.training.run import prepare, stage_of
from exo2ego.training.shares import UNITS, contents, scaled, scales


@pytest.fixture(scope="module")
def uneven(videos, tmp_path_factory):
    """Spans whose answers have 1 to 12 words."""
    planned = [planned_span(videos, n, f"{'the cup ' * n}red") for n in range(12)]
    return build(tmp_path_factory.mktemp("uneven") / "shards", planned)


def gradients(roles, total):
    roles.zero_grad(set_to_none=True)
    total.backward()
    return {n: p.grad.clone() for n, p in roles.named_parameters() if p.requires_grad and p.grad is not None}


@pytest.mark.parametrize(("stage", "samples", "ranks"), [("practice", 5, 2), ("practice", 2, 3), ("practice", 4, 3),
                                                         ("guidance", 3, 2), ("vision", 5, 2)])  # fmt: skip
def test_gradients_of_unequal_shares_are_those_of_the_whole_batch(
    recipe, start, pairs, uneven, instructions, stream_of, stage, samples, ranks
):
    """The mean over processes of scaled gradients, against the losses computed literally on the whole batch.

    With two samples for three processes the third has a stand-in, which must weigh nothing.
    """
    kind, config = stage_of(recipe, stage)
    shards = {"practice": uneven, "guidance": pairs, "vision": instructions}[stage]
    objectives = replace(config.objectives, contrastive=0.0)  # it compares samples of one process only
    optim = Optim(steps=1, batch_size=samples, bucket_samples=samples, lr=1e-3)
    stream = stream_of(stage, by_size([shards.folder]), optim=optim, lora=None)
    torch.manual_seed(0)
    roles, _ = load_roles(start, recipe.mapping)
    trains = ("ego.*", "ego_to_exo.*") if stage == "practice" else config.trains
    prepare(roles, replace(config, lora=None, trains=trains), topics=len(recipe.question_groups))
    train_mode(roles)

    def total(batch, factors=None):
        parts = kind.losses(roles, batch, objectives)
        return weighted_sum(parts if factors is None else scaled(parts, factors), objectives)

    literal = gradients(roles, total(stream.batch(0)))
    shares = [stream.batch(0, rank, ranks) for rank in range(ranks)]
    counted = [contents(share, stream.spec.visual_tokens) for share in shares]
    whole = {name: sum(own[name] for own in counted) for name in counted[0]}
    assert whole["samples"] == samples
    found = [gradients(roles, total(s, scales(own, whole, ranks))) for s, own in zip(shares, counted, strict=True)]
    plain = [gradients(roles, total(share)) for share in shares]
    # a bias in front of a norm has no gradient but what rounding leaves of the others'
    largest = max(float(wanted.abs().max()) for wanted in literal.values())
    noise, off = 1e-6 * largest, 0.0
    for name, wanted in literal.items():
        mean = sum(one[name] for one in found) / ranks
        assert float((mean - wanted).abs().max()) <= 1e-4 * float(wanted.abs().max()) + noise, name
        off = max(off, float((sum(one[name] for one in plain) / ranks - wanted).abs().max()))
    assert off > 1e-4, "the plain mean of the shares would have done as well: this test shows nothing"


def test_every_loss_has_its_unit():
    """A loss that is weighted in a recipe and has no unit could not be scaled."""
    weights = {name for name, value in asdict(Objectives()).items() if type(value) is float}
    assert {name for name in weights if not name.endswith("temperature")} == set(UNITS)


def test_contents_are_counted_cell_by_cell(stream_of, uneven):
    stream = stream_of("practice", by_size([uneven.folder]), optim=Optim(steps=1, batch_size=4, lr=1.0))
    batch = stream.batch(0)
    found = contents(batch, stream.spec.visual_tokens)
    rows = [[int(s) for s in row] for row in batch.text.segments]
    assert found["padding"] == sum(cell == -1 for row in rows for cell in row) > 0
    assert found["text_cells"] == sum(len(row) for row in rows)
    assert found["tokens"] == sum(len(row) + len(batch.prefix) + stream.spec.visual_tokens for row in rows)
    assert found["answer_tokens"] == sum(int(label) != -100 for row in batch.text.labels for label in row)
    assert set(contents(replace(batch, counts=False), 1).values()) == {0.0}
