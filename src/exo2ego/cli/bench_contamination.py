"""`exo2ego bench contamination`: which benchmark questions are about recordings that were trained on."""

from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from exo2ego.errors import InputError, LeakageError

if TYPE_CHECKING:
    from exo2ego.bench.items import Item

    Loaded = tuple[str, list[Item], Path]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContaminationCommand:
    """Compare the recordings and times of training shards with those of benchmark questions. Reads no video.

    Example: exo2ego bench contamination --train shards/ego shards/exo --tasks egoschema --root data/egoschema

    Before training, for `exo2ego train --held-out`:
    exo2ego bench contamination --tasks all --root data --export held-out.jsonl
    """

    train: tuple[Path, ...] = ()
    """Shard folders that were trained on, or will be."""
    tasks: str
    """Names of tasks, separated by commas, or all."""
    root: Path
    """Folder of the task's files; for several tasks, the folder that holds one folder for each."""
    out: Path | None = None
    """Folder for one csv a task: every question concerned, with the seconds that training saw."""
    export: Path | None = None
    """JSON-lines file to write: every recording and stretch of it that a question is about."""
    takes: Path | None = None
    """`takes.json` of Ego-Exo4D: a take in --export is then listed under its uid and under its name."""
    fail: bool = False
    """Leave with exit code 2 when any question is about a recording that was trained on."""

    def __call__(self) -> int:
        """Print the counts, write the lists."""
        from exo2ego.cli.bench_common import load_present

        if not self.train and self.export is None:
            raise InputError("nothing to do: give --train SHARDS to compare, --export FILE to list, or both")
        present = load_present(self.root, self.tasks, lambda task, root: task.load(root, full=True), print, "compared")
        loaded = [(task.name, items, root) for task, root, items in present]
        if self.export is not None:
            self._export(self.export, loaded)
        concerned = self._compare(loaded) if self.train else 0
        if self.fail and concerned:
            raise LeakageError(
                f"{concerned} benchmark items are about recordings that were trained on; leave those out of the shards"
            )
        return 0

    def _compare(self, loaded: "list[Loaded]") -> int:
        """How many items are about a recording that was trained on."""
        from exo2ego.bench.contamination import as_csv, contamination, trained_on
        from exo2ego.bench.files import write_text
        from exo2ego.cli.common import add_bar, progress
        from exo2ego.data.shards import open_shards
        from exo2ego.data.told import told

        sets = [open_shards(folder) for folder in self.train]
        with progress() as bars:
            samples = chain.from_iterable(shards.samples for shards in sets)
            show = add_bar(bars, "reading shards", unit="samples")
            trained = trained_on(told(samples, sum(map(len, sets)), show))
        concerned = 0
        for task, items, root in loaded:
            with progress() as bars:
                found = contamination(trained, items, root, add_bar(bars, f"comparing {task}", unit="items"))
            concerned += found.same_video
            print(
                f"{task}: {found.same_video} of {found.items} items are about one of {found.train_videos} trained "
                f"recordings ({found.train_samples} samples), {found.same_time} of them about trained seconds"
            )
            if self.out is not None:
                path = self.out / f"{task}.csv"
                write_text(path, as_csv(found))
                print(f"written: {path}")
        return concerned

    def _export(self, path: Path, loaded: "list[Loaded]") -> None:
        from exo2ego.bench.contamination import held_out_spans
        from exo2ego.bench.files import write_text
        from exo2ego.data.egoexo4d import read_take_names
        from exo2ego.data.held_out import dump_held_out, held_out, with_other_names

        spans = held_out(span for task, items, root in loaded for span in held_out_spans(task, items, root))
        if self.takes is not None:
            spans = with_other_names(spans, read_take_names(self.takes))
        write_text(path, dump_held_out(spans))
        print(f"written: {path} ({len(spans)} stretches of {len(spans.by_video)} recordings)")
