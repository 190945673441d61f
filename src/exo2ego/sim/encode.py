"""Write and cut small h264 videos (with PyAV); the sim's own writer, as sim stands left of data."""

import io
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]
GOP_FRAMES = 8
_OPTIONS = {"crf": "18", "preset": "ultrafast", "bf": "0"}


class Encoder:
    """An h264 file in memory that takes one frame at a time (uint8[H, W, 3])."""

    def __init__(self, size_px: int, fps: int) -> None:
        """Open an mp4 of `size_px` squares at `fps`."""
        self._buffer = io.BytesIO()
        self._container = av.open(self._buffer, "w", format="mp4")
        self._stream = self._container.add_stream("libx264", rate=fps, options=_OPTIONS)
        self._stream.width = self._stream.height = size_px
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.gop_size = GOP_FRAMES
        self._stream.codec_context.thread_count = 1

    def add(self, frame: Frame) -> None:
        """Append a frame."""
        self._container.mux(self._stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))

    def finish(self) -> bytes:
        """The whole mp4 file."""
        self._container.mux(self._stream.encode())
        self._container.close()
        return self._buffer.getvalue()


def encode(frames: Iterable[Frame], fps: int) -> bytes:
    """An mp4 of square frames."""
    encoder: Encoder | None = None
    for frame in frames:
        encoder = encoder or Encoder(frame.shape[0], fps)
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


def write_bytes(path: Path, content: bytes) -> None:
    """Write aside, then rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    aside.write_bytes(content)
    os.replace(aside, path)
