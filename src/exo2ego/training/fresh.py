"""A model from nothing, for the `initial` stage of the `tiny` recipe: random weights and a tokenizer of its texts."""

from collections.abc import Iterable
from pathlib import Path

import torch

from exo2ego.data.chat import ChatFormat
from exo2ego.models.configuration import ConvTowerConfig, Exo2EgoConfig
from exo2ego.models.modeling import Exo2EgoForConditionalGeneration, register
from exo2ego.models.processing import Exo2EgoProcessor
from exo2ego.models.tokenizer import VIDEO, train_tokenizer
from exo2ego.training.checkpoint import write_weights
from exo2ego.training.config import Recipe

VOCAB_SIZE = 768
CHAT = ChatFormat(before_video="USER:", before_question=" ", after_question=" ASSISTANT:", before_answer=" ")
"""Shorter than Mistral's: every token costs time on two cores."""


def fresh_config(recipe: Recipe, vocab_size: int, video_token_id: int) -> Exo2EgoConfig:
    """About 1.4 M parameters without the mapping."""
    width, heads = 128, 4
    text = {
        "model_type": "mistral",
        "vocab_size": vocab_size,
        "hidden_size": width,
        "intermediate_size": 384,
        "num_hidden_layers": 4,
        "num_attention_heads": heads,
        "num_key_value_heads": heads,
        "head_dim": width // heads,
        "max_position_embeddings": 2048,
        "sliding_window": None,
        "tie_word_embeddings": True,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 3,
    }
    return Exo2EgoConfig(
        vision_config=ConvTowerConfig(hidden_size=96, stem_width=24, image_size=recipe.size_px),
        text_config=text,
        num_frames=recipe.num_frames,
        connector_depth=1,
        connector_padding=0,
        mapping="none",
        video_token_id=video_token_id,
    )


def fresh_model(recipe: Recipe, texts: Iterable[str], out: Path, *, seed: int) -> Path:
    """Write a random model with a tokenizer trained on `texts` as an exported folder; returns it."""
    register()
    tokenizer = train_tokenizer(texts, VOCAB_SIZE)
    torch.manual_seed(seed)
    config = fresh_config(recipe, len(tokenizer), tokenizer.convert_tokens_to_ids(VIDEO))
    model = Exo2EgoForConditionalGeneration(config)
    processor = Exo2EgoProcessor(
        tokenizer,
        num_frames=recipe.num_frames,
        image_size=recipe.size_px,
        video_tokens=model.model.token_grid().tokens,
        image_mean=config.image_mean,
        image_std=config.image_std,
        before_video=CHAT.before_video,
        before_question=CHAT.before_question,
        after_question=CHAT.after_question,
        before_answer=CHAT.before_answer,
    )

    def fill(folder: Path) -> None:
        model.save_pretrained(folder)
        processor.save_pretrained(folder)

    write_weights(out, fill)
    return out
