"""A video file opened: its first real picture stream, described and within the limits."""

import contextlib
import io
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream

from exo2ego.data import video_rules as rules
from exo2ego.data.video_header import check_header
from exo2ego.errors import VideoError

ADVICE = "re-encode it (ffmpeg -i IN OUT.mp4)"
_PEEK_PACKETS = 32


@dataclass(frozen=True, slots=True)
class Opened:
    """One open file."""

    name: str
    container: InputContainer
    stream: VideoStream
    base_s: Fraction
    """One tick of the stream's timestamps."""
    start_s: float
    """The container's time of the first frame; ours is 0."""
    fps: float
    duration_s: float
    is_counted: bool
    """The file stores no display times (avi with B-frames): frame n is on display from n / fps on."""


@contextlib.contextmanager
def opened(source: rules.Source) -> Iterator[Opened]:
    """Opens a file or bytes. Raises MissingFileError; VideoError for what is no video within the limits."""
    name = rules.name_of(source)
    check_header(source)
    target = io.BytesIO(source) if isinstance(source, bytes) else f"file:{source}"
    options = {
        "format_whitelist": rules.FORMATS,
        "codec_whitelist": rules.DECODERS,
        "max_streams": str(rules.MAX_STREAMS),
        "max_pixels": str(rules.MAX_PIXELS),
    }
    if not isinstance(source, bytes):
        options["protocol_whitelist"] = rules.PROTOCOLS
    with reported(name):
        container = av.open(target, "r", options=options, metadata_errors="ignore")
    with container:
        with reported(name):
            video = _describe(name, container)
        yield video


@contextlib.contextmanager
def reported(name: str) -> Iterator[None]:
    """What the library raises, as VideoError in one line."""
    try:
        yield
    except MemoryError:
        raise VideoError(f"{name}: needs more memory than there is; it is damaged or too large") from None
    except av.error.FFmpegError as error:
        reason = " ".join(str(error.strerror).split())
        if isinstance(error, av.error.InvalidDataError):
            reason = "it is cut short or not a video"
        elif isinstance(error, av.error.EOFError | OSError):
            reason = f"it is cut short or damaged ({reason})"
        elif isinstance(error, av.error.ArgumentError):  # FFmpeg's word for what is not on the list of containers
            reason = f"it is none of the containers that are read ({rules.FORMATS}); {ADVICE}"
        raise VideoError(f"{name}: cannot be opened as a video: {reason}") from None


def _describe(name: str, container: InputContainer) -> Opened:
    stream = _picture_stream(name, container)
    context = stream.codec_context
    if context.width <= 0 or context.height <= 0:
        raise VideoError(
            f"{name}: its picture size is absent or above {rules.MAX_PIXELS} px; it is cut short, damaged or too large"
        )
    if context.width * context.height > rules.MAX_PIXELS:
        raise VideoError(f"{name}: {context.width} x {context.height} px is more than {rules.MAX_PIXELS} px in a frame")
    context.options = {"max_pixels": str(rules.MAX_PIXELS)}
    context.thread_count = 1  # readers run in many processes; measured: no gain from threads at 448 px
    base = stream.time_base
    if base is None:
        raise VideoError(f"{name}: the video stream has no unit of time; {ADVICE}")
    start, is_counted = _beginning(container, stream, base)
    fps = float(stream.average_rate or stream.guessed_rate or 0)
    duration = _duration_s(container, stream, base, start)
    if duration is None:
        duration, fps = _scanned(name, container, stream, base, fps)
    if not 0 < duration <= rules.MAX_DURATION_S:
        raise VideoError(
            f"{name}: a duration of {duration:g} s; more than 0 and at most {rules.MAX_DURATION_S:.0f} s is possible"
        )
    if not fps > 0:
        fps = 1 / duration  # a single frame has no rate
    return Opened(name, container, stream, base, start, fps, duration, is_counted)


def _picture_stream(name: str, container: InputContainer) -> VideoStream:
    """The first stream of moving pictures (a cover picture is none) in a codec that is read."""
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        others = sorted({"a cover picture" if s.type == "video" else s.type for s in container.streams})
        raise VideoError(f"{name}: holds no video{', only ' if others else ' and nothing else'}{', '.join(others)}")
    stream = streams[0]
    if stream.codec_context is None:
        raise VideoError(f"{name}: the video stream has no known codec")
    codec = stream.codec_context.codec.canonical_name
    if codec not in rules.CODECS:
        raise VideoError(f"{name}: coded as {codec}, which is not read; re-encode it (ffmpeg -i IN OUT.mp4)")
    if stream.frames > rules.MAX_STORED_FRAMES:
        raise VideoError(f"{name}: says it holds {stream.frames} frames, at most {rules.MAX_STORED_FRAMES} are read")
    return stream


def _duration_s(container: InputContainer, stream: VideoStream, base_s: Fraction, start_s: float) -> float | None:
    """As the container says; None where it says nothing that can be used."""
    if container.format.name == "mpeg":
        return None  # estimated by FFmpeg from a few timestamps at the end: wrong by far in short files
    if stream.duration is not None:
        return float(stream.duration * base_s)
    if container.duration is not None:
        # Matroska counts from 0, whatever the time of the first frame.
        return float(container.duration / av.time_base) - (start_s if "matroska" in container.format.name else 0.0)
    return None


def _scanned(
    name: str, container: InputContainer, stream: VideoStream, base_s: Fraction, fps: float
) -> tuple[float, float]:
    """Duration and rate of a file that says neither (a live recording): every packet is looked at, none decoded."""
    times: list[float] = []
    for packet in packets_of(container, stream):
        if packet.pts is not None:
            times.append(float(packet.pts * base_s))
            if len(times) > rules.MAX_STORED_FRAMES:
                raise VideoError(f"{name}: holds more than {rules.MAX_STORED_FRAMES} frames")
    rewind(container, stream)
    if not times:
        raise VideoError(f"{name}: says neither its duration nor the times of its frames; {ADVICE}")
    length = max(times) - min(times)
    rate = (len(times) - 1) / length if length > 0 else fps
    return length + (1 / rate if rate > 0 else 0.0), rate


def _beginning(container: InputContainer, stream: VideoStream, base_s: Fraction) -> tuple[float, bool]:
    """Time of the first frame, and whether the file stores no display times: an avi whose frames are decoded in another
    order than displayed (FFmpeg then makes times up)."""
    kind = container.format.name
    if stream.start_time is not None and kind != "avi":
        return float(stream.start_time * base_s), False
    if kind not in ("avi", "mpegts", "mpeg"):
        return (container.start_time or 0) / av.time_base, False
    rewind(container, stream)  # FFmpeg makes other times up after a seek than before
    first = [(p.pts, p.dts) for p in itertools.islice(packets_of(container, stream), _PEEK_PACKETS) if p.size]
    rewind(container, stream)
    if kind == "avi":
        return float((stream.start_time or 0) * base_s), any(pts != dts for pts, dts in first)
    return float(min((pts for pts, _ in first if pts is not None), default=0) * base_s), False


def packets_of(container: InputContainer, stream: VideoStream) -> Iterator["Packet[VideoStream]"]:
    """The stream's packets from here on, and an empty one at the end. Raises FFmpegError."""
    # PyAV stumbles at the end of the file over streams that began in the middle of it (damaged mpegts).
    with contextlib.suppress(IndexError):
        yield from container.demux(stream)


def rewind(container: InputContainer, stream: VideoStream) -> None:
    """To the first packet."""
    if container.format.name in ("mpegts", "mpeg"):
        # Sought by the time of decoding, which is before that of display, they would go to a packet after the first.
        container.seek(0, stream=stream, unsupported_byte_offset=True)
    else:
        container.seek(stream.start_time or 0, stream=stream, backward=True)
