"""Arrays of frames to small H.264 files."""

import io
import math
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame

from exo2ego.data.atomic import write_atomic
from exo2ego.data.video_picture import Frame
from exo2ego.errors import VideoError

GOP_FRAMES = 16
CRF = 21
"""As near to the source as 18 is where x264 looks ahead."""
X264_PARAMS = "rc-lookahead=0:mbtree=0:scenecut=0:weightp=0"
"""No looking ahead: x264's macroblock tree reads memory that it never wrote (one in some hundreds of clips of 48 px had
another byte), and the same frames are to give the same bytes."""


def write_video(path: Path | None, frames: Frame, fps: float) -> bytes:
    """uint8[T, H, W, 3] as H.264 in mp4 (yuv420p, crf 21, key frames <= 16 apart), also written when a path is given.

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
        options["x264-params"] = X264_PARAMS
        rate = Fraction(fps).limit_denominator(1000) or Fraction(1, 1000)
        stream = container.add_stream("libx264", rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        try:
            for picture in frames:
                container.mux(stream.encode(VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
            container.mux(stream.encode(None))
        except av.error.FFmpegError as error:  # no memory, as a rule
            raise VideoError(f"cannot encode {len(frames)} frames of {width} x {height} px: {error.strerror}") from None
    content = buffer.getvalue()
    if path is not None:
        write_atomic(path, content)
    return content
