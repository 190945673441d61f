"""What a benchmark may ask of a model, and the models that the command line can name."""

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from exo2ego.bench.baselines import BlindModel, RandomModel
from exo2ego.errors import InputError, MissingFileError
from exo2ego.records import OptionScore, Usage, VideoSpan

CAPABILITIES: dict[str, str] = {
    "text": "answers in words (`generate`)",
    "logprobs": "log-probabilities of given answers (`option_logprobs`)",
    "embeddings": "vectors of texts and of videos (`embed_text`, `embed_video`)",
}
"""What a model may be able to do, with the words in which it is told to users."""

FINGERPRINT_BYTES = 1 << 20
"""Bytes read from each end of a weight file: tells checkpoints apart without reading 14 GB."""


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


class EngineModel:
    """Our own model: the inference engine, under the name of its folder."""

    def __init__(self, model_dir: Path) -> None:
        import torch  # only when a model is really asked: scoring and reports do without

        from exo2ego.inference.engine import Engine

        self._engine = Engine.load(model_dir, "cuda" if torch.cuda.is_available() else "cpu")
        self._name = model_dir.resolve().name

    @property
    def name(self) -> str:
        """The folder's name."""
        return self._name

    @property
    def capabilities(self) -> frozenset[str]:
        """Words, log-probabilities and vectors."""
        return frozenset({"text", "logprobs", "embeddings"})

    @property
    def concurrency(self) -> int:
        """One: it computes here."""
        return 1

    def generate(self, video: VideoSpan | None, question: str, max_new_tokens: int = 32) -> str:
        """See `AnswerModel.generate`."""
        return self._engine.generate(video, question, max_new_tokens=max_new_tokens)

    def option_logprobs(self, video: VideoSpan | None, question: str, options: Sequence[str]) -> Sequence[OptionScore]:
        """See `AnswerModel.option_logprobs`."""
        return self._engine.option_logprobs(video, question, options)

    def embed_video(self, video: VideoSpan) -> NDArray[np.float32]:
        """See `EmbeddingModel.embed_video`."""
        return self._engine.embed_video(video)

    def embed_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `EmbeddingModel.embed_text`."""
        return self._engine.embed_text(texts)

    def frame_times(self, video: VideoSpan) -> Sequence[float]:
        """See `ReadsFrames.frame_times`."""
        return self._engine.frame_times(video)


def _our_model(argument: str, seed: int) -> AnswerModel:
    return EngineModel(model_folder(argument))


def _blind_model(argument: str, seed: int) -> AnswerModel:
    return BlindModel(EngineModel(model_folder(argument)))


def _random_model(argument: str, seed: int) -> AnswerModel:
    if argument:
        raise InputError(f"--model random:{argument}: 'random' takes no folder; use --seed for other draws")
    return RandomModel(seed)


MODELS: dict[str, Callable[[str, int], AnswerModel]] = {
    "exo2ego": _our_model,
    "blind": _blind_model,
    "random": _random_model,
}


def load_model(spec: str, seed: int) -> AnswerModel:
    """The model named by `exo2ego:DIR`, `blind:DIR` or `random`.

    Raises:
        InputError: the kind is unknown.
        MissingFileError: the folder is not there or holds no model.
    """
    kind, _, argument = spec.partition(":")
    if kind not in MODELS:
        raise InputError(f"--model {spec}: unknown kind {kind!r}; use exo2ego:DIR, blind:DIR or random")
    return MODELS[kind](argument, seed)


def model_folder(argument: str) -> Path:
    """The folder of an exported model, checked to hold one.

    Raises:
        MissingFileError: no such folder, or no `config.json` in it.
    """
    folder = Path(argument)
    if not argument or not folder.is_dir():
        raise MissingFileError(f"model folder {argument!r} is not there; give exo2ego:DIR with the folder of a model")
    if not (folder / "config.json").is_file():
        raise MissingFileError(f"{folder}: no config.json, so no exported model; give the folder that has it")
    return folder


def model_fingerprint(spec: str) -> str:
    """Short hash of what a model is, so that one predictions file never mixes two models.

    Weight and JSON files count by name, size and their first and last MiB; `random` has no folder.
    """
    kind, _, argument = spec.partition(":")
    digest = hashlib.sha256(kind.encode())
    if not argument:
        return digest.hexdigest()[:16]
    for path in sorted(model_folder(argument).iterdir()):
        if path.suffix not in (".json", ".safetensors"):
            continue
        size = path.stat().st_size
        digest.update(f"{path.name} {size}".encode())
        with path.open("rb") as file:
            digest.update(file.read(FINGERPRINT_BYTES))
            file.seek(max(0, size - FINGERPRINT_BYTES), os.SEEK_SET)
            digest.update(file.read(FINGERPRINT_BYTES))
    return digest.hexdigest()[:16]
