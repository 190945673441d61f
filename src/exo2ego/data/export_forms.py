"""One conversation about a stored clip, as an entry of the files that other trainers read.

    llava        llava.json        {"id", "video", "conversations": [{"from": "human", "value": "<video>\\n..."}, ...]}
    videollama2  videollama2.json  the same (DAMO-NLP-SG/VideoLLaMA2: videollama2/train.py)
    sharegpt     sharegpt.json     {"id", "conversations": [...], "videos": [...]} (LLaMA-Factory)
    openai       openai.jsonl      {"id", "messages": [{"role": "user", "content": "<video>\\n..."}, ...], "videos"}
                                   an entry a line (LLaMA-Factory, ms-swift)

`sources/conversations.py` reads all of them back: equal turns, equal videos.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from exo2ego.data.sources.conversations_turns import MARKERS
from exo2ego.records import Conversation, Turn

Entry = dict[str, Any]
VIDEO_MARKER, IMAGE_MARKER = MARKERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A file format."""

    file: str
    entry: Callable[[Conversation, str], Entry]
    """(conversation, marker) -> entry; the path of the video is relative to the folder of the file."""
    is_lines: bool = False
    """One entry a line instead of a list."""
    columns: tuple[tuple[str, str], ...] = ()
    """LLaMA-Factory's names of the fields, where it can read the file."""
    tags: tuple[tuple[str, str], ...] = ()


def _llava(conversation: Conversation, marker: str) -> Entry:
    turns = _turns(conversation.turns, marker, ("from", "value"), ("human", "gpt"))
    return {"id": conversation.conversation_id, "video": conversation.video.path, "conversations": turns}


def _sharegpt(conversation: Conversation, marker: str) -> Entry:
    turns = _turns(conversation.turns, marker, ("from", "value"), ("human", "gpt"))
    return {"id": conversation.conversation_id, "conversations": turns, "videos": [conversation.video.path]}


def _openai(conversation: Conversation, marker: str) -> Entry:
    turns = _turns(conversation.turns, marker, ("role", "content"), ("user", "assistant"))
    return {"id": conversation.conversation_id, "messages": turns, "videos": [conversation.video.path]}


FORMS: dict[str, Form] = {
    "llava": Form(file="llava.json", entry=_llava),
    "sharegpt": Form(
        file="sharegpt.json", entry=_sharegpt, columns=(("messages", "conversations"), ("videos", "videos"))
    ),
    "videollama2": Form(file="videollama2.json", entry=_llava),
    "openai": Form(
        file="openai.jsonl",
        entry=_openai,
        is_lines=True,
        columns=(("messages", "messages"), ("videos", "videos")),
        tags=(("role_tag", "role"), ("content_tag", "content"), ("user_tag", "user"), ("assistant_tag", "assistant")),
    ),
}


def _turns(
    turns: Sequence[Turn], marker: str, fields: tuple[str, str], speakers: tuple[str, str]
) -> list[dict[str, str]]:
    said = []
    for number, turn in enumerate(turns):
        question = turn.question.strip() if number else f"{marker}\n{turn.question.strip()}"
        for speaker, text in zip(speakers, (question, turn.answer.strip()), strict=True):
            said.append({fields[0]: speaker, fields[1]: text})
    return said


def unfit(turns: Sequence[Turn]) -> str | None:
    """Why turns cannot be written so that they are read back as they are, or None."""
    texts = [text for turn in turns for text in (turn.question, turn.answer)]
    if not texts or not all(text.strip() for text in texts):
        return "empty text"
    if any(marker in turn.question for turn in turns for marker in MARKERS):
        return "marker in a question"
    if any("\ud800" <= letter <= "\udfff" for text in texts for letter in text):
        return "no Unicode text"
    return None


def marked_answers(turns: Sequence[Turn]) -> int:
    """Answers that hold a marker: text to us, but other trainers may take it for one more video."""
    return sum(any(marker in turn.answer for marker in MARKERS) for turn in turns)


def to_json(entry: object) -> str:
    """One line of JSON, letters as they are."""
    return json.dumps(entry, ensure_ascii=False)
