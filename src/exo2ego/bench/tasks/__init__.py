"""The benchmarks by name. A new one: a file beside this one, a line below, a test."""

from exo2ego.bench.tasks import (
    charades_ego,
    egomcq,
    egoplan,
    egoschema,
    egotaskqa,
    egotaskqa_mcq,
    epic_mir,
    forgetting,
    qaego4d_closed,
    qaego4d_open,
    vln_qa,
)
from exo2ego.bench.tasks.base import Task

TASKS: dict[str, Task] = {
    "egomcq": egomcq.TASK,
    "egoschema": egoschema.TASK,
    "qaego4d_closed": qaego4d_closed.TASK,
    "qaego4d_open": qaego4d_open.TASK,
    "egotaskqa_direct": egotaskqa.DIRECT,
    "egotaskqa_indirect": egotaskqa.INDIRECT,
    "egotaskqa_mcq": egotaskqa_mcq.TASK,
    "charades_ego": charades_ego.TASK,
    "epic_mir": epic_mir.TASK,
    "egoplan": egoplan.TASK,
    "vln_qa": vln_qa.TASK,
    "forgetting": forgetting.TASK,
}
