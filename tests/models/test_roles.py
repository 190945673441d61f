"""Roles: exactly what is named trains, frozen parts stay in evaluation mode, the student's tokens are concat(x,
F(x))."""

import copy

import pytest
import torch

from exo2ego.models.language import LoraSpec, add_lora
from exo2ego.models.roles import MappingSpec, Roles, set_trainable, train_mode

MAPPING = MappingSpec(width=16, blocks=1)


@pytest.fixture
def roles(small_start):
    return Roles(small_start, MAPPING)


def frames(batch=2):
    return torch.randint(0, 255, (batch, 4, 32, 32, 3), dtype=torch.uint8)


def test_both_encoders_start_equal_and_do_not_share_weights(roles):
    video = frames()
    torch.testing.assert_close(roles.exo_tokens(video), roles.ego_tokens(video))
    with torch.no_grad():
        next(roles.ego.parameters()).add_(1.0)
    assert (roles.exo_tokens(video) - roles.ego_tokens(video)).abs().max() > 0


def test_student_reads_x_then_its_mapping(roles):
    x, mapped, both = roles.student_tokens(frames())
    torch.testing.assert_close(both, torch.cat([x, mapped], dim=1))
    assert mapped.shape == x.shape == (2, roles.grid(frames()).tokens, 32)


def test_ego_pattern_does_not_catch_ego_to_exo(roles):
    chosen = set_trainable(roles, ("ego.*",))
    assert chosen
    assert all(name.startswith("ego.") for name in chosen)
    assert not any(p.requires_grad for p in roles.ego_to_exo.parameters())


def test_a_pattern_without_match_is_refused(roles):
    with pytest.raises(ValueError, match="matches no parameter"):
        set_trainable(roles, ("ego.*", "egoo.*"))


def test_frozen_parameters_do_not_move_and_trained_ones_do(roles):
    set_trainable(roles, ("ego.*", "ego_to_exo.*"))
    before = copy.deepcopy(roles.state_dict())
    optimizer = torch.optim.SGD([p for p in roles.parameters() if p.requires_grad], lr=0.5)
    loss = roles.student_tokens(frames())[2].square().mean()
    loss.backward()
    optimizer.step()
    for name, value in roles.state_dict().items():
        moved = not torch.equal(value, before[name])
        trains = name.startswith(("ego.", "ego_to_exo."))
        if not trains:
            assert not moved, name
    assert any(
        not torch.equal(value, before[name]) for name, value in roles.state_dict().items() if name.startswith("ego.")
    )


def test_frozen_parts_are_in_evaluation_mode_and_lora_dropout_is_on(roles):
    add_lora(roles.language, LoraSpec(rank=2, alpha=4, dropout=0.5))
    set_trainable(roles, ("ego.*", "language.*lora_*"))
    train_mode(roles)
    assert roles.ego.training
    assert not roles.exo.training
    dropouts = [m for m in roles.language.modules() if isinstance(m, torch.nn.Dropout)]
    assert dropouts
    assert all(m.training for m in dropouts)
