"""Schedule and parameter groups."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from exo2ego.training.config import Optim
from exo2ego.training.optim import build_optimizer, learning_rate

OPTIM = Optim(steps=100, batch_size=1, lr=2.0, warmup=0.1, weight_decay=0.5)


def test_warm_up_peak_and_end():
    rates = [learning_rate(step, OPTIM) for step in range(100)]
    assert rates[0] == pytest.approx(0.2)
    assert max(rates) == pytest.approx(2.0)
    assert rates[9] == pytest.approx(2.0)
    assert 0 < rates[-1] < 0.01
    assert all(a >= b for a, b in pairwise(rates[10:]))


@given(st.integers(1, 400), st.floats(0, 0.99), st.floats(1e-6, 10))
def test_any_schedule_rises_to_its_peak_and_falls_to_nothing(steps, warmup, lr):
    optim = Optim(steps=steps, batch_size=1, lr=lr, warmup=warmup)
    rates = [learning_rate(step, optim) for step in range(steps)]
    assert all(0 < rate <= lr * (1 + 1e-12) for rate in rates)
    peak = rates.index(max(rates))
    assert rates[peak] == pytest.approx(lr)
    assert all(a <= b * (1 + 1e-12) for a, b in pairwise(rates[: peak + 1]))
    assert all(a >= b for a, b in pairwise(rates[peak:]))


@pytest.mark.parametrize("bad", [{"lr": float("nan")}, {"lr": 0.0}, {"steps": 0}, {"warmup": 1.0}, {"clip_norm": 0.0}])
def test_impossible_settings_are_refused(bad):
    with pytest.raises(ValueError, match=r"impossible optimiser|at least 1"):
        Optim(**({"steps": 1, "batch_size": 1, "lr": 1.0} | bad))


def test_vectors_do_not_decay_and_frozen_parameters_are_left_out():
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    model[1].requires_grad_(False)
    groups = build_optimizer(model, OPTIM).param_groups
    assert [(len(g["params"]), g["weight_decay"]) for g in groups] == [(1, 0.5), (1, 0.0)]
