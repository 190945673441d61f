"""Impossible settings are refused where they are written."""

import pytest

from exo2ego.models.roles import MappingSpec
from exo2ego.training.config import Objectives, Optim, Recipe, StageConfig

OPTIM = {"steps": 1, "batch_size": 1, "lr": 1e-3}


@pytest.mark.parametrize(
    "bad", [{"steps": 0}, {"batch_size": 0}, {"lr": 0.0}, {"warmup": 1.0}, {"clip_norm": 0.0}, {"lr": -1.0}]
)
def test_impossible_optimisers(bad):
    with pytest.raises(ValueError, match=r"must be at least 1|impossible optimiser"):
        Optim(**(OPTIM | bad))


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        ({}, "exactly one of batch_size and tokens_per_batch, not None and None"),
        ({"batch_size": 4, "tokens_per_batch": 99}, "exactly one of batch_size and tokens_per_batch, not 4 and 99"),
        ({"tokens_per_batch": 0}, "must be at least 1"),
        ({"batch_size": 4, "bucket_samples": 6}, "multiple of batch_size 4"),
    ],
)
def test_batches_have_exactly_one_limit(limits, says):
    with pytest.raises(ValueError, match=says):
        Optim(steps=1, lr=1e-3, **limits)


@pytest.mark.parametrize("bad", [{"kl": -1.0}, {"kl": -1}, {"kl": float("nan")}, {"vtg": float("inf")},
                                 {"kl_temperature": 0.0}, {"kl_temperature": 0}, {"contrastive_temperature": -0.1},
                                 {"answer_kl_temperature": float("nan")}])  # fmt: skip
def test_impossible_objectives(bad):
    with pytest.raises(ValueError, match=f"objective {next(iter(bad))} must not be"):
        Objectives(**bad)


@pytest.mark.parametrize("bad", [{"trains": ()}, {"segments": 0}, {"probes": -1}, {"tag_reader_width": 0}])
def test_impossible_stages(bad):
    """A stage that trains nothing, or draws no text, would fail in the middle of its first step."""
    with pytest.raises(ValueError, match=f"impossible stage: .*{next(iter(bad))}"):
        StageConfig(**({"optim": Optim(**OPTIM), "trains": ("ego.*",)} | bad))


@pytest.mark.parametrize("bad", [{"num_frames": 0}, {"size_px": 0}, {"checkpoint_every": 0}, {"jitter_px": -1},
                                 {"divergence_factor": 1.0}, {"divergence_factor": float("nan")}])  # fmt: skip
def test_impossible_recipes(bad):
    with pytest.raises(ValueError, match=f"recipe r: .*{next(iter(bad))}"):
        Recipe(**({"name": "r", "mapping": MappingSpec(), "stages": {}, "num_frames": 8, "size_px": 64} | bad))


def recipe(stage, probes=()):
    return Recipe(
        name="r", mapping=MappingSpec(), stages={"guidance": stage}, num_frames=8, size_px=64, probe_questions=probes
    )


def test_answer_kl_needs_probes():
    stage = StageConfig(optim=Optim(**OPTIM), trains=("ego.*",), objectives=Objectives(answer_kl=1.0))
    with pytest.raises(ValueError, match="no probes to read"):
        recipe(stage)


def test_probes_need_questions():
    stage = StageConfig(optim=Optim(**OPTIM), trains=("ego.*",), probes=2)
    with pytest.raises(ValueError, match="no probe_questions"):
        recipe(stage)
    assert recipe(stage, ("What colour?",)).as_json()["stages"]["guidance"]["probes"] == 2
