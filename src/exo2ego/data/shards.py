"""Shard directories, read: tar files in WebDataset layout with a byte index and checksums, any sample in one read.

    train-00000.tar     <key>.json, <key>.ego.mp4, <key>.cam01.mp4, ...     (pairs: one sample per narration)
                        <key>.json, <key>.video.mp4                         (instructions: one per video span)
    index.json          every sample's record, and where each member's bytes lie, with their crc32
    manifest.json       written last: settings, counts, filter report, sha256 of every other file
    quarantine.jsonl    what could not be stored, with the reason

Written by `shard_writer.py`. Nothing is unpickled or unpacked to disk; member names come from an allow-list.
"""

import os
import re
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from hashlib import file_digest
from pathlib import Path
from typing import Any

from exo2ego.data.jsonfile import Fields, load_json
from exo2ego.errors import ChecksumError, FormatError, MissingFileError
from exo2ego.records import SPLITS, Turn

LAYOUT_VERSION = 1
INDEX, MANIFEST, QUARANTINE = "index.json", "manifest.json", "quarantine.jsonl"
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


@dataclass(frozen=True, slots=True)
class Member:
    """Where the bytes of one member lie."""

    shard: str
    name: str
    offset: int
    size: int
    crc32: int


def member_name(key: str, view: str) -> str:
    """Name inside the tar: `<key>.json` or `<key>.<view>.mp4`."""
    return f"{key}.json" if view == JSON_MEMBER else f"{key}.{view}.mp4"


def sample_to_json(sample: ShardSample) -> dict[str, Any]:
    """What is stored of a sample."""
    return asdict(sample)


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


class ShardSet:
    """A complete shard directory. Holds no open file, so threads, forks and pickles may share it."""

    def __init__(
        self,
        folder: Path,
        samples: tuple[ShardSample, ...],
        members: Mapping[tuple[str, str], Member],
        manifest: Mapping[str, Any],
    ) -> None:
        self.folder = folder
        self.samples = samples
        self.manifest = manifest
        self._members = members

    def __len__(self) -> int:
        return len(self.samples)

    @cached_property
    def pairs(self) -> tuple[tuple[ShardSample, str, bool], ...]:
        """(sample, exo camera, whether it is the best one) for every exo view of every pair sample."""
        return tuple(
            (sample, view, view == sample.best_exo)
            for sample in self.samples
            for view in sample.views
            if EGO in sample.views and view != EGO
        )

    def read(self, sample: ShardSample, view: str) -> bytes:
        """The mp4 of one view (or, as `json`, the stored record). Thread-safe.

        Raises ChecksumError naming shard and member when a byte differs, MissingFileError when the shard is gone,
        FormatError for a view that the sample has not.
        """
        member = self._members.get((sample.key, view))
        if member is None:
            raise FormatError(
                f"{self.folder}: sample {sample.key} has no view '{view}', only {', '.join(sample.views)}"
            )
        path = self.folder / member.shard
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except OSError as error:
            raise MissingFileError(f"{path}: cannot be opened ({error.strerror})") from None
        try:
            content = os.pread(descriptor, member.size, member.offset)
        finally:
            os.close(descriptor)
        if len(content) != member.size or zlib.crc32(content) != member.crc32:
            raise ChecksumError(f"{path}: member {member.name} is damaged (checksum differs); copy or build it again")
        return content


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
    if manifest.data.get("version") != LAYOUT_VERSION:
        raise manifest.fail("version", f"{LAYOUT_VERSION}")
    files = manifest.table("files")
    check_file(folder / INDEX, files.get(INDEX))
    rows = Fields(load_json(folder / INDEX), str(folder / INDEX)).items("samples")
    samples: list[ShardSample] = []
    members: dict[tuple[str, str], Member] = {}
    for number, data in enumerate(rows):
        where = f"{folder / INDEX}: row {number}"
        row = Fields(data, where)
        sample = sample_from_json(row.data.get("sample"), where)
        samples.append(sample)
        for view, member in _members(row, sample).items():
            if member.shard not in files:
                raise row.fail("shard", "a file that the manifest names")
            if (sample.key, view) in members:
                raise FormatError(f"{where}: two samples have the key '{sample.key}'")
            members[sample.key, view] = member
    return ShardSet(folder, tuple(samples), members, dict(manifest.data))


def _members(row: Fields, sample: ShardSample) -> dict[str, Member]:
    shard = row.text("shard")
    if not SHARD_NAME.fullmatch(shard):
        raise row.fail("shard", "the plain name of a tar file")
    table = row.table("members")
    if set(table) != {JSON_MEMBER, *sample.views}:
        raise row.fail("members", f"exactly json, {', '.join(sample.views)}")
    out = {}
    for view, place in table.items():
        ok = isinstance(place, list) and len(place) == 3 and all(type(n) is int and n >= 0 for n in place)
        if not ok:
            raise Fields(table, f"{row.where}: members").fail(view, "[offset, size, crc32]")
        out[view] = Member(shard, member_name(sample.key, view), *place)
    return out


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


def verify_shards(folder: str | Path) -> int:
    """Checks every file's sha256 and every tar's members (plain files under known names only).

    Returns the number of members. Raises ChecksumError, MissingFileError or FormatError for the first that is wrong.
    """
    shards = open_shards(folder)
    for name, digest in shards.manifest["files"].items():
        if not (SHARD_NAME.fullmatch(name) or name in (INDEX, QUARANTINE)):
            raise FormatError(f"{shards.folder / MANIFEST}: files names '{name}'; expected names of shards only")
        check_file(shards.folder / name, digest)
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
