"""A training world in a moment: shards of coloured videos, a small random start, and a recipe of a few steps."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from training_fixtures import COLOURS, build, colour_video, planned_pair, planned_span, sample

from exo2ego.data.mixture import Mixture, Source
from exo2ego.data.shard_plan import Planned
from exo2ego.data.shards import ShardSet
from exo2ego.models.roles import MappingSpec
from exo2ego.models.weights import load_roles
from exo2ego.records import Turn
from exo2ego.training.config import Objectives, Optim, Recipe, StageConfig
from exo2ego.training.examples import training_data
from exo2ego.training.fresh import fresh_model
from exo2ego.training.recipes.tiny import tiny
from exo2ego.training.run import build_stream, stage_of
from exo2ego.training.stages import STAGES
from exo2ego.training.stream import Stream

PROBES = ("What colour is the object?", "Which hand is used?")


@pytest.fixture(scope="session")
def videos(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("colours")
    for number in range(12):
        for view in ("ego", "cam01"):
            colour_video(folder / f"{number}-{view}.mp4", tuple(COLOURS)[number % 3], number + 100 * (view == "ego"))
    return folder


@pytest.fixture(scope="session")
def pairs(videos, tmp_path_factory) -> ShardSet:
    """Twelve narrations with an ego and one exo view; the narration names the colour that both show."""
    return build(tmp_path_factory.mktemp("pairs") / "shards", [planned_pair(videos, n) for n in range(12)])


@pytest.fixture(scope="session")
def instructions(videos, tmp_path_factory) -> ShardSet:
    """Twelve ego spans with two conversations each."""
    planned = []
    for number in range(12):
        colour = tuple(COLOURS)[number % 3]
        turns = (
            (Turn(question="What colour is the object?", answer=colour),),
            (Turn(question="What am I doing?", answer=f"I lift the {colour} cup."),),
        )
        planned.append(
            Planned(
                sample=sample(f"span-{number}", ("video",), conversations=turns),
                videos=(("video", str(videos / f"{number}-ego.mp4")),),
            )
        )
    return build(tmp_path_factory.mktemp("spans") / "shards", planned)


@pytest.fixture(scope="session")
def mixed(videos, tmp_path_factory) -> Mixture:
    """A third from nine spans with long-tailed answers, two thirds from five short ones."""
    long = [planned_span(videos, n, f"{'the cup ' * int(1.5**n)}red", "I lift", key="long") for n in range(9)]
    short = [planned_span(videos, n, "red", "green cup", "I lift the cup", key="short") for n in range(5)]
    folder = tmp_path_factory.mktemp("mixed")
    build(folder / "long", long)
    build(folder / "short", short)
    return Mixture(
        sources=(
            Source(name="long", folders=(folder / "long",), weight=Fraction(1, 3)),
            Source(name="short", folders=(folder / "short",), weight=Fraction(2, 3)),
        )
    )


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    """All stages of `tiny`, each a few steps of four clips in float32, with every loss of guidance at work."""
    base = tiny()
    short = Optim(steps=6, batch_size=4, lr=1e-3)
    objectives = Objectives(
        vtg=1.0, kl=0.5, cycle_forward=0.5, cycle_backward=0.5, contrastive=0.1, answer_kl=1.0, answer_reads="concat"
    )
    stages: dict[str, StageConfig] = {
        name: replace(stage, optim=short, objectives=objectives if name == "guidance" else stage.objectives)
        for name, stage in base.stages.items()
    }
    stages["guidance"] = replace(stages["guidance"], probes=2, trains=STAGES["guidance"].trains)
    return replace(
        base,
        name="test",
        stages=stages,
        num_frames=4,
        precision="fp32",
        probe_questions=PROBES,
        checkpoint_every=2,
        mapping=MappingSpec(width=16, blocks=2),
    )


TEXTS = [" What colour is the object?", " Camera-wearer lifts the red green blue cup.", " I lift the"] * 3


@pytest.fixture(scope="session")
def start(recipe, tmp_path_factory) -> Path:
    """A small random model with a tokenizer that knows the test's words."""
    torch.manual_seed(0)
    return fresh_model(recipe, TEXTS, tmp_path_factory.mktemp("start") / "model", seed=0)


@pytest.fixture(scope="session")
def tiny_start(tmp_path_factory) -> Path:
    """The same for the recipes that the command line knows: 8 frames."""
    return fresh_model(tiny(), TEXTS, tmp_path_factory.mktemp("tiny") / "model", seed=0)


@pytest.fixture(scope="session")
def stream_of(recipe, start) -> Callable[..., Stream]:
    """(stage, mixture, seed=0, optim=None, changes of the stage's config) -> the batches of the test recipe."""
    roles, processor = load_roles(start, recipe.mapping)

    def make(name, mixture, seed=0, optim=None, **changes) -> Stream:
        stage, config = stage_of(recipe, name)
        config = replace(config, **(changes if optim is None else changes | {"optim": optim}))
        data = training_data(stage, mixture, recipe, seed)
        return build_stream(data, recipe, stage, config, roles, processor, seed)

    return make
