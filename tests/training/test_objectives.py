"""Losses between the views: zero where they must be, gradient only to the student, literal versions by hand."""

import math

import pytest
import torch

from exo2ego.training.objectives import contrastive_loss, cycle_loss, feature_kl

AXES = ("channel", "position", "pooled")


@pytest.mark.parametrize("axis", AXES)
def test_kl_is_zero_for_equal_tokens_and_positive_else(axis):
    y, other = torch.randn(2, 6, 8), torch.randn(2, 6, 8)
    assert float(feature_kl(y, y, axis=axis, temperature=1.0)) == pytest.approx(0, abs=1e-6)
    assert float(feature_kl(y, other, axis=axis, temperature=1.0)) > 0.01


def normed(x):
    return (x - x.mean(-1, keepdim=True)) / (x.var(-1, unbiased=False, keepdim=True) + 1e-5).sqrt()


def literal_kl(y, m, axis, temperature):
    """Token by token with plain loops."""
    if axis == "pooled":
        y, m = y.mean(1, keepdim=True), m.mean(1, keepdim=True)
    y, m = normed(y), normed(m)
    if axis == "position":
        y, m = y.transpose(1, 2), m.transpose(1, 2)
    total, rows = 0.0, 0
    for b in range(len(y)):
        for i in range(y.shape[1]):
            p = torch.softmax(y[b, i] / temperature, 0)
            q = torch.softmax(m[b, i] / temperature, 0)
            total += float((p * (p / q).log()).sum())
            rows += 1
    return total / rows * temperature**2


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_kl_equals_the_literal_one(axis, temperature):
    y, m = torch.randn(2, 5, 7), torch.randn(2, 5, 7)
    got = float(feature_kl(y, m, axis=axis, temperature=temperature))
    assert got == pytest.approx(literal_kl(y, m, axis, temperature), rel=1e-4)


def test_pooled_kl_ignores_where_things_are():
    y = torch.randn(1, 6, 8)
    moved = y[:, torch.randperm(6)]
    assert float(feature_kl(y, moved, axis="pooled", temperature=1.0)) == pytest.approx(0, abs=1e-6)
    assert float(feature_kl(y, moved, axis="channel", temperature=1.0)) > 0.01


def test_the_teacher_gets_no_gradient():
    y, m = torch.randn(2, 3, 4, requires_grad=True), torch.randn(2, 3, 4, requires_grad=True)
    (feature_kl(y, m, axis="channel", temperature=1.0) + contrastive_loss(m, y, temperature=0.1)).backward()
    assert y.grad is None
    assert m.grad is not None


@pytest.mark.parametrize("stop", [True, False])
def test_cycle_target_gradient_is_a_choice(stop):
    x, back = torch.randn(2, 3, 4, requires_grad=True), torch.randn(2, 3, 4, requires_grad=True)
    loss = cycle_loss(back, x, stop_gradient=stop)
    assert float(loss.detach()) == pytest.approx(float((back - x).detach().abs().mean()))
    loss.backward()
    assert (x.grad is None) is stop


def test_contrastive_prefers_the_same_moment():
    y = torch.randn(4, 3, 16)
    right = float(contrastive_loss(y + 0.01 * torch.randn_like(y), y, temperature=0.07))
    wrong = float(contrastive_loss(y.roll(1, 0), y, temperature=0.07))
    assert right < 0.1 < wrong


@pytest.mark.parametrize("count", [1, 2, 5])
def test_contrastive_equals_the_literal_one(count):
    """Pair by pair with cosines; one pair alone has nothing to be told from."""
    y, m, temperature = torch.randn(count, 3, 6), torch.randn(count, 3, 6), 0.3
    ys, ms = y.mean(1), m.mean(1)

    def like(i, j):
        return float(ms[i] @ ys[j] / (ms[i].norm() * ys[j].norm())) / temperature

    total = 0.0
    for i in range(count):
        rows = math.log(sum(math.exp(like(i, j)) for j in range(count)))
        columns = math.log(sum(math.exp(like(j, i)) for j in range(count)))
        total += (rows - like(i, i) + columns - like(i, i)) / 2
    assert float(contrastive_loss(m, y, temperature=temperature)) == pytest.approx(total / count, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("axis", AXES)
def test_kl_sees_what_a_view_says_and_not_how_loud_it_says_it(axis):
    """Scaled and shifted alike over all channels, tokens are the same to the layer norm before the softmax."""
    y, m = torch.randn(2, 5, 64), torch.randn(2, 5, 64)
    plain = float(feature_kl(y, m, axis=axis, temperature=1.0))
    louder = float(feature_kl(3.0 * y + 1.0, 0.5 * m - 2.0, axis=axis, temperature=1.0))
    assert louder == pytest.approx(plain, rel=1e-3)
