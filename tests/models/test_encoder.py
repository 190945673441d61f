"""The encoder of one view and the configuration it is built from: as many tokens as told, each of its own clip."""

import pytest
import torch
from transformers import AutoConfig

from exo2ego.models.configuration import ConvTowerConfig, Exo2EgoConfig
from exo2ego.models.encoder import build_encoder, patch_grid
from exo2ego.models.roles import Roles


@pytest.fixture(scope="module")
def encoder(config_of):
    torch.manual_seed(0)
    return build_encoder(config_of()).eval()


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 7, 8])
def test_as_many_tokens_as_its_grid_says_of_the_width_of_the_llm(encoder, frames):
    tokens = encoder(torch.randn(2, frames, 3, 32, 32))
    assert tokens.shape == (2, encoder.grid(frames).tokens, 32)
    assert torch.isfinite(tokens).all()


def test_the_patches_are_those_of_the_tower(encoder):
    """32 px in patches of 8, one plane a frame; the connector halves them."""
    grid = patch_grid(encoder.tower, 4)
    assert (grid.t, grid.h, grid.w) == (4, 4, 4)
    patches = encoder.tower(torch.randn(1, 4, 3, 32, 32))
    assert patches.shape[1] * patches.shape[2] == grid.tokens
    assert encoder.grid(4).tokens < grid.tokens


def test_clips_of_a_batch_do_not_see_each_other(encoder):
    clips = torch.randn(3, 4, 3, 32, 32)
    with torch.no_grad():
        together = encoder(clips)
        alone = torch.cat([encoder(clip[None]) for clip in clips])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


def test_the_order_of_frames_can_be_told(encoder):
    """Else no model could tell push from pull."""
    clip = torch.randn(1, 4, 3, 32, 32)
    with torch.no_grad():
        assert (encoder(clip) - encoder(clip.flip(1))).abs().max() > 1e-3


def test_one_picture_of_many_frames_is_read_the_same_at_any_time(encoder):
    """A still video gives still tokens: every plane of the grid is the same away from its ends."""
    still = torch.randn(1, 1, 3, 32, 32).expand(1, 8, 3, 32, 32)
    grid = encoder.grid(8)
    with torch.no_grad():
        planes = encoder(still)[0].unflatten(0, (grid.t, grid.h * grid.w))
    middle = planes[grid.t // 2]
    torch.testing.assert_close(planes[grid.t // 2 - 1], middle, atol=1e-4, rtol=1e-3)


def test_both_views_have_encoders_of_their_own_with_equal_shapes(small_start):
    """Made from one start: equal at first, and a change of one leaves the other."""
    from exo2ego.models.roles import MappingSpec

    roles = Roles(small_start, MappingSpec(width=16, blocks=1))
    shapes = [{n: p.shape for n, p in side.named_parameters()} for side in (roles.exo, roles.ego)]
    assert shapes[0] == shapes[1]
    before = {n: p.clone() for n, p in roles.exo.named_parameters()}
    with torch.no_grad():
        for parameter in roles.ego.parameters():
            assert parameter.numel()
            parameter.add_(1.0)
    assert all(torch.equal(p, before[n]) for n, p in roles.exo.named_parameters())


CHANGES = {
    "num_frames": 12,
    "vision_feature_layer": -1,
    "connector_depth": 2,
    "connector_padding": 1,
    "mapping": "mlp",
    "mapping_width": 48,
    "mapping_blocks": 5,
    "mapping_residual": False,
    "video_token_id": 77,
    "image_mean": [0.1, 0.2, 0.3],
    "image_std": [0.4, 0.5, 0.6],
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_setting_of_a_model_survives_its_file(name, config_of, tmp_path):
    """Read by the class, and by `AutoConfig`, which knows the kind of model from the file alone."""
    config = config_of()
    assert getattr(config, name) != CHANGES[name]
    setattr(config, name, CHANGES[name])
    config.save_pretrained(tmp_path)
    for found in (Exo2EgoConfig.from_pretrained(tmp_path), AutoConfig.from_pretrained(tmp_path)):
        assert type(found) is Exo2EgoConfig
        value = getattr(found, name)
        assert (list(value) if isinstance(value, tuple) else value) == CHANGES[name]


def test_the_parts_of_a_configuration_come_back_as_their_own_kinds(config_of, tmp_path):
    config_of().save_pretrained(tmp_path)
    found = AutoConfig.from_pretrained(tmp_path)
    assert type(found.vision_config) is ConvTowerConfig
    assert (found.vision_config.stem_width, found.vision_config.image_size) == (8, 32)
    assert (found.text_config.model_type, found.text_config.num_hidden_layers) == ("mistral", 2)
    of_the_file = {name: found.to_dict()[name] for name in ("transformers_version", "_name_or_path")}
    assert found.to_dict() == config_of().to_dict() | of_the_file


def test_words_that_are_tied_in_the_llm_are_tied_in_the_model(config_of):
    """Else `from_pretrained` would look for a head that no file has."""
    assert config_of().tie_word_embeddings is True
    untied = config_of().text_config.to_dict() | {"tie_word_embeddings": False}
    assert Exo2EgoConfig(vision_config=ConvTowerConfig(), text_config=untied).tie_word_embeddings is False


def test_the_marker_goes_by_the_name_that_tools_look_for(config_of):
    config = config_of(video_token_id=9)
    assert config.video_token_index == config.video_token_id == 9
