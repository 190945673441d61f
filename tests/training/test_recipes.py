"""Recipes: the paper's published numbers, and ablations that differ from `tiny` in what their name says only."""

from dataclasses import replace

import pytest
import torch

from exo2ego.models.modeling import Exo2EgoForConditionalGeneration
from exo2ego.models.roles import MappingSpec
from exo2ego.training.recipes import RECIPES
from exo2ego.training.recipes.paper import paper_model
from exo2ego.training.stages import STAGES

CYCLES = {"tiny-both-cycles", "tiny-forward-cycle-only", "tiny-paper-losses"}


def differing(a, b, path=""):
    """Paths of leaves that differ between two nested dicts."""
    if isinstance(a, dict) and isinstance(b, dict):
        return {p for key in a.keys() | b.keys() for p in differing(a.get(key), b.get(key), f"{path}/{key}")}
    return set() if a == b else {path}


@pytest.mark.parametrize(
    ("stage", "batch", "lr", "warmup"),
    [
        ("initial", 512, 1e-3, 0.1),
        ("teacher", 256, 1e-4, 0.03),
        ("guidance", 256, 1e-4, 0.03),
        ("practice", 64, 2e-5, 0.03),
    ],
)
def test_paper_table(stage, batch, lr, warmup):
    optim = RECIPES["paper"]().stages[stage].optim
    assert (optim.batch_size, optim.lr, optim.warmup) == (batch, lr, warmup)


def test_paper_lora_blocks_and_frames():
    recipe = RECIPES["paper"]()
    lora = recipe.stages["practice"].lora
    assert (lora.rank, lora.alpha, lora.dropout) == (128, 256, 0.1)
    assert (recipe.mapping.blocks, recipe.num_frames, recipe.size_px) == (9, 16, 336)
    guidance = recipe.stages["guidance"].objectives
    assert guidance.contrastive == guidance.answer_kl == 0
    assert min(guidance.vtg, guidance.kl, guidance.cycle_forward, guidance.cycle_backward) > 0


def millions(*modules):
    return sum(p.numel() for module in modules for p in module.parameters()) / 1e6


def test_the_papers_full_size_builds_with_the_published_parameter_counts():
    with torch.device("meta"):
        model = Exo2EgoForConditionalGeneration(paper_model())
    assert round(millions(model.model.language_model, model.lm_head)) == 7242
    assert round(millions(model.model.vision_tower), 1) == 303.5
    assert round(millions(model.model.multi_modal_projector), 1) == 489.2
    assert model.model.token_grid().tokens == 1521
    assert 50 < millions(model.model.ego_to_exo) < 60
    assert model.model.ego_to_exo.residual is RECIPES["paper"]().mapping.residual is False


def test_the_full_size_follows_the_recipe(monkeypatch):
    recipe = replace(RECIPES["paper"](), num_frames=8, size_px=224, mapping=MappingSpec(kind="mlp", residual=True))
    monkeypatch.setitem(paper_model.__globals__, "paper", lambda: recipe)
    config = paper_model()
    assert (config.num_frames, config.vision_config.image_size) == (8, 224)
    assert (config.mapping, config.mapping_residual) == ("mlp", True)


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("tiny-no-lora", {"/name", "/stages/practice/lora", "/stages/practice/trains"}),
        (
            "tiny-both-cycles",
            {
                "/name",
                "/stages/guidance/objectives/cycle_backward",
                "/stages/guidance/objectives/cycle_forward",
                "/stages/guidance/trains",
            },
        ),
        (
            "tiny-forward-cycle-only",
            {"/name", "/stages/guidance/objectives/cycle_forward", "/stages/guidance/trains"},
        ),
        ("tiny-contrastive", {"/name", "/stages/guidance/objectives/contrastive"}),
        ("tiny-no-exo-to-ego", {"/name"}),
        ("tiny-no-kl", {"/name", "/stages/guidance/objectives/kl", "/stages/guidance/objectives/answer_kl"}),
        ("tiny-fc-mapping", {"/name", "/mapping/kind", "/mapping/width"}),
    ],
)
def test_ablations_change_only_what_they_name(name, changed):
    found = differing(RECIPES["tiny"]().as_json(), RECIPES[name]().as_json())
    assert "/name" in found
    assert found == changed


@pytest.mark.parametrize("name", [name for name in RECIPES if name != "paper"])
def test_exo_to_ego_trains_exactly_where_a_cycle_weighs(name):
    guidance = RECIPES[name]().stages["guidance"]
    weighs = guidance.objectives.cycle_forward + guidance.objectives.cycle_backward > 0
    assert ("exo_to_ego.*" in guidance.trains) == weighs == (name in CYCLES)


def test_baselines_have_as_many_steps_as_teacher_and_guidance_together():
    stages = RECIPES["tiny"]().stages
    steps = stages["teacher"].optim.steps + stages["guidance"].optim.steps
    assert stages["ego_only"].optim.steps == stages["mixed"].optim.steps == steps
    batches = {stages[name].optim.batch_size for name in ("teacher", "guidance", "ego_only", "mixed")}
    assert len(batches) == 1


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_named_after_itself_and_knows_its_stages(name):
    recipe = RECIPES[name]()
    assert recipe.name == name
    assert set(recipe.stages) <= set(STAGES)
