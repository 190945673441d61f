"""Conversation files of other projects -> Conversations: LLaVA, ShareGPT, VideoLLaMA2, OpenAI-like, Video-ChatGPT.

    [{"id": "...", "video": "a/b.mp4", "start_s": 1.0, "end_s": 2.0,            times optional: the whole video
      "conversations": [{"from": "human", "value": "<video>\\n..."}, {"from": "gpt", "value": "..."}, ...]}, ...]

A `.jsonl` file holds one such entry a line. The form is recognised entry by entry, by its keys; an example of each is
in docs/data/conversations.md. Forms as read by `DAMO-NLP-SG/VideoLLaMA2: videollama2/train.py` and by LLaMA-Factory.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TypeVar

from exo2ego.data.frame_folder import probe_source
from exo2ego.data.sources.conversations_rows import read_conversation
from exo2ego.data.sources.conversations_turns import SystemText
from exo2ego.data.sources.reading import BadRow, json_fields
from exo2ego.errors import FormatError, InputError, MissingFileError
from exo2ego.records import Conversation, VideoSpan

VIDEO_SUFFIXES = (".mp4", ".mkv", ".webm", ".avi", ".mov")
"""Tried, in this order, for a name without one (Video-ChatGPT's `video_id`)."""

T = TypeVar("T")
Spans = dict[tuple[str, float, float], list[Conversation]]


def iter_conversations(path: str | Path, system: SystemText = "refuse") -> Iterator[Conversation | BadRow]:
    """Entries of a file one by one, unusable ones as BadRow; memory does not grow with the file.

    Raises MissingFileError or FormatError when the file as a whole cannot be used.
    """
    for number, row in json_fields(Path(path)):
        if isinstance(row, BadRow):
            yield row
            continue
        try:
            read = read_conversation(row, number, system)
        except FormatError as error:
            read = "bad", str(error)
        yield read if isinstance(read, Conversation) else BadRow(row=number, kind=read[0], reason=read[1])


def read_conversations(path: str | Path, system: SystemText = "refuse") -> tuple[list[Conversation], list[BadRow]]:
    """Entries of a file in order, and the entries that are unusable by themselves.

    Raises MissingFileError or FormatError when the file as a whole cannot be used, or when no entry can.
    """
    good: list[Conversation] = []
    bad: list[BadRow] = []
    for entry in iter_conversations(path, system):
        if isinstance(entry, BadRow):
            bad.append(entry)
        else:
            good.append(entry)
    if not good:
        first = f"; the first: {bad[0].reason}" if bad else ""
        raise FormatError(f"{path}: not one usable conversation in {len(bad)} rows{first}")
    return good, bad


def located(conversations: Sequence[Conversation], root: Path) -> tuple[list[Conversation], list[BadRow]]:
    """Conversations whose video is below `root`, its suffix added where the name has none; and those without one."""
    good: list[Conversation] = []
    bad: list[BadRow] = []
    files = _Files(root)
    for number, conversation in enumerate(conversations):
        video = conversation.video
        try:
            good.append(replace(conversation, video=replace(video, path=files.place(video.path))))
        except InputError as error:
            bad.append(BadRow(row=number, reason=f"{conversation.conversation_id}: {error}"))
    return good, bad


def group_spans(conversations: Sequence[Conversation], root: Path) -> tuple[Spans, list[BadRow]]:
    """Conversations by (video, start_s, end_s); a whole video gets its duration. Unusable files are listed."""
    spans: Spans = {}
    bad: list[BadRow] = []
    files = _Files(root)
    for number, conversation in enumerate(conversations):
        try:
            spans.setdefault(files.span(conversation.video), []).append(conversation)
        except InputError as error:
            bad.append(BadRow(row=number, reason=f"{conversation.conversation_id}: {error}"))
    return spans, bad


class _Files:
    """The videos (or folders of frames) below a folder; each is looked for, and measured, once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._places: dict[str, str | InputError] = {}
        self._durations: dict[str, float | InputError] = {}

    def span(self, video: VideoSpan) -> tuple[str, float, float]:
        """(path below the folder, start_s, end_s). Raises InputError where that is no stretch of a video there."""
        place = self.place(video.path)
        start = 0.0 if video.start_s is None else video.start_s
        end = _once(self._durations, place, self._measure) if video.end_s is None else video.end_s
        if end <= start:
            raise FormatError(f"start {start} s is not before the end {end} s of {video.path}")
        return place, start, end

    def place(self, path: str) -> str:
        """The path of a video that is there. Raises InputError."""
        return _once(self._places, path, self._find)

    def _find(self, path: str) -> str:
        """The path, its suffix added where the name has none."""
        if (self._root / path).exists():
            return path
        if PurePosixPath(path).suffix.lower() in VIDEO_SUFFIXES:
            raise MissingFileError(f"{self._root / path}: no such file")
        found = [path + suffix for suffix in VIDEO_SUFFIXES if (self._root / (path + suffix)).is_file()]
        if not found:
            raise MissingFileError(f"{self._root / path}: no such file, nor with {', '.join(VIDEO_SUFFIXES)}")
        if len(found) > 1:
            raise FormatError(f"{self._root / path}: which of {' and '.join(found)} is meant? give the suffix")
        return found[0]

    def _measure(self, place: str) -> float:
        return probe_source(self._root / place).duration_s


def _once(known: dict[str, T | InputError], key: str, find: Callable[[str], T]) -> T:
    """What `find` gave for a key, or raised, the first time."""
    if key not in known:
        try:
            known[key] = find(key)
        except InputError as error:
            known[key] = error
    value = known[key]
    if isinstance(value, InputError):
        raise type(value)(str(value))
    return value
