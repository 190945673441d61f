"""`exo2ego ask VIDEO QUESTION`: one question about one video. The answer is on stdout, notes for people on stderr."""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from exo2ego.cli.common import VerbParser, at_least, existing_file, pick_device, quiet_libraries, seconds
from exo2ego.errors import InputError, MissingFileError
from exo2ego.records import VideoSpan

if TYPE_CHECKING:
    from exo2ego.data.guard import Guard
    from exo2ego.inference.engine import Engine

SHIPPED = "shipped"
"""The `--model` that stands for the weights shipped inside the package."""
DEMO_MODEL = Path("runs/demo/models/ours")
"""Where `exo2ego demo` leaves the model it trained, unless told otherwise."""
VIDEO_SUFFIXES = (".mp4", ".mkv", ".webm", ".avi", ".mov", ".m4v", ".ts", ".mpg")
"""What ends like this is meant as a video, also where there is no such file."""
VIDEO_LIMIT_S = 60.0
"""Reading the header, or the frames, may take so long; a file that hangs the decoder is given up then."""
SPARSE_S = 2.0
"""Frames further apart than this miss most of what happens: worth a note."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskArgs:
    """What the user asked for, checked: the video is a file, the question holds text, the times are in order."""

    video: Path
    question: str
    model: str
    start_s: float | None
    end_s: float | None
    max_new_tokens: int
    device: str
    json: bool
    video_limit_s: float

    def __post_init__(self) -> None:
        """Raises InputError or MissingFileError."""
        existing_file(self.video, "video")
        if not self.question.strip():
            raise InputError('question: it is empty; ask something, e.g. exo2ego ask clip.mp4 "What am I doing?"')
        if self.video_limit_s <= 0:
            raise InputError("--video-limit-s 0: no video can be read in no time; give seconds above 0")
        if self.start_s is not None and self.end_s is not None and self.start_s >= self.end_s:
            raise InputError(f"--start-s {self.start_s:g} is not before --end-s {self.end_s:g}")


def parse(argv: Sequence[str]) -> AskArgs:
    """The command line as AskArgs; InputError or MissingFileError where it makes no sense."""
    parser = VerbParser(
        prog="exo2ego ask",
        description="Ask a question about a first-person video; prints the answer.",
        example='exo2ego ask clip.mp4 "What am I doing?" --model runs/demo/models/ours --start-s 3 --end-s 5',
    )
    parser.usage = "%(prog)s VIDEO QUESTION [options]"
    # Both at once: argparse would say of `ask "What am I doing?"` that the question is missing.
    parser.add_argument("words", nargs="*", metavar="VIDEO QUESTION", help="a video file; the question, in quotes")
    parser.add_argument(
        "--model",
        default=SHIPPED,
        help="exported model folder; default: the third-person start shipped with the package, which has seen no "
        f"first-person video ('exo2ego demo' trains one that has: {DEMO_MODEL})",
    )
    parser.add_argument("--start-s", type=seconds, help="look only from this second of the video on")
    parser.add_argument("--end-s", type=seconds, help="look only up to this second of the video")
    parser.add_argument("--max-new-tokens", type=at_least(1), default=32, help="longest answer (default 32)")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"), help="default auto")
    parser.add_argument(
        "--video-limit-s",
        type=seconds,
        default=VIDEO_LIMIT_S,
        help=f"give a video up whose decoding takes longer than this (default {VIDEO_LIMIT_S:g})",
    )
    parser.add_argument("--json", action="store_true", help="print answer, model, stretch and frame times as JSON")
    options = vars(parser.parse_intermixed_args(argv))
    video, question = video_and_question(options.pop("words"))
    return AskArgs(video=Path(video), question=question, **options)


def video_and_question(words: Sequence[str]) -> tuple[str, str]:
    """The two words that are no flags; InputError saying which is missing, and how to call it."""
    if not words:
        raise InputError('video and question: both are missing, e.g. exo2ego ask clip.mp4 "What am I doing?"')
    first, *rest = words
    if not rest and (os.path.isfile(first) or Path(first).suffix.lower() in VIDEO_SUFFIXES):
        raise InputError(f'question: it is missing; ask something, e.g. exo2ego ask {first} "What am I doing?"')
    if not rest:
        raise InputError(f'video: it is missing; name one before the question, e.g. exo2ego ask clip.mp4 "{first}"')
    if len(rest) > 1:
        raise InputError(f'question: put it in quotes: exo2ego ask {first} "{" ".join(rest)}"')
    return first, rest[0]


def stretch(args: AskArgs, guard: "Guard") -> VideoSpan:
    """The stretch of video that the question is about, in full; VideoError where the file is no video.

    Looked at before the model is loaded: a mistake shows at once.
    """
    from exo2ego.data.video import probe

    end_s = guard.call(probe, str(args.video)).duration_s if args.end_s is None else args.end_s
    start_s = args.start_s or 0.0
    if start_s >= end_s:
        raise InputError(f"--start-s {start_s:g}: {args.video} is only {end_s:g} s long")
    return VideoSpan(path=str(args.video), start_s=start_s, end_s=end_s)


def model_dir(model: str) -> Path:
    """The folder of an exported model; MissingFileError naming what to do where it is none."""
    if model == SHIPPED:
        from exo2ego.models.weights import START

        folder = START
    else:
        folder = Path(model)
    if not (folder / "config.json").is_file():
        advice = "run 'exo2ego demo' to make one, or give --model FOLDER"
        raise MissingFileError(f"model: {folder} holds no exported model (no config.json): {advice}")
    return folder


def check_length(engine: "Engine", args: AskArgs) -> None:
    """Raises InputError for a question or an answer that does not fit into what the language model reads at once."""
    processor = engine.processor
    asked = processor(text=args.question)["input_ids"].shape[1]
    room = engine.model.config.text_config.max_position_embeddings - processor.video_tokens - args.max_new_tokens
    if room < 1:
        most = room + args.max_new_tokens - asked
        raise InputError(f"--max-new-tokens {args.max_new_tokens}: the model has room for {most} behind this question")
    if asked > room:
        raise InputError(f"question: {asked} tokens, and the model has room for {room}; ask something shorter")


def notes(args: AskArgs, folder: Path, frame_times_s: Sequence[float], answer: str) -> list[str]:
    """What a person should know about the answer."""
    out = []
    if args.model == SHIPPED:
        found = f"; try --model {DEMO_MODEL}" if (DEMO_MODEL / "config.json").is_file() else ""
        out.append(f"answered by the shipped third-person start, which has seen no first-person video{found}")
    apart = frame_times_s[1] - frame_times_s[0] if len(frame_times_s) > 1 else 0.0
    if apart > SPARSE_S:
        out.append(
            f"the model looked at {len(frame_times_s)} frames, one every {apart:.0f} s; "
            "name a shorter stretch with --start-s and --end-s"
        )
    if not answer:
        out.append(f"the model in {folder} said nothing")
    return out


def answered(args: AskArgs, folder: Path, guard: "Guard") -> tuple[VideoSpan, list[float], str]:
    """The stretch looked at, the times of its frames and the answer. The file is decoded by the guard's child only."""
    span = stretch(args, guard)
    from exo2ego.data.video import sample_times
    from exo2ego.inference.engine import Engine

    quiet_libraries()
    engine = Engine.load(folder, pick_device(args.device), call=guard.call)
    check_length(engine, args)
    answer = engine.generate(span, args.question, max_new_tokens=args.max_new_tokens)
    return span, sample_times(span.start_s or 0.0, span.end_s or 0.0, engine.processor.num_frames).tolist(), answer


def main(argv: Sequence[str]) -> int:
    """Parses, looks at the video, loads the model, answers."""
    args = parse(argv)
    folder = model_dir(args.model)
    from exo2ego.data.guard import Guard

    with Guard(time_limit_s=args.video_limit_s) as guard:
        span, times_s, answer = answered(args, folder, guard)
    said = notes(args, folder, times_s, answer)
    if args.json:
        stretched = {"start_s": span.start_s, "end_s": span.end_s, "frame_times_s": times_s}
        asked = {"video": str(args.video), "question": args.question, "answer": answer, "model": str(folder)}
        print(json.dumps(asked | stretched | {"notes": said}, ensure_ascii=False))
        return 0
    print(answer)
    for line in said:
        print(f"exo2ego: {line}", file=sys.stderr)
    return 0
