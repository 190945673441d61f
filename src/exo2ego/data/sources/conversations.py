"""LLaVA / VideoLLaMA2 conversation files -> Conversations.

    [{"id": "...", "video": "a/b.mp4", "start_s": 1.0, "end_s": 2.0,            times optional: the whole video
      "conversations": [{"from": "human", "value": "<video>\\n..."}, {"from": "gpt", "value": "..."}, ...]}, ...]

A `.jsonl` file holds one such entry a line. Form as read by `DAMO-NLP-SG/VideoLLaMA2: videollama2/train.py`.
"""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from exo2ego.data.jsonfile import Fields
from exo2ego.data.sources.reading import BadRow, json_rows
from exo2ego.data.video import probe
from exo2ego.errors import FormatError, InputError, MissingFileError
from exo2ego.records import Conversation, Turn, VideoSpan

MARKER = "<video>"
SPEAKERS = ("human", "gpt")

Spans = dict[tuple[str, float, float], list[Conversation]]


def read_conversations(path: str | Path) -> tuple[list[Conversation], list[BadRow]]:
    """Entries of a file in order, and the entries that are unusable by themselves.

    Raises MissingFileError or FormatError when the file as a whole cannot be used.
    """
    path = Path(path)
    good: list[Conversation] = []
    bad: list[BadRow] = []
    for number, data in json_rows(path):
        try:
            good.append(_conversation(Fields(data, f"{path}: row {number}"), number))
        except FormatError as error:
            bad.append(BadRow(row=number, reason=str(error)))
    if not good:
        first = f"; the first: {bad[0].reason}" if bad else ""
        raise FormatError(f"{path}: not one usable conversation in {len(bad)} rows{first}")
    return good, bad


def group_spans(conversations: Sequence[Conversation], root: Path) -> tuple[Spans, list[BadRow]]:
    """Conversations by (video, start_s, end_s); a whole video gets its duration. Unusable files are listed."""
    spans: Spans = {}
    bad: list[BadRow] = []
    durations: dict[str, float | str] = {}
    for number, conversation in enumerate(conversations):
        video = conversation.video
        if video.path not in durations:
            durations[video.path] = _duration(root / video.path, needed=video.end_s is None)
        duration = durations[video.path]
        if duration == 0.0 and video.end_s is None:
            duration = durations[video.path] = _duration(root / video.path, needed=True)
        if isinstance(duration, str):
            bad.append(BadRow(row=number, reason=f"{conversation.conversation_id}: {duration}"))
            continue
        start = 0.0 if video.start_s is None else video.start_s
        end = duration if video.end_s is None else video.end_s
        if end <= start:
            reason = f"{conversation.conversation_id}: start {start} s is not before the end {end} s of {video.path}"
            bad.append(BadRow(row=number, reason=reason))
            continue
        spans.setdefault((video.path, start, end), []).append(conversation)
    return spans, bad


def _duration(path: Path, needed: bool) -> float | str:
    """Seconds (0.0 where not needed, to spare opening the file), or why the file cannot be used."""
    try:
        if not path.is_file():
            raise MissingFileError(f"{path}: no such file")
        return probe(path).duration_s if needed else 0.0
    except InputError as error:
        return str(error)


def _conversation(row: Fields, number: int) -> Conversation:
    identity = row.data.get("id", number)
    if isinstance(identity, bool) or not isinstance(identity, str | int):
        raise row.fail("id", "a string or a number")
    path = PurePosixPath(row.text("video"))
    if path.is_absolute() or ".." in path.parts or not path.name:
        raise row.fail("video", "a path inside the folder of videos")
    start = row.number("start_s") if row.data.get("start_s") is not None else None
    end = row.number("end_s") if row.data.get("end_s") is not None else None
    if start is not None and start < 0:
        raise row.fail("start_s", "0 or more")
    if end is not None and end <= (start or 0.0):
        raise row.fail("end_s", "more than start_s")
    span = VideoSpan(path=str(path), start_s=start, end_s=end)
    return Conversation(conversation_id=str(identity), video=span, turns=_turns(row))


def _turns(row: Fields) -> tuple[Turn, ...]:
    said = [Fields(data, f"{row.where} turn {n}") for n, data in enumerate(row.items("conversations"))]
    if not said or len(said) % 2:
        raise row.fail("conversations", "questions and answers in turn")
    for position, turn in enumerate(said):
        if turn.text("from") != SPEAKERS[position % 2]:
            raise turn.fail("from", f"'{SPEAKERS[position % 2]}'")
        if not turn.text("value").replace(MARKER, "").strip():
            raise turn.fail("value", "a text")
    if any(MARKER in turn.text("value") for turn in said[1:]):
        raise row.fail("conversations", f"{MARKER} in the first question only")
    texts = [turn.text("value").replace(MARKER, "").strip() for turn in said]
    return tuple(Turn(question=q, answer=a) for q, a in zip(texts[::2], texts[1::2], strict=True))
