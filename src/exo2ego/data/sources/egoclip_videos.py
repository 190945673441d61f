"""Where the videos of EgoClip lie: whole, or cut into pieces of equal length as two projects cut them.

chunks600    <uid>/<k>.mp4              k-th piece of 600 s, from 0 (showlab/EgoVLP)
chunks300    <uid>.mp4/<start>.mp4      pieces of 300 s, named by their start in seconds (facebookresearch/LaViLa)
whole        <uid>.mp4
"""

import math
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

from exo2ego.errors import FormatError, MissingFileError

EPSILON_S = 1e-6
AUTO = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One way to store the videos."""

    name: str
    chunk_s: float | None
    """Length of a piece, None for whole videos."""
    folder: str
    """Of the pieces of a video, or the video's file."""
    numbered: bool = False
    """Pieces are named by their number, otherwise by their start in seconds."""

    def piece(self, uid: str, start_s: float, end_s: float) -> tuple[str, float] | None:
        """(path, start of the piece in seconds) of the piece that holds a clip, None where it needs two."""
        place = self.folder.format(uid=uid)
        if self.chunk_s is None:
            return place, 0.0
        number = int(start_s // self.chunk_s)
        if end_s > (number + 1) * self.chunk_s + EPSILON_S:
            return None
        begin = number * self.chunk_s
        return f"{place}/{number if self.numbered else round(begin)}.mp4", begin

    def bounds(self, time_s: float) -> tuple[float, float]:
        """Where the piece that holds a time begins and ends, in seconds of the whole video."""
        if self.chunk_s is None:
            return 0.0, math.inf
        number = time_s // self.chunk_s
        return number * self.chunk_s, (number + 1) * self.chunk_s


LAYOUTS = {
    layout.name: layout
    for layout in (
        Layout(name="chunks600", chunk_s=600.0, folder="{uid}", numbered=True),
        Layout(name="chunks300", chunk_s=300.0, folder="{uid}.mp4"),
        Layout(name="whole", chunk_s=None, folder="{uid}.mp4"),
    )
}


def find_layout(root: Path, name: str = AUTO) -> Layout:
    """The layout asked for; for `auto` the only one of which `root` holds videos.

    Raises MissingFileError where there is no such folder, or no video in any layout; FormatError where `auto` finds
    two, or a name is unknown.
    """
    if not root.is_dir():
        raise MissingFileError(f"{root}: no such folder of videos")
    if name != AUTO:
        if name not in LAYOUTS:
            raise FormatError(f"video layout '{name}'; expected {AUTO}, {', '.join(LAYOUTS)}")
        return LAYOUTS[name]
    found: dict[str, str] = {}
    for entry in sorted(root.iterdir()):
        kind = _layout_of(entry, found)
        if kind is not None:
            found.setdefault(kind, entry.name)
    if len(found) > 1:
        examples = ", ".join(f"{kind} ({example})" for kind, example in found.items())
        raise FormatError(f"{root}: holds videos in more than one layout: {examples}; say which with --video-layout")
    if not found:
        forms = "<uid>/<number>.mp4, <uid>.mp4/<start>.mp4 and <uid>.mp4"
        raise MissingFileError(f"{root}: holds no videos as EgoClip's are stored; looked for {forms}")
    return LAYOUTS[next(iter(found))]


def _layout_of(entry: Path, known: Container[str]) -> str | None:
    """Which layout an entry of the folder speaks for; folders are not looked into for one that is known."""
    if entry.suffix == ".mp4":
        return "chunks300" if entry.is_dir() else "whole"
    if "chunks600" in known or not entry.is_dir():
        return None
    pieces = (piece for piece in entry.iterdir() if piece.suffix == ".mp4" and piece.stem.isdecimal())
    return "chunks600" if next(pieces, None) else None
