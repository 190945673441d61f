"""`exo2ego:DIR`: our own model, the inference engine behind the interface of the benchmarks."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from exo2ego.bench.frames import guarded
from exo2ego.errors import MissingFileError
from exo2ego.records import OptionScore, VideoSpan


class EngineModel:
    """Our own model: the inference engine, under the name of its folder."""

    def __init__(self, model_dir: Path) -> None:
        import torch  # only when a model is really asked: scoring and reports do without
        from transformers.utils import logging

        from exo2ego.inference.engine import Engine

        logging.disable_progress_bar()  # the run has a bar of its own
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self._engine = Engine.load(model_dir, device, call=guarded(self, self.concurrency))
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
