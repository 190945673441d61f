"""A small random student behind the engine, and a few videos."""

import numpy as np
import pytest
import torch

from exo2ego.data.video import write_video
from exo2ego.inference.engine import Engine
from exo2ego.models.roles import Roles
from exo2ego.models.weights import export, load_roles
from exo2ego.training.fresh import fresh_model
from exo2ego.training.recipes.tiny import tiny


@pytest.fixture(scope="session")
def student(tmp_path_factory):
    """Exported folder of an untrained student (concat(x, ego_to_exo(x)))."""
    root = tmp_path_factory.mktemp("engine")
    recipe = tiny()
    texts = [" What colour is the object?", " red green blue", " Camera-wearer lifts the cup."] * 3
    fresh = fresh_model(recipe, texts, root / "start", seed=0)
    torch.manual_seed(0)
    roles: Roles
    roles, processor = load_roles(fresh, recipe.mapping)
    with torch.no_grad():
        for parameter in roles.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    export(root / "student", roles, processor, recipe.mapping, student=True)
    return root / "student"


@pytest.fixture(scope="session")
def engine(student):
    return Engine.load(student)


@pytest.fixture(scope="session")
def clips(tmp_path_factory):
    """Three short videos of noise."""
    folder = tmp_path_factory.mktemp("clips")
    rng = np.random.default_rng(0)
    out = []
    for number in range(3):
        path = folder / f"{number}.mp4"
        write_video(path, rng.integers(0, 255, (16, 64, 64, 3), dtype=np.uint8), 10.0)
        out.append(str(path))
    return out
