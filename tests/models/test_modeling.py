"""The exported model: loads in a fresh process with equal logits, generates with a cache, and builds at full size."""

import subprocess
import sys

import pytest
import torch
from transformers import AutoModelForImageTextToText, CLIPVisionConfig, MistralConfig

from exo2ego.models.configuration import Exo2EgoConfig
from exo2ego.models.modeling import Exo2EgoForConditionalGeneration, register

FRESH = """
import sys, torch
from exo2ego.models.modeling import register
from transformers import AutoModelForImageTextToText
register()
model = AutoModelForImageTextToText.from_pretrained(sys.argv[1])
inputs = torch.load(sys.argv[1] + "/inputs.pt", weights_only=True)
torch.save(model(**inputs).logits.detach(), sys.argv[1] + "/logits.pt")
"""


def inputs(model, words=(5, 6, 7)):
    tokens = 2 * model.model.token_grid().tokens
    ids = torch.tensor([[1, *[model.config.video_token_id] * tokens, *words]])
    return {"input_ids": ids, "pixel_values_videos": torch.randn(1, 4, 3, 32, 32)}


def test_a_fresh_process_gives_equal_logits(small_model, tmp_path):
    given = inputs(small_model)
    small_model.save_pretrained(tmp_path)
    torch.save(given, tmp_path / "inputs.pt")
    subprocess.run([sys.executable, "-c", FRESH, str(tmp_path)], check=True, capture_output=True)
    there = torch.load(tmp_path / "logits.pt", weights_only=True)
    torch.testing.assert_close(there, small_model(**given).logits, atol=1e-6, rtol=1e-5)


def test_auto_class_and_tied_head(small_model, tmp_path):
    register()
    small_model.save_pretrained(tmp_path)
    loaded = AutoModelForImageTextToText.from_pretrained(tmp_path)
    assert isinstance(loaded, Exo2EgoForConditionalGeneration)
    assert loaded.lm_head.weight.data_ptr() == loaded.get_input_embeddings().weight.data_ptr()


def test_cached_generation_equals_generation_without_a_cache(small_model):
    given = inputs(small_model)
    mask = torch.ones_like(given["input_ids"])
    out = [
        small_model.generate(**given, attention_mask=mask, max_new_tokens=6, do_sample=False, use_cache=cached)
        for cached in (True, False)
    ]
    assert out[0].tolist() == out[1].tolist()


def test_the_video_is_seen(small_model):
    given = inputs(small_model)
    other = given | {"pixel_values_videos": torch.randn(1, 4, 3, 32, 32)}
    assert (small_model(**given).logits[:, -1] - small_model(**other).logits[:, -1]).abs().max() > 0


def test_placeholder_count_must_fit(small_model):
    given = inputs(small_model)
    with pytest.raises(ValueError, match="video placeholders"):
        small_model(input_ids=given["input_ids"][:, 1:5], pixel_values_videos=given["pixel_values_videos"])


def test_labels_give_the_lm_loss(small_model):
    given = inputs(small_model)
    labels = given["input_ids"].clone()
    labels[:, :-1] = -100
    wanted = -small_model(**given).logits[0, -2].log_softmax(-1)[labels[0, -1]]
    torch.testing.assert_close(small_model(**given, labels=labels).loss, wanted)


def test_the_papers_full_size_builds_with_the_published_parameter_counts():
    config = Exo2EgoConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=1024,
            intermediate_size=4096,
            num_hidden_layers=24,
            num_attention_heads=16,
            image_size=336,
            patch_size=14,
        ),
        text_config=MistralConfig(vocab_size=32000, sliding_window=None),
    )
    with torch.device("meta"):
        model = Exo2EgoForConditionalGeneration(config)

    def billions(*modules):
        return sum(p.numel() for module in modules for p in module.parameters()) / 1e9

    assert round(billions(model.model.language_model, model.lm_head), 3) == 7.242
    assert round(billions(model.model.vision_tower), 4) == 0.3035
    assert round(billions(model.model.multi_modal_projector), 4) == 0.4892
    assert model.model.token_grid().tokens == 1521
    assert 0.05 < billions(model.model.ego_to_exo) < 0.06
