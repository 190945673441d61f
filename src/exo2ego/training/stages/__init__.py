"""The stages. Each is four statements: whose video, what data, what trains, which losses.

What trains is a list of name patterns (`models/roles.py: set_trainable`); the recipe may narrow it.
"""

from exo2ego.training.stages import baselines, guidance, initial, practice, teacher
from exo2ego.training.stages.stage import Stage

STAGES: dict[str, Stage] = {
    "vision": initial.VISION,
    "initial": initial.STAGE,
    "teacher": teacher.STAGE,
    "guidance": guidance.STAGE,
    "practice": practice.STAGE,
    "ego_only": baselines.EGO_ONLY,
    "mixed": baselines.MIXED,
}
