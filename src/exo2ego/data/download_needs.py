"""What a stage needs of an Ego-Exo4D download, from `takes.json` and the annotations alone, and what it does not.

A take is needed when at least one of its narrations becomes a clip under the same filters as in `data clips`, every
video assumed present; of its cameras the ego one and those exo cameras that a clip of the take shows.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from exo2ego.data.download_sizes import NOTHING, Size, Sizes
from exo2ego.data.egoexo4d import EgoExo4D
from exo2ego.data.pairs import DROP_REASONS, EVERYTHING, FilterRule, assume_present, judged
from exo2ego.data.subset import Subset
from exo2ego.records import Stream, Take


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeNeed:
    """A take that is needed."""

    take: Take
    narrations: int
    """That become clips."""
    pairs: int
    """(narration, exo camera): the ego-exo clip-text pairs of the paper."""
    ego: Stream
    exos: tuple[Stream, ...]
    """Cameras that at least one clip shows, in the order of takes.json."""
    kept: Size
    """Of `ego` and `exos`: `data clips` cuts both, also for a stage that reads the exo clips alone."""
    fetched: Size
    """Of everything that the downloader brings for the take: all its cameras."""

    def videos(self, views: Sequence[str]) -> tuple[Stream, ...]:
        """Streams of the views wanted, `ego` and `exo`."""
        return ((self.ego,) if "ego" in views else ()) + (self.exos if "exo" in views else ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """A number of videos."""

    takes: int
    ego_videos: int
    exo_videos: int
    hours: float
    """Of all these videos, each counted (the paper's 623.6 h are of this kind)."""
    size: Size
    narrations: int
    pairs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """Something of the release that need not lie on the disk."""

    what: str
    why: str
    takes: int = 0
    videos: int = 0
    hours: float = 0.0
    size: Size = NOTHING


VIEWS_OF_STAGE: dict[str, tuple[str, ...]] = {"teacher": ("exo",), "guidance": ("ego", "exo")}
"""Stages that read Ego-ExoClip -> views they see. `init` and `practice` read instructions about other data sets."""


def needs(
    dataset: EgoExo4D, filters: FilterRule, sizes: Sizes, subset: Subset = EVERYTHING
) -> tuple[list[TakeNeed], dict[str, int]]:
    """Needed takes ordered by uid, and how many narrations are left out by reason of `DROP_REASONS`."""
    narrations: Counter[str] = Counter()
    pairs: Counter[str] = Counter()
    shown: dict[str, set[str]] = {}
    dropped: Counter[str] = Counter()
    for one in judged(dataset, filters, subset, assume_present):
        if one.reason is not None:
            dropped[one.reason] += 1
            continue
        uid = one.take.take_uid
        narrations[uid] += 1
        pairs[uid] += len(one.exos)
        shown.setdefault(uid, set()).update(stream.path for stream in one.exos)
    found = [
        _need(dataset, dataset.takes[uid], narrations[uid], pairs[uid], shown[uid], sizes) for uid in sorted(narrations)
    ]
    return found, {reason: dropped[reason] for reason in DROP_REASONS}


def _need(dataset: EgoExo4D, take: Take, narrations: int, pairs: int, shown: set[str], sizes: Sizes) -> TakeNeed:
    if take.ego is None:
        raise ValueError(f"take {take.take_uid} has no ego stream and yet a clip")
    exos = tuple(stream for stream in take.exos if stream.path in shown)
    return TakeNeed(
        take=take,
        narrations=narrations,
        pairs=pairs,
        ego=take.ego,
        exos=exos,
        kept=_sum(sizes.video(take, stream) for stream in (take.ego, *exos)),
        fetched=fetched(dataset, take, sizes),
    )


def fetched(dataset: EgoExo4D, take: Take, sizes: Sizes) -> Size:
    """What the downloader brings for a take. The estimate for a colour video holds the share of the grey and eye
    videos; those count by themselves only where their files are there."""
    cameras = take.exos if take.ego is None else (take.ego, *take.exos)
    others = (sizes.there(path) for path in dataset.files[take.take_uid].others)
    return _sum(sizes.video(take, stream) for stream in cameras) + Size(sum(size for size in others if size))


def totals(found: Iterable[TakeNeed], views: Sequence[str], sizes: Sizes) -> Totals:
    """What a stage that sees `views` needs of these takes."""
    takes = list(found)
    seen = [(need.take, stream) for need in takes for stream in need.videos(views)]
    return Totals(
        takes=len(takes),
        ego_videos=sum(stream.is_ego for _, stream in seen),
        exo_videos=sum(not stream.is_ego for _, stream in seen),
        hours=math.fsum(take.duration_s for take, _ in seen) / 3600,
        size=_sum(sizes.video(take, stream) for take, stream in seen),
        narrations=sum(need.narrations for need in takes),
        pairs=sum(need.pairs for need in takes),
    )


def savings(
    dataset: EgoExo4D, filters: FilterRule, found: Sequence[TakeNeed], sizes: Sizes, subset: Subset = EVERYTHING
) -> list[Saving]:
    """What need not be downloaded, or can be deleted after it; together with the needs this is all of takes.json."""
    needed = {need.take.take_uid for need in found}
    idle = [take for uid, take in dataset.takes.items() if uid not in needed]
    counts = dataset.problem_counts()
    test = [take for take in idle if take.split == "test"]
    other = [take for take in idle if take.split not in ("test", *filters.splits)]
    silent = [take for take in idle if take.split in filters.splits]
    unlisted = [take for take in silent if not subset.has(take.take_uid)]
    silent = [take for take in silent if subset.has(take.take_uid)]
    rows = [
        _takes_saved(dataset, test, sizes, "takes of the test split", "their descriptions are withheld"),
        _takes_saved(dataset, other, sizes, "takes of other splits", f"only {', '.join(filters.splits)} is asked for"),
        _takes_saved(dataset, unlisted, sizes, "takes not listed", "they are not in the list of takes given"),
        _takes_saved(dataset, silent, sizes, "takes without a usable narration", "the filters leave nothing of them"),
        Saving(what="takes marked as dropped", why="withdrawn by the data set", takes=counts.get("dropped take", 0)),
        Saving(
            what="takes without a split, or with a bad row",
            why="they might be test takes; see the notes",
            takes=counts.get("take without split", 0) + counts.get("bad take", 0),
        ),
        _cameras_saved(found, sizes),
        _streams_saved(dataset, found, sizes),
    ]
    return [row for row in rows if row.takes]


def _takes_saved(dataset: EgoExo4D, takes: Sequence[Take], sizes: Sizes, what: str, why: str) -> Saving:
    cameras = {take.take_uid: len(take.exos) + (take.ego is not None) for take in takes}
    return Saving(
        what=what,
        why=why,
        takes=len(takes),
        videos=sum(cameras.values()),
        hours=math.fsum(take.duration_s * cameras[take.take_uid] for take in takes) / 3600,
        size=_sum(fetched(dataset, take, sizes) for take in takes),
    )


def _cameras_saved(found: Sequence[TakeNeed], sizes: Sizes) -> Saving:
    idle = [(need.take, stream) for need in found for stream in need.take.exos if stream not in need.exos]
    return Saving(
        what="exo cameras that no clip shows",
        why="--views, or no usable narration names them; the downloader brings them, delete them after it",
        takes=len({take.take_uid for take, _ in idle}),
        videos=len(idle),
        hours=math.fsum(take.duration_s for take, _ in idle) / 3600,
        size=_sum(sizes.video(take, stream) for take, stream in idle),
    )


def _streams_saved(dataset: EgoExo4D, found: Sequence[TakeNeed], sizes: Sizes) -> Saving:
    others = {need.take.take_uid: dataset.files[need.take.take_uid].others for need in found}
    return Saving(
        what="grey, eye and preview videos",
        why="no stage reads them; the downloader brings them, delete them after it",
        takes=sum(bool(paths) for paths in others.values()),
        videos=sum(len(paths) for paths in others.values()),
        hours=math.fsum(need.take.duration_s * len(others[need.take.take_uid]) for need in found) / 3600,
        size=Size(sum(sizes.there(path) or 0 for paths in others.values() for path in paths)),
    )


def unneeded_files(dataset: EgoExo4D, found: Sequence[TakeNeed]) -> list[str]:
    """Videos of needed takes that the downloader brings and nothing needs, relative to the root, sorted."""
    idle = [stream.path for need in found for stream in need.take.exos if stream not in need.exos]
    others = [path for need in found for path in dataset.files[need.take.take_uid].others]
    return sorted({*idle, *others})


def _sum(parts: Iterable[Size]) -> Size:
    return sum(parts, NOTHING)


Cost = Callable[[TakeNeed], int]
COSTS: Mapping[str, Cost] = {
    "fetched": lambda need: need.fetched.total,
    "kept": lambda need: need.kept.total,
}
"""What a budget is held against: all that the downloader brings for the takes chosen, or what must stay after it."""
