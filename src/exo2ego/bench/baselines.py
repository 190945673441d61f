"""Models that know nothing, or see nothing: what any score has to be compared with."""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from exo2ego.bench.items import Item
from exo2ego.bench.model import AnswerModel, usage_of
from exo2ego.errors import InputError
from exo2ego.records import OptionScore, Usage, VideoSpan

EMBEDDING_SIZE = 64
_LISTED_LETTER = re.compile(r"^\(([A-Z])\)", re.MULTILINE)
_LISTED = re.compile(r"^\(([A-Z])\) (.*)$", re.MULTILINE)


class RandomModel:
    """Answers by lot; the draw depends on the seed and on what is asked, never on the order of asking."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    @property
    def name(self) -> str:
        """`random`, whatever the seed."""
        return "random"

    @property
    def capabilities(self) -> frozenset[str]:
        """Letters, scores and vectors, all by lot."""
        return frozenset({"text", "logprobs", "embeddings"})

    @property
    def concurrency(self) -> int:
        """One: it costs nothing."""
        return 1

    def _generator(self, video: VideoSpan | None, *texts: str) -> np.random.Generator:
        # The folder is left out: the same item draws the same lot wherever the data lie.
        where = ("none",) if video is None else (PurePath(video.path).name, str(video.start_s), str(video.end_s))
        key = "\x1f".join((str(self._seed), *where, *texts))
        return np.random.default_rng(int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big"))

    def generate(self, video: VideoSpan | None, question: str, max_new_tokens: int = 32) -> str:
        """One of the letters listed as `(A) ...` in the question (A to E where none is listed)."""
        letters = _LISTED_LETTER.findall(question) or list("ABCDE")
        return str(self._generator(video, question).choice(letters))

    def option_logprobs(self, video: VideoSpan | None, question: str, options: Sequence[str]) -> list[OptionScore]:
        """Uniform draws in (-1, 0), one for each option."""
        draws = self._generator(video, question, *options).random(len(options)) - 1.0
        return [OptionScore(logprob=float(draw), tokens=1) for draw in draws]

    def embed_video(self, video: VideoSpan) -> NDArray[np.float32]:
        """float32[64]: a direction by lot."""
        return self._generator(video).standard_normal(EMBEDDING_SIZE).astype(np.float32)

    def embed_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """float32[texts, 64]: a direction by lot for each text; equal texts have equal ones."""
        drawn = [self._generator(None, text).standard_normal(EMBEDDING_SIZE) for text in texts]
        return np.array(drawn, dtype=np.float32)


class BlindModel:
    """Another model that never gets to see the video: what the texts alone give away."""

    def __init__(self, model: AnswerModel) -> None:
        self._model = model

    @property
    def name(self) -> str:
        """`blind:` and the name of the model underneath."""
        return f"blind:{self._model.name}"

    @property
    def capabilities(self) -> frozenset[str]:
        """Those of the model underneath, less embeddings: of a video there is nothing left to embed."""
        return self._model.capabilities - {"embeddings"}

    @property
    def concurrency(self) -> int:
        """As the model underneath."""
        return self._model.concurrency

    def generate(self, video: VideoSpan | None, question: str, max_new_tokens: int = 32) -> str:
        """The words that the model underneath writes without a video."""
        return self._model.generate(None, question, max_new_tokens=max_new_tokens)

    def option_logprobs(self, video: VideoSpan | None, question: str, options: Sequence[str]) -> Sequence[OptionScore]:
        """The text prior of the options, whatever the video."""
        return self._model.option_logprobs(None, question, options)

    def take_usage(self) -> Usage | None:
        """What the model underneath has spent."""
        return usage_of(self._model)


class MajorityModel:
    """Always the same answer: the one that is right most often in the run, which is read from the items once.

    The answer's words, where some words answer several items (a closed set of answers); else its place among the
    options. It is no model that could be used, but what a score must beat when answers are not balanced.
    """

    def __init__(self) -> None:
        self._text: str | None = None
        self._places: dict[int, int] | None = None

    @property
    def name(self) -> str:
        """`majority`."""
        return "majority"

    @property
    def capabilities(self) -> frozenset[str]:
        """Words and scores, always the same."""
        return frozenset({"text", "logprobs"})

    @property
    def concurrency(self) -> int:
        """One: it costs nothing."""
        return 1

    def see(self, items: Sequence[Item]) -> None:
        """Count the answers of a run; only the winners are kept. Of equals the first in order wins."""
        texts: Counter[str] = Counter(text for text in map(_answer_text, items) if text)
        places: dict[int, Counter[int]] = {}
        for item in items:
            if item.answer is not None and len(item.options) > 1:
                places.setdefault(len(item.options), Counter())[item.answer] += 1
        # A text that answers one item only is no majority: giving it would be giving that item's answer away.
        often = {text: count for text, count in texts.items() if count > 1}
        self._text = min(often, key=lambda text: (-often[text], text)) if often else None
        self._places = {size: min(c, key=lambda place: (-c[place], place)) for size, c in places.items()}

    def generate(self, video: VideoSpan | None, question: str, max_new_tokens: int = 32) -> str:
        """The letter of the majority's answer where letters are listed, its words where none are.

        Raises:
            InputError: it was not shown the items of the run.
        """
        listed = [(letter, _plain(text)) for letter, text in _LISTED.findall(question)]
        place = self._place(len(listed))
        if not listed:
            return self._text or ""
        letter = next((letter for letter, text in listed if text == self._text), chr(ord("A") + place))
        return f"({letter})"

    def option_logprobs(self, video: VideoSpan | None, question: str, options: Sequence[str]) -> list[OptionScore]:
        """0 for the majority's answer, -1 for all others.

        Raises:
            InputError: it was not shown the items of the run.
        """
        place = self._place(len(options))
        plain = [_plain(option) for option in options]
        chosen = plain.index(self._text) if self._text in plain else place
        return [OptionScore(logprob=0.0 if number == chosen else -1.0, tokens=1) for number in range(len(options))]

    def _place(self, count: int) -> int:
        if self._places is None:
            raise InputError("the model 'majority' must be shown the items of the run first; use --engine local")
        return self._places.get(count, 0)


def _answer_text(item: Item) -> str | None:
    """The right words of an item; None where the answer is withheld or is one of several videos."""
    stated = item.meta.get("answer")
    if isinstance(stated, str):
        return _plain(stated)
    if item.answer is None or len(item.videos) > 1:
        return None
    return _plain(item.options[item.answer])


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(".")
