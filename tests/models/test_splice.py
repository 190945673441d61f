"""Packed segments are read exactly as if each stood alone behind the video."""

import torch

from exo2ego.data.batch import pack_text
from exo2ego.data.chat import ChatFormat, encode_segment, prefix_ids
from exo2ego.models.language import Language
from exo2ego.models.splice import attention_mask, splice
from exo2ego.records import Turn

CHAT = ChatFormat()
ANSWERS = ("red", "green cup", "Camera-wearer lifts the cup.")


def segments(tokenizer):
    return [encode_segment(tokenizer, CHAT, [Turn(question="What colour?", answer=a)]) for a in ANSWERS]


def test_packed_segments_equal_single_ones(tokenizer, small_start):
    language = Language(small_start.model.language_model, small_start.lm_head).eval()
    visual = torch.randn(1, 7, 32)
    prefix = prefix_ids(tokenizer, CHAT)
    parts = segments(tokenizer)
    together = language.read(prefix, visual, pack_text([parts], 3))
    start = 0
    for part in parts:
        alone = language.read(prefix, visual, pack_text([[part]], 3))
        torch.testing.assert_close(together[:, start : start + len(part.ids)], alone, atol=1e-5, rtol=1e-4)
        start += len(part.ids)


def test_padding_changes_nothing(tokenizer, small_start):
    language = Language(small_start.model.language_model, small_start.lm_head).eval()
    visual = torch.randn(2, 7, 32)
    short, *_, long = segments(tokenizer)
    prefix = prefix_ids(tokenizer, CHAT)
    both = language.read(prefix, visual, pack_text([[short], [long]], 3))
    alone = language.read(prefix, visual[:1], pack_text([[short]], 3))
    torch.testing.assert_close(both[:1, : len(short.ids)], alone, atol=1e-5, rtol=1e-4)


def test_packed_text_equals_the_exported_models_own_forward(tokenizer, small_model, processor):
    """The engine's packed reading and Hugging Face `forward` with placeholders are the same model."""
    video = torch.randn(1, 4, 3, 32, 32)
    part = segments(tokenizer)[0]
    prefix = prefix_ids(tokenizer, CHAT)
    holes = [small_model.config.video_token_id] * processor.video_tokens
    ids = torch.tensor([[*prefix, *holes, *part.ids]])
    wanted = small_model(input_ids=ids, pixel_values_videos=video).logits[:, -len(part.ids) :]
    language = Language(small_model.model.language_model, small_model.lm_head).eval()
    visual = small_model.get_video_features(video).pooler_output
    hidden = language.read(prefix, visual, pack_text([[part]], 3))
    torch.testing.assert_close(small_model.lm_head(hidden), wanted, atol=1e-4, rtol=1e-4)


def test_mask_by_hand():
    mask = attention_mask(torch.tensor([[0, 0, 1, -1]]), prefix_length=2)[0, 0]
    rows = ["100000", "110000", "111000", "111100", "110010", "110000"]
    assert ["".join(str(int(v)) for v in row) for row in mask] == rows


def test_positions_of_every_segment_go_on_from_the_prefix(tokenizer, small_start):
    parts = segments(tokenizer)
    inputs = splice(small_start.get_input_embeddings(), [1, 5], torch.randn(1, 3, 32), pack_text([parts], 3))
    assert inputs.prefix_length == 5
    firsts = torch.tensor([0, len(parts[0].ids), len(parts[0].ids) + len(parts[1].ids)]) + 5
    assert inputs.positions[0, firsts].tolist() == [5, 5, 5]


def test_without_video_the_prefix_is_text_only(small_start, tokenizer):
    inputs = splice(small_start.get_input_embeddings(), [1, 5], None, pack_text([segments(tokenizer)], 3))
    assert inputs.prefix_length == 2
