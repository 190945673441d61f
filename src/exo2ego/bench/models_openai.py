"""`openai:URL#MODEL`: a model behind an OpenAI-compatible server, shown a clip as pictures or as a small video.

Options are scored only where the server gives the log-probabilities of a prompt (vLLM: `prompt_logprobs`).
"""

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from exo2ego.bench.frames import Frames, frame_times, guarded, sample
from exo2ego.bench.openai_client import OpenAIClient, parse_server
from exo2ego.data.video import write_video
from exo2ego.errors import FormatError, InputError
from exo2ego.records import OptionScore, Usage, VideoSpan

JPEG_QUALITY = 90
INTRODUCTION = "These {count} pictures are frames of one video, in order of time."

Tokens = list[tuple[str, float]]
"""A prompt as the server read it: (token id, its log-probability; 0 for the first, which nothing precedes)."""


class ServerModel:
    """One model on one server behind `AnswerModel`; asked by as many threads as the settings allow."""

    def __init__(self, client: OpenAIClient) -> None:
        self._client, self._options = client, client.options
        self._tail: int | None = None
        self._call = guarded(self, self.concurrency)

    @property
    def name(self) -> str:
        """The model's name on its server."""
        return self._client.model

    @property
    def capabilities(self) -> frozenset[str]:
        """Words; log-probabilities where the settings say that the server gives them."""
        return frozenset({"text"} if self._options.logprobs == "none" else {"text", "logprobs"})

    @property
    def concurrency(self) -> int:
        """As the settings say."""
        return self._options.concurrency

    def frame_times(self, video: VideoSpan) -> tuple[float, ...]:
        """Seconds of the frames sent of a clip."""
        return frame_times(video, self._options.frames, self._call)

    def take_usage(self) -> Usage | None:
        """What the calling thread has spent since it last asked this."""
        return self._client.take_usage()

    def generate(self, video: VideoSpan | None, question: str, max_new_tokens: int = 32) -> str:
        """See `AnswerModel.generate`.

        Raises:
            VideoError: the clip cannot be decoded.
            OutageError: the server gives no answer; the item is then unscored.
            InputError: key, address or model are wrong.
        """
        limit = max(max_new_tokens, self._options.least_tokens)
        return self._client.complete([self.message(video, question)], max_tokens=limit).text.strip()

    def message(self, video: VideoSpan | None, question: str) -> dict[str, Any]:
        """The user's turn: the clip, then the question."""
        if not question.strip():
            raise FormatError("the question is empty; ask something")
        shown = [] if video is None else self._shown(sample(video, self._options.frames, self._call))
        return {"role": "user", "content": [*shown, {"type": "text", "text": question}]}

    def _shown(self, frames: Frames) -> list[dict[str, Any]]:
        pictures = [reduced(picture, self._options.size_px) for picture in frames.pictures]
        if self._options.send == "video":
            return [{"type": "video_url", "video_url": {"url": as_mp4(pictures, frames.fps)}}]
        shown = [{"type": "image_url", "image_url": {"url": as_jpeg(picture)}} for picture in pictures]
        return [{"type": "text", "text": INTRODUCTION.format(count=len(shown))}, *shown]

    def option_logprobs(self, video: VideoSpan | None, question: str, options: Sequence[str]) -> Sequence[OptionScore]:
        """See `AnswerModel.option_logprobs`; one request a question and one an option.

        Raises:
            InputError: the server gives no log-probabilities, or writes answers otherwise than it asks for them.
        """
        tail = self.answer_tail()
        asked = self.message(video, question)
        prompt = self._read([asked])
        return [self._score(prompt, asked, option, tail) for option in options]

    def _score(self, prompt: Tokens, asked: dict[str, Any], option: str, tail: int) -> OptionScore:
        told = self._read([asked, {"role": "assistant", "content": option.strip()}])
        start = len(prompt)
        if [token for token, _ in told[:start]] != [token for token, _ in prompt]:
            raise InputError(
                f"{self.name}: its chat template writes answers otherwise than it asks for them, so options "
                "cannot be scored; choose a protocol that reads words, without logprobs=prompt"
            )
        answer = told[start : len(told) - tail]
        return OptionScore(logprob=sum(logprob for _, logprob in answer), tokens=len(answer))

    def answer_tail(self) -> int:
        """How many tokens the template writes after the one that ends an answer; asks the server once.

        Raises:
            InputError: the server gives no log-probabilities of prompts.
        """
        if self._tail is None:
            turns: list[dict[str, Any]] = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}]
            closed, still_open = self._read(turns), self._read(turns, open_ended=True)
            self._tail = max(len(closed) - len(still_open) - 1, 0)
        return self._tail

    def _read(self, messages: list[dict[str, Any]], open_ended: bool = False) -> Tokens:
        """All tokens of a conversation, up to the place of an answer where the user spoke last."""
        body = self._client.complete(
            messages,
            max_tokens=1,
            prompt_logprobs=0,
            add_generation_prompt=messages[-1]["role"] == "user",
            continue_final_message=open_ended,
        ).body
        listed = body.get("prompt_logprobs")
        if not isinstance(listed, list) or not listed:
            raise InputError(
                f"{self.name}: the server gives no prompt_logprobs (vLLM does), so options cannot be scored; "
                "leave out logprobs=prompt and choose a protocol that reads words"
            )
        return [_token(self.name, place, entry) for place, entry in enumerate(listed)]


def _token(name: str, place: int, entry: object) -> tuple[str, float]:
    """One entry of `prompt_logprobs`: null for the first token, else {token id: {"logprob": ...}}."""
    if entry is None and place == 0:
        return "", 0.0
    if isinstance(entry, dict) and len(entry) == 1:
        ((token, told),) = entry.items()
        logprob = told.get("logprob") if isinstance(told, dict) else None
        if isinstance(logprob, int | float):
            return token, float(logprob)
    raise InputError(f"{name}: token {place} of the server's prompt_logprobs is {str(entry)[:80]!r}, not one token")


def reduced(picture: NDArray[np.uint8], size_px: int) -> NDArray[np.uint8]:
    """uint8[H, W, 3] with its longest side at most `size_px`, both sides even (video needs that)."""
    height, width = picture.shape[:2]
    scale = min(1.0, size_px / max(height, width))
    new = tuple(max(2, round(side * scale) // 2 * 2) for side in (width, height))
    if new == (width, height):
        return picture
    return np.asarray(Image.fromarray(picture).resize(new, Image.Resampling.LANCZOS))


def as_jpeg(picture: NDArray[np.uint8]) -> str:
    """uint8[H, W, 3] as a data URI."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=JPEG_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def as_mp4(pictures: Sequence[NDArray[np.uint8]], fps: float) -> str:
    """Pictures of one size as a data URI of an mp4 that lasts as long as the clip."""
    return f"data:video/mp4;base64,{base64.b64encode(write_video(None, np.stack(pictures), fps)).decode()}"


def load_server(argument: str) -> ServerModel:
    """The model of `openai:ARGUMENT`. With `logprobs=prompt` the server is asked once whether it gives them.

    Raises:
        InputError: the address or a setting is wrong, or there are no log-probabilities.
        OutageError: they were asked for and the server does not answer.
    """
    url, model, options = parse_server(argument)
    served = ServerModel(OpenAIClient(url, model, options))
    if options.logprobs != "none":
        served.answer_tail()
        served.take_usage()
    return served
