"""What training reads, one example at a time: a stored sample, which view plays which role, and what is said of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from exo2ego.data.held_out import HeldOut, HeldOutSpan
from exo2ego.data.mixture import Mixture
from exo2ego.data.mixture_order import Order
from exo2ego.data.shards import ShardSample, ShardSet, open_shards
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


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingData:
    """The examples of a stage from all its sources, and the order in which they come."""

    examples: Sequence[Example]
    order: Order
    left_out: int = 0
    """Samples that are not trained on because a benchmark asks about the same seconds."""


def pair_examples(shards: ShardSet, roles: Sequence[str], question: str) -> list[Example]:
    """One example per (narration, exo view). Whatever the roles, the list and its order are the same: arms see equal
    data."""
    refuse_other_splits(shards)
    return [
        Example(
            shards=shards,
            sample=sample,
            views={role: "ego" if role == "ego" else camera for role in roles},
            conversations=((Turn(question=question, answer=sample.text),),),
        )
        for sample, camera, _ in shards.pairs
    ]


def instruction_examples(shards: ShardSet, role: str) -> list[Example]:
    """One example per stored video span with all its conversations."""
    refuse_other_splits(shards)
    return [
        Example(shards=shards, sample=sample, views={role: "video"}, conversations=sample.conversations)
        for sample in shards.samples
    ]


def refuse_other_splits(shards: ShardSet) -> None:
    """Raises LeakageError when a sample of another split than `train` is among them."""
    for sample in shards.samples:
        if sample.split != "train":
            raise LeakageError(
                f"sample {sample.key} of take {sample.take_uid} is of split {sample.split!r}; train on 'train' only"
            )


def examples_of(stage: Stage, shards: Sequence[ShardSet], recipe: Recipe) -> list[Example]:
    """What of these shards a stage can train on; none for shards of the other kind."""
    out: list[Example] = []
    for shard in shards:
        if stage.data == "pairs":
            out += pair_examples(shard, stage.views, recipe.narration_question)
        else:
            out += instruction_examples(shard, stage.views[0])
    return out


def nothing_for(stage: Stage, who: str) -> FormatError:
    """The error for shards without an example of the kind that the stage reads."""
    verb, what = ("clips", "ego-exo pairs") if stage.data == "pairs" else ("instruct", "instructions")
    return FormatError(f"{who} no example for {stage.title}: it needs {what} (`exo2ego data {verb}`)")


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

    Raises InputError without any source, FormatError for a source that has nothing for the stage, LeakageError.
    """
    shards = {source.name: [open_shards(folder) for folder in source.folders] for source in mixture.sources}
    if not shards:
        raise InputError("no data was given; name at least one shard folder with --data")
    groups = {name: examples_of(stage, group, recipe) for name, group in shards.items()}
    if not any(groups.values()):
        raise nothing_for(stage, "the shards hold")
    if mixture.weighted:  # without weights all sources are one list, and one of them may be empty
        for name, group in groups.items():
            if not group:
                raise nothing_for(stage, f"source {name!r} holds")
    left_out = 0
    if held_out is not None:
        groups, left_out = without_held_out(groups, held_out, drop=drop_held_out)
    order = mixture.order([len(group) for group in groups.values()], seed)
    return TrainingData(
        examples=[example for group in groups.values() for example in group], order=order, left_out=left_out
    )


def without_held_out(
    groups: Mapping[str, list[Example]], held_out: HeldOut, *, drop: bool
) -> tuple[dict[str, list[Example]], int]:
    """The examples of each source that no benchmark asks about, and how many samples that leaves out.

    Raises LeakageError for the first one met unless they are to be dropped, and for a source that none is left of.
    """
    kept: dict[str, list[Example]] = {}
    met: dict[tuple[int, str], HeldOutSpan] = {}
    first: Example | None = None
    for name, group in groups.items():
        kept[name] = []
        for example in group:
            span = held_out.find(example.sample)
            if span is None:
                kept[name].append(example)
            else:
                first = first or example
                met[id(example.shards), example.sample.key] = span
        if drop and group and not kept[name]:
            raise LeakageError(f"source {name!r}: benchmarks ask about every one of its samples; leave the source out")
    if first is not None and not drop:
        sample = first.sample
        raise LeakageError(
            f"{first.shards.folder}: sample {sample.key} is {sample.start_s:g} s to {sample.end_s:g} s of "
            f"{sample.take_uid}, which is held out ({met[id(first.shards), sample.key].told()}); "
            f"{len(met)} such samples; --drop-held-out leaves them out"
        )
    return kept, len(met)
