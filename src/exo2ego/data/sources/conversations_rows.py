"""One entry of a conversation file: which video it is about, which part of it, and what kind of entry it is."""

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from exo2ego.data.inner_paths import names_file_inside
from exo2ego.data.jsonfile import Fields, shorten
from exo2ego.data.sources.conversations_turns import SystemText, read_turns, video_parts
from exo2ego.data.sources.reading import Unusable
from exo2ego.errors import FormatError
from exo2ego.records import Conversation, VideoSpan

SPANS = (
    ("start_s", "end_s"),
    ("start", "end"),
    ("start_sec", "end_sec"),
    ("start_time", "end_time"),
    ("video_start", "video_end"),
)
"""Fields that bound the part of the video, in seconds; the last are Qwen-VL's, in a content part."""
OTHER_SPANS = ("timestamps", "bound", "clip", "segment", "start_frame", "end_frame")
"""Bounds in a unit that the entry does not tell: refused, rather than the whole video taken for a part of it."""
IMAGES = ("image", "images")
FEATURES = (".pkl", ".npy", ".pt", ".pth")
"""Video-ChatGPT's training files name features computed beforehand in place of videos."""


def read_conversation(row: Fields, number: int, system: SystemText = "refuse") -> Conversation | tuple[Unusable, str]:
    """The conversation, or (kind, reason) for an entry without a video.

    Raises FormatError naming row, field and value for an entry that is not as it should be.
    """
    identity = row.data.get("id", number)
    if isinstance(identity, bool) or not isinstance(identity, str | int):
        raise row.fail("id", "a string or a number")
    videos = list(_videos(row))
    images = [field for field in IMAGES if _is_given(row.data.get(field)) and not _video_within(row.data[field])]
    if not videos:
        if images:
            return "image", f"{row.where}: field '{images[0]}': an entry about pictures; this model reads videos"
        return "text", str(row.fail("video", "a video: an entry of text alone cannot be used"))
    if len(videos) > 1 or images:
        found = [f"'{field}'" for field, _, _ in videos] + [f"'{field}'" for field in images]
        raise FormatError(f"{row.where}: names videos or pictures in {' and '.join(found[:3])}; expected one video")
    field, path, holder = videos[0]
    start, end = _span(row, holder)
    span = VideoSpan(path=_inside(row, field, path), start_s=start, end_s=end)
    return Conversation(conversation_id=str(identity), video=span, turns=read_turns(row, system))


def _is_given(value: object) -> bool:
    return value not in (None, "", [])


def _video_within(value: object) -> bool:
    """`{"video": PATH}` in the place of a picture, as in EgoExoLearn's questions."""
    return isinstance(value, dict) and "video" in value


def _videos(row: Fields) -> Iterator[tuple[str, Any, Fields]]:
    """Every place that names a video: (its field, the path, the object whose bounds apply to it)."""
    for field in ("video", "video_id", "videos"):
        value = row.data.get(field)
        if _is_given(value):
            yield from ((field, path, row) for path in (value if isinstance(value, list) else [value]))
    if _video_within(row.data.get("image")):
        yield "image.video", row.data["image"]["video"], row
    for part in video_parts(row):
        value = part.data.get(str(part.data["type"]))
        yield "content.video", value.get("url") if isinstance(value, dict) else value, part


def _span(row: Fields, holder: Fields) -> tuple[float | None, float | None]:
    """Bounds in seconds, None where not given. One pair of names at most."""
    objects = (row, holder) if holder is not row else (row,)
    for one in objects:
        for name in OTHER_SPANS:
            if one.data.get(name) is not None:
                raise one.fail(name, f"bounds in seconds as {' and '.join(SPANS[0])}")
    found = [(one, names) for one in objects for names in SPANS if any(one.data.get(n) is not None for n in names)]
    if not found:
        return None, None
    if len(found) > 1:
        names = ", ".join("/".join(names) for _, names in found)
        raise FormatError(f"{row.where}: bounds are given as {names}; expected one pair")
    one, (first, last) = found[0]
    start = one.number(first) if one.data.get(first) is not None else None
    end = one.number(last) if one.data.get(last) is not None else None
    if start is not None and start < 0:
        raise one.fail(first, "0 or more")
    if end is not None and end <= (start or 0.0):
        raise one.fail(last, f"more than {first}")
    return start, end


def _inside(row: Fields, field: str, value: object) -> str:
    """A path below the folder of videos."""
    if not isinstance(value, str):
        raise FormatError(f"{row.where}: field '{field}' is {shorten(value)}; expected a string")
    path = PurePosixPath(value)
    expected = None
    if "://" in value:
        expected = "a file, not an address"
    elif not names_file_inside(value):
        expected = "a path inside the folder of videos, no part of it longer than a file's name can be"
    elif path.suffix.lower() in FEATURES:
        expected = "a video; this names features computed from one"
    if expected:
        raise FormatError(f"{row.where}: field '{field}' is {shorten(value)}; expected {expected}")
    return str(path)
