"""What the method is compared with: the same start, the same ego clips, the same number of steps, no teacher.

`ego_only` reads ego clips alone. `mixed` puts both views of every pair through the one (ego) encoder. Both keep the
student's form, concat(x, ego_to_exo(x)), so that size and visual tokens are equal; only the guidance is missing.
"""

import torch

from exo2ego.data.batch import Batch
from exo2ego.models.roles import Roles
from exo2ego.training.config import Objectives
from exo2ego.training.stages.practice import losses as student_losses
from exo2ego.training.stages.stage import Losses, Stage


def mixed_losses(roles: Roles, batch: Batch, objectives: Objectives) -> Losses:
    """VTG of the ego clip and of its exo clip through the same encoder, averaged."""
    parts = [
        roles.language.answer_loss(
            roles.language.read(batch.prefix, roles.student_tokens(batch.videos[view])[2], batch.text), batch.text
        )
        for view in ("ego", "exo")
    ]
    return {"vtg": torch.stack(parts).mean()}


EGO_ONLY = Stage(
    title="Baseline: ego only",
    data="pairs",
    views=("ego",),
    trains=("ego.*", "ego_to_exo.*"),
    exports="student",
    losses=student_losses,
)

MIXED = Stage(
    title="Baseline: ego and exo in one encoder",
    data="pairs",
    views=("ego", "exo"),
    trains=("ego.*", "ego_to_exo.*"),
    exports="student",
    losses=mixed_losses,
)
