"""Stages: what trains has a gradient, what is frozen does not move, and each loss is there when its weight is."""

from dataclasses import replace

import pytest
import torch

from exo2ego.data.mixture import by_size
from exo2ego.errors import InputError
from exo2ego.models.roles import set_trainable, train_mode
from exo2ego.models.weights import load_roles
from exo2ego.training.config import Objectives
from exo2ego.training.optim import build_optimizer
from exo2ego.training.run import prepare, stage_of
from exo2ego.training.stages import STAGES

GROUPS = {
    "vision": {"exo", "tag_reader", "language"},
    "initial": {"exo", "tag_reader", "language"},
    "teacher": {"exo"},
    "guidance": {"ego", "ego_to_exo", "exo_to_ego"},
    "practice": {"ego", "ego_to_exo", "language"},
    "ego_only": {"ego", "ego_to_exo"},
    "mixed": {"ego", "ego_to_exo"},
}


@pytest.fixture
def one_step(recipe, start, pairs, instructions, stream_of):
    """Roles, losses and gradients of a stage's first step."""

    def make(name):
        stage, config = stage_of(recipe, name)
        torch.manual_seed(0)
        roles, _ = load_roles(start, recipe.mapping)
        shards = pairs if stage.data == "pairs" else instructions
        prepare(roles, config, topics=len(recipe.question_groups))
        train_mode(roles)
        batch = stream_of(name, by_size([shards.folder])).batch(0)
        return roles, stage.losses(roles, batch, config.objectives), config, batch, stage

    return make


@pytest.mark.parametrize("name", STAGES)
def test_exactly_the_named_parts_train_and_all_of_them_get_a_gradient(one_step, name):
    roles, losses, config, _, _ = one_step(name)
    sum(losses.values()).backward()
    trains = {n for n, p in roles.named_parameters() if p.requires_grad}
    assert {n.split(".")[0] for n in trains} == GROUPS[name]
    without = [n for n, p in roles.named_parameters() if p.requires_grad and p.grad is None]
    assert without == []
    moved_by = [n for n, p in roles.named_parameters() if not p.requires_grad and p.grad is not None]
    assert moved_by == []
    if config.lora is not None:
        assert all("lora_" in n for n in trains if n.startswith("language"))


@pytest.mark.parametrize("name", STAGES)
def test_frozen_parameters_do_not_move_in_a_step(one_step, name):
    roles, losses, config, _, _ = one_step(name)
    before = {n: p.detach().clone() for n, p in roles.named_parameters()}
    optimizer = build_optimizer(roles, replace(config.optim, weight_decay=0.1))
    sum(losses.values()).backward()
    optimizer.step()
    for n, p in roles.named_parameters():
        if not p.requires_grad:
            assert torch.equal(p, before[n]), n
    assert any(not torch.equal(p, before[n]) for n, p in roles.named_parameters() if p.requires_grad)


def test_guidance_computes_the_losses_whose_weight_is_not_zero(one_step):
    roles, losses, _, batch, stage = one_step("guidance")
    assert set(losses) == {"vtg", "kl", "cycle_forward", "cycle_backward", "contrastive", "answer_kl"}
    assert set(stage.losses(roles, batch, Objectives(vtg=1.0, kl=1.0))) == {"vtg", "kl"}
    assert all(torch.isfinite(value) for value in losses.values())


def test_the_frozen_llm_carries_gradient_to_the_ego_side_but_takes_none(one_step):
    roles, losses, _, _, _ = one_step("guidance")
    losses["vtg"].backward()
    assert all(p.grad is None for p in roles.language.parameters())
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in roles.ego.parameters())


def test_answer_kl_vanishes_when_both_views_are_the_same(one_step):
    """With equal encoders, an identity mapping and the same video on both sides the teacher has nothing to add."""
    roles, _, config, batch, stage = one_step("guidance")
    for p in roles.ego_to_exo.leave.parameters():
        torch.nn.init.zeros_(p)
    same = replace(batch, videos={"ego": batch.videos["exo"], "exo": batch.videos["exo"]})
    objectives = replace(config.objectives, answer_reads="mapped")
    losses = stage.losses(roles, same, objectives)
    assert float(losses["answer_kl"]) == pytest.approx(0, abs=1e-5)
    assert float(losses["kl"]) == pytest.approx(0, abs=1e-5)
    assert float(stage.losses(roles, batch, objectives)["answer_kl"]) > 0


def test_one_batch_can_be_overfitted(one_step):
    roles, _, _, batch, stage = one_step("practice")
    set_trainable(roles, ("ego.*", "ego_to_exo.*", "language.*"))
    optimizer = torch.optim.AdamW([p for p in roles.parameters() if p.requires_grad], lr=3e-3)
    roles.eval()
    for _ in range(60):
        optimizer.zero_grad()
        loss = stage.losses(roles, batch, Objectives())["vtg"]
        if float(loss.detach()) < 0.15:
            break
        loss.backward()
        optimizer.step()
    else:
        pytest.fail(f"the loss is still {float(loss.detach())}")


def test_unknown_stage_lists_the_known_ones(recipe):
    with pytest.raises(InputError, match="teacher, guidance"):
        stage_of(recipe, "warmup")
