"""Shard directories, read: tar files in WebDataset layout with a byte index and checksums, any sample in one read.

    train-00000.tar     <key>.json, <key>.ego.mp4, <key>.cam01.mp4, ...     (pairs: one sample per narration)
                        <key>.json, <key>.video.mp4                         (instructions: one per video span)
    index.jsonl, index-*.npy   every sample's record, and where each member's bytes lie (`shard_index.py`)
    manifest.json       written last: settings, counts, filter report, sha256 of every other file
    quarantine.jsonl    what could not be stored, with the reason

Written by `shard_writer.py`. Nothing is unpickled or unpacked to disk; member names come from an allow-list.
"""

import json
import re
import tarfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import file_digest
from operator import eq
from pathlib import Path
from typing import Any, overload

import numpy as np

from exo2ego.data.jsonfile import Fields, load_json
from exo2ego.data.shard_index import INDEX_FILES, RECORDS, ShardIndex, read_bytes
from exo2ego.data.told import Progress
from exo2ego.errors import ChecksumError, FormatError, MissingFileError
from exo2ego.records import SPLITS, Turn

LAYOUT_VERSION = 2
MANIFEST, QUARANTINE = "manifest.json", "quarantine.jsonl"
EGO, VIDEO = "ego", "video"
"""Names of views: the ego view of a pair sample, the only view of an instruction sample."""
JSON_MEMBER = "json"
NAME = re.compile(r"[A-Za-z0-9_-]{1,200}")
"""Keys and view names. No dot: WebDataset cuts a member's name at the first one."""
SHARD_NAME = re.compile(r"[A-Za-z0-9_-]+\.tar")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardSample:
    """One sample: what `<key>.json` holds."""

    key: str
    split: str
    take_uid: str
    """Instruction samples: the take's name where the video lies in a take's folder, else the video's path."""
    scenario: str
    text: str
    """Narration; empty for instruction samples."""
    start_s: float
    end_s: float
    """Interval within the source video."""
    fps: float
    """Of the stored clips: number of frames / (end - start)."""
    views: tuple[str, ...]
    best_exo: str | None
    conversations: tuple[tuple[Turn, ...], ...] = ()
    source: str

    def __post_init__(self) -> None:
        for name in (self.key, *self.views):
            if not NAME.fullmatch(name):
                raise FormatError(f"'{name}' cannot name a sample or view; use letters, digits, '_' and '-' only")
        if self.split not in SPLITS:
            raise FormatError(f"sample {self.key}: split '{self.split}'; expected one of {', '.join(SPLITS)}")


def member_name(key: str, view: str) -> str:
    """Name inside the tar: `<key>.json` or `<key>.<view>.mp4`."""
    return f"{key}.json" if view == JSON_MEMBER else f"{key}.{view}.mp4"


def sample_to_json(sample: ShardSample) -> dict[str, Any]:
    """What is stored of a sample."""
    said = [[{"question": turn.question, "answer": turn.answer} for turn in turns] for turns in sample.conversations]
    # Not `asdict`, which copies deeply: there are hundreds of thousands of samples.
    record = {name: getattr(sample, name) for name in ShardSample.__slots__}
    return record | {"views": list(sample.views), "conversations": said}


def pair_count(sample: ShardSample) -> int:
    """How many ego-exo pairs a sample makes: one for each exo view where there is an ego view."""
    return len(sample.views) - 1 if EGO in sample.views else 0


def sample_from_json(data: object, where: str) -> ShardSample:
    """The sample back from what is stored. Raises FormatError naming `where`, field and value."""
    row = Fields(data, where)
    conversations = []
    for number, turns in enumerate(row.items("conversations")):
        if not isinstance(turns, list):
            raise row.fail("conversations", "a list of lists of turns")
        fields = [Fields(turn, f"{where}: conversation {number}") for turn in turns]
        conversations.append(tuple(Turn(question=f.text("question"), answer=f.text("answer")) for f in fields))
    views = row.items("views")
    if not views or not all(isinstance(view, str) for view in views):
        raise row.fail("views", "a list of view names")
    return ShardSample(
        key=row.text("key"),
        split=row.text("split"),
        take_uid=row.text("take_uid"),
        scenario=row.text("scenario"),
        text=row.text("text"),
        start_s=row.number("start_s"),
        end_s=row.number("end_s"),
        fps=row.number("fps"),
        views=tuple(views),
        best_exo=row.text("best_exo", default="") or None,
        conversations=tuple(conversations),
        source=row.text("source"),
    )


class Samples(Sequence[ShardSample]):
    """The samples of a shard directory in stored order; each is read from the index when it is asked for."""

    def __init__(self, index: ShardIndex) -> None:
        self._index = index

    def __len__(self) -> int:
        return len(self._index)

    @overload
    def __getitem__(self, place: int) -> ShardSample: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[ShardSample, ...]: ...
    def __getitem__(self, place: int | slice) -> "ShardSample | tuple[ShardSample, ...]":
        if isinstance(place, slice):
            return tuple(self._read(number) for number in range(len(self))[place])
        return self._read(range(len(self))[place])

    def __iter__(self) -> Iterator[ShardSample]:
        for number, record in enumerate(self._index.records()):
            yield self._parsed(number, record)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Samples | tuple) and len(self) == len(other) and all(map(eq, self, other))

    __hash__ = None  # type: ignore[assignment]

    def _read(self, number: int) -> ShardSample:
        return self._parsed(number, self._index.record(number))

    def _parsed(self, number: int, record: bytes) -> ShardSample:
        where = f"{self._index.folder / RECORDS}: line {number + 1}"
        try:
            return sample_from_json(json.loads(record), where)
        except ValueError:
            raise FormatError(f"{where} is not valid JSON; copy the shards or build them again") from None


Pair = tuple[ShardSample, str, bool]


class Pairs(Sequence[Pair]):
    """(sample, exo camera, whether it is the best one) for every exo view of every pair sample."""

    def __init__(self, samples: Samples, index: ShardIndex) -> None:
        self._samples = samples
        self._before = index.pairs()

    def __len__(self) -> int:
        return int(self._before[-1])

    @overload
    def __getitem__(self, place: int) -> Pair: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Pair, ...]: ...
    def __getitem__(self, place: int | slice) -> "Pair | tuple[Pair, ...]":
        if isinstance(place, slice):
            return tuple(self._read(number) for number in range(len(self))[place])
        return self._read(range(len(self))[place])

    def __iter__(self) -> Iterator[Pair]:
        for sample in self._samples:
            yield from _pairs_of(sample)

    def _read(self, number: int) -> Pair:
        home = int(np.searchsorted(self._before, number, side="right")) - 1
        return _pairs_of(self._samples[home])[number - int(self._before[home])]


def _pairs_of(sample: ShardSample) -> list[Pair]:
    exos = [view for view in sample.views if view != EGO] if EGO in sample.views else []
    return [(sample, view, view == sample.best_exo) for view in exos]


class ShardSet:
    """A complete shard directory. Threads, forks and pickles may share it; samples are read when asked for."""

    def __init__(self, folder: Path, index: ShardIndex, manifest: Mapping[str, Any]) -> None:
        self.folder = folder
        self.manifest = manifest
        self.samples = Samples(index)
        self._index = index

    def __len__(self) -> int:
        return len(self._index)

    @cached_property
    def pairs(self) -> Pairs:
        """(sample, exo camera, whether it is the best one) for every exo view of every pair sample."""
        return Pairs(self.samples, self._index)

    def read(self, sample: ShardSample, view: str) -> bytes:
        """The mp4 of one view (or, as `json`, the stored record). Thread-safe.

        Raises ChecksumError naming shard and member when a byte differs, MissingFileError when the shard is gone,
        FormatError for a sample or a view that is not stored here.
        """
        number = self._index.find(sample.key)
        if number is None:
            raise FormatError(f"{self.folder}: holds no sample {sample.key}")
        views = self.samples[number].views
        if view != JSON_MEMBER and view not in views:
            raise FormatError(f"{self.folder}: sample {sample.key} has no view '{view}', only {', '.join(views)}")
        position = 0 if view == JSON_MEMBER else 1 + views.index(view)
        shard, offset, size, crc32 = self._index.member(number, position)
        path = self.folder / shard_name(shard)
        content = read_bytes(path, offset, size)
        if len(content) != size or zlib.crc32(content) != crc32:
            name = member_name(sample.key, view)
            raise ChecksumError(f"{path}: member {name} is damaged (checksum differs); copy or build it again")
        return content


def shard_name(number: int) -> str:
    """File name of a shard."""
    return f"shard-{number:05d}.tar"


def open_shards(folder: str | Path) -> ShardSet:
    """Opens a complete shard directory.

    Raises MissingFileError for one that is absent or was not built to its end, ChecksumError for a changed index,
    FormatError for one of another layout.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise MissingFileError(f"{folder}: no such folder; build it with: exo2ego data clips")
    if not (folder / MANIFEST).is_file():
        raise MissingFileError(f"{folder}: no {MANIFEST}; the build was not finished: run the same command again")
    manifest = Fields(load_json(folder / MANIFEST), str(folder / MANIFEST))
    version = manifest.data.get("version")
    if version != LAYOUT_VERSION:
        raise FormatError(
            f"{folder}: shards of layout {version}, this exo2ego reads layout {LAYOUT_VERSION}; build them again: "
            "exo2ego data clips, or data instruct"
        )
    files = manifest.table("files")
    for name in INDEX_FILES:
        check_file(folder / name, files.get(name))
    index = ShardIndex(folder)
    for number in range(index.shards):
        if shard_name(number) not in files:
            raise manifest.fail("files", f"the sha256 of {shard_name(number)}, which the index names")
    return ShardSet(folder, index, dict(manifest.data))


def check_file(path: Path, sha256: object) -> None:
    """Raises ChecksumError when a file differs from the manifest's sha256, MissingFileError when it is absent."""
    if not path.is_file():
        raise MissingFileError(f"{path}: no such file, though {MANIFEST} names it")
    if sha256_of(path) != sha256:
        raise ChecksumError(f"{path}: differs from the sha256 in {MANIFEST}; copy or build it again")


def sha256_of(path: Path) -> str:
    """Hexadecimal digest of a file."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def verify_shards(folder: str | Path, progress: Progress | None = None) -> int:
    """Checks every file's sha256 and every tar's members (plain files under known names only). `progress` is told the
    bytes read and the bytes in all.

    Returns the number of members. Raises ChecksumError, MissingFileError or FormatError for the first that is wrong.
    """
    shards = open_shards(folder)
    digests: dict[str, str] = shards.manifest["files"]
    for name in digests:
        if not (SHARD_NAME.fullmatch(name) or name in (*INDEX_FILES, QUARANTINE)):
            raise FormatError(f"{shards.folder / MANIFEST}: files names '{name}'; expected names of shards only")
    paths = [shards.folder / name for name in digests]
    done, total = 0, sum(path.stat().st_size for path in paths if path.is_file())
    for path in paths:
        check_file(path, digests[path.name])
        done += path.stat().st_size
        if progress:
            progress(done, total)
    count = 0
    for name in sorted(n for n in shards.manifest["files"] if SHARD_NAME.fullmatch(n)):
        count += len(tar_members(shards.folder / name))
    return count


def tar_members(path: Path) -> dict[str, tarfile.TarInfo]:
    """Members of a shard by name. FormatError for links, folders, `..`, other extensions, or a broken tar."""
    found: dict[str, tarfile.TarInfo] = {}
    try:
        with tarfile.open(path, "r:") as tar:
            for info in tar:
                key, _, rest = info.name.partition(".")
                view, _, extension = rest.rpartition(".")
                named = bool(NAME.fullmatch(key)) and (rest == "json" or (extension == "mp4" and NAME.fullmatch(view)))
                if not info.isreg() or not named:
                    raise FormatError(f"{path}: member '{info.name}' does not belong in a shard; do not use this file")
                found[info.name] = info
    except tarfile.TarError as error:
        raise FormatError(f"{path}: not a readable tar file ({error})") from None
    return found
