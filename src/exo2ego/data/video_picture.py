"""Decoded frames to arrays: RGB, turned as the file asks of a player, at full size or as a small square."""

import contextlib
import math
import struct
from collections.abc import Callable, Iterator

import av
import numpy as np
from av.sidedata.sidedata import SideData
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from exo2ego.errors import VideoError

Frame = NDArray[np.uint8]


@contextlib.contextmanager
def naming(name: str) -> Iterator[None]:
    """Puts the name of the video before what is said about its pictures."""
    try:
        yield
    except MemoryError:
        raise VideoError(f"{name}: needs more memory than there is") from None
    except VideoError as error:
        raise VideoError(f"{name}: {error}") from None
    except av.error.FFmpegError as error:
        raise VideoError(f"{name}: its pictures cannot be made RGB ({error.strerror}); re-encode it") from None


def as_rgb() -> Callable[[VideoFrame], Frame]:
    """Conversion of decoded frames to uint8[H, W, 3], rotation applied."""
    reformatter = VideoReformatter()

    def convert(frame: VideoFrame) -> Frame:
        return np.ascontiguousarray(_turned(reformatter.reformat(frame, format="rgb24", threads=1), frame))

    return convert


def squarer(size_px: int) -> Callable[[VideoFrame], Frame]:
    """Conversion of decoded frames to uint8[size, size, 3]: area scaling, then black bars to a square."""
    if not 1 <= size_px <= 4096:
        raise VideoError(f"a picture size of {size_px} px was asked for; 1 to 4096 are possible")

    reformatter = VideoReformatter()

    def convert(frame: VideoFrame) -> Frame:
        scale = size_px / max(frame.width, frame.height)
        width, height = max(1, round(frame.width * scale)), max(1, round(frame.height * scale))
        # One reformatter for all frames and one thread: a new one, or more threads, cost 2 ms a frame (measured).
        small = reformatter.reformat(
            frame, width=width, height=height, format="rgb24", interpolation=Interpolation.AREA, threads=1
        )
        picture = _turned(small, frame)
        square = np.zeros((size_px, size_px, 3), dtype=np.uint8)
        top, left = (size_px - picture.shape[0]) // 2, (size_px - picture.shape[1]) // 2
        square[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
        return square

    return convert


def rotation_of(frame: VideoFrame) -> int:
    """The counter-clockwise turn asked for: 0, 90, 180 or 270. Raises VideoError for any other."""
    angle = round(frame.rotation) % 360 if math.isfinite(frame.rotation) else frame.rotation
    if angle % 90 != 0:
        raise VideoError(
            f"asks to be turned by {angle} degrees; only quarter turns are possible: "
            "re-encode it (ffmpeg -i IN OUT.mp4)"
        )
    return int(angle)


def _turned(converted: VideoFrame, frame: VideoFrame) -> Frame:
    """The converted picture as a player shows it: quarter turns and mirrors of the display matrix (ISO 14496-12)."""
    stored = frame.side_data.get("DISPLAYMATRIX")
    picture = np.asarray(converted.to_ndarray(), dtype=np.uint8)
    if not isinstance(stored, SideData):
        return picture
    a, b, _, c, d = struct.unpack("=5i", bytes(stored)[:20])
    rotation_of(frame)
    if a == d == 0:
        picture, a, d = np.swapaxes(picture, 0, 1), c, b
    return picture[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]
