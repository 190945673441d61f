"""One video, looked at: header, first, middle and last frame, or every frame. Runs in a guarded process."""

from dataclasses import asdict, dataclass
from typing import Any

from exo2ego.data.jsonfile import Fields
from exo2ego.errors import VideoError


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFacts:
    """What a file says of itself, and what decoding it has shown."""

    duration_s: float
    fps: float
    frames: int
    """Decoded, where every frame was; else as the container counts."""
    width_px: int
    """As displayed, after rotation."""
    height_px: int
    rotation_deg: int
    codec: str
    all_decoded: bool
    """Whether every frame was decoded and is whole."""

    def record(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def facts_from(data: object, where: str) -> VideoFacts:
    """The inverse of `record`. Raises FormatError naming the field."""
    row = Fields(data, where)
    return VideoFacts(
        duration_s=row.number("duration_s"),
        fps=row.number("fps"),
        frames=row.integer("frames"),
        width_px=row.integer("width_px"),
        height_px=row.integer("height_px"),
        rotation_deg=row.integer("rotation_deg"),
        codec=row.text("codec"),
        all_decoded=row.flag("all_decoded"),
    )


def inspect_video(path: str, full: bool) -> VideoFacts:
    """Opens and decodes a file; frames are asked for as `data clips` asks for them, within half a frame.

    Raises MissingFileError; VideoError, naming the file, for whatever a reader of clips would stumble over.
    """
    from exo2ego.data.video import decode_at, probe

    try:
        info = probe(path)
        frames = info.frames
        if full:
            frames = _all_frames(path)
        else:
            last_s = max(0.0, info.duration_s - 0.5 / info.fps)
            for _, picture in decode_at(path, (0.0, info.duration_s / 2, last_s)):
                if isinstance(picture, VideoError):
                    raise picture
    except OSError as error:
        raise VideoError(f"{path}: cannot be read ({error.strerror}); is the drive all right?") from None
    return VideoFacts(
        duration_s=info.duration_s,
        fps=info.fps,
        frames=frames,
        width_px=info.width_px,
        height_px=info.height_px,
        rotation_deg=info.rotation_deg,
        codec=info.codec,
        all_decoded=full,
    )


def _all_frames(path: str) -> int:
    """How many frames there are, each decoded. Raises VideoError where one is damaged or the end is missing."""
    from exo2ego.data.video_decode import shown_from
    from exo2ego.data.video_open import opened

    count, damaged, last_s = 0, [], 0.0
    with opened(path) as video:
        for shown in shown_from(video, 0.0):
            count += 1
            last_s = shown.time_s
            if not shown.is_intact or shown.follows_loss:
                damaged.append(shown.time_s)
        missing_s = video.duration_s - last_s - 1 / video.fps
        if damaged:
            raise VideoError(f"{path}: {len(damaged)} of {count} frames are damaged, the first at {damaged[0]:.3f} s")
        if missing_s > 1 / video.fps:
            raise VideoError(
                f"{path}: the last frame is at {last_s:.3f} s of {video.duration_s:.3f} s; the file is cut short"
            )
    return count
