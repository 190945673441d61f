"""`exo2ego bench check`: are a task's files whole, are its videos there, and where does one get the rest?"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Read tasks' files and look for their videos, without a model; exit code 2 when something is missing.

    Example: exo2ego bench check egomcq --root data/egomcq
    """

    tasks: Annotated[str, tyro.conf.Positional]
    """Names of tasks, separated by commas, or all."""
    root: Path
    """Folder of the task's files; for several tasks, the folder that holds one folder for each."""
    json: bool = False
    """Print one JSON object a task and line, with every missing video."""

    def __call__(self) -> int:
        """Print what is there and what is not; 2 when something is missing."""
        from exo2ego.bench.check import as_lines, as_record, check_task
        from exo2ego.cli.bench_common import task_root, tasks_named

        complete = True
        for task in tasks_named(self.tasks):
            found = check_task(task, task_root(self.root, self.tasks, task))
            complete = complete and found.complete
            print(json.dumps(as_record(found)) if self.json else "\n".join(as_lines(found)))
        return 0 if complete else 2
