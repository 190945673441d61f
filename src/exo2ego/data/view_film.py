"""A stored clip as one picture: its frames in a grid, so that a page can show frame i of every view at once.

The frames come from our own decoder, by timestamp: what the page shows is what a model reads, on every browser.
"""

import io
import math
from dataclasses import dataclass

from PIL import Image

from exo2ego.data.video import decode_at, probe
from exo2ego.errors import VideoError

MAX_SHEET_PX = 4096
"""Width and height of the grid; browsers draw larger pictures slowly or not at all."""
MAX_FILM_FRAMES = 1024
FILM_QUALITY, THUMB_QUALITY = 92, 80
THUMB_PX = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """All frames of a clip as a JPEG; frame i lies in row i // columns, column i % columns."""

    content: bytes
    frames: int
    columns: int
    width_px: int
    """Of one frame within the grid; not more than its own."""
    height_px: int


def film(clip: bytes) -> Film:
    """Every frame of a stored clip, in order.

    Raises VideoError when one cannot be decoded or there are more than `MAX_FILM_FRAMES`.
    """
    info = probe(clip)
    if info.frames > MAX_FILM_FRAMES:
        raise VideoError(
            f"the clip has {info.frames} frames, up to {MAX_FILM_FRAMES} can be shown; open its mp4 instead"
        )
    columns = math.ceil(math.sqrt(info.frames))
    width, height = fitted(info.width_px, info.height_px, MAX_SHEET_PX // columns)
    sheet = Image.new("RGB", (columns * width, -(-info.frames // columns) * height))
    for position, picture in decode_at(clip, [number / info.fps for number in range(info.frames)]):
        if isinstance(picture, VideoError):
            raise picture
        image = Image.fromarray(picture)
        if image.size != (width, height):
            image = image.resize((width, height), Image.Resampling.BOX)
        row, column = divmod(position, columns)
        sheet.paste(image, (column * width, row * height))
    content = _jpeg(sheet, FILM_QUALITY)
    return Film(content=content, frames=info.frames, columns=columns, width_px=width, height_px=height)


def thumb(clip: bytes) -> bytes:
    """The middle frame as a small JPEG. Raises VideoError."""
    info = probe(clip)
    for _, picture in decode_at(clip, [(info.frames // 2) / info.fps]):
        if isinstance(picture, VideoError):
            raise picture
        image = Image.fromarray(picture)
        size = fitted(image.width, image.height, THUMB_PX)
        return _jpeg(image if size == image.size else image.resize(size, Image.Resampling.BOX), THUMB_QUALITY)
    raise VideoError("the clip has no middle frame")


def fitted(width_px: int, height_px: int, longest_px: int) -> tuple[int, int]:
    """A size of the same shape whose longer side is at most `longest_px`; never larger than the size given."""
    scale = min(1.0, longest_px / max(width_px, height_px))
    return max(1, round(width_px * scale)), max(1, round(height_px * scale))


def _jpeg(image: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    # Full colour resolution: with halved chroma, neighbouring frames would bleed into each other by a pixel.
    image.save(buffer, "JPEG", quality=quality, subsampling=0)
    return buffer.getvalue()
