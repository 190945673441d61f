"""Choosing among a source's conversations, and telling people what was found."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from typing import Any

from exo2ego.data.sources.reading import BadRow, SourceRead, Unusable
from exo2ego.records import Conversation

LISTED = 1000
"""Bad rows that a report holds; all are counted."""
EXAMPLES = 10
MOST_KINDS = 100
"""With more, as the ids of other projects' files have, it is not kinds that ids end in."""
UNSUPPORTED: Mapping[Unusable, str] = {"image": "about pictures", "text": "of text alone"}
"""Entries that are well formed, but show no video."""


def chosen(conversations: Sequence[Conversation], limit: int | None, seed: int) -> list[Conversation]:
    """So many of them, in their order: those whose (seed, id, video) hashes lowest.

    The same for the same seed; a larger limit adds to what a smaller one takes.
    """
    if limit is None or limit >= len(conversations):
        return list(conversations)
    keys = [_key(conversation, seed) for conversation in conversations]
    kept = sorted(range(len(keys)), key=keys.__getitem__)[:limit]
    return [conversations[number] for number in sorted(kept)]


def kinds_of(conversations: Sequence[Conversation]) -> dict[str, int]:
    """How many questions of each kind there are (the last part of the id)."""
    return dict(Counter(conversation.conversation_id.rpartition("/")[2] for conversation in conversations))


def examples(conversations: Sequence[Conversation], seed: int, count: int = EXAMPLES) -> list[str]:
    """Some conversations as text, spread over the kinds."""
    by_kind: dict[str, list[Conversation]] = {}
    for conversation in sorted(conversations, key=lambda c: _key(c, seed)):
        by_kind.setdefault(conversation.conversation_id.rpartition("/")[2], []).append(conversation)
    turns = max((len(group) for group in by_kind.values()), default=0)
    spread = [group[turn] for turn in range(turns) for group in by_kind.values() if turn < len(group)]
    return [_as_text(conversation) for conversation in spread[:count]]


def report_of(read: SourceRead, stored: int, bad_videos: Sequence[BadRow]) -> dict[str, Any]:
    """What goes to the manifest: what became of every row."""
    kinds = kinds_of(read.conversations)
    return {
        "conversations": stored,
        "kinds": kinds if len(kinds) <= MOST_KINDS else {},
        "left_out": dict(read.left_out),
        "notes": list(read.notes),
        "bad_rows_count": len(read.bad_rows),
        "bad_row_kinds": dict(Counter(row.kind for row in read.bad_rows)),
        "bad_videos_count": len(bad_videos),
        "bad_rows": [asdict(row) for row in read.bad_rows[:LISTED]],
        "bad_videos": [asdict(row) for row in bad_videos[:LISTED]],
    }


def lines_of(read: SourceRead, title: str) -> list[str]:
    """What was found, for people."""
    kinds: Mapping[str, int] = kinds_of(read.conversations)
    lines = [f"{title}: {len(read.conversations)} conversations"]
    lines += [f"  {kind}: {count}" for kind, count in sorted(kinds.items())]
    lines += [f"  left out, {reason}: {count}" for reason, count in sorted(read.left_out.items())]
    lines.append(bad_rows_line(read.bad_rows))
    return [*lines, *(f"  note: {note}" for note in read.notes)]


def bad_rows_line(bad: Sequence[BadRow]) -> str:
    """How many entries are unusable by themselves, and the first of them."""
    kinds = Counter(row.kind for row in bad)
    told = [f"{kinds[kind]} {name}" for kind, name in UNSUPPORTED.items() if kinds[kind]]
    return f"  bad rows: {len(bad)}" + (f" ({', '.join(told)})" if told else "") + _first(bad)


def bad_videos_line(bad: Sequence[BadRow]) -> str:
    """How many conversations have no usable video, and the first of them."""
    return f"  missing or unreadable videos: {len(bad)}" + _first(bad)


def _first(bad: Sequence[BadRow]) -> str:
    return f"; the first: {bad[0].reason}" if bad else ""


def _key(conversation: Conversation, seed: int) -> bytes:
    text = f"{seed}\0{conversation.conversation_id}\0{conversation.video.path}"
    return sha256(text.encode("utf-8", "surrogatepass")).digest()


def _as_text(conversation: Conversation) -> str:
    video = conversation.video
    span = "" if video.start_s is None or video.end_s is None else f" {video.start_s:.2f}-{video.end_s:.2f} s"
    said = "".join(f"\n  Q: {_indented(turn.question)}\n  A: {turn.answer}" for turn in conversation.turns)
    return f"{conversation.conversation_id} [{video.path}{span}]{said}"


def _indented(text: str) -> str:
    return text.replace("\n", "\n     ")
