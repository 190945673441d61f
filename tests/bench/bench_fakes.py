"""Contents of small benchmark folders in the real files' form, and a model whose answers are known."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np

from exo2ego.errors import VideoError
from exo2ego.records import OptionScore, VideoSpan

KINDS = ("cup", "box", "jar", "pan", "book")
VERBS = ("lift", "push")


def write_tiny_mp4(path: Path) -> None:
    """Four 16 px frames: enough to be a video file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=4)
        stream.width = stream.height = 16
        for shade in range(4):
            picture = np.full((16, 16, 3), 60 * shade, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def mcq_question(number: int, intra: bool) -> dict[str, Any]:
    """Question `number` in egomcq.json's form; the right clip is choice `number % 5`."""

    def clip(choice: int) -> dict[str, Any]:
        uid = f"vid{number % 5}" if intra else f"vid{choice}"
        text = f"#C C lifts the {KINDS[choice]}"
        return {"video_uid": uid, "clip_start": 2.0 * choice, "clip_end": 2.0 * choice + 1, "clip_text": text}

    choices = {str(choice): clip(choice) for choice in range(5)}
    answer = number % 5
    return {"answer": answer, "query": choices[str(answer)], "choices": choices, "types": 2 if intra else 1}


def mcq_file() -> dict[str, Any]:
    return {str(number): mcq_question(number, intra=number % 2 == 1) for number in range(20)}


def schema_rows() -> list[dict[str, Any]]:
    rows = []
    for number in range(12):
        options = {f"option {index}": f"The {KINDS[(index + number) % 5]} is moved." for index in range(5)}
        question = f"What is moved in {number}?"
        rows.append({"q_uid": f"q{number}", "google_drive_id": "x", "question": question, **options})
    return rows


CLIP_HEADER = [
    "narration_id",
    "participant_id",
    "video_id",
    "narration_timestamp",
    "start_timestamp",
    "stop_timestamp",
    "start_frame",
    "stop_frame",
    "narration",
    "verb",
    "verb_class",
    "noun",
    "noun_class",
    "all_nouns",
    "all_noun_classes",
]


def mir_rows() -> list[list[str]]:
    rows = []
    for number in range(20):
        video, verb, noun = 1 + number // 7, number % 2, number % 5
        times = [f"00:00:{number:02d}.00", f"00:00:{number:02d}.50"]
        name, text = f"P01_{video:02d}", f"{VERBS[verb]} {KINDS[noun]}"
        classes = [VERBS[verb], str(verb), KINDS[noun], str(noun), f"['{KINDS[noun]}']", f"[{noun}]"]
        rows.append([f"{name}_{number}", "P01", name, "", *times, "1", "2", text, *classes])
    return rows


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


class FakeModel:
    """Answers by a rule; counts what it was asked; fails on the videos it is told to."""

    name = "fake"
    capabilities = frozenset({"text", "logprobs"})
    concurrency = 1

    def __init__(self, rule: Callable[[VideoSpan | None, str], float], text: str = "(A)", bad: str = "") -> None:
        self.rule, self.text, self.bad = rule, text, bad
        self.asked: list[tuple[VideoSpan | None, str, tuple[str, ...]]] = []

    def _see(self, video: VideoSpan | None, question: str, options: Sequence[str]) -> None:
        self.asked.append((video, question, tuple(options)))
        if self.bad and video is not None and self.bad in video.path:
            raise VideoError(f"{video.path}: no frames")

    def generate(self, video: VideoSpan | None, question: str, max_new_tokens: int = 32) -> str:
        self._see(video, question, ())
        return self.text

    def option_logprobs(self, video: VideoSpan | None, question: str, options: Sequence[str]) -> list[OptionScore]:
        self._see(video, question, options)
        return [OptionScore(logprob=self.rule(video, option), tokens=len(option.split())) for option in options]


def sees_the_kind(video: VideoSpan | None, text: str) -> float:
    """Right for EgoMCQ's folders: the kind shown is told by the clip's start, `KINDS[start / 2]`."""
    shown = KINDS[int((video.start_s or 0) / 2) % 5] if video is not None else ""
    return 0.0 if shown and shown in text else -float(len(text))
