"""Init: the third-person start. Encoder and LLM learn to answer about (mostly exocentric) video.

The paper starts from VideoLLaMA2, whose CLIP tower was trained on image-text pairs, and 103 M exo + 3.8 M ego clips
(batch 512, lr 1e-3, 5 epochs). The shipped small weights come from these two stages on simulated exo video alone:
`vision`, in which the encoder learns to answer in one word (in place of CLIP's pre-training; without it the loss
stays at the text prior), then `initial`.
"""

from exo2ego.data.batch import Batch
from exo2ego.models.reader import answer_word_loss
from exo2ego.models.roles import Roles
from exo2ego.training.config import Objectives
from exo2ego.training.stages.stage import Losses, Stage


def losses(roles: Roles, batch: Batch, objectives: Objectives) -> Losses:
    """VTG from the exo encoder."""
    hidden = roles.language.read(batch.prefix, roles.exo_tokens(batch.videos["exo"]), batch.text)
    return {"vtg": roles.language.answer_loss(hidden, batch.text)}


def vision_losses(roles: Roles, batch: Batch, objectives: Objectives) -> Losses:
    """One-word answers from the visual tokens; the LLM itself is not run."""
    if roles.reader is None:
        raise ValueError("stage vision needs a reader: set reader_width in the recipe")
    return {"answer_words": answer_word_loss(roles.reader, roles.exo_tokens(batch.videos["exo"]), batch.text)}


VISION = Stage(
    title="Init, encoder",
    data="instructions",
    views=("exo",),
    trains=("exo.*", "reader.*"),
    exports="exo",
    losses=vision_losses,
)

STAGE = Stage(
    title="Init", data="instructions", views=("exo",), trains=("exo.*", "language.*"), exports="exo", losses=losses
)
