"""The benchmarks by name. A new one: a file beside this one, a line below, a test."""

from exo2ego.bench.tasks import egomcq, egoplan, egoschema, epic_mir, forgetting, vln_qa
from exo2ego.bench.tasks.base import Task

TASKS: dict[str, Task] = {
    "egomcq": egomcq.TASK,
    "egoschema": egoschema.TASK,
    "epic_mir": epic_mir.TASK,
    "egoplan": egoplan.TASK,
    "vln_qa": vln_qa.TASK,
    "forgetting": forgetting.TASK,
}
