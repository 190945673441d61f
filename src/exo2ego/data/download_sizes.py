"""How large an Ego-Exo4D download is: what the release publishes, files that are there, and estimates between them.

Published: the table of parts of EGO4D/Ego-Exo4D-docs `docs/download.md` (its GB are 10^9 bytes, see the script that
prints it, facebookresearch/Ego4d `ego4d/internal/download/manifest_gen.py`), and 1,286.30 hours of ego colour and exo
video in `docs/changelog.md` (V2).
"""

import math
import re
from dataclasses import dataclass, field
from pathlib import Path

from exo2ego.errors import FormatError
from exo2ego.records import Stream, Take

SMALL_PART, FULL_PART = "downscaled_takes/448", "takes"
VIDEO_HOURS = 1286.30
PART_BYTES = {
    "metadata": 46_000_000,
    "annotations": 10_533_000_000,
    SMALL_PART: 438_556_000_000,
    FULL_PART: 10_553_486_000_000,
    "captures": 43_618_000_000,
    "take_vrs": 12_301_458_000_000,
    "take_vrs_noimagestream": 995_592_000_000,
    "take_point_cloud": 6_164_615_000_000,
    "take_trajectory": 509_503_000_000,
    "take_audio": 1_056_907_000_000,
}
"""Part of the `egoexo` downloader -> bytes, as published."""

_UNITS = {"": 1, "B": 1}
_UNITS |= {f"{letter}B": 1000 ** (n + 1) for n, letter in enumerate("KMGT")}
_UNITS |= {f"{letter}IB": 1024 ** (n + 1) for n, letter in enumerate("KMGT")}


def published_rate(part: str) -> float:
    """Bytes of a part for each second of ego colour or exo video in it.

    The part also holds grey, eye and preview videos; their bytes are spread over the others, since the downloader
    brings them along. For the wanted videos alone the figure is therefore an upper bound, on average.
    """
    return PART_BYTES[part] / (VIDEO_HOURS * 3600)


def parse_bytes(text: str) -> int:
    """A size as people write it: `200GB` is 200 x 10^9, `200GiB` 200 x 2^30.

    >>> parse_bytes("1.5 TB")
    1500000000000
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([A-Za-z]*)\s*", text)
    unit = _UNITS.get(match[2].upper()) if match else None
    if match is None or unit is None:
        raise FormatError(f"'{text}' is not a size; write it as 200GB, 1.5TB or 500GiB")
    value = int(float(match[1]) * unit)
    if value <= 0:
        raise FormatError(f"a size of '{text}' holds nothing; give more than 0")
    return value


def show_bytes(count: int) -> str:
    """For people, in powers of 1000 as the published table.

    >>> show_bytes(438_556_000_000)
    '438.6 GB'
    """
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if abs(value) < 1000:
            return f"{value:.1f} {unit}" if unit != "B" else f"{count} B"
        value /= 1000
    return f"{value:.2f} TB"


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes, and how many of them are an estimate; sizes add up."""

    total: int = 0
    estimated: int = 0

    def __add__(self, other: "Size") -> "Size":
        return Size(self.total + other.total, self.estimated + other.estimated)

    def __str__(self) -> str:
        if not self.estimated:
            return show_bytes(self.total)
        return f"about {show_bytes(self.total)}"


NOTHING = Size()


@dataclass(slots=True)
class Sizes:
    """Sizes of videos below a root: of the file where it is there, else duration times a rate, rounded up."""

    root: Path
    bytes_per_second: float
    _known: dict[str, int | None] = field(default_factory=dict)

    def there(self, path: str) -> int | None:
        """Bytes of a file relative to the root; None where there is none or it is empty. Each is asked for once."""
        if path not in self._known:
            file = self.root / path
            self._known[path] = (file.stat().st_size if file.is_file() else 0) or None
        return self._known[path]

    def video(self, take: Take, stream: Stream) -> Size:
        """Size of one video of a take."""
        found = self.there(stream.path)
        if found is not None:
            return Size(found)
        guess = math.ceil(take.duration_s * self.bytes_per_second)
        return Size(guess, guess)
