"""View mappings: shape in = shape out for any grid, identity start, published sizes."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from exo2ego.models.mapping import MLPMapping, ResNetMapping, build_mapping
from exo2ego.models.vision import Grid


@given(t=st.integers(1, 9), h=st.integers(1, 13), w=st.integers(1, 13), residual=st.booleans())
def test_shape_in_is_shape_out_for_every_grid(t, h, w, residual):
    grid = Grid(t=t, h=h, w=w)
    mapping = ResNetMapping(dim=8, width=8, blocks=1, residual=residual)
    assert mapping(torch.randn(2, grid.tokens, 8), grid).shape == (2, grid.tokens, 8)


def test_residual_mapping_starts_near_the_identity_and_the_literal_one_does_not():
    x, grid = torch.randn(1, 18, 16), Grid(t=2, h=3, w=3)
    near = ResNetMapping(dim=16, width=8, residual=True)(x, grid)
    far = ResNetMapping(dim=16, width=8, residual=False)(x, grid)
    assert (near - x).abs().max() < 0.1
    assert (far - x).abs().mean() > 0.3


def test_resnet_mapping_lets_neighbouring_places_talk_and_the_mlp_does_not():
    grid = Grid(t=1, h=4, w=4)
    x = torch.randn(1, 16, 8)
    changed = x.clone()
    changed[0, 0] = torch.randn(8)  # adding a constant would vanish in the layer norm
    for mapping, reaches in ((ResNetMapping(dim=8, width=8, residual=False), True), (MLPMapping(dim=8), False)):
        moved = (mapping(changed, grid) - mapping(x, grid)).abs().sum(-1)[0, 1:]
        assert bool((moved > 1e-9).any()) is reaches


@pytest.mark.parametrize(("width", "millions"), [(512, 56), (256, 15)])
def test_full_size_parameter_counts(width, millions):
    with torch.device("meta"):
        mapping = ResNetMapping(dim=4096, width=width)
    assert sum(p.numel() for p in mapping.parameters()) / 1e6 == pytest.approx(millions, rel=0.06)


def test_there_are_nine_blocks_by_default():
    assert len(ResNetMapping(dim=8, width=8).blocks) == 9


def test_unknown_kind_lists_the_known_ones():
    with pytest.raises(ValueError, match="resnet, mlp"):
        build_mapping("unet", dim=8, width=8, blocks=1, residual=True)
