"""The nouns of the project: plain frozen records that every package may use. No torch, no files.

Units: seconds are `_s`, measured from the start of the take (or of the video file) they belong to.
"""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

SPLITS = ("train", "val", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One video of a take."""

    cam_id: str
    """Ego-Exo4D camera id, e.g. `aria01`, `cam03`."""
    is_ego: bool
    path: str
    """Video file relative to the data set's root."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """One synchronized recording: one ego video and any number of exo videos."""

    take_uid: str
    take_name: str
    duration_s: float
    scenario: str
    university: str
    split: str
    """`train`, `val` or `test`."""
    ego: Stream | None
    exos: tuple[Stream, ...]
    best_exo: str | None
    """Camera id of the best exo view of the take, when annotated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Narration:
    """One atomic description, as an annotator wrote it."""

    take_uid: str
    annotation_uid: str
    annotator_id: str
    index: int
    """Position within the annotation's list, before sorting."""
    text: str
    timestamp_s: float
    subject: str
    """`C` for the camera wearer, other letters for others."""
    ego_visible: bool
    unsure: bool
    rejected: bool
    best_exo: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """One narration turned into an interval, seen from the ego and from every usable exo camera."""

    clip_id: str
    take_uid: str
    take_name: str
    scenario: str
    split: str
    text: str
    timestamp_s: float
    start_s: float
    end_s: float
    ego: Stream
    exos: tuple[Stream, ...]
    best_exo: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One question and its answer, as text."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoSpan:
    """A stretch of a video file. `None` is the beginning, or the end, of the file."""

    path: str
    start_s: float | None = None
    end_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """Turns about one stretch of one video (LLaVA / VideoLLaMA2 form)."""

    conversation_id: str
    video: VideoSpan
    turns: tuple[Turn, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionScore:
    """How likely a model finds one text as the answer."""

    logprob: float
    """Sum of the log-probabilities of the answer's tokens (natural logarithm)."""
    tokens: int
    """How many tokens were summed, for length-normalised protocols."""


class FloatRow(Sequence[float]):
    """Many floats in 8 bytes each, where a tuple takes 32: a row of the 9,668 x 3,842 matrix of EPIC's retrieval.

    Equal to any sequence of the same numbers. Raises TypeError for what is no number.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Iterable[float]) -> None:
        self._values = array("d", values)

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[float]:
        return iter(self._values)

    @overload
    def __getitem__(self, index: int) -> float: ...
    @overload
    def __getitem__(self, index: slice) -> "FloatRow": ...
    def __getitem__(self, index: int | slice) -> "float | FloatRow":
        return FloatRow(self._values[index]) if isinstance(index, slice) else self._values[index]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, FloatRow):
            return self._values == other._values
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self._values))

    def __repr__(self) -> str:
        return f"FloatRow({self._values.tolist()})"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        """For numpy, without a Python object for each number."""
        import numpy as np

        return np.array(self._values, dtype=dtype)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """What a model answered when the options of an item were shown in one order."""

    order: tuple[int, ...]
    """Position shown -> index of the option in the item."""
    scores: tuple[float, ...] = ()
    """By position shown."""
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What asking a server has cost."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    """In the currency of the prices given with the model; 0 where none were."""

    @classmethod
    def total(cls, usages: "Iterable[Usage]") -> "Usage":
        """The sum of what several answers have cost."""
        parts = list(usages)
        return cls(
            requests=sum(part.requests for part in parts),
            prompt_tokens=sum(part.prompt_tokens for part in parts),
            completion_tokens=sum(part.completion_tokens for part in parts),
            cost=sum(part.cost for part in parts),
        )

    def told(self) -> str:
        """For people: requests, tokens, and the cost where prices are known."""
        tokens = f"{self.requests} requests, {self.prompt_tokens} + {self.completion_tokens} tokens"
        return f"{tokens}, cost {self.cost:.4f}" if self.cost else tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a model answered to one benchmark item; one line of `predictions.jsonl`."""

    item_id: str
    scores: Sequence[float] = ()
    """One score per candidate (higher is better), a tuple or a `FloatRow`; empty for generated answers."""
    text: str | None = None
    """Generated text; None where the protocol scores candidates."""
    error: str | None = None
    """Why there is no answer (bad video, outage); such an item is unscored, never right or wrong."""
    votes: tuple[Vote, ...] = ()
    """One answer for each order of the options, where an item was asked in several; `scores` and `text` are then
    empty."""
    frames_s: tuple[tuple[float, ...], ...] = ()
    """Times of the frames that the model reads, one tuple for each video of the item; empty where none is read."""
    usage: Usage | None = None
    """What the answer has cost; None for models that do not count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One figure with its interval and with what could not be counted."""

    name: str
    """Metric with its protocol, e.g. `egomcq/inter accuracy (likelihood)`."""
    value: float
    low: float
    high: float
    """95 % bootstrap interval, same unit as `value`."""
    n: int
    unparsed: int
    """Answers in which no option could be recognised: counted as wrong."""
    unscored: int
    """Items without an answer (bad video, outage): left out of `value`."""
    chance: float | None = None
    unjudged: int = 0
    """Replies of a judge that were not the expected object: never counted as right."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """What subset this is, e.g. {"facet": "colour", "told": "untold"}."""
