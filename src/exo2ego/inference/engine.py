"""One model, loaded once: answers, option log-probabilities and text-video scores. Knows no benchmarks and no HTTP.

Shapes: `T` frames, `S` pixels, `N` visual tokens, `D` LLM width.
"""

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from exo2ego.data.batch import PackedText, pack_text
from exo2ego.data.chat import Segment, encode_question, encode_segment, prefix_ids
from exo2ego.data.video import read_clip
from exo2ego.errors import InputError
from exo2ego.models.language import Language
from exo2ego.models.modeling import Exo2EgoForConditionalGeneration
from exo2ego.models.processing import Exo2EgoProcessor
from exo2ego.models.weights import load_model_folder
from exo2ego.records import OptionScore, Turn, VideoSpan

MAX_TEXT_TOKENS = 1024
"""Text tokens of options read behind one video in one pass; more options are read in several passes."""
CACHE_BYTES = 256 << 20
"""Visual tokens kept of the most recent videos: benchmarks ask about one clip many times."""

EMBED_QUESTION = "In one word, what does the camera-wearer do?"
"""What is asked where a vector is wanted: the state from which the word would be said is the vector. A text stands
where the video would stand, before the same question."""


class Engine:
    """Answers about one video at a time. Deterministic: greedy decoding, fixed frames (middles of equal parts)."""

    def __init__(
        self, model: Exo2EgoForConditionalGeneration, processor: Exo2EgoProcessor, name: str = "exo2ego"
    ) -> None:
        self.model, self.processor, self.name = model.eval(), processor, name
        self.language = Language(model.model.language_model, model.lm_head).eval()
        self._visual: OrderedDict[VideoSpan, Tensor] = OrderedDict()

    @classmethod
    def load(cls, folder: str | Path, device: str = "cpu") -> "Engine":
        """From an exported folder. Raises MissingFileError, CheckpointError or ChecksumError."""
        loaded = load_model_folder(Path(folder))
        return cls(loaded.model.to(device), loaded.processor, name=f"exo2ego:{folder}")

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        out: torch.device = self.model.device
        return out

    def frames(self, video: VideoSpan) -> Tensor:
        """float32[1, T, 3, S, S], normalised. Raises VideoError for what cannot be decoded as asked."""
        p = self.processor
        clip = read_clip(video.path, video.start_s, video.end_s, p.num_frames, p.image_size)
        return p.pixels(clip[None]).to(self.device)

    def visual_tokens(self, video: VideoSpan) -> Tensor:
        """float[1, N, D] that the LLM reads; kept for the most recent videos."""
        if video not in self._visual:
            with torch.inference_mode():
                self._visual[video] = self.model.get_video_features(self.frames(video)).pooler_output
            while len(self._visual) > 1 and sum(t.nbytes for t in self._visual.values()) > CACHE_BYTES:
                self._visual.popitem(last=False)
        return self._visual[video]

    def generate(self, video: VideoSpan | None, question: str, max_new_tokens: int = 32) -> str:
        """The model's answer in words, greedily decoded; without a video, from the question alone."""
        if max_new_tokens < 1:
            raise InputError(f"max_new_tokens is {max_new_tokens}; it must be at least 1")
        inputs: dict[str, Tensor] = {}
        if video is not None:
            inputs["pixel_values_videos"] = self.frames(video)
        ids = self.processor(text=question)["input_ids"].to(self.device)
        row = ids if video is None else self.with_placeholders(ids)
        with torch.inference_mode():
            out = self.model.generate(
                input_ids=row,
                attention_mask=torch.ones_like(row),
                max_new_tokens=max_new_tokens,
                do_sample=False,
                eos_token_id=self.processor.tokenizer.eos_token_id,
                pad_token_id=self.processor.tokenizer.pad_token_id,
                **inputs,
            )
        return self.processor.decode_answer(out[0, row.shape[1] :])

    def with_placeholders(self, ids: Tensor) -> Tensor:
        """int64[1, L] of a text-only prompt -> the same with the video's placeholders behind the prefix."""
        length = len(prefix_ids(self.processor.tokenizer, self.processor.chat))
        holes = torch.full((1, self.processor.video_tokens), self.model.config.video_token_id, device=ids.device)
        return torch.cat([ids[:, :length], holes, ids[:, length:]], dim=1).to(self.device)

    def option_logprobs(self, video: VideoSpan | None, question: str, options: Sequence[str]) -> list[OptionScore]:
        """log P(option | video, question) of each option and its number of tokens, end of sequence included.

        The video is encoded once and read by all options. `video=None` gives the text prior (no visual token at all).
        """
        if not options:
            raise InputError("there is no option to score")
        visual = None if video is None else self.visual_tokens(video)
        tokenizer, chat = self.processor.tokenizer, self.processor.chat
        segments = [encode_segment(tokenizer, chat, [Turn(question=question, answer=option)]) for option in options]
        out: list[OptionScore] = []
        for group in groups_within(segments, MAX_TEXT_TOKENS):
            out += self._score(visual, group)
        return out

    def embed_video(self, video: VideoSpan) -> NDArray[np.float32]:
        """float32[D] of length 1: last hidden state (after the final norm) at the end of `EMBED_QUESTION`.

        No training makes these vectors comparable with those of texts; they cost one pass a video and one a text.
        """
        (vector,) = self._embed(self.visual_tokens(video), [EMBED_QUESTION])
        return np.asarray(vector)

    def embed_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """float32[texts, D], each of length 1: as `embed_video`, the text before the question and no video."""
        if not texts or not all(text.strip() for text in texts):
            raise InputError("there is no text to embed, or an empty one")
        return self._embed(None, [f"{text.strip()}\n{EMBED_QUESTION}" for text in texts])

    def _embed(self, visual: Tensor | None, questions: Sequence[str]) -> NDArray[np.float32]:
        tokenizer, chat = self.processor.tokenizer, self.processor.chat
        segments = [encode_question(tokenizer, chat, question) for question in questions]
        out = []
        for group in groups_within(segments, MAX_TEXT_TOKENS):
            text = pack_text([group], tokenizer.pad_token_id).to(self.device)
            with torch.inference_mode():
                hidden = self.language.read(prefix_ids(tokenizer, chat), visual, text)
                out.append(functional.normalize(hidden[text.last_of_segment()].float(), dim=-1).cpu().numpy())
        return np.concatenate(out)

    def _score(self, visual: Tensor | None, segments: Sequence[Segment]) -> list[OptionScore]:
        tokenizer = self.processor.tokenizer
        text = pack_text([segments], tokenizer.pad_token_id).to(self.device)
        with torch.inference_mode():
            hidden = self.language.read(prefix_ids(tokenizer, self.processor.chat), visual, text)
            logprobs = answer_logprobs(self.language, hidden, text)
        places = text.before_answers()
        owner = text.segments[places]
        totals = torch.zeros(len(segments), device=self.device).index_add(0, owner, logprobs)
        counts = torch.bincount(owner, minlength=len(segments))
        return [OptionScore(logprob=float(t), tokens=int(c)) for t, c in zip(totals, counts, strict=True)]


def answer_logprobs(language: Language, hidden: Tensor, text: PackedText) -> Tensor:
    """float32[K]: log-probability of every answer token, row by row."""
    places = text.before_answers()
    targets = text.labels[:, 1:][places[:, :-1]]
    logits = language.logits_at(hidden, places).log_softmax(-1)
    return logits.gather(1, targets.unsqueeze(1)).squeeze(1)


def groups_within(segments: Sequence[Segment], limit: int) -> list[list[Segment]]:
    """Segments in order, in groups of at most `limit` tokens (a longer segment stands alone)."""
    groups: list[list[Segment]] = []
    used = limit + 1
    for segment in segments:
        if used + len(segment.ids) > limit:
            groups.append([])
            used = 0
        groups[-1].append(segment)
        used += len(segment.ids)
    return groups
