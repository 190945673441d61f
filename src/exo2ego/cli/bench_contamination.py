"""`exo2ego bench contamination`: which benchmark questions are about recordings that were trained on."""

from dataclasses import dataclass
from pathlib import Path

from exo2ego.errors import LeakageError


@dataclass(frozen=True, slots=True, kw_only=True)
class ContaminationCommand:
    """Compare the recordings and times of training shards with those of benchmark questions. Reads no video.

    Example: exo2ego bench contamination --train shards/ego shards/exo --tasks egoschema --root data/egoschema
    """

    train: tuple[Path, ...]
    """Shard folders that were trained on."""
    tasks: str
    """Names of tasks, separated by commas, or all."""
    root: Path
    """Folder of the task's files; for several tasks, the folder that holds one folder for each."""
    out: Path | None = None
    """Folder for one csv a task: every question concerned, with the seconds that training saw."""
    fail: bool = False
    """Leave with exit code 2 when any question is about a recording that was trained on."""

    def __call__(self) -> int:
        """Print the counts, write the lists."""
        from exo2ego.bench.contamination import as_csv, contamination
        from exo2ego.bench.files import write_text
        from exo2ego.cli.bench_common import task_root, tasks_present
        from exo2ego.data.shards import open_shards

        samples = [sample for folder in self.train for sample in open_shards(folder).samples]
        tasks, absent = tasks_present(self.root, self.tasks)
        if absent:
            print(f"without a folder in {self.root}, so not compared: {', '.join(absent)}")
        concerned = 0
        for task in tasks:
            root = task_root(self.root, self.tasks, task)
            found = contamination(samples, task.load(root, full=True), root)
            concerned += found.same_video
            print(
                f"{task.name}: {found.same_video} of {found.items} items are about one of {found.train_videos} trained "
                f"recordings ({found.train_samples} samples), {found.same_time} of them about trained seconds"
            )
            if self.out is not None:
                path = self.out / f"{task.name}.csv"
                write_text(path, as_csv(found))
                print(f"written: {path}")
        if self.fail and concerned:
            raise LeakageError(
                f"{concerned} benchmark items are about recordings that were trained on; leave those out of the shards"
            )
        return 0
