"""Video files: frames at timestamps, or an error. The only importer of the decoder (`av`) on the reading side.

Time 0 is the first frame of the video stream. A frame is on display from its own timestamp to the next one's; asked
for a time, we take the frame whose timestamp is nearest (the earlier of two equally near). Frames are never counted.
"""

import contextlib
import io
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from exo2ego.data.atomic import write_atomic
from exo2ego.errors import MissingFileError, VideoError

Source = str | Path | bytes
Frame = NDArray[np.uint8]

MAX_PIXELS = 8192 * 4320
"""Of one frame; larger frames are refused before they are decoded."""
MAX_FRAMES = 4096
"""Frames that one call may ask for."""
MAX_BYTES = 4 << 30
"""Of one returned array."""
MAX_DURATION_S = 48 * 3600.0
MAX_GAP_S = 1.0
"""Variable frame rate: the longest pause between two frames that is bridged without an explicit tolerance."""
RESEEK_S = 5.0
"""Asked times further apart than this are reached by seeking, nearer ones by decoding on."""
EPSILON_S = 1e-4
GOP_FRAMES = 16
CRF = 18
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg"
"""Containers read. A list because FFmpeg would otherwise take a text file for a playlist and follow its addresses."""


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


@dataclass(frozen=True, slots=True)
class _Opened:
    name: str
    container: InputContainer
    stream: VideoStream
    start_s: float
    fps: float
    duration_s: float


def probe(source: Source) -> VideoInfo:
    """Header and first frame of a video.

    Raises MissingFileError for an absent file; VideoError for one that holds no readable video.
    """
    with _open(source) as video:
        first = next(_frames(video), None)
        if first is None:
            raise VideoError(f"{video.name}: not one frame can be decoded; the file is damaged or cut short")
        rotation = _rotation(first[1])
        size = (first[1].width, first[1].height)
        width, height = size if rotation % 180 == 0 else size[::-1]
        frames = video.stream.frames or max(1, round(video.duration_s * video.fps))
        return VideoInfo(
            duration_s=video.duration_s,
            fps=video.fps,
            width_px=width,
            height_px=height,
            frames=frames,
            rotation_deg=rotation,
        )


def sample_times(start_s: float, end_s: float, num_frames: int) -> NDArray[np.float64]:
    """float64[T]: the middles of T equal parts of a span."""
    if not (math.isfinite(start_s) and math.isfinite(end_s) and 0 <= start_s < end_s):
        raise VideoError(f"the span {start_s} s to {end_s} s is empty or reversed; give start < end, both from 0 on")
    if not 1 <= num_frames <= MAX_FRAMES:
        raise VideoError(f"{num_frames} frames asked of one clip; 1 to {MAX_FRAMES} are possible")
    part_s = (end_s - start_s) / num_frames
    return np.asarray(start_s + (np.arange(num_frames) + 0.5) * part_s, dtype=np.float64)


def read_frames(
    source: Source, times_s: Sequence[float] | NDArray[np.float64], tolerance_s: float | None = None
) -> Frame:
    """uint8[T, H, W, 3]: the frames nearest to the times, in the order asked, rotation applied.

    `tolerance_s` is the largest distance allowed between a time asked and the frame's own. Default: half a frame at the
    average rate, or half of the pause around the time where a variable rate pauses for up to `MAX_GAP_S`.
    Raises VideoError naming the file, the time asked and the nearest time there is.
    """
    with _open(source) as video:
        return _collect(video, _checked(video.name, times_s), tolerance_s, _as_rgb())


def read_clip(
    source: Source, span_start_s: float | None, span_end_s: float | None, num_frames: int, size_px: int
) -> Frame:
    """uint8[T, size, size, 3]: equally spaced frames of a span (None: from the start, to the end of the video).

    The picture is scaled by area averaging to fit, and centred on black bars where it is not square.
    Raises VideoError when the span is not wholly within the video.
    """
    with _open(source) as video:
        start = 0.0 if span_start_s is None else float(span_start_s)
        end = video.duration_s if span_end_s is None else float(span_end_s)
        if end > video.duration_s + 0.5 / video.fps + EPSILON_S or start < 0:
            raise VideoError(
                f"{video.name}: the span {start:.3f} s to {end:.3f} s is outside the video of {video.duration_s:.3f} s"
            )
        return _collect(video, sample_times(start, end, num_frames), None, squarer(size_px))


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
        picture = np.rot90(small.to_ndarray(), _rotation(frame) // 90)
        square = np.zeros((size_px, size_px, 3), dtype=np.uint8)
        top, left = (size_px - picture.shape[0]) // 2, (size_px - picture.shape[1]) // 2
        square[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
        return square

    return convert


def decode_at(
    source: Source,
    times_s: Sequence[float] | NDArray[np.float64],
    tolerance_s: float | None = None,
    convert: Callable[[VideoFrame], Frame] | None = None,
) -> Iterator[tuple[int, Frame | VideoError]]:
    """Yields (position in `times_s`, picture or the reason why there is none), ordered by time, in one pass forward.

    Raises VideoError or MissingFileError only when the file as a whole cannot be used.
    """
    with _open(source) as video:
        yield from _decode_times(video, _checked(video.name, times_s), tolerance_s, convert or _as_rgb())


def write_video(path: Path | None, frames: Frame, fps: float) -> bytes:
    """uint8[T, H, W, 3] as H.264 in mp4 (yuv420p, crf 18, key frames <= 16 apart), also written when a path is given.

    Raises VideoError for odd sizes (yuv420p halves both) or nothing to write, OutputError when the disk refuses.
    """
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8 or frames.size == 0:
        raise VideoError(f"cannot encode an array of {frames.dtype}{list(frames.shape)}; expected uint8[T, H, W, 3]")
    _, height, width, _ = frames.shape
    if height % 2 or width % 2:
        raise VideoError(f"cannot encode {width} x {height} px: H.264 in yuv420p needs even sizes; choose an even size")
    if not (math.isfinite(fps) and fps > 0):
        raise VideoError(f"cannot encode at {fps} frames a second")
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        # No B-frames: the first timestamp is 0 without an edit list, and a clip of 16 frames gains nothing from them.
        options = {"crf": str(CRF), "preset": "veryfast", "g": str(GOP_FRAMES), "bf": "0", "threads": "1"}
        rate = Fraction(fps).limit_denominator(1000) or Fraction(1, 1000)
        stream = container.add_stream("libx264", rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for picture in frames:
            container.mux(stream.encode(VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        container.mux(stream.encode(None))
    content = buffer.getvalue()
    if path is not None:
        write_atomic(path, content)
    return content


def name_of(source: Source) -> str:
    """What a message calls a source."""
    return f"video of {len(source)} bytes in memory" if isinstance(source, bytes) else str(source)


def _as_rgb() -> Callable[[VideoFrame], Frame]:
    """Conversion of decoded frames to uint8[H, W, 3], rotation applied."""
    reformatter = VideoReformatter()

    def convert(frame: VideoFrame) -> Frame:
        picture = reformatter.reformat(frame, format="rgb24", threads=1).to_ndarray()
        return np.ascontiguousarray(np.rot90(picture, _rotation(frame) // 90))

    return convert


def _rotation(frame: VideoFrame) -> int:
    angle = round(frame.rotation) % 360
    if angle % 90:
        raise VideoError(f"the video asks to be turned by {angle} degrees; only quarter turns are possible")
    return angle


def _checked(name: str, times_s: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    times = np.asarray(times_s, dtype=np.float64)
    if times.ndim != 1 or not np.isfinite(times).all():
        raise VideoError(f"{name}: times must be a list of finite seconds")
    return times


def _decode_times(
    video: _Opened, times_s: NDArray[np.float64], tolerance_s: float | None, convert: Callable[[VideoFrame], Frame]
) -> Iterator[tuple[int, Frame | VideoError]]:
    """As `decode_at`: one pass forward for each run of times that lie near each other."""
    order = np.argsort(times_s, kind="stable")
    breaks = np.flatnonzero(np.diff(times_s[order]) > RESEEK_S) + 1
    for run in np.split(order, breaks):
        if run.size:
            yield from _decode_run(video, [(int(i), float(times_s[i])) for i in run], tolerance_s, convert)


def _collect(
    video: _Opened, times_s: NDArray[np.float64], tolerance_s: float | None, convert: Callable[[VideoFrame], Frame]
) -> Frame:
    """All pictures as one array; the first that is missing is raised."""
    count = len(times_s)
    if not 1 <= count <= MAX_FRAMES:
        raise VideoError(f"{video.name}: {count} frames asked at once; 1 to {MAX_FRAMES} are possible")
    out: Frame | None = None
    for position, picture in _decode_times(video, times_s, tolerance_s, convert):
        if isinstance(picture, VideoError):
            raise picture
        if out is None:
            if count * picture.nbytes > MAX_BYTES:
                gigabytes = count * picture.nbytes / 2**30
                raise VideoError(f"{video.name}: {count} frames would take {gigabytes:.1f} GiB; ask for fewer")
            out = np.empty((count, *picture.shape), dtype=np.uint8)
        if picture.shape != out.shape[1:]:
            raise VideoError(f"{video.name}: the picture size changes within the video; re-encode it to one size")
        out[position] = picture
    assert out is not None
    return out


@contextlib.contextmanager
def _open(source: Source) -> Iterator[_Opened]:
    name = name_of(source)
    if not isinstance(source, bytes):
        path = Path(source)
        if not path.is_file():
            raise MissingFileError(f"{name}: no such file" if not path.exists() else f"{name}: not a file")
        size = path.stat().st_size
    else:
        size = len(source)
    if size == 0:
        raise VideoError(f"{name}: the file is empty (0 bytes); copy or download it again")
    target = io.BytesIO(source) if isinstance(source, bytes) else f"file:{source}"
    try:
        with av.open(target, "r", options={"format_whitelist": FORMATS}, metadata_errors="ignore") as container:
            yield _describe(name, container)
    except av.error.FFmpegError as error:
        reason = "it is cut short or not a video" if isinstance(error, av.error.InvalidDataError) else error.strerror
        raise VideoError(f"{name}: cannot be opened as a video: {reason}") from None


def _describe(name: str, container: InputContainer) -> _Opened:
    if not container.streams.video:
        raise VideoError(f"{name}: holds no video, only {', '.join(s.type for s in container.streams) or 'nothing'}")
    stream = container.streams.video[0]
    context = stream.codec_context
    if context is None or context.width == 0 or context.height == 0:
        raise VideoError(f"{name}: the video stream has no known codec or size")
    if context.width * context.height > MAX_PIXELS:
        raise VideoError(f"{name}: {context.width} x {context.height} px is more than {MAX_PIXELS} px in a frame")
    context.thread_count = 1  # readers run in many processes; measured: no gain from threads at 448 px
    ticks, base = stream.duration, stream.time_base
    if ticks is not None and base is not None:
        duration = float(ticks * base)
    elif container.duration is not None:
        duration = container.duration / av.time_base
    else:
        raise VideoError(f"{name}: the container does not say how long the video is; remux it to mp4")
    if not 0 < duration <= MAX_DURATION_S:
        raise VideoError(
            f"{name}: a duration of {duration} s; more than 0 and at most {MAX_DURATION_S:.0f} s is possible"
        )
    start = float(stream.start_time * base) if stream.start_time is not None and base is not None else 0.0
    fps = float(stream.average_rate or stream.guessed_rate or 0)
    if not fps > 0:
        raise VideoError(f"{name}: the video stream has no frame rate")
    return _Opened(name, container, stream, start, fps, duration)


def _frames(video: _Opened) -> Iterator[tuple[float, VideoFrame]]:
    """Frames from the present position on, with their times; ends early at damage (the caller sees what is missing)."""
    try:
        for frame in video.container.decode(video.stream):
            if frame.time is None:
                raise VideoError(f"{video.name}: frames carry no timestamps; remux the file to mp4")
            yield frame.time - video.start_s, frame
    except av.error.FFmpegError:
        return


def _seek(video: _Opened, time_s: float) -> Iterator[tuple[float, VideoFrame]]:
    """Frames from at or before a time on."""
    base = video.stream.time_base
    assert base is not None
    # One frame earlier, so that the frame before the time is there to be compared.
    ticks = math.floor((max(0.0, time_s - 1.5 / video.fps) + video.start_s) / base)
    try:
        video.container.seek(ticks, stream=video.stream, backward=True)
    except av.error.FFmpegError:
        return
    yield from _frames(video)


def _decode_run(
    video: _Opened, wanted: list[tuple[int, float]], tolerance_s: float | None, convert: Callable[[VideoFrame], Frame]
) -> Iterator[tuple[int, Frame | VideoError]]:
    """One seek, then forward; `wanted` is ordered by time."""
    frames = _seek(video, wanted[0][1])
    previous: tuple[float, VideoFrame] | None = next(frames, None)
    if previous is not None and previous[0] > wanted[0][1] > 0:
        # The index led past the time (seen with broken indexes): begin again at the beginning.
        frames = _seek(video, 0.0)
        previous = next(frames, None)
    following = next(frames, None)
    done: tuple[VideoFrame, Frame] | None = None
    for position, time_s in wanted:
        while following is not None and following[0] <= time_s:
            previous, following = following, next(frames, None)
        chosen = _choose(video, time_s, previous, following, tolerance_s)
        if isinstance(chosen, VideoError):
            yield position, chosen
            continue
        if done is None or done[0] is not chosen:
            done = (chosen, convert(chosen))
        yield position, done[1]


def _choose(
    video: _Opened,
    time_s: float,
    before: tuple[float, VideoFrame] | None,
    after: tuple[float, VideoFrame] | None,
    tolerance_s: float | None,
) -> VideoFrame | VideoError:
    """The nearer of the frames on both sides of a time, if it is near enough."""
    sides = [side for side in (before, after) if side is not None]
    if not sides:
        return VideoError(
            f"{video.name}: no frame near {time_s:.3f} s can be decoded; the file is damaged or cut short"
        )
    nearest = min(sides, key=lambda side: abs(side[0] - time_s) - (EPSILON_S if side is before else 0.0))
    allowed = tolerance_s
    if allowed is None:
        interval = 1 / video.fps
        if before is not None and after is not None:
            pause = after[0] - before[0]
            interval = max(interval, pause) if pause <= MAX_GAP_S else interval
        elif before is not None and time_s >= before[0]:
            interval *= 2  # the last frame stays on display for one whole interval
        allowed = interval / 2
    if abs(nearest[0] - time_s) > allowed + EPSILON_S:
        return VideoError(
            f"{video.name}: no frame at {time_s:.3f} s; the nearest is at {nearest[0]:.3f} s "
            f"(allowed distance {allowed:.3f} s); the video is cut short or the time is outside it"
        )
    if nearest[1].is_corrupt:
        return VideoError(f"{video.name}: the frame at {nearest[0]:.3f} s is damaged")
    return nearest[1]
