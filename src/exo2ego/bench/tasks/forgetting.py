"""What first-person training costs in third person: the simulated questions asked about a fixed camera's video.

Files: those of EgoSchema's form that the simulated world writes to `bench/egoschema_exo/`: the same questions, options
and answers as in `bench/egoschema/`, with videos of the same moments seen by the take's best fixed camera. A model
before and a model after first-person training, compared on this task, show what was forgotten; it stands apart from
EgoBench and counts in no average. There is no such set of real videos.
"""

from collections.abc import Mapping, Sequence

from exo2ego.bench.items import Item
from exo2ego.bench.tasks import egoschema
from exo2ego.bench.tasks.base import Measure, ScoreSettings, Task, choice_measures
from exo2ego.bench.tasks.choice import choice_protocols, choose
from exo2ego.records import Prediction


def score(items: Sequence[Item], predictions: Mapping[str, Prediction], settings: ScoreSettings) -> list[Measure]:
    """Accuracy over all questions, also by label; never a headline."""
    return choice_measures(items, predictions, "forgetting", settings, choose, headline=False)


TASK = Task(
    name="forgetting",
    title="Forgetting (third person)",
    load=egoschema.load,
    protocols=choice_protocols("forgetting", "Which hand acts?", ("left", "right", "both", "neither", "unclear")),
    default_protocol="likelihood",
    score=score,
    official_sizes=(0, 0),
    folder="egoschema_exo",
    apart=True,
)
