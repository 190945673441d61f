"""Models that know nothing, or see nothing: what any score has to be compared with."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from exo2ego.records import OptionScore, VideoSpan

if TYPE_CHECKING:
    from exo2ego.bench.model import AnswerModel

EMBEDDING_SIZE = 64
_LISTED_LETTER = re.compile(r"^\(([A-Z])\)", re.MULTILINE)


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

    def __init__(self, model: "AnswerModel") -> None:
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
