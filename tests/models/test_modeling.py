"""The exported model: loads in a fresh process with equal logits, and generates with a cache."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForImageTextToText

from exo2ego.data.video import read_clip, write_video
from exo2ego.models.modeling import Exo2EgoForConditionalGeneration, register

DOCS = Path(__file__).resolve().parents[2] / "docs" / "models.md"
SAVE = """
import torch
torch.save((model(**inputs).logits.detach(), answer), "said.pt")
"""


def inputs(model, words=(5, 6, 7)):
    tokens = 2 * model.model.token_grid().tokens
    ids = torch.tensor([[1, *[model.config.video_token_id] * tokens, *words]])
    return {"input_ids": ids, "pixel_values_videos": torch.randn(1, 4, 3, 32, 32)}


def shown_lines():
    """The Python lines of the section 'Loading an export in your own code'."""
    section = DOCS.read_text(encoding="utf-8").partition("## Loading an export in your own code")[2]
    return section.partition("```python\n")[2].partition("```")[0]


def test_the_shown_lines_in_a_fresh_process_give_equal_logits_on_a_real_video(small_model, processor, tmp_path):
    """Model and processor by `from_pretrained` of the Auto classes, the video from its file."""
    small_model.save_pretrained(tmp_path / "out/student")
    processor.save_pretrained(tmp_path / "out/student")
    frames = np.random.default_rng(0).integers(0, 255, (12, 48, 64, 3), dtype=np.uint8)
    write_video(tmp_path / "clip.mp4", frames, 10.0)
    ran = subprocess.run(
        [sys.executable, "-c", shown_lines() + SAVE], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    logits, answer = torch.load(tmp_path / "said.pt", weights_only=True)
    clip = read_clip(tmp_path / "clip.mp4", None, None, processor.num_frames, processor.image_size)
    given = processor(text="What am I doing?", videos=clip)
    torch.testing.assert_close(logits, small_model(**given).logits, atol=1e-6, rtol=1e-5)
    length = given["input_ids"].shape[1]
    assert answer[:, :length].equal(given["input_ids"])
    assert ran.stdout.strip() == processor.decode_answer(answer[0, length:])


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


def test_a_placeholder_needs_no_row_of_the_vocabulary(config_of):
    """Mistral's 32000 words are all taken, so the placeholder of the paper's model is the number after the last."""
    model = Exo2EgoForConditionalGeneration(config_of(vocab_size=320, video_token_id=320)).eval()
    assert model(**inputs(model)).logits.isfinite().all()
