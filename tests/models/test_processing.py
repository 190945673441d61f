"""Processor: placeholders, padding, refusal of what does not fit, and the same settings after loading."""

import numpy as np
import pytest
import torch
from transformers import AutoProcessor

from exo2ego.models.modeling import register
from exo2ego.models.processing import Exo2EgoProcessor
from exo2ego.models.tokenizer import VIDEO


def frames(count=1, size=32, frames=4):
    return np.zeros((count, frames, size, size, 3), np.uint8)


def test_one_placeholder_for_every_visual_token(processor, small_model):
    out = processor(text="What colour?", videos=frames()[0])
    assert int((out["input_ids"] == small_model.config.video_token_id).sum()) == processor.video_tokens
    assert out["pixel_values_videos"].shape == (1, 4, 3, 32, 32)


def test_the_text_around_the_video_is_the_chat_template(processor, tokenizer):
    out = processor(text="What colour?", videos=frames())
    text = tokenizer.decode(out["input_ids"][0]).replace(VIDEO * processor.video_tokens, VIDEO)
    message = {"role": "user", "content": [{"type": "video"}, {"type": "text", "text": "What colour?"}]}
    assert text == processor.apply_chat_template([message])


def test_shorter_questions_are_padded_on_the_left(processor, tokenizer):
    out = processor(text=["What?", "What colour is the cup?"], videos=frames(2))
    assert out["input_ids"][0, 0] == tokenizer.pad_token_id
    assert out["attention_mask"][0, 0] == 0
    assert out["attention_mask"][1].all()


def test_batched_generation_equals_single(processor, small_model):
    rng = np.random.default_rng(0)
    videos = rng.integers(0, 255, (2, 4, 32, 32, 3), dtype=np.uint8)
    questions = ["What?", "What colour is the cup?"]
    both = small_model.generate(**processor(text=questions, videos=videos), max_new_tokens=4, do_sample=False)
    for i in range(2):
        one = small_model.generate(**processor(text=questions[i], videos=videos[i]), max_new_tokens=4, do_sample=False)
        assert both[i, -4:].tolist() == one[0, -4:].tolist()


@pytest.mark.parametrize("bad", [frames(size=16), frames(frames=3), frames().astype(np.float32)])
def test_frames_of_another_shape_or_type_are_refused(processor, bad):
    with pytest.raises(ValueError, match="the model takes"):
        processor(text="What?", videos=bad)


def test_counts_must_agree(processor):
    with pytest.raises(ValueError, match="2 questions for 1 videos"):
        processor(text=["a", "b"], videos=frames())
    with pytest.raises(ValueError, match="no question"):
        processor(text=[], videos=frames())


def test_save_and_load_keep_every_setting(processor, small_model, tmp_path):
    register()
    processor.save_pretrained(tmp_path)
    small_model.config.save_pretrained(tmp_path)
    loaded = AutoProcessor.from_pretrained(tmp_path)
    assert isinstance(loaded, Exo2EgoProcessor)
    for name in ("num_frames", "image_size", "video_tokens", "image_mean", "image_std", "chat", "chat_template"):
        assert getattr(loaded, name) == getattr(processor, name), name
    same = loaded(text="What colour?", videos=frames())
    assert torch.equal(same["input_ids"], processor(text="What colour?", videos=frames())["input_ids"])
