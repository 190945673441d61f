"""Write and cut small videos, h264 and VP9 (with PyAV); the sim's own writer, as sim stands left of data."""

import io
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Frame = NDArray[np.uint8]
GOP_FRAMES = 8
MP4, WEBM = "mp4", "webm"
_CODECS: dict[str, tuple[str, dict[str, str]]] = {
    MP4: ("libx264", {"crf": "18", "preset": "ultrafast", "bf": "0"}),
    WEBM: ("libvpx-vp9", {"crf": "24", "b": "0", "deadline": "realtime", "cpu-used": "8"}),
}
"""Container -> codec and its options: fast ones, as worlds have thousands of small videos."""


class Encoder:
    """A video file in memory that takes one frame at a time (uint8[H, W, 3])."""

    def __init__(self, size_px: int, fps: int, form: str = MP4) -> None:
        """Open an mp4 (h264) or webm (VP9) of `size_px` squares at `fps`."""
        codec, options = _CODECS[form]
        self._buffer = io.BytesIO()
        # A webm has random ids otherwise: equal frames are to give equal bytes.
        flags = {"fflags": "+bitexact"} if form == WEBM else {}
        self._container = av.open(self._buffer, "w", format=form, options=flags)
        self._stream = self._container.add_stream(codec, rate=fps, options=options)
        self._stream.width = self._stream.height = size_px
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.gop_size = GOP_FRAMES
        self._stream.codec_context.thread_count = 1

    def add(self, frame: Frame) -> None:
        """Append a frame."""
        self._container.mux(self._stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))

    def finish(self) -> bytes:
        """The whole file."""
        self._container.mux(self._stream.encode())
        self._container.close()
        return self._buffer.getvalue()


def encode(frames: Iterable[Frame], fps: int, form: str = MP4) -> bytes:
    """An mp4 or webm of square frames."""
    encoder: Encoder | None = None
    for frame in frames:
        encoder = encoder or Encoder(frame.shape[0], fps, form)
        encoder.add(frame)
    if encoder is None:
        raise ValueError("no frames to encode")
    return encoder.finish()


def decode(path: Path) -> Iterator[Frame]:
    """All frames of a video in order, uint8[H, W, 3]."""
    with av.open(str(path)) as container:
        container.streams.video[0].thread_count = 1
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24")


def cut(path: Path, spans: Sequence[tuple[float, float]], fps: int) -> list[bytes]:
    """Re-encode stretches of a constant rate video: the frames whose times lie within each [start, end) in seconds."""
    frames = list(decode(path))
    return [encode(frames[round(start_s * fps) : round(end_s * fps)], fps) for start_s, end_s in spans]


def at_rate(frames: Sequence[Frame], fps: int, start_s: float, end_s: float, new_fps: int) -> Iterator[Frame]:
    """What a camera of `new_fps` sees of [start, end) of a video: at each of its instants the frame that is shown then.

    >>> list(at_rate([0, 1, 2, 3], 2, 0.5, 1.5, 4))
    [1, 1, 2, 2]
    """
    for number in range(round((end_s - start_s) * new_fps)):
        # A hair later, so that an instant on a border belongs to the frame that begins there.
        shown = int((start_s + number / new_fps) * fps + 1e-6)
        yield frames[min(shown, len(frames) - 1)]


def png(frame: Frame) -> bytes:
    """One frame as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "png")
    return buffer.getvalue()


def write_bytes(path: Path, content: bytes) -> None:
    """Write aside, then rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    aside.write_bytes(content)
    os.replace(aside, path)
