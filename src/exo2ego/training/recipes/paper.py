"""`paper`: the published numbers, read beside the paper's table (reference: arXiv 2503.09143, section 4 and
appendix).

    exo2ego train --recipe paper --stage guidance --init-from RUN/teacher/final --data SHARDS --out RUN/guidance

Needs VideoLLaMA2-7B weights converted to an exported model and GPUs; nothing of it was run at full size by us.
Published: batches, rates, warm-up, epochs, LoRA, nine residual blocks, which losses. Not published, hence our choice
and marked as such: loss weights (all 1), KL axis (channels per token) and temperature (1), mapping width (512),
whether the vision tower trains (yes: "encoder"), no global skip in the mapping (CycleGAN's form).
`paper_model` is the model that the recipe trains, at full size: what converted weights have to fit.
"""

from transformers import CLIPVisionConfig, MistralConfig

from exo2ego.models.configuration import Exo2EgoConfig
from exo2ego.models.language import LoraSpec
from exo2ego.models.roles import MappingSpec
from exo2ego.models.weights import view_config
from exo2ego.training.config import Objectives, Optim, Recipe, StageConfig
from exo2ego.training.stages import STAGES

INIT_CLIPS = 103_000_000 + 3_800_000
PAIRS = 1_100_000
INSTRUCTIONS = 600_000


def epochs(count: int, samples: int, batch_size: int) -> int:
    """Optimiser steps of so many passes over so many samples."""
    return count * samples // batch_size


def paper() -> Recipe:
    """Init, stage 1 and 2, stage 3 as published."""
    pairs = Optim(steps=epochs(2, PAIRS, 256), batch_size=256, lr=1e-4, warmup=0.03)
    guidance = Objectives(vtg=1.0, kl=1.0, cycle_forward=1.0, cycle_backward=1.0)
    return Recipe(
        name="paper",
        num_frames=16,
        size_px=336,
        mapping=MappingSpec(kind="resnet", width=512, blocks=9, residual=False),
        checkpoint_every=500,
        stages={
            "initial": StageConfig(
                optim=Optim(steps=epochs(5, INIT_CLIPS, 512), batch_size=512, lr=1e-3, warmup=0.1), trains=("exo.*",)
            ),
            "teacher": StageConfig(optim=pairs, trains=STAGES["teacher"].trains),
            "guidance": StageConfig(optim=pairs, trains=STAGES["guidance"].trains, objectives=guidance),
            "practice": StageConfig(
                optim=Optim(steps=epochs(1, INSTRUCTIONS, 64), batch_size=64, lr=2e-5, warmup=0.03),
                trains=STAGES["practice"].trains,
                lora=LoraSpec(rank=128, alpha=256, dropout=0.1),
            ),
        },
    )


def paper_model() -> Exo2EgoConfig:
    """The student of the recipe: CLIP-L/14 at 336 pixels, STC connector, Mistral-7B-Instruct-v0.2, `ego_to_exo`.

    That is VideoLLaMA2-7B-16F, which the paper starts from, and the recipe's own mapping, frames and size.
    """
    recipe = paper()
    vision = CLIPVisionConfig(
        hidden_size=1024,
        intermediate_size=4096,
        num_hidden_layers=24,
        num_attention_heads=16,
        image_size=recipe.size_px,
        patch_size=14,
    )
    text = MistralConfig(
        vocab_size=32000,
        max_position_embeddings=32768,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 1e6},
        sliding_window=None,
    )
    base = Exo2EgoConfig(vision_config=vision, text_config=text, num_frames=recipe.num_frames, connector_padding=1)
    return view_config(base, recipe.mapping.kind, recipe.mapping)
