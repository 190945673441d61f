"""Which questions of a benchmark are about recordings that a model was trained on, and for how many of their seconds.

Names are compared without folders, without the ending of a video file and without case. A question whose recording is
known but whose place in it is not (a clip under a name of its own) counts as the same video with unknown seconds.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exo2ego.bench.files import fail, read_json
from exo2ego.bench.items import Item
from exo2ego.bench.tasks.egomcq import EGOVLP_CHUNK_S, LAVILA_CHUNK_S
from exo2ego.data.held_out import HeldOutSpan, normal, shared_s
from exo2ego.data.shards import ShardSample
from exo2ego.data.told import Progress, told

WINDOWS_FILE = "uid_to_ego4d.json"
TRAINED_SPLIT = "train"
Trained = dict[str, list[tuple[float, float]]]
"""Recording, as `normal` names it -> the seconds of each sample."""
_EGOVLP_CHUNK = re.compile(r"videos/([^/]+)/(\d+)\.mp4")
_LAVILA_CHUNK = re.compile(r"videos/([^/]+)\.mp4/(\d+)\.mp4")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A part of a recording."""

    video: str
    """Name as `normal` gives it."""
    start_s: float = 0.0
    end_s: float = float("inf")
    """Infinity: to the end of the recording."""
    placed: bool = True
    """Whether the times are known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """One question about a recording that was trained on."""

    item_id: str
    video: str
    start_s: float | None
    end_s: float | None
    samples: int
    """Training samples of that recording."""
    overlap_s: float | None
    """Seconds of the question's stretch that training saw; None where its place in the recording is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contamination:
    """What a training set and a benchmark share."""

    items: int
    train_samples: int
    train_videos: int
    overlaps: tuple[Overlap, ...]
    """One a question and recording, in the order of the questions."""

    @property
    def same_video(self) -> int:
        """Questions about a recording that was trained on."""
        return len({overlap.item_id for overlap in self.overlaps})

    @property
    def same_time(self) -> int:
        """Those of which training saw some of the very seconds."""
        return len({overlap.item_id for overlap in self.overlaps if overlap.overlap_s})


def trained_on(samples: Iterable[ShardSample]) -> Trained:
    """Where the samples of the split `train` lie in their recordings."""
    found: Trained = {}
    for sample in samples:
        if sample.split == TRAINED_SPLIT:
            found.setdefault(normal(sample.take_uid), []).append((sample.start_s, sample.end_s))
    return found


def contamination(
    trained: Trained, items: Sequence[Item], root: Path, progress: Progress | None = None
) -> Contamination:
    """Compare what was trained on with the questions of a task. `progress` is told (questions compared, in all).

    Raises:
        FormatError: `uid_to_ego4d.json` is there and damaged.
    """
    windows = read_windows(root / WINDOWS_FILE)
    found: list[Overlap] = []
    for item in told(items, len(items), progress):
        for stretch in stretches(item, windows):
            if stretch.video in trained:
                found.append(_overlap(item, stretch, trained[stretch.video]))
    count = sum(map(len, trained.values()))
    return Contamination(items=len(items), train_samples=count, train_videos=len(trained), overlaps=tuple(found))


def stretches(item: Item, windows: Mapping[str, Stretch]) -> list[Stretch]:
    """The parts of recordings that a question is about, each once; without times where only the recording is known."""
    if item.item_id in windows:
        return [windows[item.item_id]]
    found = dict.fromkeys(_stretch(video.path, video.start_s, video.end_s) for video in item.videos)
    named = {stretch.video for stretch in found}
    recording = normal(item.cluster)
    if recording and recording not in named:
        found[Stretch(video=recording, placed=False)] = None
    return list(found)


def _stretch(path: str, start_s: float | None, end_s: float | None) -> Stretch:
    """A video file below the root as a part of its recording; EgoMCQ's two layouts of chunks are undone."""
    start, end = start_s or 0.0, float("inf") if end_s is None else end_s
    for pattern, length in ((_LAVILA_CHUNK, 1), (_EGOVLP_CHUNK, EGOVLP_CHUNK_S)):
        chunk = pattern.fullmatch(path)
        if chunk:
            offset = int(chunk.group(2)) * length
            last = offset + (LAVILA_CHUNK_S if length == 1 else EGOVLP_CHUNK_S)
            return Stretch(video=normal(chunk.group(1)), start_s=offset + start, end_s=min(offset + end, last))
    return Stretch(video=normal(path), start_s=start, end_s=end)


def read_windows(path: Path) -> dict[str, Stretch]:
    """EgoSchema: question -> the window of the Ego4D recording that its video was cut from; empty without the file."""
    if not path.exists():
        return {}
    table = read_json(path)
    if not isinstance(table, dict):
        raise fail(path, "top level", "type", type(table).__name__, "must be an object: q_uid -> window")
    return {uid: _window(path, uid, window) for uid, window in table.items()}


def _window(path: Path, uid: str, window: Any) -> Stretch:
    if not isinstance(window, dict) or not isinstance(window.get("video_uid"), str):
        raise fail(path, f"question {uid}", "video_uid", window, "must name the Ego4D recording")
    start, end = window.get("starting_sec"), window.get("ending_sec")
    if not isinstance(start, int | float) or not isinstance(end, int | float) or not 0 <= start < end:
        raise fail(path, f"question {uid}", "starting_sec, ending_sec", (start, end), "must be seconds, start < end")
    return Stretch(video=normal(window["video_uid"]), start_s=float(start), end_s=float(end))


def _overlap(item: Item, stretch: Stretch, trained: Sequence[tuple[float, float]]) -> Overlap:
    open_end = stretch.end_s == float("inf")
    return Overlap(
        item_id=item.item_id,
        video=stretch.video,
        start_s=stretch.start_s if stretch.placed else None,
        end_s=None if open_end else stretch.end_s,
        samples=len(trained),
        overlap_s=shared_s(stretch.start_s, stretch.end_s, trained) if stretch.placed else None,
    )


def held_out_spans(task: str, items: Iterable[Item], root: Path) -> Iterator[HeldOutSpan]:
    """What the questions of a task are about, for training to keep away from.

    Raises:
        FormatError: `uid_to_ego4d.json` is there and damaged.
    """
    windows = read_windows(root / WINDOWS_FILE)
    for item in items:
        # a video that was cut from a recording is held out under its own name too
        cut = item.videos if item.item_id in windows else ()
        own = (_stretch(video.path, video.start_s, video.end_s) for video in cut)
        for stretch in (*stretches(item, windows), *own):
            yield HeldOutSpan(
                video=stretch.video,
                start_s=stretch.start_s if stretch.placed else None,
                end_s=None if stretch.end_s == float("inf") else stretch.end_s,
                bench=task,
                item=item.item_id,
            )


def as_csv(found: Contamination) -> str:
    """One line a question and recording; unknown times are empty."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["item_id", "video", "start_s", "end_s", "train_samples", "overlap_s"])
    for one in found.overlaps:
        writer.writerow([one.item_id, one.video, one.start_s, one.end_s, one.samples, one.overlap_s])
    return table.getvalue()
