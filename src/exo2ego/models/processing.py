"""Processor of the exported model: text and frames to model inputs, in Hugging Face form and without torchvision."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import ProcessorMixin
from transformers.feature_extraction_utils import BatchFeature

from exo2ego.data.chat import ChatFormat, prefix_ids, question_ids
from exo2ego.models.tokenizer import VIDEO
from exo2ego.models.vision import normalise_frames

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}{{ before_video }}"
    "{% for c in m.content %}{% if c.type == 'video' %}<video>{% endif %}{% endfor %}"
    "{% for c in m.content %}{% if c.type == 'text' %}{{ before_question }}{{ c.text }}{% endif %}{% endfor %}"
    "{{ after_question }}{% else %}{{ before_answer }}{{ m.content[0].text }}{{ eos_token }}{% endif %}{% endfor %}"
)


class Exo2EgoProcessor(ProcessorMixin):  # type: ignore[misc]
    """Questions and frames to `input_ids`, `attention_mask` and `pixel_values_videos`."""

    attributes: ClassVar[list[str]] = ["tokenizer"]
    tokenizer_class = "AutoTokenizer"

    def __init__(
        self,
        tokenizer: Any,
        num_frames: int = 16,
        image_size: int = 336,
        video_tokens: int = 0,
        image_mean: Sequence[float] = (0.5, 0.5, 0.5),
        image_std: Sequence[float] = (0.5, 0.5, 0.5),
        before_video: str = ChatFormat().before_video,
        before_question: str = ChatFormat().before_question,
        after_question: str = ChatFormat().after_question,
        before_answer: str = ChatFormat().before_answer,
        chat_template: str | None = None,
    ) -> None:
        # Transformers reads the saved settings back through positional parameters only
        self.num_frames, self.image_size, self.video_tokens = num_frames, image_size, video_tokens
        self.image_mean, self.image_std = list(image_mean), list(image_std)
        self.before_video, self.before_question = before_video, before_question
        self.after_question, self.before_answer = after_question, before_answer
        self.video_token = VIDEO
        super().__init__(tokenizer, chat_template=chat_template or self._template())

    def _template(self) -> str:
        parts = {k: getattr(self, k) for k in ("before_video", "before_question", "after_question", "before_answer")}
        sets = "".join("{% set " + k + " = " + repr(v) + " %}" for k, v in parts.items())
        return sets + CHAT_TEMPLATE

    @property
    def chat(self) -> ChatFormat:
        """The text around video, question and answer."""
        return ChatFormat(
            before_video=self.before_video,
            before_question=self.before_question,
            after_question=self.after_question,
            before_answer=self.before_answer,
        )

    def pixels(self, frames: NDArray[np.uint8]) -> torch.Tensor:
        """uint8[B, T, H, W, 3] -> float32[B, T, 3, H, W], normalised."""
        return normalise_frames(torch.from_numpy(frames), tuple(self.image_mean), tuple(self.image_std))

    def __call__(
        self, text: str | Sequence[str] | None = None, videos: NDArray[np.uint8] | None = None, **_: Any
    ) -> BatchFeature:
        """Questions (one a video) and frames uint8[B, T, H, W, 3] or [T, H, W, 3], T = num_frames, square.

        Questions of different length are padded on the left. Raises ValueError when counts or shapes do not fit.
        """
        questions = [text] if isinstance(text, str) else list(text or ())
        frames = None if videos is None else np.asarray(videos).reshape(-1, *np.shape(videos)[-4:])
        self._check(questions, frames)
        rows = [self._row(question, frames is not None) for question in questions]
        width = max(len(row) for row in rows)
        pad = self.tokenizer.pad_token_id
        ids = torch.tensor([[pad] * (width - len(row)) + row for row in rows])
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
        data = {"input_ids": ids, "attention_mask": mask}
        if frames is not None:
            data["pixel_values_videos"] = self.pixels(frames)
        return BatchFeature(data)

    def _check(self, questions: list[str], frames: NDArray[np.uint8] | None) -> None:
        if not questions:
            raise ValueError("no question was given")
        if frames is None:
            return
        wanted = (self.num_frames, self.image_size, self.image_size, 3)
        if frames.shape[1:] != wanted or frames.dtype != np.uint8:
            raise ValueError(
                f"frames are {frames.dtype}{frames.shape}, the model takes uint8[B, {', '.join(map(str, wanted))}]"
            )
        if len(questions) != len(frames):
            raise ValueError(f"{len(questions)} questions for {len(frames)} videos; give one question a video")

    def _row(self, question: str, has_video: bool) -> list[int]:
        video = [self.tokenizer.convert_tokens_to_ids(VIDEO)] * (self.video_tokens if has_video else 0)
        return [*prefix_ids(self.tokenizer, self.chat), *video, *question_ids(self.tokenizer, self.chat, question)]

    def decode_answer(self, ids: torch.Tensor) -> str:
        """Generated token ids to the answer's text."""
        out: str = self.tokenizer.decode(ids, skip_special_tokens=True)
        return out.strip()
