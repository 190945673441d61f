"""Vision models of Transformers: the patches alone, each in its place, whatever stands before them; others refused."""

import pytest
import torch
from transformers import AutoConfig, CLIPVisionConfig

from exo2ego.errors import InputError
from exo2ego.models.configuration import Exo2EgoConfig
from exo2ego.models.encoder import build_encoder
from exo2ego.models.vision import build_vision_tower

VIT = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 2, "image_size": 32,
    "patch_size": 8,
}  # fmt: skip
SWIN = {"image_size": 32, "patch_size": 4, "embed_dim": 16, "depths": [1, 1], "num_heads": [2, 2], "window_size": 4}
CONVNEXT = {"hidden_sizes": [16, 32], "depths": [1, 1], "num_stages": 2, "image_size": 32}
TOWERS = {
    "clip_vision_model": (VIT, 1),
    "siglip_vision_model": (VIT, 0),
    "vit": (VIT, 1),
    "vit_msn": (VIT, 1),
    "deit": (VIT, 2),
    "beit": (VIT, 1),
    "data2vec-vision": (VIT, 1),
    "dinov2": (VIT, 1),
    "dinov2_with_registers": (VIT | {"num_register_tokens": 4}, 5),
    "dinov3_vit": (VIT | {"num_register_tokens": 4}, 5),
    "ijepa": (VIT, 0),
    "aimv2_vision_model": (VIT, 0),
    "tipsv2_vision_model": (VIT, 2),
    "internvl_vision": (VIT | {"image_size": [32, 32], "patch_size": [8, 8]}, 1),
    "swin": (SWIN, 0),
    "swinv2": (SWIN, 0),
    "convnext": (CONVNEXT, 0),
    "convnextv2": (CONVNEXT, 0),
}
"""Kind of model, a small config of it, and the tokens before its patches."""


def tower_of(kind, select_layer):
    torch.manual_seed(0)
    return build_vision_tower(AutoConfig.for_model(kind, **TOWERS[kind][0]), select_layer=select_layer).eval()


@pytest.mark.parametrize("kind", TOWERS)
@torch.no_grad()
def test_every_patch_is_in_its_place_and_nothing_else_is_among_them(kind):
    """What changes in one place of the picture changes that patch alone, read before the first layer mixes them."""
    tower = tower_of(kind, 0)
    assert tower.layout.prefix_tokens == TOWERS[kind][1]
    rows, columns = tower.grid()
    video = torch.randn(1, 2, 3, 32, 32)
    before = tower(video)
    assert before.shape == (1, 2, rows * columns, tower.width)
    high, wide = 32 // rows, 32 // columns
    for row, column in ((0, 0), (0, columns - 1), (rows - 1, 1)):
        other = video.clone()
        other[0, 1, :, row * high : (row + 1) * high, column * wide : (column + 1) * wide] += 1.0
        changed = (tower(other) - before).abs().amax(-1)[0] > 1e-6
        assert changed[1].nonzero().flatten().tolist() == [row * columns + column]
        assert not changed[0].any()


@pytest.mark.parametrize("kind", TOWERS)
@torch.no_grad()
def test_an_encoder_stands_on_every_tower(config_of, kind):
    """Widths that no config names (Swin, ConvNeXt) reach the connector; two frames are read as one by one."""
    torch.manual_seed(0)
    values = config_of().to_dict() | {"vision_config": AutoConfig.for_model(kind, **TOWERS[kind][0])}
    values |= {"vision_feature_layer": -1}
    values.pop("model_type")
    encoder = build_encoder(Exo2EgoConfig(**values)).eval()
    video = torch.randn(2, 2, 3, 32, 32)
    assert encoder(video).shape == (2, encoder.grid(2).tokens, 32)
    frames = encoder.tower(video)
    torch.testing.assert_close(frames[:, 1:], encoder.tower(video[:, 1:]), atol=1e-5, rtol=1e-4)


def test_clip_tower_drops_the_class_token_and_takes_the_layer_before_the_last():
    config = CLIPVisionConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=3, num_attention_heads=2, image_size=28, patch_size=14
    )
    tower = build_vision_tower(config, select_layer=-2)
    video = torch.randn(1, 2, 3, 28, 28)
    assert tower(video).shape == (1, 2, 4, 16)
    inside = tower.model(pixel_values=video[0], output_hidden_states=True).hidden_states[2][:, 1:]
    torch.testing.assert_close(tower(video)[0], inside)


REFUSED = {
    "vit_mae": (VIT, "masked autoencoder"),
    "siglip2_vision_model": ({}, "names no image_size"),
    "vjepa2": (VIT | {"crop_size": 32}, "pixel_values_videos"),
    "videomae": (VIT | {"num_frames": 4}, "no frames alone"),
    "metaclip_2_vision_model": (VIT, "AutoModel of Transformers does not build it alone"),
    "clip": ({}, "give its vision_config alone"),
    "sam_vision_model": (VIT, "of shape"),
    "pixtral": (VIT, "of shape"),
    "hiera": ({}, "masked autoencoder"),
    "levit": ({}, "16 tokens for 14 x 14 patches"),
    "yolos": (VIT | {"image_size": [32, 32]}, "117 tokens for 4 x 4 patches"),
    "mistral": (
        {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "vocab_size": 8},
        "names no image_size",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_model_without_patches_of_single_frames_is_refused_in_one_line(kind):
    settings, reason = REFUSED[kind]
    with pytest.raises(InputError, match=reason) as caught:
        build_vision_tower(AutoConfig.for_model(kind, **settings), select_layer=-2)
    assert f"'{kind}'" in str(caught.value)
    assert "use a frame-wise model such as clip_vision_model" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_layer_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="has 4 hidden states, and vision_feature_layer is -5"):
        tower_of("clip_vision_model", -5)
