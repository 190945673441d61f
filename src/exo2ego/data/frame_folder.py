"""A folder of pictures read as a video: OpenEQA's `<episode>/*-rgb.png`, in the order of their names.

Such a folder has no clock of its own. Frames count as 30 a second, as OpenEQA's `data/frames2videos.py` writes them to
videos, so that a folder and the video made of it are cut alike. `decode_squares` and `probe_source` take either.
"""

import os
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from exo2ego.data.video import MAX_PIXELS, Frame, VideoInfo, decode_at, probe, squarer
from exo2ego.data.video_rules import EPSILON_S
from exo2ego.errors import MissingFileError, VideoError

FRAMES_PER_S = 30.0
ENDINGS = ("-rgb.png", "-rgb.jpg", "-rgb.jpeg")
"""Of a frame's file, in lower case; depth maps and poses lie beside them under other names."""
MAX_FILES = 1_000_000
MAX_FILE_BYTES = 256 << 20
BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error)
"""What Pillow raises for a damaged picture (a broken PNG chunk is a SyntaxError there)."""


def decode_squares(
    path: str, times_s: Sequence[float] | NDArray[np.float64], size_px: int
) -> Iterator[tuple[int, Frame | VideoError]]:
    """Yields (position in `times_s`, uint8[size, size, 3] or why there is none), ordered by time; a file or a folder.

    Raises VideoError or MissingFileError only when the file or folder as a whole cannot be used.
    """
    if os.path.isdir(path):  # also False where a name is too long for a folder
        yield from decode_folder(path, times_s, size_px)
    else:
        yield from decode_at(path, times_s, convert=squarer(size_px))


def probe_source(path: Path) -> VideoInfo:
    """What a video file, or a folder of frames, says about itself. Raises MissingFileError, VideoError."""
    if not os.path.exists(path):
        raise MissingFileError(f"{path}: no such file")
    return probe_folder(path) if path.is_dir() else probe(path)


def probe_folder(folder: Path) -> VideoInfo:
    """Length at 30 frames a second, and the size of the first frame. Raises VideoError where there is no frame."""
    names = frame_files(folder)
    width, height = _size_of(names[0])
    return VideoInfo(
        duration_s=len(names) / FRAMES_PER_S,
        fps=FRAMES_PER_S,
        width_px=width,
        height_px=height,
        frames=len(names),
        rotation_deg=0,
    )


def decode_folder(
    folder: str | Path, times_s: Sequence[float] | NDArray[np.float64], size_px: int
) -> Iterator[tuple[int, Frame | VideoError]]:
    """As `decode_squares`, for a folder. Frame i is on display from i/30 s; the nearest one is taken, as in videos."""
    names = frame_files(Path(folder))
    times = np.asarray(times_s, dtype=np.float64)
    if times.ndim != 1 or not np.isfinite(times).all():
        raise VideoError(f"{folder}: times must be a list of finite seconds")
    done: tuple[int, Frame | VideoError] | None = None
    for position in np.argsort(times, kind="stable"):
        number = _frame_at(float(times[position]), len(names))
        if number is None:
            end_s = len(names) / FRAMES_PER_S
            yield (
                int(position),
                VideoError(
                    f"{folder}: no frame at {times[position]:.3f} s; {len(names)} frames are {end_s:.3f} s long"
                ),
            )
            continue
        if done is None or done[0] != number:
            done = (number, _square(names[number], size_px))
        yield int(position), done[1]


def frame_files(folder: Path) -> list[Path]:
    """The frames, in the order of their names. Raises MissingFileError, VideoError for none or far too many."""
    if not folder.is_dir():
        raise MissingFileError(f"{folder}: no such folder of frames")
    names = []
    for path in folder.iterdir():
        if path.name.lower().endswith(ENDINGS):
            names.append(path)
            if len(names) > MAX_FILES:
                raise VideoError(f"{folder}: more than {MAX_FILES} frames; is it a folder of one recording?")
    if not names:
        raise VideoError(f"{folder}: holds no frame, that is no file *{', *'.join(ENDINGS)}")
    return sorted(names)


def _frame_at(time_s: float, count: int) -> int | None:
    """The frame nearest to a time, the earlier of two; the last one stays for one whole interval."""
    # As near to the middle between two as seconds can tell is in the middle, as in videos.
    number = int(np.ceil((time_s - EPSILON_S / 2) * FRAMES_PER_S - 0.5))
    if number == count and time_s <= count / FRAMES_PER_S:
        number = count - 1
    return number if 0 <= number < count else None


def _size_of(path: Path) -> tuple[int, int]:
    """Width and height in pixels, from the header alone. Raises VideoError."""
    from PIL import Image

    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise VideoError(f"{path}: {path.stat().st_size} bytes are more than a picture may have ({MAX_FILE_BYTES})")
        with Image.open(path, formats=("PNG", "JPEG")) as picture:
            width, height = picture.size
    except (*BROKEN, Image.DecompressionBombError) as error:
        raise VideoError(f"{path}: cannot be read as a PNG or JPEG picture ({_one_line(error)})") from None
    if width * height > MAX_PIXELS or not width or not height:
        raise VideoError(f"{path}: {width} x {height} px; 1 to {MAX_PIXELS} px are possible in a frame")
    return width, height


def _square(path: Path, size_px: int) -> Frame | VideoError:
    """uint8[size, size, 3]: area scaling, then black bars to a square; or why the picture cannot be read."""
    from PIL import Image

    try:
        width, height = _size_of(path)
        with Image.open(path, formats=("PNG", "JPEG")) as picture:
            scale = size_px / max(width, height)
            size = (max(1, round(width * scale)), max(1, round(height * scale)))
            small = picture.convert("RGB").resize(size, Image.Resampling.BOX)
    except VideoError as error:
        return error
    except (*BROKEN, Image.DecompressionBombError) as error:
        return VideoError(f"{path}: the picture is damaged or cut short ({_one_line(error)})")
    square = np.zeros((size_px, size_px, 3), dtype=np.uint8)
    top, left = (size_px - size[1]) // 2, (size_px - size[0]) // 2
    square[top : top + size[1], left : left + size[0]] = np.asarray(small)
    return square


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:120]
