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


@given(t=st.integers(2, 5), h=st.integers(1, 9), w=st.integers(1, 9), seed=st.integers(0, 9))
def test_frames_and_samples_are_mapped_each_for_itself(t, h, w, seed):
    """Halvings are spatial: a video mapped whole is its frames mapped one by one, and a batch is its samples."""
    torch.manual_seed(seed)
    mapping = ResNetMapping(dim=8, width=8, blocks=1, residual=False).eval()
    tokens = torch.randn(2, t * h * w, 8)
    with torch.no_grad():
        whole = mapping(tokens, Grid(t=t, h=h, w=w)).unflatten(1, (t, h * w))
        for row in range(2):
            for frame in range(t):
                one = tokens[row : row + 1].unflatten(1, (t, h * w))[:, frame]
                alone = mapping(one, Grid(t=1, h=h, w=w))
                torch.testing.assert_close(whole[row, frame], alone[0], atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("residual", [True, False])
def test_the_fc_mapping_is_two_layers_a_token(residual):
    mapping = MLPMapping(dim=6, residual=residual)
    torch.nn.init.normal_(mapping.leave.weight)
    x = torch.randn(2, 4, 6)
    got = mapping(x, Grid(t=1, h=2, w=2))
    for row in range(2):
        for place in range(4):
            token = x[row, place]
            normed = (token - token.mean()) / (token.var(unbiased=False) + 1e-5).sqrt()
            inner = mapping.enter.weight @ normed + mapping.enter.bias
            inner = inner * (1 + torch.erf(inner / 2**0.5)) / 2
            wanted = mapping.leave.weight @ inner + mapping.leave.bias + (token if residual else 0)
            torch.testing.assert_close(got[row, place], wanted, atol=1e-5, rtol=1e-4)
