"""What training reads, one example at a time: a stored sample, which view plays which role, and what is said of it.

Examples are made when they are asked for: any number of samples opens in the memory of their index.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import overload

import numpy as np
from numpy.typing import NDArray

from exo2ego.data.held_out import HeldOut
from exo2ego.data.mixture import Mixture
from exo2ego.data.mixture_order import Order
from exo2ego.data.shards import EGO, VIDEO, ShardSample, ShardSet, open_shards
from exo2ego.errors import FormatError, InputError, LeakageError
from exo2ego.records import Turn
from exo2ego.training.config import Recipe
from exo2ego.training.stages.stage import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One training example."""

    shards: ShardSet
    sample: ShardSample
    views: dict[str, str]
    """Role (`ego`, `exo`) -> name of the stored view."""
    conversations: tuple[tuple[Turn, ...], ...]

    @property
    def name(self) -> str:
        """For messages: sample and views."""
        return f"{self.sample.key}[{','.join(self.views.values())}]"


class Examples(Sequence[Example]):
    """The examples of a stage in its shard folders: one for each (narration, exo view), or for each stored video span.

    Whatever the views of a stage of pairs, the list and its order are the same: arms see equal data. A folder of the
    other kind has none.
    """

    def __init__(
        self, stage: Stage, question: str, shards: Sequence[ShardSet], kept: NDArray[np.int64] | None = None
    ) -> None:
        self._stage, self._question, self._shards, self._kept = stage, question, shards, kept
        self.counts = tuple(self._count(folder) for folder in shards)
        """Of each folder, before any are left out."""
        self._ends = np.cumsum(self.counts, dtype=np.int64)

    def __len__(self) -> int:
        return sum(self.counts) if self._kept is None else len(self._kept)

    @overload
    def __getitem__(self, place: int) -> Example: ...
    @overload
    def __getitem__(self, place: slice) -> list[Example]: ...
    def __getitem__(self, place: int | slice) -> Example | list[Example]:
        if isinstance(place, slice):
            return [self._read(number) for number in range(len(self))[place]]
        return self._read(range(len(self))[place])

    def __iter__(self) -> Iterator[Example]:
        stored = (example for folder in self._shards for example in self._stored(folder))
        if self._kept is None:
            yield from stored
            return
        before = 0
        for number in self._kept.tolist():
            yield from islice(stored, number - before, number - before + 1)
            before = number + 1

    def only(self, kept: NDArray[np.int64]) -> "Examples":
        """Those with these numbers, ascending."""
        return Examples(self._stage, self._question, self._shards, kept)

    def _count(self, folder: ShardSet) -> int:
        if self._stage.data == "pairs":
            return len(folder.pairs)
        return 0 if len(folder.pairs) else len(folder.samples)

    def _read(self, number: int) -> Example:
        stored = number if self._kept is None else int(self._kept[number])
        home = int(np.searchsorted(self._ends, stored, side="right"))
        folder, place = self._shards[home], stored - (int(self._ends[home - 1]) if home else 0)
        if self._stage.data == "pairs":
            sample, camera, _ = folder.pairs[place]
            return self._pair(folder, sample, camera)
        return self._span(folder, folder.samples[place])

    def _stored(self, folder: ShardSet) -> Iterator[Example]:
        if self._stage.data == "pairs":
            return (self._pair(folder, sample, camera) for sample, camera, _ in folder.pairs)
        return (self._span(folder, sample) for sample in (folder.samples if self._count(folder) else ()))

    def _pair(self, folder: ShardSet, sample: ShardSample, camera: str) -> Example:
        return Example(
            shards=folder,
            sample=sample,
            views={role: EGO if role == "ego" else camera for role in self._stage.views},
            conversations=((Turn(question=self._question, answer=sample.text),),),
        )

    def _span(self, folder: ShardSet, sample: ShardSample) -> Example:
        views = {self._stage.views[0]: VIDEO}
        return Example(shards=folder, sample=sample, views=views, conversations=sample.conversations)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingData:
    """The examples of a stage from all its sources, and the order in which they come."""

    examples: Sequence[Example]
    order: Order
    shards: Sequence[ShardSet] = ()
    """All folders, in order."""
    left_out: int = 0
    """Samples that are not trained on because a benchmark asks about the same seconds."""


def training_data(
    stage: Stage,
    mixture: Mixture,
    recipe: Recipe,
    seed: int,
    *,
    held_out: HeldOut | None = None,
    drop_held_out: bool = False,
) -> TrainingData:
    """Open all sources. With `held_out`, what a benchmark asks about is refused, or left out and counted.

    Raises InputError without any source, FormatError for a source that has nothing for the stage, LeakageError for a
    sample of another split than `train` or for what is held out.
    """
    if not mixture.sources:
        raise InputError("no data was given; name at least one shard folder with --data")
    shards = [open_shards(folder) for folder in mixture.folders]
    examples = Examples(stage, recipe.narration_question, shards)
    owners = np.repeat(np.arange(len(mixture.sources)), [len(source.folders) for source in mixture.sources])
    owner = np.repeat(owners, examples.counts)
    """int64[examples]: the source of each."""
    sizes = np.bincount(owner, minlength=len(mixture.sources))
    if not len(examples):
        raise nothing_for(stage, "the shards hold")
    if mixture.weighted and not sizes.all():  # without weights all sources are one list: one of them may be empty
        raise nothing_for(stage, f"source {mixture.sources[int(sizes.argmin())].name!r} holds")
    kept, left_out = allowed(examples, held_out, drop=drop_held_out)
    if left_out:
        examples, sizes = examples.only(kept), np.bincount(owner[kept], minlength=len(mixture.sources))
        if not len(examples) or (mixture.weighted and not sizes.all()):
            name = mixture.sources[int(sizes.argmin())].name
            raise LeakageError(f"source {name!r}: all of its samples are held out; leave the source out")
    order = mixture.order(sizes.tolist(), seed)
    return TrainingData(examples=examples, order=order, shards=shards, left_out=left_out)


def nothing_for(stage: Stage, who: str) -> FormatError:
    """The error for shards without an example of the kind that the stage reads."""
    verb, what = ("clips", "ego-exo pairs") if stage.data == "pairs" else ("instruct", "instructions")
    return FormatError(f"{who} no example for {stage.title}: it needs {what} (`exo2ego data {verb}`)")


def allowed(examples: Sequence[Example], held_out: HeldOut | None, *, drop: bool) -> tuple[NDArray[np.int64], int]:
    """Numbers of the examples that may be trained on, ascending, and how many samples that leaves out.

    Raises LeakageError for a sample of another split than `train`; unless they are to be dropped, for the first sample
    that is held out.
    """
    kept: list[int] = []
    met: set[tuple[int, str]] = set()
    refusal = ""
    for number, example in enumerate(examples):
        sample = example.sample
        if sample.split != "train":
            raise LeakageError(
                f"sample {sample.key} of take {sample.take_uid} is of split {sample.split!r}; train on 'train' only"
            )
        span = held_out.find(sample) if held_out else None
        if span is None:
            kept.append(number)
            continue
        met.add((id(example.shards), sample.key))
        refusal = refusal or (
            f"{example.shards.folder}: sample {sample.key} is {sample.start_s:g} s to {sample.end_s:g} s of "
            f"{sample.take_uid}, which is held out ({span.told()})"
        )
    if refusal and not drop:
        raise LeakageError(f"{refusal}; {len(met)} such samples; --drop-held-out leaves them out")
    return np.array(kept, np.int64), len(met)
