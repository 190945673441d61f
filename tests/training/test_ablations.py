"""Ablations in action: each computes the losses that are left, moves what it says, takes as many steps as the rest."""

import json
from collections.abc import Callable
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import cache
from itertools import combinations
from typing import Any

import pytest
import torch

from exo2ego.data.mixture import by_size
from exo2ego.models.roles import MappingSpec, Roles, train_mode
from exo2ego.models.weights import load_roles
from exo2ego.training.config import Optim
from exo2ego.training.optim import build_optimizer
from exo2ego.training.recipes import RECIPES
from exo2ego.training.recipes.paper import epochs
from exo2ego.training.run import prepare
from exo2ego.training.stages import STAGES

OURS = [name for name in RECIPES if name != "paper"]
SHORT = Optim(steps=1, batch_size=4, lr=1e-2)

Step = Callable[[str, str], tuple[Roles, set[str], dict[str, torch.Tensor]]]


@pytest.fixture(scope="module")
def step(start, pairs, instructions, stream_of) -> Step:
    """(recipe, stage) -> the roles after one step of it, the parts that moved, the losses. Made once."""

    @cache
    def make(name: str, stage_name: str) -> tuple[Roles, set[str], dict[str, torch.Tensor]]:
        chosen, stage = RECIPES[name](), STAGES[stage_name]
        torch.manual_seed(0)
        config = replace(chosen.stages[stage_name], optim=SHORT, probes=min(2, chosen.stages[stage_name].probes))
        roles, _ = load_roles(start, replace(chosen.mapping, width=16, blocks=2))
        prepare(roles, config, topics=len(chosen.question_groups))
        train_mode(roles)
        shards = pairs if stage.data == "pairs" else instructions
        changes = {"probes": config.probes, "segments": config.segments}
        batch = stream_of(stage_name, by_size([shards.folder]), optim=SHORT, **changes).batch(0)
        before = {n: p.detach().clone() for n, p in roles.named_parameters()}
        optimizer = build_optimizer(roles, config.optim)
        losses = stage.losses(roles, batch, config.objectives)
        sum(getattr(config.objectives, n) * value for n, value in losses.items()).backward()
        optimizer.step()
        moved = {n.partition(".")[0] for n, p in roles.named_parameters() if not torch.equal(p, before[n])}
        return roles, moved, losses

    return make


def weights(name: str, stage: str = "guidance") -> dict[str, Any]:
    found: dict[str, Any] = RECIPES[name]().as_json()["stages"][stage]["objectives"]
    return found


@pytest.mark.parametrize(
    ("name", "absent"),
    [
        ("tiny-forward-cycle-only", {"cycle_backward"}),
        ("tiny-no-exo-to-ego", {"cycle_forward", "cycle_backward"}),
        ("tiny-no-kl", {"kl", "answer_kl"}),
        ("tiny-paper-losses", {"answer_kl", "contrastive"}),
    ],
)
def test_guidance_computes_the_losses_that_are_left(step: Step, name: str, absent: set[str]) -> None:
    """Those with a weight, and none of the absent ones."""
    _, moved, losses = step(name, "guidance")
    names = {"vtg", "kl", "cycle_forward", "cycle_backward", "contrastive", "answer_kl"}
    assert set(losses) == {loss for loss in names if weights(name)[loss]}
    assert not absent & set(losses)
    assert moved >= {"ego", "ego_to_exo"}
    assert not moved & {"exo", "language"}


def test_paper_losses_are_all_of_the_papers_with_equal_weights() -> None:
    found = weights("tiny-paper-losses")
    assert {found[loss] for loss in ("vtg", "kl", "cycle_forward", "cycle_backward")} == {1.0}
    paper = weights("paper")
    for field in ("kl_axis", "kl_temperature", "cycle_stop_gradient", "contrastive", "answer_kl"):
        assert found[field] == paper[field], field


def test_without_exo_to_ego_there_is_nothing_that_maps_back(step: Step) -> None:
    """Neither moved nor needed: the exported student is the same kind of model."""
    roles, moved, _ = step("tiny-no-exo-to-ego", "guidance")
    assert moved == {"ego", "ego_to_exo"}
    assert all(p.grad is None for p in roles.exo_to_ego.parameters())
    _, whole, _ = step("tiny-paper-losses", "guidance")
    assert whole == {"ego", "ego_to_exo", "exo_to_ego"}


def test_without_lora_the_language_model_stays_as_it_is(step: Step) -> None:
    roles, moved, losses = step("tiny-no-lora", "practice")
    assert (moved, set(losses)) == ({"ego", "ego_to_exo"}, {"vtg"})
    assert not any("lora_" in name for name, _ in roles.named_parameters())
    adapted, moved, _ = step("tiny", "practice")
    assert moved == {"ego", "ego_to_exo", "language"}
    assert any("lora_" in name for name, _ in adapted.named_parameters())


def test_fc_mapping_has_no_blocks_and_maps_tokens_one_by_one(step: Step) -> None:
    """Two linear layers see one token at a time; the residual blocks see its neighbours."""
    reach = {}
    for name in ("tiny-fc-mapping", "tiny"):
        roles, moved, _ = step(name, "guidance")
        assert {"ego", "ego_to_exo"} <= moved
        grid = roles.exo.grid(4)
        x = torch.randn(1, grid.tokens, roles.language.model.get_input_embeddings().embedding_dim)
        other = x.clone()
        other[0, 0] = torch.randn_like(other[0, 0])
        with torch.no_grad():
            changed = (roles.ego_to_exo(other, grid) - roles.ego_to_exo(x, grid)).abs().sum(-1)[0] > 1e-7
        reach[name] = int(changed.sum())
    assert reach["tiny-fc-mapping"] == 1
    assert reach["tiny"] > 1


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("stage", ["teacher", "ego_only", "mixed"])
def test_teacher_and_baselines_read_and_train_the_same_in_every_ablation(name: str, stage: str) -> None:
    """Else an ablation would be measured against other baselines."""
    assert RECIPES[name]().stages[stage] == RECIPES["tiny"]().stages[stage]


@pytest.mark.parametrize("name", OURS)
def test_every_recipe_sees_as_many_clips_with_a_teacher_as_without(name: str) -> None:
    stages = RECIPES[name]().stages

    def clips(stage: str) -> int:
        return stages[stage].optim.steps * (stages[stage].optim.batch_size or 0)

    assert clips("teacher") + clips("guidance") == clips("ego_only") == clips("mixed") > 0


@pytest.mark.parametrize("name", OURS)
def test_guidance_and_practice_are_as_long_and_as_fast_in_every_ablation(name: str) -> None:
    for stage in ("guidance", "practice"):
        assert RECIPES[name]().stages[stage].optim == RECIPES["tiny"]().stages[stage].optim


def test_no_two_recipes_are_the_same_run() -> None:
    """As JSON they come back as they were, and differ in more than their name; one is `tiny` under the paper's name."""
    texts = {name: json.dumps(make().as_json() | {"name": ""}, sort_keys=True) for name, make in RECIPES.items()}
    assert texts.pop("tiny-no-exo-to-ego") == texts["tiny"]
    for one, other in combinations(texts, 2):
        assert texts[one] != texts[other], (one, other)
    for name, make in RECIPES.items():
        assert json.loads(json.dumps(make().as_json()))["name"] == name


@pytest.fixture(scope="module")
def names(step: Step, start) -> list[str]:
    """All parameters that any stage has: adapters and the throw-away reader too."""
    adapted, _, _ = step("tiny", "practice")
    roles, _ = load_roles(start, MappingSpec(width=16, blocks=2))
    roles.add_tag_reader(8, 2)
    return [name for one in (adapted, roles) for name, _ in one.named_parameters()]


def matching(names: list[str], patterns: tuple[str, ...]) -> set[str]:
    found = [{name for name in names if fnmatchcase(name, pattern)} for pattern in patterns]
    assert all(found), f"a pattern of {patterns} names nothing"
    return set().union(*found)


@pytest.mark.parametrize("name", RECIPES)
def test_what_a_stage_trains_is_no_more_than_the_stage_says(name: str, names: list[str]) -> None:
    """A recipe may narrow it, or add its throw-away reader; one side's encoder trains, never both."""
    for stage_name, config in RECIPES[name]().stages.items():
        trains, stage = matching(names, config.trains), STAGES[stage_name]
        more = {one for one in trains if one.startswith("tag_reader")}
        assert trains - more <= matching(names, stage.trains), stage_name
        assert bool(more) is (config.tag_reader_width is not None)
        sides = {one.partition(".")[0] for one in trains} & {"ego", "exo"}
        assert sides == {"exo" if stage.exports == "exo" else "ego"}


def test_probes_ask_for_every_fact_but_the_narration_itself() -> None:
    """Told and untold facts, each in its canonical words; no answer is among them, and none that is asked twice."""
    from exo2ego.sim.questions import QUESTIONS, TOLD_FACETS, UNTOLD_FACETS

    tiny = RECIPES["tiny"]()
    assert set(tiny.probe_questions) == {QUESTIONS[facet][0] for facet in TOLD_FACETS + UNTOLD_FACETS}
    assert len(set(tiny.probe_questions)) == len(tiny.probe_questions)
    assert tiny.narration_question not in tiny.probe_questions
    assert all(question.endswith("?") for question in tiny.probe_questions)


def test_the_papers_epochs_are_whole_passes() -> None:
    """Two over the pairs in stages 1 and 2, one over the instructions, five over the clips of Init."""
    stages = RECIPES["paper"]().stages
    for name, passes, samples in (
        ("teacher", 2, 1.1e6),
        ("guidance", 2, 1.1e6),
        ("practice", 1, 6e5),
        ("initial", 5, 106.8e6),
    ):
        optim = stages[name].optim
        seen = optim.steps * (optim.batch_size or 0)
        assert passes * samples - (optim.batch_size or 0) < seen <= passes * samples
    assert epochs(3, 100, 8) == 37
