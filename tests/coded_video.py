"""Test videos whose every frame carries its number as twelve black or white blocks."""

import io
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

COLUMNS, ROWS = 4, 3


def coded_frame(number: int, width: int = 64, height: int = 48) -> NDArray[np.uint8]:
    """A picture that shows a number below 4096."""
    bits = np.array([(number >> bit) & 1 for bit in range(COLUMNS * ROWS)], dtype=bool).reshape(ROWS, COLUMNS)
    rows = np.arange(height) * ROWS // height
    columns = np.arange(width) * COLUMNS // width
    return np.repeat((bits[rows][:, columns] * 200 + 28).astype(np.uint8)[:, :, None], 3, axis=2)


def number_of(picture: NDArray[np.uint8]) -> int:
    """The number that a picture shows."""
    height, width = picture.shape[:2]
    number = 0
    for bit in range(COLUMNS * ROWS):
        row, column = divmod(bit, COLUMNS)
        y, x = int((row + 0.5) * height / ROWS), int((column + 0.5) * width / COLUMNS)
        number |= int(picture[y, x, 0] > 128) << bit
    return number


def numbers_of(pictures: NDArray[np.uint8]) -> list[int]:
    return [number_of(picture) for picture in pictures]


def make_video(
    times_s: Sequence[float],
    *,
    codec: str = "libx264",
    container: str = "mp4",
    gop: int = 12,
    b_frames: int = 0,
    width: int = 64,
    height: int = 48,
    pix_fmt: str = "yuv420p",
    first_number: int = 0,
) -> bytes:
    """A video with a frame at each of the times (milliseconds exact), numbered from `first_number`."""
    buffer = io.BytesIO()
    options = {"bf": str(b_frames), "threads": "1"} if codec == "libx264" else {}
    with av.open(buffer, "w", format=container) as out:
        stream = out.add_stream(codec, rate=round((len(times_s) - 1) / max(1e-3, times_s[-1] - times_s[0])) or 1)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.codec_context.gop_size = gop
        stream.codec_context.options = options
        stream.codec_context.time_base = Fraction(1, 1000)
        for number, time_s in enumerate(times_s):
            frame = av.VideoFrame.from_ndarray(coded_frame(first_number + number, width, height), format="rgb24")
            frame.pts, frame.time_base = round(time_s * 1000), Fraction(1, 1000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return buffer.getvalue()


def steady(count: int, fps: float = 10) -> list[float]:
    return [number / fps for number in range(count)]


def turned(content: bytes, matrix: Sequence[int]) -> bytes:
    """The mp4 with another display matrix (a, b, c, d, x, y as whole numbers): (x, y) -> (ax + cy, bx + dy)."""
    a, b, c, d, x, y = matrix
    values = [a << 16, b << 16, 0, c << 16, d << 16, 0, x << 16, y << 16, 1 << 30]
    at = content.index(b"tkhd") + 44
    return content[:at] + b"".join((v & 0xFFFFFFFF).to_bytes(4, "big") for v in values) + content[at + 36 :]


def cut_by_copy(content: bytes, start_s: float, path: Path) -> None:
    """What `ffmpeg -ss START -c copy` does: packets from a key frame on, those before START hidden."""
    with av.open(io.BytesIO(content)) as source, av.open(str(path), "w", format="mp4") as out:
        stream = source.streams.video[0]
        copy = out.add_stream_from_template(stream)
        source.seek(int(start_s / stream.time_base), stream=stream)
        shift = round(start_s / stream.time_base)
        for packet in source.demux(stream):
            if packet.dts is not None:
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                packet.stream = copy
                out.mux(packet)


def audio_only() -> bytes:
    """One second of silence in mp4."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as out:
        stream = out.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), dtype=np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return buffer.getvalue()


ENCODER_OPTIONS = {
    "libx264": "preset=veryfast:threads=1:sc_threshold=0",
    "libx265": "preset=ultrafast",
    "libvpx": "threads=1:cpu-used=8:deadline=realtime",
    "libvpx-vp9": "threads=1:cpu-used=8:deadline=realtime",
    "libsvtav1": "preset=12:crf=12",
}
"""Fast, and on one thread where they would take all."""


def coded_stream(
    codec: str,
    container: str,
    times_s: Sequence[float],
    *,
    gop: int = 6,
    b_frames: int = 0,
    open_gop: bool = False,
    width: int = 64,
    height: int = 48,
    pix_fmt: str = "yuv420p",
    ticks_per_s: int = 1000,
    fps: int = 10,
    container_options: dict[str, str] | None = None,
) -> bytes:
    """A video in any codec and container: frame n shows its number n and carries the time `times_s[n]` exactly."""
    options = dict(pair.split("=") for pair in ENCODER_OPTIONS.get(codec, "").split(":") if pair)
    if codec == "libx264":
        options |= {"bf": str(b_frames), "x264-params": f"open-gop={int(open_gop)}:b-adapt=0:keyint-min={gop}"}
    elif codec == "libx265":
        assert min(width, height) >= 47, "this encoder corrupts the heap at smaller odd sizes"
        options["x265-params"] = (
            f"bframes={b_frames}:b-adapt=0:keyint={gop}:min-keyint={gop}:scenecut=0:open-gop={int(open_gop)}:pools=1:"
            "frame-threads=1:log-level=none"
        )
    elif codec == "libsvtav1":
        assert min(width, height) >= 64, "this encoder aborts the process, now and then, at smaller sizes"
        options["svtav1-params"] = f"lp=1:keyint={gop}:scd=0"
    elif codec.startswith("mpeg"):
        options |= {"bf": str(b_frames), "flags": "-cgop" if open_gop else "+cgop", "sc_threshold": "1000000000"}
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container, container_options=container_options or {}) as out:
        stream = out.add_stream(codec, rate=fps, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.codec_context.gop_size = gop
        stream.codec_context.time_base = base = Fraction(1, ticks_per_s)
        for number, time_s in enumerate(times_s):
            frame = av.VideoFrame.from_ndarray(coded_frame(number, width, height), format="rgb24")
            frame.pts, frame.time_base = round(time_s / base), base
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return buffer.getvalue()


def retimed(
    content: bytes, container: str, times_s: Sequence[float], container_options: dict[str, str] | None = None
) -> bytes:
    """The same frames (no B-frames) in a container, on display from other times on."""
    buffer = io.BytesIO()
    options = container_options or {}
    with (
        av.open(io.BytesIO(content)) as source,
        av.open(buffer, "w", format=container, container_options=options) as out,
    ):
        stream = source.streams.video[0]
        copy = out.add_stream_from_template(stream)
        copy.time_base = Fraction(1, 1000)
        for place, packet in zip(range(len(times_s)), source.demux(stream), strict=False):
            packet.time_base = Fraction(1, 1000)
            packet.pts, packet.dts = round(times_s[place] * 1000), round(min(times_s[place:]) * 1000)
            packet.stream = copy
            out.mux(packet)
    return buffer.getvalue()


def with_child(content: bytes, path: Sequence[bytes], child: bytes, instead_of: bytes) -> bytes:
    """The mp4 (header behind the pictures) with a box added to, or replaced in, the box at a path like (moov, trak)."""
    at, end = 0, len(content)
    for kind in path:
        while content[at + 4 : at + 8] != kind:
            at += int.from_bytes(content[at : at + 4], "big")
            assert at < end, kind
        size = int.from_bytes(content[at : at + 4], "big")
        if len(path) == 1:
            break
        inner = with_child(content[at + 8 : at + size], path[1:], child, instead_of)
        return content[:at] + (8 + len(inner)).to_bytes(4, "big") + kind + inner + content[at + size :]
    body = content[at + 8 : at + size]
    kept, place = b"", 0
    while place < len(body):
        length = int.from_bytes(body[place : place + 4], "big")
        kept += b"" if body[place + 4 : place + 8] == instead_of else body[place : place + length]
        place += length
    inner = kept + child
    return content[:at] + (8 + len(inner)).to_bytes(4, "big") + path[0] + inner + content[at + size :]
