"""STC connector: the published shapes and sizes, and the fast block convolution against Conv3d."""

import pytest
import torch
from torch.nn import functional

from exo2ego.models.connector import BlockConv3d, STCConnector
from exo2ego.models.vision import Grid

PAPER_FRAMES = Grid(t=16, h=24, w=24)


@pytest.mark.parametrize(
    ("padding", "grid", "tokens"),
    [
        (1, PAPER_FRAMES, 1521),
        (0, PAPER_FRAMES, 1152),
        (1, Grid(t=8, h=24, w=24), 845),
        (0, Grid(t=8, h=24, w=24), 576),
        (1, Grid(t=16, h=27, w=27), 1764),
        (0, Grid(t=16, h=27, w=27), 1352),
    ],
)
def test_token_counts_of_the_published_connectors(padding, grid, tokens):
    connector = STCConnector(in_width=8, out_width=8, depth=1, padding=padding)
    assert connector.out_grid(grid).tokens == tokens
    assert connector(torch.randn(1, grid.t, grid.h * grid.w, 8), grid).shape == (1, tokens, 8)


def test_full_size_has_the_published_number_of_parameters():
    with torch.device("meta"):
        connector = STCConnector(in_width=1024, out_width=4096)
    parts = {name: sum(p.numel() for p in part.parameters()) / 1e6 for name, part in connector.named_children()}
    assert {name: round(size, 1) for name, size in parts.items()} == {
        "s1": 153.4,
        "sampler": 134.2,
        "s2": 168.0,
        "readout": 33.6,
    }
    assert round(sum(parts.values()), 1) == 489.2


def test_weights_have_the_names_of_the_public_checkpoints():
    names = set(STCConnector(in_width=4, out_width=8, depth=2).state_dict())
    for name in (
        "s1.b1.conv1.conv.weight",
        "s1.b1.conv2.bn.bias",
        "s1.b2.se.fc1.weight",
        "s1.b1.downsample.conv.weight",
        "sampler.0.weight",
        "readout.2.bias",
    ):
        assert name in names
    assert "s2.b1.downsample.conv.weight" not in names


@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("shape", [(4, 6, 6), (5, 7, 3)])
def test_block_convolution_equals_conv3d(padding, shape):
    conv = BlockConv3d(5, 2, padding)
    x = torch.randn(2, 5, *shape)
    wanted = functional.conv3d(x, conv.weight, conv.bias, stride=2, padding=padding)
    torch.testing.assert_close(conv(x), wanted, atol=1e-5, rtol=1e-4)


def test_other_paddings_are_refused():
    with pytest.raises(ValueError, match="padding must be 0"):
        STCConnector(in_width=4, out_width=4, padding=2)
