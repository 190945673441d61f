"""`exo2ego bench check`: are a task's files whole, are its videos there?"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from exo2ego.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Read a task's files and look for its videos, without a model.

    Example: exo2ego bench check egomcq --root data/egomcq
    """

    task: Annotated[str, tyro.conf.Positional]
    """Name of a task."""
    root: Path
    """Folder of the task's files."""

    def __call__(self) -> int:
        """Print what is there; 2 when videos are missing."""
        from exo2ego.bench.items import items_hash, missing_videos
        from exo2ego.cli.bench_common import tasks_named

        if self.task == "all":
            raise InputError("check reads one task at a time; name egomcq, egoschema or epic_mir")
        (task,) = tasks_named(self.task)
        items = task.load(self.root, full=True)
        missing = missing_videos(items, self.root)
        videos = {video.path for item in items for video in item.videos}
        print(
            f"{task.title}: {len(items)} items, {len(videos)} videos, {len(missing)} missing, hash {items_hash(items)}"
        )
        for name in missing:
            print(f"missing: {name}")
        return 2 if missing else 0
