"""One model, loaded once: answers, option log-probabilities and text-video scores. Knows no benchmarks and no HTTP.

Shapes: `T` frames, `S` pixels, `N` visual tokens, `D` LLM width.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from transformers import DynamicCache

from exo2ego.data.chat import answer_ids, prefix_ids, question_ids
from exo2ego.data.guard import Calls, directly
from exo2ego.data.video import probe, read_clip, sample_times
from exo2ego.errors import InputError
from exo2ego.inference.recent import Recent
from exo2ego.inference.shared_prefix import SharedPrefix
from exo2ego.models.modeling import Exo2EgoForConditionalGeneration
from exo2ego.models.processing import Exo2EgoProcessor
from exo2ego.models.weights import load_model_folder
from exo2ego.records import OptionScore, VideoSpan

EMBED_QUESTION = "In one word, what does the camera-wearer do?"
"""What is asked where a vector is wanted: the state from which the word would be said is the vector. A text stands
where the video would stand, before the same question."""


class Engine:
    """Answers about one video at a time. Deterministic: greedy decoding, fixed frames (middles of equal parts)."""

    def __init__(
        self,
        model: Exo2EgoForConditionalGeneration,
        processor: Exo2EgoProcessor,
        name: str = "exo2ego",
        call: Calls = directly,
    ) -> None:
        """`call`: how the functions that read videos are called; guarded where the videos are of unknown origin."""
        self._call = call
        self.model, self.processor, self.name = model.eval(), processor, name
        self._visual = Recent(self._encode, lambda tokens: tokens.nbytes)

    @classmethod
    def load(cls, folder: str | Path, device: str = "cpu", call: Calls = directly) -> "Engine":
        """From an exported folder. Raises MissingFileError, CheckpointError or ChecksumError."""
        loaded = load_model_folder(Path(folder))
        return cls(loaded.model.to(device), loaded.processor, name=f"exo2ego:{folder}", call=call)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        out: torch.device = self.model.device
        return out

    def frames(self, video: VideoSpan) -> Tensor:
        """float32[1, T, 3, S, S], normalised. Raises VideoError for what cannot be decoded as asked."""
        p = self.processor
        clip = self._call(read_clip, video.path, video.start_s, video.end_s, p.num_frames, p.image_size)
        return p.pixels(clip[None]).to(self.device)

    def frame_times(self, video: VideoSpan) -> list[float]:
        """Seconds of the frames that `frames` reads (each the nearest there is). Raises VideoError."""
        start_s = video.start_s or 0.0
        end_s = self._call(probe, video.path).duration_s if video.end_s is None else video.end_s
        return [float(time) for time in sample_times(start_s, end_s, self.processor.num_frames)]

    def visual_tokens(self, video: VideoSpan) -> Tensor:
        """float[1, N, D] that the LLM reads; kept for the most recent videos."""
        return self._visual.get(video)

    @torch.inference_mode()
    def _encode(self, video: VideoSpan) -> Tensor:
        out: Tensor = self.model.get_video_features(self.frames(video)).pooler_output
        return out

    def generate(self, video: VideoSpan | None, question: str, max_new_tokens: int = 32) -> str:
        """The model's answer in words, greedily decoded; without a video, from the question alone.

        Never empty: a model that would rather end at once (the shipped start does, asked in a person it has not seen)
        gives its likeliest word.
        """
        if max_new_tokens < 1:
            raise InputError(f"max_new_tokens is {max_new_tokens}; it must be at least 1")
        stop = frozenset([self.processor.tokenizer.eos_token_id])
        ids = self.read(video, question).write(max_new_tokens, stop, least=1)
        return self.processor.decode_answer(torch.tensor(ids, dtype=torch.long))

    def option_logprobs(self, video: VideoSpan | None, question: str, options: Sequence[str]) -> list[OptionScore]:
        """log P(option | video, question) of each option and its number of tokens, end of sequence included.

        Video and question are read once by all options. `video=None` gives the text prior (no visual token at all).
        """
        if not options:
            raise InputError("there is no option to score")
        tokenizer, chat = self.processor.tokenizer, self.processor.chat
        return self.read(video, question).score([answer_ids(tokenizer, chat, option) for option in options])

    def embed_video(self, video: VideoSpan) -> NDArray[np.float32]:
        """float32[D] of length 1: last hidden state (after the final norm) at the end of `EMBED_QUESTION`.

        No training makes these vectors comparable with those of texts; they cost one pass a video and one a text.
        """
        return _as_unit(self.read(video, EMBED_QUESTION).last_hidden)

    def embed_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """float32[texts, D], each of length 1: as `embed_video`, the text before the question and no video."""
        if not texts or not all(text.strip() for text in texts):
            raise InputError("there is no text to embed, or an empty one")
        tokenizer, chat = self.processor.tokenizer, self.processor.chat
        asked = [question_ids(tokenizer, chat, f"{text.strip()}\n{EMBED_QUESTION}") for text in texts]
        return _as_unit(self.read(None, None).ends(asked))

    @torch.inference_mode()
    def read(self, video: VideoSpan | None, question: str | None) -> SharedPrefix:
        """Opening text, video and question, read by the LLM; what is asked next shares it."""
        tokenizer, chat = self.processor.tokenizer, self.processor.chat
        words = self.model.get_input_embeddings()
        parts = [words(self._row(prefix_ids(tokenizer, chat)))]
        if video is not None:
            parts.append(self.visual_tokens(video).to(parts[0].dtype))
        if question is not None:
            parts.append(words(self._row(question_ids(tokenizer, chat, question))))
        embeds = torch.cat(parts, dim=1)
        decoder, cache = self.model.model.language_model, DynamicCache()
        out = decoder(inputs_embeds=embeds, past_key_values=cache, use_cache=True)
        return SharedPrefix(decoder, self.model.lm_head, cache, out.last_hidden_state[0, -1], embeds.shape[1])

    def _row(self, ids: Sequence[int]) -> Tensor:
        return torch.tensor([list(ids)], device=self.device)


def _as_unit(vectors: Tensor) -> NDArray[np.float32]:
    """The same directions, length 1."""
    return np.asarray(functional.normalize(vectors.float(), dim=-1).cpu().numpy())
