"""Video files: frames at timestamps, or an error. What the rest of the package knows of videos.

Time 0 is the first frame of the video stream. A frame is on display from its own timestamp to the next one's; asked
for a time, we take the frame whose timestamp is nearest (the earlier of two equally near; of frames with the same
timestamp the last, which is the one that stays). Frames are never counted, but in files that store no display times
(avi with B-frames), where the n-th frame has the time n / rate. What is read and how much of it: `video_rules.py`.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from exo2ego.data import video_rules as rules
from exo2ego.data.video_decode import decode_times, shown_from
from exo2ego.data.video_open import Opened, opened
from exo2ego.data.video_picture import Frame, as_rgb, naming, rotation_of, squarer
from exo2ego.data.video_rules import MAX_PIXELS, Source, name_of
from exo2ego.data.video_write import write_video
from exo2ego.errors import VideoError

__all__ = [
    "MAX_PIXELS",
    "Frame",
    "Source",
    "VideoInfo",
    "decode_at",
    "name_of",
    "probe",
    "read_clip",
    "read_frames",
    "sample_times",
    "squarer",
    "write_video",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoInfo:
    """What a file says about its first video stream."""

    duration_s: float
    fps: float
    """Average."""
    width_px: int
    """As displayed, after rotation."""
    height_px: int
    frames: int
    """As the container counts; duration times rate where it does not."""
    rotation_deg: int
    """Counter-clockwise turn that the file asks of the player: 0, 90, 180 or 270; `read_frames` has applied it."""
    codec: str = ""
    """By FFmpeg's name: h264, hevc, vp9, av1, ...; empty for what is no coded video (a folder of pictures)."""


def probe(source: Source) -> VideoInfo:
    """Header and first frame of a video.

    Raises MissingFileError for an absent file; VideoError for one that holds no readable video.
    """
    with opened(source) as video:
        first = next(shown_from(video, 0.0), None)
        if first is None:
            raise VideoError(f"{video.name}: not one frame can be decoded; the file is damaged or cut short")
        with naming(video.name):
            rotation = rotation_of(first.frame)
        size = (first.frame.width, first.frame.height)
        width, height = size if rotation % 180 == 0 else size[::-1]
        return VideoInfo(
            duration_s=video.duration_s,
            fps=video.fps,
            width_px=width,
            height_px=height,
            frames=video.stream.frames or max(1, round(video.duration_s * video.fps)),
            rotation_deg=rotation,
            codec=video.stream.codec_context.codec.canonical_name,
        )


def sample_times(start_s: float, end_s: float, num_frames: int) -> NDArray[np.float64]:
    """float64[T]: the middles of T equal parts of a span."""
    if not (math.isfinite(start_s) and math.isfinite(end_s) and 0 <= start_s < end_s):
        raise VideoError(f"the span {start_s} s to {end_s} s is empty or reversed; give start < end, both from 0 on")
    if not 1 <= num_frames <= rules.MAX_FRAMES:
        raise VideoError(f"{num_frames} frames asked of one clip; 1 to {rules.MAX_FRAMES} are possible")
    part_s = (end_s - start_s) / num_frames
    return np.asarray(start_s + (np.arange(num_frames) + 0.5) * part_s, dtype=np.float64)


def read_frames(
    source: Source, times_s: Sequence[float] | NDArray[np.float64], tolerance_s: float | None = None
) -> Frame:
    """uint8[T, H, W, 3]: the frames nearest to the times, in the order asked, rotation applied.

    `tolerance_s` is the largest distance allowed between a time asked and the frame's own. Default: half a frame at the
    average rate, or half of the pause around the time where a variable rate pauses for up to `rules.MAX_GAP_S`.
    Raises VideoError naming the file, the time asked and the nearest time there is.
    """
    with opened(source) as video:
        return _collect(video, _checked(video.name, times_s), tolerance_s, as_rgb())


def read_clip(
    source: Source, span_start_s: float | None, span_end_s: float | None, num_frames: int, size_px: int
) -> Frame:
    """uint8[T, size, size, 3]: equally spaced frames of a span (None: from the start, to the end of the video).

    The picture is scaled by area averaging to fit, and centred on black bars where it is not square.
    Raises VideoError when the span is not wholly within the video.
    """
    with opened(source) as video:
        start = 0.0 if span_start_s is None else float(span_start_s)
        end = video.duration_s if span_end_s is None else float(span_end_s)
        if end > video.duration_s + 0.5 / video.fps + rules.EPSILON_S or start < 0:
            raise VideoError(
                f"{video.name}: the span {start:.3f} s to {end:.3f} s is outside the video of {video.duration_s:.3f} s"
            )
        return _collect(video, sample_times(start, end, num_frames), None, squarer(size_px))


def decode_at(
    source: Source,
    times_s: Sequence[float] | NDArray[np.float64],
    tolerance_s: float | None = None,
    convert: Callable[[VideoFrame], Frame] | None = None,
) -> Iterator[tuple[int, Frame | VideoError]]:
    """Yields (position in `times_s`, picture or the reason why there is none), ordered by time, in one pass forward.

    Raises VideoError or MissingFileError only when the file as a whole cannot be used.
    """
    with opened(source) as video:
        yield from decode_times(video, _checked(video.name, times_s), tolerance_s, convert or as_rgb())


def _checked(name: str, times_s: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    times = np.asarray(times_s, dtype=np.float64)
    if times.ndim != 1 or not np.isfinite(times).all():
        raise VideoError(f"{name}: times must be a list of finite seconds")
    return times


def _collect(
    video: Opened, times_s: NDArray[np.float64], tolerance_s: float | None, convert: Callable[[VideoFrame], Frame]
) -> Frame:
    """All pictures as one array; the first that is missing is raised."""
    count = len(times_s)
    if not 1 <= count <= rules.MAX_FRAMES:
        raise VideoError(f"{video.name}: {count} frames asked at once; 1 to {rules.MAX_FRAMES} are possible")
    out: Frame | None = None
    for position, picture in decode_times(video, times_s, tolerance_s, convert):
        if isinstance(picture, VideoError):
            raise picture
        if out is None:
            if count * picture.nbytes > rules.MAX_BYTES:
                gigabytes = count * picture.nbytes / 2**30
                raise VideoError(f"{video.name}: {count} frames would take {gigabytes:.1f} GiB; ask for fewer")
            out = np.empty((count, *picture.shape), dtype=np.uint8)
        if picture.shape != out.shape[1:]:
            raise VideoError(f"{video.name}: the picture size changes within the video; re-encode it to one size")
        out[position] = picture
    assert out is not None
    return out
