"""Narrations that pass the filters, as clips seen from the ego and the exo cameras; every one left out is counted."""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from exo2ego.data.clips import ClipRule, clip_intervals
from exo2ego.data.egoexo4d import ANNOTATED_SPLITS, EgoExo4D
from exo2ego.data.subset import Subset
from exo2ego.data.told import Progress, told
from exo2ego.errors import FormatError
from exo2ego.records import Clip, Narration, Stream, Take

DROP_REASONS = (
    "other split",
    "other take",
    "rejected",
    "unsure",
    "other subject",
    "empty",
    "not ego-visible",
    "outside the take",
    "missing video",
    "quarantined video",
    "no best exo",
    "missing exo",
)
"""Why a narration becomes no clip; it counts under the first that applies, in this order."""

EVERYTHING = Subset()
ALL_VIEWS: Literal["all"] = "all"
BEST_VIEW: Literal["best"] = "best"
WEARER = "Camera-wearer"
_TAG = re.compile(r"^\s*#\s?[A-Z]\b\s*")
_SUBJECT = re.compile(r"(?:^|(?<=[.!?]\s))C(?=\s|'s\b)")
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterRule:
    """Which narrations become clips. The paper keeps about 60 % and does not say which."""

    splits: tuple[str, ...] = ("train",)
    keep_rejected: bool = False
    keep_unsure: bool = False
    keep_not_ego_visible: bool = False
    keep_other_subjects: bool = False
    rewrite_subject: bool = False
    """"C lifts the cup." becomes "Camera-wearer lifts the cup.", as in the paper's figure of Ego-ExoClip."""
    views: int | Literal["all", "best"] = ALL_VIEWS
    """Exo cameras of a narration: all; the annotated best one only (a narration for which none is annotated is left
    out); or at most so many, the best one first where it is annotated and has a video, then by camera id."""

    def __post_init__(self) -> None:
        if self.views not in (ALL_VIEWS, BEST_VIEW) and not (isinstance(self.views, int) and self.views >= 1):
            raise FormatError(f"views is {self.views!r}; expected all, best, or a number of exo cameras from 1 on")
        for split in self.splits:
            if split not in ANNOTATED_SPLITS:
                known = ", ".join(ANNOTATED_SPLITS)
                raise FormatError(
                    f"split '{split}': atomic descriptions exist for {known} only (Ego-Exo4D withholds those of test)"
                )
        if not self.splits:
            raise FormatError(f"no split asked for; choose of {', '.join(ANNOTATED_SPLITS)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterReport:
    """What became of all narrations."""

    total: int
    kept: int
    dropped: Mapping[str, int] = field(default_factory=dict)
    """By reason of `DROP_REASONS`; total = kept + sum of these."""
    missing_exo_videos: int = 0
    """(narration, exo camera) pairs left out since that camera's file is not there, of narrations kept."""
    quarantined_exo_videos: int = 0
    """The same for cameras whose video is in quarantine."""
    without_best_exo: int = 0
    """Narrations kept for which no best exo camera is annotated, neither of the narration nor of the take."""
    takes_without_narrations: int = 0
    """Takes of the splits asked for that no annotator described."""
    alpha_s: float = 0.0
    """alpha of the EgoClip rule, as given or computed."""
    video_hours: float = 0.0
    """Length of all videos that clips are cut from, each once, every view counted (the paper's hours)."""


Presence = Callable[[Stream], bool]
"""Whether a stream's video can be had."""


class PresentFiles:
    """Streams whose file is there; each file is asked for once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[str, bool] = {}

    def __call__(self, stream: Stream) -> bool:
        if stream.path not in self._known:
            self._known[stream.path] = (self._root / stream.path).is_file()
        return self._known[stream.path]


def assume_present(stream: Stream) -> bool:
    """As if every video that takes.json names were there: to plan a download."""
    return True


@dataclass(frozen=True, slots=True)
class Judged:
    """A narration, and what becomes of it."""

    narration: Narration
    take: Take
    exos: tuple[Stream, ...]
    """Chosen by `FilterRule.views` of the cameras that can be used."""
    absent: int
    """Exo cameras of the take whose file is not there."""
    banned: int
    """Exo cameras of the take whose file is there, but in quarantine."""
    reason: str | None
    """Of `DROP_REASONS`; None where it becomes a clip."""


def judged(
    dataset: EgoExo4D, filters: FilterRule, subset: Subset = EVERYTHING, present: Presence | None = None
) -> Iterator[Judged]:
    """Every narration in file order; `present` says which videos can be had (default: those whose files are there)."""
    present = present or PresentFiles(dataset.root)
    for narration in dataset.narrations:
        take = dataset.takes[narration.take_uid]
        found = [stream for stream in take.exos if present(stream)]
        usable = [stream for stream in found if stream.path not in subset.quarantined]
        exos = chosen_exos(usable, narration.best_exo or take.best_exo, filters.views)
        yield Judged(
            narration=narration,
            take=take,
            exos=exos,
            absent=len(take.exos) - len(found),
            banned=len(found) - len(usable),
            reason=_drop_reason(narration, take, filters, subset, present, found, exos),
        )


def make_clips(
    dataset: EgoExo4D,
    rule: ClipRule,
    filters: FilterRule,
    subset: Subset = EVERYTHING,
    present: Presence | None = None,
    progress: Progress | None = None,
) -> tuple[list[Clip], FilterReport]:
    """Clips ordered by take name, then time, and the account of what was left out; `present` as in `judged`,
    `progress` is told (narrations judged, in all) now and then.

    beta and alpha of the clip rule come from the narrations of the splits asked for that are not rejected and lie
    within their take: they measure how densely a take was described, by whomever and about whomever. Takes outside
    `subset` count too, so that a part of the data has the very clips of the whole.
    """
    timed = [n for n in dataset.narrations if _counts_for_density(n, dataset.takes[n.take_uid], filters)]
    durations = {uid: take.duration_s for uid, take in dataset.takes.items()}
    plan = clip_intervals(timed, durations, rule)
    intervals = {_identity(n): span for n, span in zip(timed, plan.intervals, strict=True)}
    dropped: Counter[str] = Counter()
    clips: list[Clip] = []
    absent = banned = 0
    for one in told(judged(dataset, filters, subset, present), len(dataset.narrations), progress):
        if one.reason is not None:
            dropped[one.reason] += 1
            continue
        absent += one.absent
        banned += one.banned
        clips.append(_clip(one.narration, one.take, one.exos, intervals[_identity(one.narration)], filters))
    clips.sort(key=lambda clip: (clip.take_name, clip.start_s, clip.clip_id))
    _refuse_doubles(clips)
    described = {narration.take_uid for narration in dataset.narrations}
    report = FilterReport(
        total=len(dataset.narrations),
        kept=len(clips),
        dropped={reason: dropped[reason] for reason in DROP_REASONS},
        missing_exo_videos=absent,
        quarantined_exo_videos=banned,
        without_best_exo=sum(clip.best_exo is None for clip in clips),
        takes_without_narrations=sum(
            t.split in filters.splits and subset.has(u) and u not in described for u, t in dataset.takes.items()
        ),
        alpha_s=plan.alpha_s,
        video_hours=_video_hours(clips, durations),
    )
    return clips, report


def _video_hours(clips: Iterable[Clip], durations_s: Mapping[str, float]) -> float:
    videos = {(clip.take_uid, stream.path) for clip in clips for stream in (clip.ego, *clip.exos)}
    return math.fsum(durations_s[take] for take, _ in videos) / 3600


def rewrite_subject(text: str) -> str:
    """The wearer's letter where it is the subject at the start of a sentence, in words; tags as `#C` are removed.

    >>> rewrite_subject("#C C lifts the cup with C's hand.")
    "Camera-wearer lifts the cup with C's hand."
    """
    return _SUBJECT.sub(WEARER, _TAG.sub("", text))


def _within(narration: Narration, take: Take) -> bool:
    return 0 <= narration.timestamp_s <= take.duration_s


def _counts_for_density(narration: Narration, take: Take, filters: FilterRule) -> bool:
    within = take.split in filters.splits and _within(narration, take)
    return within and (filters.keep_rejected or not narration.rejected)


def _identity(narration: Narration) -> tuple[str, str, int]:
    return narration.take_uid, narration.annotation_uid, narration.index


def chosen_exos(
    usable: Sequence[Stream], best_exo: str | None, views: int | Literal["all", "best"]
) -> tuple[Stream, ...]:
    """The exo cameras of a narration that `FilterRule.views` asks for, in the order given."""
    if views == ALL_VIEWS:
        return tuple(usable)
    if views == BEST_VIEW:
        return tuple(stream for stream in usable if stream.cam_id == best_exo)
    ranked = sorted(usable, key=lambda stream: (stream.cam_id != best_exo, stream.cam_id))[:views]
    return tuple(stream for stream in usable if stream in ranked)


def _drop_reason(
    narration: Narration,
    take: Take,
    filters: FilterRule,
    subset: Subset,
    present: Presence,
    found: Sequence[Stream],
    exos: Sequence[Stream],
) -> str | None:
    """`found`: exo streams whose files are there; `exos`: those of them that are chosen and not in quarantine."""
    best_exo = narration.best_exo or take.best_exo
    banned = take.ego is not None and take.ego.path in subset.quarantined
    checks = {
        "other split": take.split not in filters.splits,
        "other take": not subset.has(take.take_uid),
        "rejected": narration.rejected and not filters.keep_rejected,
        "unsure": narration.unsure and not filters.keep_unsure,
        "other subject": narration.subject.strip() != "C" and not filters.keep_other_subjects,
        "empty": not _TAG.sub("", narration.text).strip(),
        "not ego-visible": not narration.ego_visible and not filters.keep_not_ego_visible,
        "outside the take": not _within(narration, take),
        "missing video": take.ego is None or not present(take.ego),
        "quarantined video": banned or (not exos and bool(chosen_exos(found, best_exo, filters.views))),
        "no best exo": filters.views == BEST_VIEW and best_exo is None,
        "missing exo": not exos,
    }
    return next((reason for reason in DROP_REASONS if checks[reason]), None)


def _clip(
    narration: Narration, take: Take, exos: tuple[Stream, ...], span: tuple[float, float], filters: FilterRule
) -> Clip:
    if take.ego is None:
        raise ValueError(f"take {take.take_uid} has no ego stream")
    # The whole annotation uid: two annotators' uids may share their beginnings.
    name = f"{take.take_name}-{narration.annotation_uid}-{narration.index:04d}"
    text = rewrite_subject(narration.text) if filters.rewrite_subject else narration.text
    return Clip(
        clip_id=_UNSAFE.sub("_", name),
        take_uid=take.take_uid,
        take_name=take.take_name,
        scenario=take.scenario,
        split=take.split,
        text=text.strip(),
        timestamp_s=narration.timestamp_s,
        start_s=span[0],
        end_s=span[1],
        ego=take.ego,
        exos=exos,
        best_exo=narration.best_exo or take.best_exo,
    )


def _refuse_doubles(clips: list[Clip]) -> None:
    counts = Counter(clip.clip_id for clip in clips)
    doubled = [name for name, count in counts.items() if count > 1]
    if doubled:
        raise FormatError(f"two narrations have the name '{doubled[0]}'; annotation uids of a take must differ")
