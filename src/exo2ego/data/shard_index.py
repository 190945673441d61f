"""The index of a shard directory: columns on disk, mapped into memory, so that any number of samples opens at once.

    index.jsonl            every sample's record, one a line
    index-samples.npy      SAMPLE[n + 1]: where its line begins, its first member, its shard, its pairs; the last row
                           holds the totals
    index-members.npy      MEMBER[m]: where the bytes of each member lie: `json` first, then the views in their order
    index-keys.npy         uint64[2, n]: hashes of all keys in order, and whose they are

Little-endian. Nothing is unpickled.
"""

import contextlib
import hashlib
import io
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from exo2ego.data.atomic import refusing_bad_output, remove, temporary, write_atomic
from exo2ego.errors import FormatError, MissingFileError

RECORDS, SAMPLES, MEMBERS, KEYS = "index.jsonl", "index-samples.npy", "index-members.npy", "index-keys.npy"
INDEX_FILES = (RECORDS, SAMPLES, MEMBERS, KEYS)
SAMPLE = np.dtype([("record", "<i8"), ("member", "<i8"), ("shard", "<i4"), ("pairs", "<i4")])
MEMBER = np.dtype([("offset", "<i8"), ("size", "<i8"), ("crc32", "<u4")])
HASH = np.dtype("<u8")


def key_hash(key: str) -> int:
    """64 bits that stand for a key; the writer refuses two keys with one hash."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "little")


class ShardIndex:
    """The index, read. Maps files but keeps none open for reading; a pickle holds the folder and opens it again."""

    def __init__(self, folder: Path) -> None:
        """Raises MissingFileError or FormatError naming the file."""
        self.folder = folder
        self._samples = _load(folder / SAMPLES, SAMPLE, 1)
        self._members = _load(folder / MEMBERS, MEMBER, 1)
        self._keys = _load(folder / KEYS, HASH, 2)
        self._check()

    def __reduce__(self) -> tuple[type["ShardIndex"], tuple[Path]]:
        return ShardIndex, (self.folder,)

    def __len__(self) -> int:
        return len(self._samples) - 1

    @property
    def shards(self) -> int:
        """Number of the last shard that holds a sample, plus one."""
        return int(self._samples["shard"][:-1].max(initial=-1)) + 1

    def record(self, number: int) -> bytes:
        """The JSON of one sample."""
        start, end = int(self._samples["record"][number]), int(self._samples["record"][number + 1])
        return read_bytes(self.folder / RECORDS, start, end - start)

    def records(self) -> Iterator[bytes]:
        """The JSON of all samples in order."""
        with (self.folder / RECORDS).open("rb") as file:
            yield from file

    def find(self, key: str) -> int | None:
        """The number of the sample of a key."""
        wanted = np.uint64(key_hash(key))
        place = int(np.searchsorted(self._keys[0], wanted))
        found = place < len(self) and self._keys[0, place] == wanted
        return int(self._keys[1, place]) if found else None

    def member(self, number: int, position: int) -> tuple[int, int, int, int]:
        """(shard, offset, size, crc32) of one member: position 0 is `json`, n the n-th view.

        Raises FormatError where the sample has fewer members than its record has views.
        """
        first, end = int(self._samples["member"][number]), int(self._samples["member"][number + 1])
        if first + position >= end:
            raise FormatError(f"{self.folder / SAMPLES}: sample {number} has {end - first} members; build them again")
        offset, size, crc32 = self._members[first + position].item()
        return int(self._samples["shard"][number]), offset, size, crc32

    def pairs(self) -> NDArray[np.int64]:
        """int64[n + 1]: how many ego-exo pairs the samples before each one have; the last is the total."""
        return np.concatenate([[0], np.cumsum(self._samples["pairs"][:-1], dtype=np.int64)])

    def _check(self) -> None:
        """What a checksum cannot tell: whether the columns belong together."""
        rows, members, keys = self._samples, self._members, self._keys
        records = self.folder / RECORDS
        if not records.is_file():
            raise MissingFileError(f"{records}: no such file")
        counts = np.diff(rows["member"])
        checks = {
            SAMPLES: len(rows) > 0
            and (rows["record"][0], rows["record"][-1]) == (0, records.stat().st_size)
            and (rows["member"][0], rows["member"][-1]) == (0, len(members))
            and bool((np.diff(rows["record"]) > 0).all() and (counts >= 2).all() and (rows["shard"] >= 0).all())
            and bool(((rows["pairs"][:-1] == 0) | (rows["pairs"][:-1] == counts - 2)).all()),
            MEMBERS: bool((members["offset"] >= 0).all() and (members["size"] >= 0).all()),
            KEYS: keys.shape == (2, len(rows) - 1)
            and bool((keys[0, 1:] > keys[0, :-1]).all() and (keys[1] < max(1, len(rows) - 1)).all()),
        }
        for name, is_right in checks.items():
            if not is_right:
                raise FormatError(f"{self.folder / name}: its rows do not belong together; build the shards again")


def read_bytes(path: Path, offset: int, size: int) -> bytes:
    """Up to `size` bytes of a file, fewer where it ends. Raises MissingFileError."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise MissingFileError(f"{path}: cannot be opened ({error.strerror})") from None
    try:
        # A damaged index may ask for any number; memory is taken for what there is.
        return os.pread(descriptor, max(0, min(size, os.fstat(descriptor).st_size - offset)), offset)
    finally:
        os.close(descriptor)


def _load(path: Path, dtype: np.dtype[Any], dimensions: int) -> NDArray[Any]:
    if not path.is_file():
        raise MissingFileError(f"{path}: no such file")
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise FormatError(f"{path}: not a readable column ({' '.join(str(error).split())[:80]})") from None
    if array.dtype != dtype or array.ndim != dimensions:
        raise FormatError(f"{path}: holds {array.dtype}{list(array.shape)}; expected {dtype}")
    return array


class IndexWriter:
    """Writes the four files, sample by sample; they appear when all of it has been given. Memory: 16 bytes a sample.

    A context manager: what is unfinished at its end is removed. Raises OutputError when the disk refuses.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0
        self._hashes: list[NDArray[np.uint64]] = []
        self._bytes = self._member = 0
        with refusing_bad_output(folder / RECORDS):
            self._files = {name: temporary(folder / f"{name}.raw").open("w+b") for name in (RECORDS, SAMPLES, MEMBERS)}

    def __enter__(self) -> "IndexWriter":
        return self

    def __exit__(self, *_: object) -> None:
        for name, file in self._files.items():
            with contextlib.suppress(OSError):  # a full disk also fails what is still to be written
                file.close()
            remove(temporary(self.folder / f"{name}.raw"))

    def add(self, key: str, record: bytes, members: Sequence[tuple[int, int, int]], shard: int, pairs: int) -> None:
        """One sample: its JSON without line ends, (offset, size, crc32) of `json` and of every view, its number of
        ego-exo pairs."""
        with refusing_bad_output(self.folder / RECORDS):
            self._files[RECORDS].write(record + b"\n")
            self._files[SAMPLES].write(np.array([(self._bytes, self._member, shard, pairs)], SAMPLE).tobytes())
            self._files[MEMBERS].write(np.array(members, MEMBER).tobytes())
        self._hashes.append(np.array([key_hash(key)], HASH))
        if len(self._hashes) > 4096:
            self._hashes = [np.concatenate(self._hashes)]
        self._bytes += len(record) + 1
        self._member += len(members)
        self.count += 1

    def finish(self) -> None:
        """Puts the files in place. Raises OutputError when the disk refuses, FormatError for two equal keys."""
        hashes = np.concatenate(self._hashes) if self._hashes else np.zeros(0, HASH)
        order = np.argsort(hashes, kind="stable").astype(HASH)
        if bool((np.diff(hashes[order]) == 0).any()):
            raise FormatError(f"{self.folder}: two samples have one key; keys must differ")
        with refusing_bad_output(self.folder / RECORDS):
            self._files[SAMPLES].write(np.array([(self._bytes, self._member, 0, 0)], SAMPLE).tobytes())
        _put(self._files[RECORDS], self.folder / RECORDS, b"")
        _put(self._files[SAMPLES], self.folder / SAMPLES, _header(SAMPLE, (self.count + 1,)))
        _put(self._files[MEMBERS], self.folder / MEMBERS, _header(MEMBER, (self._member,)))
        write_atomic(self.folder / KEYS, _header(HASH, (2, self.count)) + hashes[order].tobytes() + order.tobytes())


def _header(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    """The beginning of an .npy file."""
    out = io.BytesIO()
    described = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(out, described)
    return out.getvalue()


def _put(content: BinaryIO, path: Path, header: bytes) -> None:
    """A file of `header` and all of `content`, atomically: an array's length is known only at its end."""
    with refusing_bad_output(path):
        content.seek(0)
        with temporary(path).open("wb") as file:
            file.write(header)
            shutil.copyfileobj(content, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary(path), path)
