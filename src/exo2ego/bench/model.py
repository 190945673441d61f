"""What a benchmark may ask of a model. The models themselves are in `models*.py` and `baselines.py`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from exo2ego.records import OptionScore, Usage, VideoSpan

if TYPE_CHECKING:
    from exo2ego.bench.items import Item

CAPABILITIES: dict[str, str] = {
    "text": "answers in words (`generate`)",
    "logprobs": "log-probabilities of given answers (`option_logprobs`)",
    "embeddings": "vectors of texts and of videos (`embed_text`, `embed_video`)",
}
"""What a model may be able to do, with the words in which it is told to users."""


class Capable(Protocol):
    """What is known of a model before it is asked."""

    @property
    def name(self) -> str:
        """What reports call this model."""
        ...

    @property
    def capabilities(self) -> frozenset[str]:
        """Which of `CAPABILITIES` it has; a protocol that needs another one is refused before the first question."""
        ...


class AnswerModel(Capable, Protocol):
    """Anything that answers questions about a video; the only door between a benchmark and a model."""

    @property
    def concurrency(self) -> int:
        """How many questions may be put to it at once, from as many threads; 1 for a model in this process."""
        ...

    def generate(self, video: VideoSpan | None, question: str, max_new_tokens: int = 32) -> str:
        """The model's own words; `video=None` asks without any video.

        Raises:
            VideoError: the video cannot be decoded; the item is then recorded as unscored.
        """
        ...

    def option_logprobs(self, video: VideoSpan | None, question: str, options: Sequence[str]) -> Sequence[OptionScore]:
        """log P(option | video, question), one for each option in order; `video=None` asks for the text prior.

        Raises:
            VideoError: the video cannot be decoded; the item is then recorded as unscored.
        """
        ...


@runtime_checkable
class EmbeddingModel(Protocol):
    """What a model with the capability `embeddings` has besides: vectors whose cosine says how well text fits video."""

    def embed_video(self, video: VideoSpan) -> NDArray[np.float32]:
        """float32[D].

        Raises:
            VideoError: the video cannot be decoded; the item is then recorded as unscored.
        """
        ...

    def embed_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """float32[texts, D], in order."""
        ...


@runtime_checkable
class CountsUsage(Protocol):
    """A model that knows what its answers cost."""

    def take_usage(self) -> Usage | None:
        """What the calling thread has spent since it last asked this; None for nothing."""
        ...


def usage_of(model: AnswerModel) -> Usage | None:
    """What the calling thread's last question has cost; None for models that do not count."""
    return model.take_usage() if isinstance(model, CountsUsage) else None


@runtime_checkable
class ReadsFrames(Protocol):
    """A model that can say which frames it reads; runs then record them with every answer."""

    def frame_times(self, video: VideoSpan) -> Sequence[float]:
        """Seconds within the file of the frames that `generate` and `option_logprobs` read of a video.

        Raises:
            VideoError: the video cannot be opened.
        """
        ...


@runtime_checkable
class SeesItems(Protocol):
    """A model that is shown the items of a run, answers included, before it is asked: a constant baseline."""

    def see(self, items: "Sequence[Item]") -> None:
        """Takes from the items what all of them say together; keeps nothing of a single one."""
        ...


def show_items(asked: Capable, items: "Sequence[Item]") -> None:
    """Show the items to a model (or to an engine, for its model) that wants to see them; no other sees an answer."""
    if isinstance(asked, SeesItems):
        asked.see(items)
