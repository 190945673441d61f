"""One shard, built: every clip of a group of samples, one decoding pass per video, into one tar. Runs in a worker.

A group leaves two files, the tar and then its part (`parts/<number>.json`: index rows and quarantine), each renamed
into place when complete; a group whose part exists is done.
"""

import io
import json
import os
import tarfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from exo2ego.data.atomic import refusing_bad_output, temporary, utf8
from exo2ego.data.jsonfile import write_json
from exo2ego.data.shard_clips import Cut, Limits, cut_video, guarded
from exo2ego.data.shard_plan import Planned
from exo2ego.data.shards import (
    EGO,
    JSON_MEMBER,
    VIDEO,
    ShardSample,
    member_name,
    sample_to_json,
    sha256_of,
    shard_name,
)

PARTS = "parts"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipFormat:
    """How clips are stored."""

    num_frames: int = 16
    size_px: int = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The samples of one shard."""

    number: int
    planned: tuple[Planned, ...]
    folder: Path
    clips: ClipFormat
    limits: Limits | None = None
    """None: videos are decoded in this process, which one of them may hang or crash."""

    @property
    def tar(self) -> Path:
        """Where its samples go."""
        return self.folder / shard_name(self.number)

    @property
    def part(self) -> Path:
        """Where its index rows and its quarantine go, last; removed when the whole directory is complete."""
        return part_path(self.folder, self.number)


@dataclass(frozen=True, slots=True)
class _Slot:
    planned: Planned
    view: str


def build_group(group: Group) -> int:
    """Builds one shard; returns how many samples it holds. Bad videos go to its quarantine.

    Raises OutputError when the disk refuses.
    """
    encoded: dict[tuple[str, str], bytes | str] = {}
    with guarded(group.limits) as guard:
        for path, slots in _by_video(group).items():
            cuts = [_cut(slot.planned) for slot in slots]
            found = cut_video(guard, group.limits, path, cuts, group.clips.num_frames, group.clips.size_px)
            encoded |= {(s.planned.sample.key, s.view): clip for s, clip in zip(slots, found, strict=True)}
    kept: list[tuple[ShardSample, dict[str, bytes]]] = []
    quarantine: list[dict[str, str]] = []
    for planned in group.planned:
        outcomes = {view: encoded[planned.sample.key, view] for view, _ in planned.videos}
        for view, path in planned.videos:
            reason = outcomes[view]
            if isinstance(reason, str):
                quarantine.append({"key": planned.sample.key, "view": view, "video": path, "reason": reason})
        stored = _usable({view: clip for view, clip in outcomes.items() if isinstance(clip, bytes)})
        if stored:
            kept.append((replace(planned.sample, views=tuple(stored)), stored))
        else:
            quarantine.append({"key": planned.sample.key, "view": "", "video": "", "reason": "no usable view is left"})
    rows = _write_tar(group.tar, kept)
    part = {"sha256": sha256_of(group.tar), "samples": rows, "quarantine": quarantine}
    write_json(group.part, part, indent=None)
    return len(kept)


def part_path(folder: Path, number: int) -> Path:
    """The part of shard `number`."""
    return folder / PARTS / f"{number:05d}.json"


def is_built(folder: Path, number: int) -> bool:
    """Whether a shard and its part are there."""
    return part_path(folder, number).is_file() and (folder / shard_name(number)).is_file()


def _cut(planned: Planned) -> Cut:
    """What is cut, in seconds of the sample's files."""
    sample, begins_s = planned.sample, planned.begins_s
    return Cut(start_s=sample.start_s - begins_s, end_s=sample.end_s - begins_s, fps=sample.fps)


def _usable(clips: dict[str, bytes]) -> dict[str, bytes]:
    """The clips of a sample if they suffice: the ego view and an exo view, or the one view of an instruction."""
    complete = VIDEO in clips or (EGO in clips and len(clips) > 1)
    return clips if complete else {}


def _by_video(group: Group) -> dict[str, list[_Slot]]:
    """What is to be cut from each video."""
    slots: dict[str, list[_Slot]] = {}
    for planned in group.planned:
        for view, path in planned.videos:
            slots.setdefault(path, []).append(_Slot(planned, view))
    return slots


def _write_tar(path: Path, kept: Sequence[tuple[ShardSample, dict[str, bytes]]]) -> list[dict[str, Any]]:
    """Writes the shard atomically; returns the index rows."""
    rows = []
    with refusing_bad_output(path):
        with temporary(path).open("wb") as file:
            with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as tar:
                for sample, stored in kept:
                    record = sample_to_json(sample)
                    contents = {JSON_MEMBER: utf8(json.dumps(record, ensure_ascii=False)), **stored}
                    places = {view: _add(tar, member_name(sample.key, view), c) for view, c in contents.items()}
                    rows.append({"sample": record, "members": [places[view] for view in (JSON_MEMBER, *sample.views)]})
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary(path), path)
    return rows


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> list[int]:
    """Appends a member without times, owners or modes, so that the same input gives the same bytes."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    header_at = tar.offset
    tar.addfile(info, io.BytesIO(content))
    padded = -(-len(content) // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
    offset = tar.offset - padded
    if offset < header_at:
        raise ValueError(f"{name}: tar offsets are not as expected")
    return [offset, len(content), zlib.crc32(content)]
