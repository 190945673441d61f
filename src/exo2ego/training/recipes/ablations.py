"""The paper's ablations on the `tiny` recipe, each named as the paper names it and each a small difference.

`tiny` itself has no `exo_to_ego` and no cycle, so for these two the parts are added, not taken away.
"""

from dataclasses import replace

from exo2ego.models.roles import MappingSpec
from exo2ego.training.config import Recipe, StageConfig
from exo2ego.training.recipes.tiny import tiny
from exo2ego.training.stages import STAGES

CYCLE_WEIGHT = 0.1
"""Of each direction, where an ablation has it: that of the feature KL."""

CONTRASTIVE_WEIGHT = 0.1


def change_stage(recipe: Recipe, name: str, stage: str, config: StageConfig) -> Recipe:
    """The recipe under another name with one stage replaced."""
    return replace(recipe, name=name, stages=recipe.stages | {stage: config})


def change_guidance(name: str, **objectives: float | str) -> Recipe:
    """`tiny` with other stage 2 losses."""
    recipe = tiny()
    stage = recipe.stages["guidance"]
    changed = replace(stage.objectives, **objectives)  # type: ignore[arg-type]
    return change_stage(recipe, name, "guidance", replace(stage, objectives=changed))


def no_lora() -> Recipe:
    """ "w/o LoRA": the LLM stays frozen in stage 3."""
    recipe = tiny()
    stage = replace(recipe.stages["practice"], lora=None, trains=("ego.*", "ego_to_exo.*"))
    return change_stage(recipe, "tiny-no-lora", "practice", stage)


def add_cycles(name: str, *, forward: float, backward: float) -> Recipe:
    """`tiny` with `exo_to_ego` and these weights of the cycle."""
    recipe = change_guidance(name, cycle_forward=forward, cycle_backward=backward)
    stage = replace(recipe.stages["guidance"], trains=STAGES["guidance"].trains)
    return change_stage(recipe, name, "guidance", stage)


def both_cycles() -> Recipe:
    """The paper's whole method beside ours: `exo_to_ego` and both terms of the cycle."""
    return add_cycles("tiny-both-cycles", forward=CYCLE_WEIGHT, backward=CYCLE_WEIGHT)


def forward_cycle_only() -> Recipe:
    """ "forward cycle only": no |ego_to_exo(exo_to_ego(y)) - y|."""
    return add_cycles("tiny-forward-cycle-only", forward=CYCLE_WEIGHT, backward=0.0)


def no_exo_to_ego() -> Recipe:
    """ "w/o G & CCL", no exo_to_ego and no cycle at all: `tiny` itself, under the paper's name."""
    return replace(tiny(), name="tiny-no-exo-to-ego")


def no_kl() -> Recipe:
    """ "w/o KL": neither feature nor answer KL; only VTG is left."""
    return change_guidance("tiny-no-kl", kl=0.0, answer_kl=0.0)


def contrastive() -> Recipe:
    """`tiny` with the cross-view contrastive loss, which the paper's recipe has at weight 0."""
    return change_guidance("tiny-contrastive", contrastive=CONTRASTIVE_WEIGHT)


def fc_mapping() -> Recipe:
    """ "FC mapping": two linear layers in place of nine residual blocks."""
    return replace(tiny(), name="tiny-fc-mapping", mapping=MappingSpec(kind="mlp", residual=True))


def paper_losses() -> Recipe:
    """Stage 2 with the paper's losses only: VTG, feature KL over channels per token, both cycles, all weights 1."""
    recipe = add_cycles("tiny-paper-losses", forward=1.0, backward=1.0)
    stage = recipe.stages["guidance"]
    losses = replace(stage.objectives, kl=1.0, kl_axis="channel", answer_kl=0.0, contrastive=0.0)
    return change_stage(recipe, "tiny-paper-losses", "guidance", replace(stage, objectives=losses))
