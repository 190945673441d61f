"""A model small enough to build in a moment, with a tokenizer of a few words."""

import pytest
import torch

from exo2ego.models.configuration import ConvTowerConfig, Exo2EgoConfig
from exo2ego.models.modeling import Exo2EgoForConditionalGeneration, register
from exo2ego.models.processing import Exo2EgoProcessor
from exo2ego.models.tokenizer import VIDEO, train_tokenizer

TEXTS = [" What colour is the cup?", " red", " green", " Camera-wearer lifts the cup.", "USER: ASSISTANT:"] * 3


@pytest.fixture(scope="session", autouse=True)
def registered() -> None:
    """The small tower's configuration is known to Transformers whichever test comes first."""
    register()


def small_config(*, mapping: str = "resnet", vocab_size: int = 320, video_token_id: int = 4) -> Exo2EgoConfig:
    """Width 32, two layers, 4 frames of 32 pixels."""
    text = {
        "model_type": "mistral",
        "vocab_size": vocab_size,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "sliding_window": None,
        "tie_word_embeddings": True,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 3,
    }
    return Exo2EgoConfig(
        vision_config=ConvTowerConfig(hidden_size=16, stem_width=8, image_size=32),
        text_config=text,
        num_frames=4,
        connector_depth=1,
        connector_padding=0,
        mapping=mapping,
        mapping_width=16,
        mapping_blocks=2,
        video_token_id=video_token_id,
    )


@pytest.fixture(scope="session")
def config_of():
    """Makes the small configuration, for tests that change it."""
    return small_config


@pytest.fixture(scope="session")
def tokenizer():
    return train_tokenizer(TEXTS, 320)


@pytest.fixture
def small_model(tokenizer):
    """Student form: concat(x, ego_to_exo(x))."""
    torch.manual_seed(0)
    config = small_config(vocab_size=len(tokenizer), video_token_id=tokenizer.convert_tokens_to_ids(VIDEO))
    return Exo2EgoForConditionalGeneration(config).eval()


@pytest.fixture
def small_start(tokenizer):
    """One-view form: the third-person start."""
    torch.manual_seed(1)
    config = small_config(mapping="none", vocab_size=len(tokenizer))
    return Exo2EgoForConditionalGeneration(config).eval()


@pytest.fixture
def processor(tokenizer, small_model):
    tokens = 2 * small_model.model.token_grid().tokens
    return Exo2EgoProcessor(tokenizer, num_frames=4, image_size=32, video_tokens=tokens)


@pytest.fixture
def start_processor(tokenizer, small_start):
    return Exo2EgoProcessor(tokenizer, num_frames=4, image_size=32, video_tokens=small_start.model.token_grid().tokens)
