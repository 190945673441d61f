"""Stage 1, Teacher Self-Preparation: the exo encoder learns Ego-ExoClip's exo clips, the LLM is frozen (paper section
3)."""

from exo2ego.training.stages.initial import losses
from exo2ego.training.stages.stage import Stage

STAGE = Stage(
    title="Teacher Self-Preparation", data="pairs", views=("exo",), trains=("exo.*",), exports="exo", losses=losses
)
