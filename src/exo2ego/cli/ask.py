"""`exo2ego ask VIDEO QUESTION`: one question about one video, the answer on stdout and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from exo2ego.cli.common import VerbParser, at_least, existing_file, quiet_libraries, seconds
from exo2ego.errors import EnvironmentUnfitError, InputError, MissingFileError
from exo2ego.records import VideoSpan

SHIPPED = "assets"
"""The `--model` that stands for the weights shipped inside the package."""


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

    def __post_init__(self) -> None:
        """Raises InputError or MissingFileError."""
        existing_file(self.video, "video")
        if not self.question.strip():
            raise InputError('question: it is empty; ask something, e.g. exo2ego ask clip.mp4 "What am I doing?"')
        if (self.start_s is None) != (self.end_s is None):
            raise InputError("--start-s and --end-s go together: give both, or none for the whole video")
        if self.start_s is not None and self.end_s is not None and self.start_s >= self.end_s:
            raise InputError(f"--start-s {self.start_s:g} is not before --end-s {self.end_s:g}")

    def span(self) -> VideoSpan:
        """The stretch of video that the question is about."""
        return VideoSpan(path=str(self.video), start_s=self.start_s, end_s=self.end_s)


def parse(argv: Sequence[str]) -> AskArgs:
    """The command line as AskArgs; InputError or MissingFileError where it makes no sense."""
    parser = VerbParser(
        prog="exo2ego ask",
        description="Ask a question about a first-person video; prints the answer.",
        example='exo2ego ask clip.mp4 "What am I doing?" --model runs/demo/models/ours',
    )
    parser.add_argument("video", type=Path, help="a video file")
    parser.add_argument("question", help="the question, in quotes")
    parser.add_argument(
        "--model", default=SHIPPED, help="exported model folder; default: the weights shipped with the package"
    )
    parser.add_argument("--start-s", type=seconds, help="look only from this second of the video on")
    parser.add_argument("--end-s", type=seconds, help="look only up to this second of the video")
    parser.add_argument("--max-new-tokens", type=at_least(1), default=32, help="longest answer (default 32)")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"), help="default auto")
    return AskArgs(**vars(parser.parse_args(argv)))


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


def pick_device(device: str) -> str:
    """`auto` becomes cuda where there is one; EnvironmentUnfitError where cuda is asked for and there is none."""
    import torch

    has_cuda = torch.cuda.is_available()
    if device == "cuda" and not has_cuda:
        raise EnvironmentUnfitError("--device cuda: torch finds no GPU here; 'exo2ego doctor' says more")
    return "cuda" if has_cuda and device != "cpu" else "cpu"


def main(argv: Sequence[str]) -> int:
    """Parses, loads the model, answers."""
    args = parse(argv)
    folder = model_dir(args.model)
    from exo2ego.inference.engine import Engine

    quiet_libraries()

    engine = Engine.load(folder, pick_device(args.device))
    print(engine.generate(args.span(), args.question, max_new_tokens=args.max_new_tokens))
    return 0
