"""How a benchmark's videos are read: in processes that can be killed, since they are anybody's files.

For models that are not ours also which frames: equal parts, their middles, the picture's own shape.
"""

import weakref
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exo2ego.data.guard import MEMORY_LIMIT_BYTES, Calls, directly
from exo2ego.data.guard_pool import GuardPool
from exo2ego.data.video import probe, read_frames, sample_times
from exo2ego.data.video_rules import MAX_BYTES
from exo2ego.errors import VideoError
from exo2ego.records import VideoSpan

READ_LIMIT_S = 300.0
"""Reading the frames of one clip; a file without an index is decoded from its start up to the last of them."""
READ_LIMIT_BYTES = MEMORY_LIMIT_BYTES + 2 * MAX_BYTES
"""All frames in full size, and once more on their way."""


def guarded(owner: object, readers: int) -> Calls:
    """Calls in up to `readers` processes at a time, which start when they are needed and end with `owner`.

    A file that crashes the decoder, hangs it or floods the memory raises VideoError, and so costs its own item only.
    """
    pool = GuardPool(readers, time_limit_s=READ_LIMIT_S, memory_limit_bytes=READ_LIMIT_BYTES)
    weakref.finalize(owner, pool.close)
    return pool.call


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """What a model is shown of one clip."""

    pictures: NDArray[np.uint8]
    """uint8[T, H, W, 3], rotation applied."""
    times_s: NDArray[np.float64]
    """float64[T], from the start of the clip."""
    duration_s: float
    """Of the clip."""

    @property
    def fps(self) -> float:
        """Pictures a second, at which they show the clip in its own time."""
        return len(self.pictures) / self.duration_s


def frame_times(video: VideoSpan, num_frames: int, call: Calls = directly) -> tuple[float, ...]:
    """Seconds from the start of the file at which `sample` takes its pictures.

    Raises:
        MissingFileError, VideoError: the file is absent or unreadable, or the span is not within it.
    """
    start_s, end_s = call(_span, video, name=video.path)
    return tuple(float(time_s) for time_s in sample_times(start_s, end_s, num_frames))


def sample(video: VideoSpan, num_frames: int, call: Calls = directly) -> Frames:
    """`num_frames` pictures: the middles of equal parts of the clip.

    Raises:
        MissingFileError, VideoError: the file is absent or unreadable, or the span is not within it.
    """
    return call(_sample, video, num_frames, name=video.path)


def _sample(video: VideoSpan, num_frames: int) -> Frames:
    start_s, end_s = _span(video)
    times_s = sample_times(start_s, end_s, num_frames)
    pictures = read_frames(video.path, times_s)
    return Frames(pictures=pictures, times_s=times_s - start_s, duration_s=end_s - start_s)


def _span(video: VideoSpan) -> tuple[float, float]:
    """Start and end of a clip; no times mean the whole file. As `data.video.read_clip` has it."""
    info = probe(video.path)
    start_s = 0.0 if video.start_s is None else float(video.start_s)
    end_s = info.duration_s if video.end_s is None else float(video.end_s)
    if start_s < 0 or end_s > info.duration_s + 0.5 / info.fps + 1e-4:
        raise VideoError(
            f"{video.path}: the span {start_s:.3f} s to {end_s:.3f} s is outside the video of {info.duration_s:.3f} s"
        )
    return start_s, end_s
