"""What one reading of the video saves when options are scored.

    python benchmarks/likelihood_speed.py [--model FOLDER] [--options 5] [--questions 8]

One run, one model (the shipped start, or any exported folder), videos of noise made here. Questions a second of:
  shared      the engine: video and question read once, options behind their keys and values
  separate    video, question and option read anew for each option, tower included (what scoring without sharing costs)
  same_tower  as `separate`, but the tower's output is kept: only the LLM reads anew for each option
  generate    Transformers' own `generate` of 1 and of 16 tokens about the same video (what a letter protocol costs)
Frames are decoded beforehand and are in none of these; what decoding adds is the figure `decode_s_per_video`. Every
question is about another video, so nothing is kept from one question to the next. Seconds are processor seconds of the
one thread that computes: those of an idle machine, whatever else runs. Prints JSON; `agreement` is the largest
difference between the shared and the separate log-probabilities.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from exo2ego.data.chat import answer_ids, prefix_ids
from exo2ego.data.video import write_video
from exo2ego.inference.engine import Engine
from exo2ego.models.weights import ASSETS
from exo2ego.records import VideoSpan

QUESTION = "What does the camera-wearer do with the object on the table in front of them?"
WORDS = ("lifts the cup", "pushes the red box to the left", "taps the jar twice", "puts the book down", "opens the pan")
REPEATS = 5


class Decoded(Engine):
    """The engine with frames that are decoded already, and nothing kept between questions."""

    pixels: dict[VideoSpan, Tensor]

    def frames(self, video: VideoSpan) -> Tensor:
        """The decoded frames."""
        return self.pixels[video]

    def visual_tokens(self, video: VideoSpan) -> Tensor:
        """Encoded anew each time it is asked for."""
        return self._encode(video)


def prompt(engine: Decoded) -> Tensor:
    """int64[1, P]: the prompt with the video's placeholders, as Transformers reads it."""
    p = engine.processor
    ids, length = p(text=QUESTION)["input_ids"], len(prefix_ids(p.tokenizer, p.chat))
    holes = torch.full((1, p.video_tokens), engine.model.config.video_token_id)
    return torch.cat([ids[:, :length], holes, ids[:, length:]], dim=1)


@torch.inference_mode()
def separate(engine: Decoded, video: VideoSpan, options: list[str], same_tower: bool) -> list[float]:
    """Summed log-probabilities with one full forward for each option."""
    ids, out = prompt(engine), []
    visual = engine.visual_tokens(video) if same_tower else None
    for option in options:
        answer = torch.tensor([answer_ids(engine.processor.tokenizer, engine.processor.chat, option)])
        row = torch.cat([ids, answer], dim=1)
        if visual is None:
            inputs = {"input_ids": row, "pixel_values_videos": engine.frames(video)}
        else:
            embeds = engine.model.get_input_embeddings()(row)
            mask = (row == engine.model.config.video_token_id).unsqueeze(-1)
            inputs = {"inputs_embeds": embeds.masked_scatter(mask, visual)}
        logits = engine.model(**inputs, use_cache=False, logits_to_keep=answer.shape[1] + 1).logits
        logprobs = logits[0, :-1].float().log_softmax(-1)
        out.append(float(logprobs.gather(1, answer[0, :, None]).sum()))
    return out


@torch.inference_mode()
def generate(engine: Decoded, video: VideoSpan, tokens: int) -> None:
    """Exactly `tokens` new tokens through Transformers."""
    ids, tokenizer = prompt(engine), engine.processor.tokenizer
    engine.model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), pixel_values_videos=engine.frames(video), do_sample=False,
        max_new_tokens=tokens, min_new_tokens=tokens, pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip


def rate(ask: Callable[[VideoSpan], object], videos: list[VideoSpan]) -> float:
    """Questions a second, the best of some rounds."""
    best = float("inf")
    for _ in range(REPEATS):
        began = time.process_time()
        for video in videos:
            ask(video)
        best = min(best, time.process_time() - began)
    return len(videos) / best


def noise_videos(folder: Path, count: int) -> list[VideoSpan]:
    """Two-second videos of noise, 128 px."""
    rng = np.random.default_rng(0)
    videos = [VideoSpan(path=str(folder / f"{number}.mp4")) for number in range(count)]
    for video in videos:
        write_video(Path(video.path), rng.integers(0, 255, (20, 128, 128, 3), dtype=np.uint8), 10.0)
    return videos


def measure(folder: Path, questions: int, count: int) -> dict[str, float]:
    """All figures of one model."""
    engine = Decoded.load(folder)
    assert isinstance(engine, Decoded)
    options = [f"Camera-wearer {WORDS[n % len(WORDS)]}{' again' * (n // len(WORDS))}." for n in range(count)]
    with tempfile.TemporaryDirectory() as temporary:
        videos = noise_videos(Path(temporary), questions)
        began = time.perf_counter()
        engine.pixels = {video: Engine.frames(engine, video) for video in videos}
        decode_s = (time.perf_counter() - began) / questions
    asked = {
        "shared": rate(lambda video: engine.option_logprobs(video, QUESTION, options), videos),
        "separate": rate(lambda video: separate(engine, video, options, same_tower=False), videos),
        "same_tower": rate(lambda video: separate(engine, video, options, same_tower=True), videos),
        "generate_1": rate(lambda video: generate(engine, video, 1), videos),
        "generate_16": rate(lambda video: generate(engine, video, 16), videos),
    }
    shared = [score.logprob for score in engine.option_logprobs(videos[0], QUESTION, options)]
    apart = np.abs(np.subtract(shared, separate(engine, videos[0], options, same_tower=False))).max()
    return {
        "options": count,
        "prompt_tokens": int(prompt(engine).shape[1]),
        **{f"{name}_questions_per_s": round(value, 2) for name, value in asked.items()},
        **{f"shared_over_{name}": round(asked["shared"] / asked[name], 2) for name in asked if name != "shared"},
        "agreement": float(apart),
        "decode_s_per_video": round(decode_s, 4),
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=ASSETS / "start")
    parser.add_argument("--options", type=int, default=5)
    parser.add_argument("--questions", type=int, default=8)
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(json.dumps(measure(args.model, args.questions, args.options), indent=1))


if __name__ == "__main__":
    main()
