"""The exported model in Hugging Face form: `from_pretrained`, `generate`, `save_pretrained`, Auto classes.

Shapes: `B` batch, `T` frames, `N` visual tokens, `L` text tokens, `D` LLM width.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from transformers import AutoModel, AutoModelForImageTextToText, AutoProcessor, GenerationMixin, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling, CausalLMOutputWithPast

from exo2ego.models.configuration import Exo2EgoConfig, register_configs
from exo2ego.models.decoder import build_decoder, build_head, require_room, word_vectors_name
from exo2ego.models.encoder import VideoEncoder, build_encoder
from exo2ego.models.mapping import build_mapping
from exo2ego.models.processing import Exo2EgoProcessor
from exo2ego.models.vision import Grid


@dataclass
class Exo2EgoOutput(CausalLMOutputWithPast):  # type: ignore[misc]
    """Causal LM output; `loss` only where `labels` were given."""


class Exo2EgoPreTrainedModel(PreTrainedModel):  # type: ignore[misc]
    """Base with what Transformers asks of a multimodal model."""

    config_class = Exo2EgoConfig
    base_model_prefix = "model"
    input_modalities = ("video", "text")
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _supports_attention_backend = True
    _skip_keys_device_placement: ClassVar[list[str]] = ["past_key_values"]

    def _init_weights(self, module: nn.Module) -> None:
        """Left to the modules' own initialisation: the mapping starts as the identity on purpose."""


class Exo2EgoModel(Exo2EgoPreTrainedModel):
    """Vision tower, connector, `ego_to_exo` and the LLM without its head."""

    def __init__(self, config: Exo2EgoConfig) -> None:
        super().__init__(config)
        encoder = build_encoder(config)
        self.vision_tower = encoder.tower
        self.multi_modal_projector = encoder.connector
        self.ego_to_exo: nn.Module | None = None
        if config.mapping != "none":
            self.ego_to_exo = build_mapping(
                config.mapping,
                dim=config.text_config.hidden_size,
                width=config.mapping_width,
                blocks=config.mapping_blocks,
                residual=config.mapping_residual,
            )
        self.language_model: Any = build_decoder(config.text_config)
        require_room(config.text_config, self.token_grid().tokens * (1 if self.ego_to_exo is None else 2))
        self.post_init()

    def encoder(self) -> VideoEncoder:
        """Tower and connector as one module (shared, not copied)."""
        return VideoEncoder(self.vision_tower, self.multi_modal_projector)

    def token_grid(self) -> Grid:
        """Grid of x; the LLM sees one such block, or two with a mapping."""
        return self.encoder().grid(self.config.num_frames)

    def get_video_features(self, pixel_values_videos: Tensor, **_: Any) -> BaseModelOutputWithPooling:
        """float[B, T, 3, H, W] -> `pooler_output` float[B, N, D]: x, or concat(x, ego_to_exo(x)) on the token axis."""
        encoder = self.encoder()
        x = encoder(pixel_values_videos)
        if self.ego_to_exo is not None:
            x = torch.cat([x, self.ego_to_exo(x, encoder.grid(pixel_values_videos.shape[1]))], dim=1)
        return BaseModelOutputWithPooling(pooler_output=x)

    def embed(self, input_ids: Tensor, pixel_values_videos: Tensor | None) -> Tensor:
        """int[B, L] with video placeholders -> float[B, L, D] with the visual tokens put in their place."""
        mask = input_ids == self.config.video_token_id
        # A placeholder may be no word of the vocabulary (the paper's model), and none is read: any row will do.
        embeds: Tensor = self.get_input_embeddings()(input_ids.masked_fill(mask, 0))
        if pixel_values_videos is None:
            return embeds
        features = self.get_video_features(pixel_values_videos).pooler_output.to(embeds.dtype)
        mask = mask.unsqueeze(-1)
        if int(mask.sum()) != features.shape[0] * features.shape[1]:
            raise ValueError(
                f"{int(mask.sum())} video placeholders in the text, {features.shape[:2].numel()} visual tokens"
            )
        return embeds.masked_scatter(mask, features)

    def get_input_embeddings(self) -> nn.Module:
        """Token embedding of the LLM."""
        out: nn.Module = self.language_model.get_input_embeddings()
        return out

    def forward(
        self,
        input_ids: Tensor | None = None,
        pixel_values_videos: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        **kwargs: Any,
    ) -> Any:
        """Hidden states of the LLM, float[B, L, D]."""
        if inputs_embeds is None:
            if input_ids is None:
                raise ValueError("either input_ids or inputs_embeds is needed")
            inputs_embeds = self.embed(input_ids, pixel_values_videos)
        return self.language_model(inputs_embeds=inputs_embeds, **kwargs)


class Exo2EgoForConditionalGeneration(Exo2EgoPreTrainedModel, GenerationMixin):  # type: ignore[misc]
    """The model users load: answers in text about an egocentric video."""

    def __init__(self, config: Exo2EgoConfig) -> None:
        super().__init__(config)
        self.model = Exo2EgoModel(config)
        self.lm_head = build_head(config.text_config)
        words = word_vectors_name(self.model.language_model)
        self._tied_weights_keys = {"lm_head.weight": f"model.language_model.{words}.weight"}
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """Token embedding of the LLM."""
        return self.model.get_input_embeddings()

    def get_output_embeddings(self) -> nn.Module:
        """The LLM's head."""
        return self.lm_head

    def get_video_features(self, pixel_values_videos: Tensor, **kwargs: Any) -> BaseModelOutputWithPooling:
        """See `Exo2EgoModel.get_video_features`."""
        return self.model.get_video_features(pixel_values_videos, **kwargs)

    def forward(
        self,
        input_ids: Tensor | None = None,
        pixel_values_videos: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Any = None,
        labels: Tensor | None = None,
        logits_to_keep: int | Tensor = 0,
        **kwargs: Any,
    ) -> Exo2EgoOutput:
        """Logits float[B, L, vocabulary]; with `labels` int[B, L] (-100 = not counted) also the LM loss."""
        outputs = self.model(
            input_ids=input_ids,
            pixel_values_videos=pixel_values_videos,
            inputs_embeds=inputs_embeds,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            **kwargs,
        )
        keep = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        logits = self.lm_head(outputs.last_hidden_state[:, keep])
        loss = None
        if labels is not None:
            loss = self.loss_function(logits=logits, labels=labels, vocab_size=self.config.text_config.vocab_size)
        return Exo2EgoOutput(loss=loss, logits=logits, past_key_values=outputs.past_key_values)

    def prepare_inputs_for_generation(
        self,
        input_ids: Tensor,
        pixel_values_videos: Tensor | None = None,
        is_first_iteration: bool = False,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """The video goes in at the first step only; after that its keys and values are cached."""
        inputs: dict[str, Any] = super().prepare_inputs_for_generation(
            input_ids, is_first_iteration=is_first_iteration, **kwargs
        )
        if is_first_iteration or not kwargs.get("use_cache", True):
            inputs["pixel_values_videos"] = pixel_values_videos
        return inputs


def register() -> None:
    """Make the Auto classes know the model and its processor; safe to call again."""
    register_configs()
    AutoProcessor.register(Exo2EgoConfig, Exo2EgoProcessor, exist_ok=True)
    AutoModel.register(Exo2EgoConfig, Exo2EgoModel, exist_ok=True)
    AutoModelForImageTextToText.register(Exo2EgoConfig, Exo2EgoForConditionalGeneration, exist_ok=True)
