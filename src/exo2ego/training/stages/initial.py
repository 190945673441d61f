"""Init: the third-person start. Encoder and LLM learn to answer about (mostly exocentric) video.

The paper starts from VideoLLaMA2, whose CLIP tower was trained on image-text pairs, and 103 M exo + 3.8 M ego clips
(batch 512, lr 1e-3, 5 epochs). The shipped small weights come from these two stages on simulated exo video alone:
`vision`, in which the encoder learns which words belong to a clip (in place of CLIP's pre-training; without it the loss
stays at the text prior), then `initial`.
"""

import torch
from torch import Tensor

from exo2ego.data.batch import Batch
from exo2ego.data.chat import NO_TOPIC
from exo2ego.errors import FormatError
from exo2ego.models.roles import Roles
from exo2ego.models.tags import tag_loss
from exo2ego.training.config import Objectives
from exo2ego.training.stages.stage import Losses, Stage


def losses(roles: Roles, batch: Batch, objectives: Objectives) -> Losses:
    """VTG from the exo encoder and, with a weight, the answers' words by the throw-away reader."""
    y = roles.exo_tokens(batch.videos["exo"])
    half = len(y) // 2 if objectives.read_twice else 0
    parts = [(batch.text.rows(half, None), y[half:])]
    if half:
        parts.append((batch.text.rows(0, half), torch.cat([y[:half], y[:half]], dim=1)))
    told = [roles.language.answer_loss(roles.language.read(batch.prefix, v, t), t) * len(v) for t, v in parts]
    out: Losses = {"vtg": torch.stack(told).sum() / len(y)}
    if objectives.tags:
        out["tags"] = read_tags(roles, batch, y)
    return out


def read_tags(roles: Roles, batch: Batch, y: Tensor) -> Tensor:
    """The words of the answers, in any order, from the visual tokens float[B, N, D]; float32 scalar."""
    if roles.tag_reader is None:
        raise ValueError("objective tags needs a tag reader: set tag_reader_width in the recipe")
    return tag_loss(roles.tag_reader(y), roles.language.lm_head, batch.text)


def vision_losses(roles: Roles, batch: Batch, objectives: Objectives) -> Losses:
    """The words of the answers by the reader alone; the LLM itself is not run.

    Raises FormatError for a batch that has nothing to learn from.
    """
    if not bool((batch.text.topics != NO_TOPIC).any()):
        raise FormatError(
            f"sample {batch.ids[0]}: the stage vision learns from answers to the recipe's question_groups, and this "
            "batch has none; train the stage initial on such data"
        )
    return {"tags": read_tags(roles, batch, roles.exo_tokens(batch.videos["exo"]))}


VISION = Stage(
    title="Init, encoder",
    data="instructions",
    views=("exo",),
    trains=("exo.*", "tag_reader.*", "language.model.embed_tokens.*"),
    exports="exo",
    losses=vision_losses,
)

STAGE = Stage(
    title="Init", data="instructions", views=("exo",), trains=("exo.*", "language.*"), exports="exo", losses=losses
)
