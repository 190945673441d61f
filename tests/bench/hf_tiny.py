"""Tiny random models of the classes that `hf:` supports, as folders of Transformers: weights, tokenizer, settings."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers as hf
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.content is string %}{{ m.content }}{% else %}"
    "{% for c in m.content %}{% if c.type == 'video' %}VIDEO{% else %}{{ c.text }}{% endif %}{% endfor %}{% endif %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = [
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>",
    "<|video_pad|>", "<image>", "<video>", "<img>", "</img>", "<IMG_CONTEXT>", "<fake_token_around_image>",
    "<global-img>", "<end_of_utterance>",
]  # fmt: skip
ID = {token: 256 + number for number, token in enumerate(SPECIAL)}
TEXT = {
    "vocab_size": 288, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 1, "max_position_embeddings": 8192, "bos_token_id": ID["<|endoftext|>"],
    "eos_token_id": ID["<|im_end|>"], "pad_token_id": ID["<|endoftext|>"],
}  # fmt: skip
MROPE = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3]}
SIGLIP = {
    "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
    "image_size": 32, "patch_size": 8,
}  # fmt: skip
HALF = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
FREE = {**HALF, "size": {"shortest_edge": 28 * 28, "longest_edge": 28 * 28 * 4}}


def tokenizer() -> Any:
    """Bytes as tokens, and every special token of the families."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    plain = Tokenizer(models.BPE(vocab={token: number for number, token in enumerate(alphabet)}, merges=[]))
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    plain.decoder = decoders.ByteLevel()
    plain.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=plain, bos_token="<|endoftext|>", eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )


def _qwen2_5() -> Any:
    vision = {
        "depth": 2, "hidden_size": 16, "intermediate_size": 24, "num_heads": 2, "out_hidden_size": 32, "patch_size": 14,
        "spatial_merge_size": 2, "temporal_patch_size": 2, "window_size": 56, "fullatt_block_indexes": [1],
        "tokens_per_second": 2,
    }  # fmt: skip
    return hf.Qwen2_5_VLForConditionalGeneration(
        hf.Qwen2_5_VLConfig(
            text_config={**TEXT, "rope_parameters": MROPE},
            vision_config=vision,
            **_qwen_ids(),
            tie_word_embeddings=False,
        )
    )


def _qwen2() -> Any:
    vision = {
        "depth": 2, "embed_dim": 16, "hidden_size": 32, "mlp_ratio": 2, "num_heads": 2, "patch_size": 14,
        "spatial_merge_size": 2, "temporal_patch_size": 2,
    }  # fmt: skip
    return hf.Qwen2VLForConditionalGeneration(
        hf.Qwen2VLConfig(text_config={**TEXT, "rope_parameters": MROPE}, vision_config=vision, **_qwen_ids())
    )


def _qwen3() -> Any:
    vision = {
        "depth": 2, "hidden_size": 16, "intermediate_size": 24, "num_heads": 2, "out_hidden_size": 32, "patch_size": 16,
        "spatial_merge_size": 2, "temporal_patch_size": 2, "num_position_embeddings": 16,
        "deepstack_visual_indexes": [0],
    }  # fmt: skip
    text = {**TEXT, "head_dim": 16, "rope_parameters": {**MROPE, "mrope_interleaved": True}}
    return hf.Qwen3VLForConditionalGeneration(
        hf.Qwen3VLConfig(text_config=text, vision_config=vision, **_qwen_ids(), tie_word_embeddings=False)
    )


def _qwen_ids() -> dict[str, int]:
    return {
        "image_token_id": ID["<|image_pad|>"],
        "video_token_id": ID["<|video_pad|>"],
        "vision_start_token_id": ID["<|vision_start|>"],
        "vision_end_token_id": ID["<|vision_end|>"],
    }


def _video_llama3() -> Any:
    vision = {**SIGLIP, "patch_size": 14}
    del vision["image_size"]
    return hf.VideoLlama3ForConditionalGeneration(
        hf.VideoLlama3Config(
            text_config={"model_type": "qwen2", **TEXT}, vision_config=vision, image_token_id=ID["<|image_pad|>"],
            video_token_id=ID["<|video_pad|>"],
        )
    )  # fmt: skip


def _llava_onevision() -> Any:
    return hf.LlavaOnevisionForConditionalGeneration(
        hf.LlavaOnevisionConfig(
            text_config={"model_type": "qwen2", **TEXT}, vision_config={"model_type": "siglip_vision_model", **SIGLIP},
            image_token_id=ID["<image>"], video_token_id=ID["<video>"], vision_feature_select_strategy="full",
            vision_feature_layer=-1, image_grid_pinpoints=[[32, 32]],
        )
    )  # fmt: skip


def _internvl() -> Any:
    return hf.InternVLForConditionalGeneration(
        hf.InternVLConfig(
            text_config={"model_type": "qwen2", **TEXT}, image_token_id=ID["<IMG_CONTEXT>"], image_seq_length=4,
            vision_config={**SIGLIP, "image_size": [32, 32], "patch_size": [8, 8]}, downsample_ratio=0.5,
        )
    )  # fmt: skip


def _smolvlm() -> Any:
    return hf.SmolVLMForConditionalGeneration(
        hf.SmolVLMConfig(
            text_config={"model_type": "llama", **TEXT, "eos_token_id": ID["<end_of_utterance>"]}, vision_config=SIGLIP,
            image_token_id=ID["<image>"], scale_factor=2,
        )
    )  # fmt: skip


Build = tuple[Callable[[], Any], str, dict[str, Any]]

MODELS: dict[str, Build] = {
    "qwen2_vl": (_qwen2, "<|vision_start|><|video_pad|><|vision_end|>", FREE),
    "qwen2_5_vl": (_qwen2_5, "<|vision_start|><|video_pad|><|vision_end|>", FREE),
    "qwen3_vl": (
        _qwen3,
        "<|vision_start|><|video_pad|><|vision_end|>",
        {**HALF, "size": {"shortest_edge": 4096, "longest_edge": 32 * 32 * 16}},
    ),
    "video_llama_3": (_video_llama3, "<|video_pad|>\n", {**FREE, "merge_size": 2}),
    "llava_onevision": (_llava_onevision, "<video>\n", {**HALF, "size": {"height": 32, "width": 32}}),
    "internvl": (_internvl, "<video>\n", {**HALF, "size": {"height": 32, "width": 32}}),
    "smolvlm": (_smolvlm, "<video>", {**HALF, "max_image_size": {"longest_edge": 32}, "size": {"longest_edge": 64}}),
}
"""model_type -> (model, what its template writes for a video, settings of its pictures)."""


def write_tiny(kind: str, folder: Path) -> Path:
    """A folder as the Hub has them, a few hundred thousand random parameters."""
    build, video, settings = MODELS[kind]
    torch.manual_seed(0)
    model = build().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            # Fresh models find all words nearly equally likely: every test would pass on noise.
            parameter.add_(0.1 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(CHATML.replace("VIDEO", video))
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    return folder
