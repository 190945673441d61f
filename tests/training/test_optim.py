"""Schedule and parameter groups."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from exo2ego.training.config import Optim
from exo2ego.training.optim import build_optimizer, learning_rate, set_learning_rate

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


@given(st.integers(1, 300), st.floats(0, 0.99))
def test_every_rate_is_the_literal_formula(steps, warmup):
    """Linear from lr / W to lr over W steps, then lr (1 + cos(pi t)) / 2, t from 0 to just below 1."""
    optim = Optim(steps=steps, batch_size=1, lr=0.5, warmup=warmup)
    warm = max(1, round(warmup * steps))
    for step in range(steps):
        if step < warm:
            wanted = 0.5 * (step + 1) / warm
        else:
            wanted = 0.25 + 0.25 * math.cos(math.pi * (step - warm) / (steps - warm))
        assert learning_rate(step, optim) == pytest.approx(wanted, rel=1e-9)


def test_the_rate_of_a_step_reaches_every_group():
    optimizer = build_optimizer(torch.nn.Linear(2, 2), OPTIM)
    set_learning_rate(optimizer, 0.125)
    assert [group["lr"] for group in optimizer.param_groups] == [0.125, 0.125]


def test_one_step_is_that_of_adamw_by_hand():
    """First step from zero moments: the parameter shrinks by lr x decay and moves by lr against the gradient's sign."""
    model = torch.nn.Linear(2, 1)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = build_optimizer(model, OPTIM)
    set_learning_rate(optimizer, 0.01)
    model(torch.tensor([[3.0, -4.0]])).sum().backward()
    optimizer.step()
    moved = torch.tensor([[0.01, -0.01]])
    torch.testing.assert_close(model.weight.detach(), before["weight"] * (1 - 0.01 * 0.5) - moved)
    torch.testing.assert_close(model.bias.detach(), before["bias"] - 0.01)
