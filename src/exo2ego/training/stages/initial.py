"""Init: the third-person start. Encoder and LLM learn to answer about (mostly exocentric) video.

The paper starts from VideoLLaMA2, whose CLIP tower was trained on image-text pairs, and 103 M exo + 3.8 M ego clips
(batch 512, lr 1e-3, 5 epochs). The shipped small weights come from these two stages on simulated exo video alone:
`vision`, in which the encoder learns which words belong to a clip (in place of CLIP's pre-training; without it the loss
stays at the text prior), then `initial`.
"""

from exo2ego.data.batch import Batch
from exo2ego.models.roles import Roles
from exo2ego.models.tags import tag_loss
from exo2ego.training.config import Objectives
from exo2ego.training.stages.stage import Losses, Stage


def losses(roles: Roles, batch: Batch, objectives: Objectives) -> Losses:
    """VTG from the exo encoder and, with a weight, the answers' words from the mean visual token."""
    y = roles.exo_tokens(batch.videos["exo"])
    out: Losses = {"vtg": roles.language.answer_loss(roles.language.read(batch.prefix, y, batch.text), batch.text)}
    if objectives.tags:
        out["tags"] = tag_loss(y.mean(1), roles.language.lm_head, batch.text)
    return out


def vision_losses(roles: Roles, batch: Batch, objectives: Objectives) -> Losses:
    """The words of the answers, in any order, from the visual tokens; the LLM itself is not run."""
    if roles.tag_reader is None:
        raise ValueError("stage vision needs a tag reader: set tag_reader_width in the recipe")
    read = roles.tag_reader(roles.exo_tokens(batch.videos["exo"]))
    return {"tags": tag_loss(read, roles.language.lm_head, batch.text)}


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
