"""What is to be stored, spooled to a file: the samples of all shards in order, any shard's read back at once.

A plan may hold millions of clips; memory holds where each shard's begin. The file is one line of JSON a sample.
"""

import json
import os
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np

from exo2ego.data.atomic import refusing_bad_output, temporary
from exo2ego.data.jsonfile import Fields
from exo2ego.data.shard_index import key_hash, read_bytes
from exo2ego.data.shards import ShardSample, sample_from_json, sample_to_json
from exo2ego.errors import FormatError


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A sample to be stored, with the video file of each of its views."""

    sample: ShardSample
    videos: tuple[tuple[str, str], ...]
    """(view, path) in the order of `sample.views`."""
    begins_s: float = 0.0
    """Where in the recording its files begin: above 0 for later pieces of one that was cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpooledPlan:
    """A plan on disk, in groups: the samples of one shard each."""

    path: Path
    digest: str
    """sha256 of all of it, in hexadecimal."""
    starts: "array[int]"
    """Where the lines of each group begin; the last is the end of the file."""
    counts: "array[int]"
    """Samples of each group."""

    @property
    def total(self) -> int:
        """Samples in all."""
        return sum(self.counts)

    def group(self, number: int) -> tuple[Planned, ...]:
        """The samples of one shard."""
        start = self.starts[number]
        lines = read_bytes(self.path, start, self.starts[number + 1] - start).splitlines()
        return tuple(_from_line(line, f"{self.path}: group {number}") for line in lines)


def spool(path: Path, planned: Iterable[Planned], per_shard: int) -> SpooledPlan:
    """Writes a plan, atomically. A shard is closed at the first change of take from `per_shard` samples on, so that no
    video is decoded for two shards.

    Raises FormatError for two samples with one key, OutputError when the disk refuses.
    """
    digest, hashes = sha256(), array("Q")
    starts, counts = array("q"), array("q")
    end = 0
    take = None
    with refusing_bad_output(path):
        with temporary(path).open("wb") as file:
            for item in planned:
                if not counts or (counts[-1] >= per_shard and take != item.sample.take_uid):
                    starts.append(end)
                    counts.append(0)
                line = _to_line(item)
                digest.update(line)
                file.write(line)
                hashes.append(key_hash(item.sample.key))
                counts[-1] += 1
                end += len(line)
                take = item.sample.take_uid
        starts.append(end)
        os.replace(temporary(path), path)
    plan = SpooledPlan(path=path, digest=digest.hexdigest(), starts=starts, counts=counts)
    _refuse_doubles(plan, hashes)
    return plan


def _refuse_doubles(plan: SpooledPlan, hashes: "array[int]") -> None:
    found = np.sort(np.frombuffer(hashes, np.uint64))
    doubled = {int(value) for value in found[1:][np.diff(found) == 0]}
    if doubled:
        groups = (plan.group(number) for number in range(len(plan.counts)))
        key = next(item.sample.key for group in groups for item in group if key_hash(item.sample.key) in doubled)
        raise FormatError(f"two samples have the key '{key}'; keys must differ")


def _to_line(item: Planned) -> bytes:
    record = {"sample": sample_to_json(item.sample), "videos": item.videos, "begins_s": item.begins_s}
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass") + b"\n"


def _from_line(line: bytes, where: str) -> Planned:
    row = Fields(json.loads(line.decode("utf-8", "surrogatepass")), where)
    sample = sample_from_json(row.data.get("sample"), where)
    videos = tuple((view, path) for view, path in row.items("videos"))
    return Planned(sample=sample, videos=videos, begins_s=row.number("begins_s"))
