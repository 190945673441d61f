"""Stage 3, Student Self-Practice: instruction tuning on ego video; ego encoder, `ego_to_exo` and LoRA train (paper
section 3)."""

from exo2ego.data.batch import Batch
from exo2ego.models.roles import Roles
from exo2ego.training.config import Objectives
from exo2ego.training.stages.stage import Losses, Stage


def losses(roles: Roles, batch: Batch, objectives: Objectives) -> Losses:
    """VTG on concat(x, ego_to_exo(x))."""
    hidden = roles.language.read(batch.prefix, roles.student_tokens(batch.videos["ego"])[2], batch.text)
    return {"vtg": roles.language.answer_loss(hidden, batch.text)}


STAGE = Stage(
    title="Student Self-Practice",
    data="instructions",
    views=("ego",),
    trains=("ego.*", "ego_to_exo.*", "language.*lora_*"),
    exports="student",
    losses=losses,
)
