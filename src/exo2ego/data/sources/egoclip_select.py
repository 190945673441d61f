"""Which rows of EgoClip become clips, of which file, and what is said about them; every row left out is counted."""

import hashlib
import re
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from exo2ego.data.held_out import HeldOut, HeldOutSpan, normal
from exo2ego.data.pairs import rewrite_subject
from exo2ego.data.shard_group import ClipFormat
from exo2ego.data.shard_plan import Planned
from exo2ego.data.shards import VIDEO, ShardSample
from exo2ego.data.sources.egoclip import EgoClipRow, EgoClipTable, Placed
from exo2ego.data.sources.egoclip_videos import Layout
from exo2ego.data.sources.english import VERBS, base_of_third
from exo2ego.data.sources.first_person import first_person
from exo2ego.data.sources.reading import BadRow
from exo2ego.data.sources.templates import Kind, Templates
from exo2ego.data.told import Progress
from exo2ego.errors import FormatError
from exo2ego.records import Turn

SOURCE = "egoclip"
WEARER, ME, OTHERS = "wearer", "me", "others"
KINDS = (
    Kind(name=WEARER, tells="what the camera wearer does, in the third person"),
    Kind(name=ME, tells="what the camera wearer does, in the first person"),
    Kind(name=OTHERS, tells="what somebody else does or what happens, in the third person"),
)
DROP_REASONS = (
    "excluded video",
    "other narration pass",
    "other subject",
    "unsure",
    "empty",
    "other tags",
    "outside the video",
    "missing video",
    "crosses a chunk boundary",
    "repeated row",
    "beyond the limit",
)
"""Why a well-formed row becomes no clip; it counts under the first that applies, in this order. Repeated is a clip_idx
that its video has already had."""
_OWN = re.compile(r"\bC's\b")
_SECOND_VERB = re.compile(r"(?<=\band )[a-z]+s\b(?= \w)")
"""The verb of "I open the fridge and takes milk": something follows it, or it would be a thing ("cups and plates")."""
BAD_ROWS_KEPT = 100
"""Reasons of malformed rows that are kept; all are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EgoClipRule:
    """What a user can choose."""

    narration_source: str | None = None
    """`narration_pass_1` or `narration_pass_2`; None: both."""
    verbs: frozenset[int] = frozenset()
    """Classes; a row needs one of them. Empty: any."""
    nouns: frozenset[int] = frozenset()
    exclude: HeldOut = field(default_factory=lambda: HeldOut(by_video={}))
    """Videos, or seconds of them, that must not be trained on."""
    keep_other_subjects: bool = False
    keep_unsure: bool = False
    """Narrations with `#unsure` in the place of a word."""
    rewrite_subject: bool = False
    """"C picks a bag" becomes "Camera-wearer picks a bag", as in the paper's figure of Ego-ExoClip."""
    first_person: bool = False
    """"C picks a bag" becomes "I pick a bag.", and the question asks what I do. Others' doings stay as they are."""
    min_width_s: float = 0.1
    crossing: str = "drop"
    """Clips that begin in one piece of a video and end in the next: `drop`, or `clamp` to the piece that holds the
    narration's time."""
    limit: int | None = None
    seed: int = 0
    """Of the choice that `limit` makes."""

    def __post_init__(self) -> None:
        if not 0 < self.min_width_s <= 60:
            raise FormatError(f"the minimum width is {self.min_width_s}; expected seconds above 0, at most 60")
        if self.first_person and self.rewrite_subject:
            raise FormatError(
                "the wearer is told as I (--first-person) or as Camera-wearer (--rewrite-subject), not both"
            )
        if self.crossing not in ("drop", "clamp"):
            raise FormatError(f"crossing is '{self.crossing}'; expected drop or clamp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The rows that become clips, in the order in which they are stored."""

    table: EgoClipTable
    layout: Layout
    places: NDArray[np.int64]
    """int64[n, 2]: (offset, size) in the file, by video, then time."""
    total: int
    bad: int
    bad_rows: tuple[BadRow, ...]
    """The first of the malformed ones."""
    dropped: Mapping[str, int] = field(default_factory=dict)
    """By reason of `DROP_REASONS`; total = bad + the sum of these + the number of places."""
    excluded_videos: int = 0
    """Videos of `EgoClipRule.exclude` of which the table has clips: these would have leaked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a clip lies."""

    path: str
    """Relative to the folder of videos."""
    begins_s: float
    """Where in the video the file begins."""
    start_s: float
    """In the video."""
    end_s: float


def select(
    table: EgoClipTable, root: Path, layout: Layout, rule: EgoClipRule, progress: Progress | None = None
) -> Selection:
    """Reads the whole table once. Memory: 32 bytes a row that is kept, three times that while they are put in order.

    Raises FormatError where no row is usable, MissingFileError or FormatError for the file as a whole.
    """
    kept = _Kept(root, layout, rule)
    for entry in table.rows(progress):
        kept.add(entry)
    if kept.total == kept.bad:
        first = f"; the first: {kept.bad_rows[0].reason}" if kept.bad else ""
        raise FormatError(f"{table.path}: not one usable row in {kept.total}{first}")
    places = kept.places()
    return Selection(
        table=table,
        layout=layout,
        places=places,
        total=kept.total,
        bad=kept.bad,
        bad_rows=tuple(kept.bad_rows),
        dropped={reason: kept.dropped[reason] for reason in DROP_REASONS},
        excluded_videos=len(kept.excluded),
    )


def plan_clips(
    selection: Selection, root: Path, rule: EgoClipRule, templates: Templates, clip_format: ClipFormat
) -> Iterator[Planned]:
    """The selected rows as instruction samples, one clip each: a question from the templates, the narration as answer.

    `start_s` and `end_s` are those of the whole video, also where it is stored in pieces.
    """
    for row in selection.table.at((int(offset), int(size)) for offset, size in selection.places):
        place = locate(row, selection.layout, rule)
        if isinstance(place, str):
            raise FormatError(f"{selection.table.path}: clip {row.clip_idx} has changed while it was read ({place})")
        key = f"{row.video_uid}-{row.clip_idx}"
        kind = (ME if rule.first_person else WEARER) if row.is_about_wearer else OTHERS
        sample = ShardSample(
            key=key,
            split="train",
            take_uid=row.video_uid,
            scenario="",
            text="",
            start_s=place.start_s,
            end_s=place.end_s,
            fps=clip_format.num_frames / (place.end_s - place.start_s),
            views=(VIDEO,),
            best_exo=None,
            conversations=((Turn(question=templates.ask(kind, key), answer=narration(row, rule)),),),
            source=SOURCE,
        )
        yield Planned(sample=sample, videos=((VIDEO, str(root / place.path)),), begins_s=place.begins_s)


def narration(row: EgoClipRow, rule: EgoClipRule) -> str:
    """What is said about a clip, without its tag."""
    if rule.first_person and row.is_about_wearer:
        return told_by_me(row.narration)
    return rewrite_subject(row.narration) if rule.rewrite_subject else row.narration


def told_by_me(text: str) -> str:
    """A narration of Ego4D in the first person.

    >>> told_by_me("C opens the fridge and takes C's cup"), told_by_me("C")
    ('I open the fridge and take my cup.', '')
    """
    words = text.strip()
    if words in ("", "C"):
        return ""
    told = first_person(words[:1] + _OWN.sub("his", words[1:]))
    return _SECOND_VERB.sub(lambda found: base if (base := base_of_third(found[0])) in VERBS else found[0], told)


def locate(row: EgoClipRow, layout: Layout, rule: EgoClipRule) -> Place | str:
    """The file of a clip and the clip's bounds in the video, or the reason why there is none.

    Clips are clamped to the video, then widened about their middle to `min_width_s` as far as the video reaches.
    """
    start, end = max(0.0, row.clip_start_s), min(row.video_dur_s, row.clip_end_s)
    if end < start:
        return "outside the video"
    if end - start < rule.min_width_s:
        width = min(rule.min_width_s, row.video_dur_s)
        start = min(max(0.0, (start + end - width) / 2), row.video_dur_s - width)
        end = start + width
    piece = layout.piece(row.video_uid, start, end)
    if piece is None and rule.crossing == "clamp":
        first, last = layout.bounds(min(max(start, row.narration_time_s), end))
        start, end = max(start, first), min(end, last)
        if end - start >= rule.min_width_s:
            piece = layout.piece(row.video_uid, start, end)
    if piece is None:
        return "crosses a chunk boundary"
    path, begin = piece
    return Place(path=path, begins_s=begin, start_s=start, end_s=end)


class _Kept:
    """What has been found so far: places of kept rows in plain arrays, counts of all others."""

    def __init__(self, root: Path, layout: Layout, rule: EgoClipRule) -> None:
        self._root, self._layout, self._rule = root, layout, rule
        self._videos: dict[str, int] = {}
        self._present: dict[str, bool] = {}
        self._banned: dict[str, tuple[HeldOutSpan, ...]] = {}
        self._video, self._size = array("i"), array("i")
        self._offset, self._start, self._hash = array("q"), array("d"), array("Q")
        self.total = self.bad = 0
        self.bad_rows: list[BadRow] = []
        self.dropped: Counter[str] = Counter()
        self.excluded: set[str] = set()

    def add(self, entry: Placed | BadRow) -> None:
        """One row of the table."""
        self.total += 1
        if isinstance(entry, BadRow):
            self.bad += 1
            if len(self.bad_rows) < BAD_ROWS_KEPT:
                self.bad_rows.append(entry)
            return
        row = entry.row
        reason = self._reason(row)
        if reason is not None:
            self.dropped[reason] += 1
            return
        self._video.append(self._videos.setdefault(row.video_uid, len(self._videos)))
        self._start.append(row.clip_start_s)
        self._offset.append(entry.offset)
        self._size.append(entry.size)
        name = f"{self._rule.seed} {row.video_uid} {row.clip_idx}".encode()
        self._hash.append(int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "little"))

    def places(self) -> NDArray[np.int64]:
        """int64[n, 2]: (offset, size) of the rows that stay, by video in order of appearance, then by time.

        Rows are chosen by a hash of seed, video and clip: a smaller limit chooses among what a larger one has chosen,
        in whatever order the rows stand in the file.
        """
        hashes = np.frombuffer(self._hash, np.uint64)
        _, first = np.unique(hashes, return_index=True)
        self.dropped["repeated row"] = len(hashes) - len(first)
        chosen = first[: self._rule.limit]
        self.dropped["beyond the limit"] = len(first) - len(chosen)
        video, start = np.frombuffer(self._video, np.int32)[chosen], np.frombuffer(self._start)[chosen]
        offset, size = np.frombuffer(self._offset, np.int64)[chosen], np.frombuffer(self._size, np.int32)[chosen]
        order = np.lexsort((offset, start, video))
        return np.stack([offset[order], size[order].astype(np.int64)], axis=1)

    def _reason(self, row: EgoClipRow) -> str | None:
        rule = self._rule
        if self._is_excluded(row):
            return "excluded video"
        if rule.narration_source not in (None, row.narration_source):
            return "other narration pass"
        if not row.is_about_wearer and not rule.keep_other_subjects:
            return "other subject"
        if row.is_unsure and not rule.keep_unsure:
            return "unsure"
        if not narration(row, rule):
            return "empty"
        if (rule.verbs and rule.verbs.isdisjoint(row.verbs)) or (rule.nouns and rule.nouns.isdisjoint(row.nouns)):
            return "other tags"
        place = locate(row, self._layout, rule)
        if isinstance(place, str):
            return place
        return None if self._is_there(place.path) else "missing video"

    def _is_excluded(self, row: EgoClipRow) -> bool:
        if row.video_uid not in self._banned:
            self._banned[row.video_uid] = self._rule.exclude.by_video.get(normal(row.video_uid), ())
        # With a margin, since a clip may yet be widened.
        start, end = row.clip_start_s - self._rule.min_width_s, row.clip_end_s + self._rule.min_width_s
        if not any(span.meets(start, end) for span in self._banned[row.video_uid]):
            return False
        self.excluded.add(row.video_uid)
        return True

    def _is_there(self, path: str) -> bool:
        if path not in self._present:
            self._present[path] = (self._root / path).is_file()
        return self._present[path]
