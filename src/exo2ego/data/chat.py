"""Turns to token ids and labels. The only place that knows how a question and an answer are written for the LLM.

An example is a *prefix* (opening text, then the video) and *segments* (question and answer) that follow it. Pieces are
tokenized one by one, as VideoLLaMA2 does around its video marker, so that no token straddles question and answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from exo2ego.errors import FormatError
from exo2ego.records import Turn

IGNORE = -100
"""Label of a token that carries no loss."""
NO_TOPIC = -1


class TextTokenizer(Protocol):
    """What is used of a Transformers tokenizer."""

    eos_token_id: int
    bos_token_id: int

    def encode(self, text: str, add_special_tokens: bool = False, split_special_tokens: bool = False) -> list[int]:
        """Token ids of a text."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatFormat:
    """The text around a video, a question and an answer. Defaults are Mistral-Instruct's."""

    before_video: str = "[INST] "
    """After the beginning-of-sequence token, before the visual tokens."""
    before_question: str = "\n"
    after_question: str = " [/INST]"
    before_answer: str = " "
    """Belongs to the answer, so that its first word is one token with its space."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Token ids of one conversation after the video, with labels (`IGNORE` outside the answers)."""

    ids: tuple[int, ...]
    labels: tuple[int, ...]
    topic: int = NO_TOPIC
    """Which of the recipe's `question_groups` the question belongs to."""


def plain_ids(tokenizer: TextTokenizer, text: str) -> list[int]:
    """Token ids of a text as plain words: "<video>" or "</s>" in a question or an answer is no marker."""
    return tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)


def prefix_ids(tokenizer: TextTokenizer, chat: ChatFormat) -> tuple[int, ...]:
    """Token ids before the video, beginning-of-sequence first."""
    return (tokenizer.bos_token_id, *plain_ids(tokenizer, chat.before_video))


def question_ids(tokenizer: TextTokenizer, chat: ChatFormat, question: str) -> list[int]:
    """Token ids from the end of the video to the place where the answer starts."""
    if not question.strip():
        raise FormatError("the question is empty; ask something")
    return plain_ids(tokenizer, chat.before_question + question.strip() + chat.after_question)


def answer_ids(tokenizer: TextTokenizer, chat: ChatFormat, answer: str) -> list[int]:
    """Token ids of an answer, end-of-sequence last."""
    return [*plain_ids(tokenizer, chat.before_answer + answer.strip()), tokenizer.eos_token_id]


def encode_segment(tokenizer: TextTokenizer, chat: ChatFormat, turns: Sequence[Turn]) -> Segment:
    """One conversation; loss on every answer and its end-of-sequence token, on nothing else (paper: VTG)."""
    ids: list[int] = []
    labels: list[int] = []
    for turn in turns:
        asked = question_ids(tokenizer, chat, turn.question)
        said = answer_ids(tokenizer, chat, turn.answer)
        ids += asked + said
        labels += [IGNORE] * len(asked) + said
    return Segment(ids=tuple(ids), labels=tuple(labels))


def encode_question(tokenizer: TextTokenizer, chat: ChatFormat, question: str) -> Segment:
    """A question without its answer: nothing to learn from the text itself."""
    ids = tuple(question_ids(tokenizer, chat, question))
    return Segment(ids=ids, labels=(IGNORE,) * len(ids))
