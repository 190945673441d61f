"""The demo's examples: a few unseen moments from both views, and what each model says about the first-person one."""

import base64
import io
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from exo2ego.cli.demo_bench import CONTENDERS, model_spec
from exo2ego.cli.demo_steps import CHANCE_NAME, Demo, demo_recipe
from exo2ego.data.atomic import write_text
from exo2ego.data.clips import ClipRule
from exo2ego.data.egoexo4d import read_root
from exo2ego.data.pairs import FilterRule, make_clips
from exo2ego.data.video import read_frames, sample_times, write_video
from exo2ego.errors import FormatError
from exo2ego.inference.engine import Engine
from exo2ego.records import Clip, Stream, VideoSpan
from exo2ego.sim.questions import UNTOLD_QUESTIONS

if TYPE_CHECKING:
    from numpy.typing import NDArray

STILLS = 3
"""Frames of each view shown in the report."""
CLIP_FPS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the models said to one question; `said` maps a model's name to its words."""

    question: str
    said: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One moment: its narration, stills of both views as data URIs, the clip's file, the answers."""

    clip_id: str
    scenario: str
    narration: str
    video: str
    """The ego clip, relative to the demo's folder."""
    ego: tuple[str, ...]
    exo: tuple[str, ...]
    answers: tuple[Answer, ...]


def choose(demo: Demo) -> tuple[Path, list[Clip]]:
    """Clips of takes that no stage trained on, evenly spread. FormatError when there is none.

    Ego-Exo4D describes train and val takes only, so val takes are the ones to show.
    """
    dataset = read_root(demo.source)
    clips, _ = make_clips(dataset, ClipRule(), FilterRule(splits=("val",)))
    if not clips:
        raise FormatError(
            f"{demo.source}: no val take has a narration, so there is nothing to show; simulate more takes"
        )
    places = np.linspace(0, len(clips) - 1, min(demo.size.examples, len(clips))).round().astype(int)
    return dataset.root, [clips[place] for place in places]


def best_view(clip: Clip) -> Stream:
    """The exo camera named best, or the first."""
    return next((exo for exo in clip.exos if exo.cam_id == clip.best_exo), clip.exos[0])


def data_uri(frame: "NDArray[np.uint8]") -> str:
    """uint8[H, W, 3] as a JPEG inside a URL."""
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def stills(root: Path, stream: Stream, clip: Clip) -> tuple[str, ...]:
    """A few frames of one view, as data URIs."""
    frames = read_frames(root / stream.path, sample_times(clip.start_s, clip.end_s, STILLS))
    return tuple(data_uri(frame) for frame in frames)


def cut(root: Path, clip: Clip, target: Path) -> None:
    """The ego clip as a file of its own, to be asked about."""
    count = max(8, round((clip.end_s - clip.start_s) * CLIP_FPS))
    frames = read_frames(root / clip.ego.path, sample_times(clip.start_s, clip.end_s, count))
    target.parent.mkdir(parents=True, exist_ok=True)
    write_video(target, frames, count / (clip.end_s - clip.start_s))


def make_examples(demo: Demo) -> None:
    """Station: cuts the clips, asks every model, writes `examples.json` for the report."""
    root, clips = choose(demo)
    narrate, untold = demo_recipe(demo.size).narration_question, [texts[0] for texts in UNTOLD_QUESTIONS.values()]
    examples = []
    names = [name for name in CONTENDERS if name != CHANCE_NAME]
    engines = {name: Engine.load(model_spec(demo, name).partition(":")[2], demo.device) for name in names}
    for number, clip in enumerate(clips, start=1):
        video = demo.out / "examples" / f"clip-{number}.mp4"
        cut(root, clip, video)
        span = VideoSpan(path=str(video))
        examples.append(
            Example(
                clip_id=clip.clip_id,
                scenario=clip.scenario,
                narration=clip.text,
                video=video.relative_to(demo.out).as_posix(),
                ego=stills(root, clip.ego, clip),
                exo=stills(root, best_view(clip), clip),
                answers=tuple(
                    Answer(question=q, said={name: engine.generate(span, q) for name, engine in engines.items()})
                    for q in (narrate, untold[(number - 1) % len(untold)])
                ),
            )
        )
    write_text(examples_file(demo), json.dumps([asdict(example) for example in examples]) + "\n")


def examples_file(demo: Demo) -> Path:
    """Where `make_examples` leaves them."""
    return demo.out / "examples" / "examples.json"


def read_examples(path: Path) -> list[Example]:
    """Examples as written by `make_examples`."""
    rows = json.loads(path.read_text(encoding="utf-8"))
    return [
        Example(
            **{
                **row,
                "ego": tuple(row["ego"]),
                "exo": tuple(row["exo"]),
                "answers": tuple(Answer(**answer) for answer in row["answers"]),
            }
        )
        for row in rows
    ]
