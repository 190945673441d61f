"""The turns of one entry, in any of the forms people have, as questions and answers.

    "conversations": [{"from": "human", "value": "<video>\\n..."}, {"from": "gpt", "value": "..."}]     LLaVA, ShareGPT
    "messages": [{"role": "user", "content": "<video>..."}, {"role": "assistant", "content": "..."}]    OpenAI, ms-swift
    "q": "...", "a": "..."                                                                              Video-ChatGPT

The list may have either name, and a turn either pair of keys; `content` may be a list of parts. The model reads the
video before the first question whatever the place of its marker, which may stand at the start or at the end of it.
"""

from collections.abc import Iterator
from typing import Any, Literal, get_args

from exo2ego.data.jsonfile import Fields
from exo2ego.errors import FormatError
from exo2ego.records import Turn

VIDEO_MARKER = "<video>"
MARKERS = (VIDEO_MARKER, "<image>")
"""LLaVA-Video writes `<image>` for a video too."""
LISTS = ("conversations", "messages")
ASKS, ANSWERS, SYSTEM = "human or user", "gpt or assistant", "system"
SPEAKERS = {"human": ASKS, "user": ASKS, "gpt": ANSWERS, "assistant": ANSWERS, "system": SYSTEM}

SystemText = Literal["refuse", "drop", "keep"]
"""What becomes of a system text: the entry is refused, the text left out, or put before the first question."""


def read_turns(row: Fields, system: SystemText = "refuse") -> tuple[Turn, ...]:
    """Questions and answers in order, without the video's marker and outer blanks.

    Raises FormatError naming turn and field: turns out of order, empty texts, unknown speakers, more than one marker
    in the questions (there is one video) or one elsewhere than at the start or end of the first. In an answer the
    marker is text: nothing but its words.
    """
    if system not in get_args(SystemText):
        raise FormatError(f"system texts: '{system}'; expected {', '.join(get_args(SystemText))}")
    name = turn_list(row)
    if name is None:
        return (Turn(question=_bare(row, "q", [row.text("q")])[0], answer=_filled(row, "a", row.text("a"))),)
    said = [_said(Fields(data, f"{row.where} turn {n}")) for n, data in enumerate(row.items(name))]
    instructions = [text for _, _, speaker, text in said if speaker == SYSTEM]
    if row.data.get("system"):
        instructions.append(row.text("system"))
    rest = [turn for turn in said if turn[2] != SYSTEM]
    if len(instructions) > 1 or (len(said) > len(rest) and said[0][2] != SYSTEM):
        raise row.fail(name, "one system text at most, before all turns")
    if not rest or len(rest) % 2:
        raise row.fail(name, "questions and answers in turn")
    for position, (turn, _, speaker, _) in enumerate(rest):
        expected = (ASKS, ANSWERS)[position % 2]
        if speaker != expected:
            raise turn.fail(_one_of(turn, ("from", "role")), expected)
    questions = _bare(row, name, [text for _, _, _, text in rest[::2]])
    for (turn, field, _, _), question in zip(rest[::2], questions, strict=True):
        _filled(turn, field, question)
    if instructions and instructions[0].strip():
        questions[0] = _with_system(row, instructions[0].strip(), questions[0], system)
    answers = [_filled(turn, field, text) for turn, field, _, text in rest[1::2]]
    return tuple(Turn(question=q, answer=a) for q, a in zip(questions, answers, strict=True))


def turn_list(row: Fields) -> str | None:
    """The field that holds the turns, None for an entry with `q` and `a`. Raises FormatError where it is not clear."""
    found = [name for name in (*LISTS, "q") if row.data.get(name) is not None]
    if len(found) > 1:
        raise row.fail(found[1], f"no such field beside '{found[0]}': which of them holds the turns?")
    if not found:
        raise row.fail(LISTS[0], "turns (or messages, or q and a)")
    return None if found[0] == "q" else found[0]


def video_parts(row: Fields) -> Iterator[Fields]:
    """Content parts that name a video, of all turns: `{"type": "video", "video": PATH}` or `video_url`."""
    for name in LISTS:
        turns = row.data.get(name)
        for turn in turns if isinstance(turns, list) else ():
            content = turn.get("content", turn.get("value")) if isinstance(turn, dict) else None
            for part in content if isinstance(content, list) else ():
                if isinstance(part, dict) and part.get("type") in ("video", "video_url"):
                    yield Fields(part, f"{row.where}: part of type '{part['type']}'")


def _said(turn: Fields) -> tuple[Fields, str, str, str]:
    """(turn, name of the field with the text, who speaks, the text) of one turn."""
    speaker_field = _one_of(turn, ("from", "role"))
    speaker = SPEAKERS.get(turn.text(speaker_field))
    if speaker is None:
        raise turn.fail(speaker_field, ", ".join(SPEAKERS))
    field = _one_of(turn, ("value", "content"))
    content = turn.data.get(field)
    text = "".join(_part(turn, field, part) for part in content) if isinstance(content, list) else turn.text(field)
    return turn, field, speaker, text


def _one_of(turn: Fields, names: tuple[str, str]) -> str:
    if all(name in turn.data for name in names):
        raise turn.fail(names[1], f"no such field beside '{names[0]}'")
    return names[1] if names[1] in turn.data else names[0]


def _part(turn: Fields, field: str, part: Any) -> str:
    """The text of a content part; a video's is its marker."""
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "text" and isinstance(part.get("text"), str):
        return str(part["text"])
    if kind in ("video", "video_url"):
        return VIDEO_MARKER
    raise turn.fail(field, "a text, or parts of type text and video")


def _bare(row: Fields, field: str, questions: list[str]) -> list[str]:
    """Questions without the marker and outer blanks."""
    found = sum(question.count(marker) for question in questions for marker in MARKERS)
    if found > 1:
        raise row.fail(field, f"one marker {VIDEO_MARKER} for the one video, not {found}")
    first, *others = (question.strip() for question in questions)
    if found:
        marker = next((m for m in MARKERS if first.startswith(m) or first.endswith(m)), None)
        if marker is None:
            raise row.fail(field, f"{VIDEO_MARKER} at the start or at the end of the first question only")
        first = first.replace(marker, "").strip()
    return [first, *others]


def _filled(turn: Fields, field: str, text: str) -> str:
    if not text.strip():
        raise turn.fail(field, "a text")
    return text.strip()


def _with_system(row: Fields, instruction: str, question: str, system: SystemText) -> str:
    if system == "refuse":
        raise FormatError(f"{row.where}: it has a system text; say what to do with such texts: drop or keep")
    return question if system == "drop" else f"{instruction}\n{question}"
