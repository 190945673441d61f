"""Init: the third-person start. Encoder and LLM learn to answer about (mostly exocentric) video.

The paper starts from VideoLLaMA2 and 103 M exo + 3.8 M ego clips (batch 512, lr 1e-3, 5 epochs). The shipped small weights
come from this stage on simulated exo video alone.
"""

from exo2ego.data.batch import Batch
from exo2ego.models.roles import Roles
from exo2ego.training.config import Objectives
from exo2ego.training.stages.stage import Losses, Stage


def losses(roles: Roles, batch: Batch, objectives: Objectives) -> Losses:
    """VTG from the exo encoder."""
    hidden = roles.language.read(batch.prefix, roles.exo_tokens(batch.videos["exo"]), batch.text)
    return {"vtg": roles.language.answer_loss(hidden, batch.text)}


STAGE = Stage(
    title="Init", data="instructions", views=("exo",), trains=("exo.*", "language.*"), exports="exo", losses=losses
)
