"""Vision towers: shapes, the temporal convolution against Conv3d."""

import pytest
import torch
from torch.nn import functional

from exo2ego.models.vision import (
    ClipNorm,
    ConvVideoTower,
    Grid,
    TemporalConv,
    normalise_frames,
)


def test_conv_tower_gives_one_row_per_patch():
    tower = ConvVideoTower(width=16, stem=8, image_size=64)
    assert tower(torch.randn(2, 5, 3, 64, 64)).shape == (2, 5, 64, 16)
    assert tower.grid() == (8, 8)


@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (3, 2)])
def test_temporal_conv_equals_conv3d(kernel, stride):
    conv = TemporalConv(4, 6, kernel, stride=stride)
    video = torch.randn(2, 4, 5, 8, 8)  # (B, C, T, H, W)
    weight = conv.conv.weight.reshape(6, 3, 4, kernel, kernel).permute(0, 2, 1, 3, 4)
    pad = (1, kernel // 2, kernel // 2)
    wanted = functional.conv3d(video, weight, conv.conv.bias, stride=(1, stride, stride), padding=pad)
    got = conv(video.transpose(1, 2).flatten(0, 1), 5).unflatten(0, (2, 5)).transpose(1, 2)
    torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_clip_norm_is_one_mean_and_variance_a_channel_of_each_clip(layout):
    norm, x = ClipNorm(3), torch.randn(6, 3, 4, 5) * 2 + 1
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.0, 2.0, -1.0]))
        norm.bias.copy_(torch.tensor([0.0, 0.5, 1.0]))
    got = norm(x.contiguous(memory_format=layout), 3)
    for clip in (slice(0, 3), slice(3, 6)):
        for channel in range(3):
            seen = x[clip, channel]
            plain = (seen - seen.mean()) / (seen.var(correction=0) + ClipNorm.FLOOR).sqrt()
            wanted = plain * norm.weight[channel] + norm.bias[channel]
            torch.testing.assert_close(got[clip, channel], wanted, atol=1e-5, rtol=1e-5)


def test_clip_norm_keeps_what_changes_between_frames_and_leaves_an_empty_channel_quiet():
    clip = torch.zeros(2, 2, 4, 4)
    clip[1, 0] = 1.0  # channel 0: dark frame, bright frame
    clip[:, 1] = 1e-3 * torch.randn(2, 4, 4)  # channel 1: nothing but noise
    out = ClipNorm(2)(clip, 2)
    assert (out[1, 0] - out[0, 0]).min() > 1.9
    assert out[:, 1].abs().max() < 0.1


def test_conv_tower_does_not_mix_the_videos_of_a_batch():
    tower = ConvVideoTower(width=16, stem=8, image_size=32)
    one, other = torch.randn(2, 1, 4, 3, 32, 32)
    torch.testing.assert_close(tower(torch.cat([one, other]))[:1], tower(one), atol=1e-5, rtol=1e-4)


def test_normalise_maps_mean_to_zero():
    frames = torch.full((1, 1, 2, 2, 3), 51, dtype=torch.uint8)  # 0.2
    out = normalise_frames(frames, (0.2, 0.1, 0.0), (0.5, 0.5, 0.1))
    assert out.shape == (1, 1, 3, 2, 2)
    torch.testing.assert_close(out[0, 0, :, 0, 0], torch.tensor([0.0, 0.2, 2.0]))


def test_grid_counts_tokens():
    assert Grid(t=8, h=12, w=12).tokens == 1152
