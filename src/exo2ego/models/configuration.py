"""Configuration of the exported model, in Hugging Face form, and of the small convolutional tower."""

from typing import Any, ClassVar

from huggingface_hub.dataclasses import strict
from transformers import AutoConfig, PreTrainedConfig
from transformers.configuration_utils import SubConfigSpec

from exo2ego.models.vision import CONV_TOWER


@strict
class ConvTowerConfig(PreTrainedConfig):  # type: ignore[misc]
    """The tower of the `tiny` preset (`models/vision.py: ConvVideoTower`)."""

    model_type = CONV_TOWER
    hidden_size: int = 96
    stem_width: int = 24
    image_size: int = 64
    patch_size: int = 8


@strict
class Exo2EgoConfig(PreTrainedConfig):  # type: ignore[misc]
    """Ego tower + STC connector + `ego_to_exo` + causal LM: what is needed at inference (paper section 3, stage 3).

    `mapping="none"` is a model of one view (the exo start and the teacher): the LLM reads x alone.
    """

    model_type = "exo2ego"
    sub_configs_defaults: ClassVar[dict[str, Any]] = {
        "vision_config": SubConfigSpec(config_class=AutoConfig, model_type="clip_vision_model"),
        "text_config": SubConfigSpec(config_class=AutoConfig, model_type="mistral"),
    }
    attribute_map: ClassVar[dict[str, str]] = {"video_token_index": "video_token_id"}

    # given as dict, config or None; configs after construction
    vision_config: Any = None
    text_config: Any = None
    num_frames: int = 16
    vision_feature_layer: int = -2
    connector_depth: int = 4
    connector_padding: int = 1
    mapping: str = "resnet"
    mapping_width: int = 512
    mapping_blocks: int = 9
    mapping_residual: bool = True
    video_token_id: int = 32000
    image_mean: list[float] | tuple[float, ...] = (0.48145466, 0.4578275, 0.40821073)
    image_std: list[float] | tuple[float, ...] = (0.26862954, 0.26130258, 0.27577711)
    tie_word_embeddings: bool = False

    def __post_init__(self, **kwargs: Any) -> None:
        super().__post_init__(**kwargs)
        if self.text_config.tie_word_embeddings:
            self.tie_word_embeddings = True


def register_configs() -> None:
    """Make `AutoConfig` know both model types; safe to call again."""
    AutoConfig.register(CONV_TOWER, ConvTowerConfig, exist_ok=True)
    AutoConfig.register("exo2ego", Exo2EgoConfig, exist_ok=True)
