"""Videos that must not be trained on, from the files that people have of them."""

import re
from collections.abc import Iterable
from pathlib import Path

from exo2ego.data.held_out import HeldOut, HeldOutSpan, held_out, normal, read_held_out
from exo2ego.data.jsonfile import shorten
from exo2ego.data.sources.egoclip import UID
from exo2ego.errors import FormatError, MissingFileError

UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")


def read_excluded(paths: Iterable[Path]) -> HeldOut:
    """What all files name together.

    `.jsonl`: as `exo2ego bench contamination --export` writes it, which may name seconds of a video. `.json`, e.g.
    EgoMCQ's or EgoSchema's own files: every UUID in it, as a whole video. Otherwise uids, one a line; `#` begins a
    comment. Raises MissingFileError, FormatError for a file that is none of these or names no video.
    """
    found: list[HeldOutSpan] = []
    for path in paths:
        if path.suffix == ".jsonl":
            found += [span for spans in read_held_out(path).by_video.values() for span in spans]
        else:
            found += [_whole(uid, path) for uid in _uids(path)]
    return held_out(found)


def _whole(uid: str, path: Path) -> HeldOutSpan:
    return HeldOutSpan(video=normal(uid), start_s=None, end_s=None, bench=path.name, item="")


def _uids(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise MissingFileError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise FormatError(f"{path}: not UTF-8 text; expected uids of videos, one a line") from None
    if path.suffix == ".json":
        uids = set(UUID.findall(text))
    else:
        uids = {line.partition("#")[0].strip() for line in text.splitlines()} - {""}
        wrong = sorted(uid for uid in uids if not UID.fullmatch(uid))
        if wrong:
            raise FormatError(f"{path}: {shorten(wrong[0])} is no uid of a video; expected one a line")
    if not uids:
        raise FormatError(f"{path}: names no video")
    return sorted(uids)
