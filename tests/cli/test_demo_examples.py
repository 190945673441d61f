"""The demo's examples: unseen moments of both views, cut and shown at the right instant, asked of every model."""

import base64
import io
import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from coded_video import make_video, number_of, numbers_of, steady
from PIL import Image
from tiny_tree import CAMERAS, SPLITS, TAKES, Tree, annotation, description, take_row

from exo2ego.cli import demo_examples
from exo2ego.cli.demo_bench import CONTENDERS
from exo2ego.cli.demo_examples import best_view, choose, data_uri, examples_file, make_examples, read_examples, stills
from exo2ego.cli.demo_steps import CHANCE_NAME, SHORT, Demo, demo_recipe
from exo2ego.data.clips import ClipRule
from exo2ego.data.egoexo4d import read_root
from exo2ego.data.pairs import FilterRule, make_clips
from exo2ego.data.video import probe, read_frames, sample_times
from exo2ego.errors import FormatError
from exo2ego.records import Clip, VideoSpan
from exo2ego.sim.questions import QUESTIONS, UNTOLD_FACETS

OFFSET = dict(zip(CAMERAS, (0, 100, 200), strict=True))
"""Frame i of a camera shows i + its offset."""


@pytest.fixture(scope="module")
def videos() -> dict[str, bytes]:
    return {cam: make_video(steady(60), first_number=first) for cam, first in OFFSET.items()}


@pytest.fixture
def shown(demo: Demo, videos: dict[str, bytes]) -> Demo:
    """A demo whose world holds a train take and a val take with five narrations."""
    descriptions = [description(f"C does thing {n}.", 0.8 + n) for n in range(5)]
    descriptions[1]["best_exo"] = {"cam_id": "cam01"}
    tree = Tree(
        root=demo.source,
        takes=[take_row(uid, name) for uid, name in TAKES.items()],
        train={"uid-a": [annotation("ann-1", [description("C lifts the cup.", 1.0)])]},
        val={"uid-v": [annotation("ann-4", descriptions)]},
        splits=dict(SPLITS),
    )
    tree.write_videos(videos)
    tree.save()
    return demo


@dataclass
class FakeEngine:
    """Says its name and how often it was asked."""

    folder: str
    asked: list[tuple[VideoSpan, str]] = field(default_factory=list)

    def generate(self, span: VideoSpan, question: str) -> str:
        self.asked.append((span, question))
        return f"{Path(self.folder).name} {len(self.asked)}"


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> list[FakeEngine]:
    made: list[FakeEngine] = []

    class Engine:
        @classmethod
        def load(cls, folder: str, device: str) -> FakeEngine:
            assert device == "cpu"
            made.append(FakeEngine(folder))
            return made[-1]

    monkeypatch.setattr(demo_examples, "Engine", Engine)
    return made


def picture(uri: str) -> np.ndarray:
    head, _, body = uri.partition(",")
    assert head == "data:image/jpeg;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(body))))


def test_only_takes_that_no_stage_trained_on_are_shown(shown: Demo) -> None:
    root, clips = choose(shown)
    assert root == shown.source
    assert {clip.take_uid for clip in clips} == {"uid-v"}
    assert len(clips) == SHORT.examples
    assert [clip.text for clip in clips] == ["C does thing 0.", "C does thing 2.", "C does thing 4."], "evenly spread"


def test_a_small_world_shows_what_there_is(shown: Demo) -> None:
    _, clips = choose(replace(shown, size=replace(SHORT, examples=50)))
    assert [clip.text for clip in clips] == [f"C does thing {n}." for n in range(5)]


def test_a_world_without_val_narrations_says_what_to_do(shown: Demo) -> None:
    (shown.source / "annotations/atomic_descriptions_val.json").write_text(json.dumps({"annotations": {}}))
    with pytest.raises(FormatError, match="no val take has a narration, so there is nothing to show; simulate more"):
        choose(shown)


def clips_of(demo: Demo) -> list[Clip]:
    return make_clips(read_root(demo.source), ClipRule(), FilterRule(splits=("val",)))[0]


def test_the_exo_view_shown_is_the_one_annotated_as_best(shown: Demo) -> None:
    """Of the narration, else of the take; else, where that has no video, the first."""
    first, second, *_ = clips_of(shown)
    assert (best_view(first).cam_id, best_view(second).cam_id) == ("cam02", "cam01")
    assert best_view(replace(first, best_exo=None)) == first.exos[0]
    assert best_view(replace(first, best_exo="cam09")) == first.exos[0]


def test_stills_are_the_clips_own_frames_in_order(shown: Demo) -> None:
    clip = clips_of(shown)[2]
    for stream in (clip.ego, *clip.exos):
        found = [number_of(picture(uri)) for uri in stills(shown.source, stream, clip)]
        times = sample_times(clip.start_s, clip.end_s, demo_examples.STILLS)
        assert len(found) == 3
        assert found == numbers_of(read_frames(shown.source / stream.path, times))
        assert all(abs(n - OFFSET[stream.cam_id] - 10 * t) <= 1 for n, t in zip(found, times, strict=True))


def test_a_picture_in_the_page_is_the_picture(shown: Demo) -> None:
    """JPEG loses a little, and neither size nor order of the channels."""
    frame = np.zeros((24, 40, 3), np.uint8)
    frame[:, :20, 0], frame[:, 20:, 2] = 200, 200
    back = picture(data_uri(frame)).astype(int)
    assert back.shape == frame.shape
    assert np.abs(back[:, 2:16] - frame[:, 2:16]).max() < 12
    assert np.abs(back[:, 24:38] - frame[:, 24:38]).max() < 12


def test_the_cut_clip_is_as_long_as_the_moment(shown: Demo, tmp_path: Path) -> None:
    """At least eight frames, at the pace of the world: asking about the file is asking about the moment."""
    clip = clips_of(shown)[1]
    for end_s in (clip.end_s, clip.start_s + 0.3, clip.start_s + 3.0):
        wanted = replace(clip, end_s=end_s)
        target = tmp_path / "deep" / f"{end_s}.mp4"
        demo_examples.cut(shown.source, wanted, target)
        info = probe(target)
        length_s = end_s - clip.start_s
        assert info.frames == max(8, round(10 * length_s))
        assert info.duration_s == pytest.approx(length_s, abs=0.02)
        inside = [10 * clip.start_s - 1 <= number <= 10 * end_s for number in numbers_of(frames_of(target))]
        assert all(inside)


def frames_of(path: Path) -> np.ndarray:
    info = probe(path)
    return read_frames(path, sample_times(0.0, info.duration_s, info.frames))


def test_every_model_is_asked_what_is_told_and_what_is_not(shown: Demo, engines: list[FakeEngine]) -> None:
    make_examples(shown)
    recipe = demo_recipe(SHORT)
    examples = read_examples(examples_file(shown))
    names = [name for name in CONTENDERS if name != CHANCE_NAME]
    assert [Path(engine.folder).name for engine in engines[:2]] == ["ours", "no-teacher"]
    assert len(engines) == len(names)
    untold = [example.answers[1].question for example in examples]
    assert untold == [QUESTIONS[facet][0] for facet in UNTOLD_FACETS[: len(examples)]], "another question each"
    for number, example in enumerate(examples, start=1):
        assert example.video == f"examples/clip-{number}.mp4"
        assert (shown.out / example.video).is_file()
        assert example.answers[0].question == recipe.narration_question
        for answer in example.answers:
            assert list(answer.said) == names
            assert answer.said["ours"].startswith("ours ")
        assert [len(example.ego), len(example.exo)] == [3, 3]
    for engine in engines:
        assert {span.path for span, _ in engine.asked} == {str(shown.out / example.video) for example in examples}
        assert {(span.start_s, span.end_s) for span, _ in engine.asked} == {(None, None)}


def test_ego_and_exo_stand_side_by_side_at_one_instant(shown: Demo, engines: list[FakeEngine]) -> None:
    make_examples(shown)
    for example in read_examples(examples_file(shown)):
        ego = [number_of(picture(uri)) for uri in example.ego]
        exo = [number_of(picture(uri)) for uri in example.exo]
        assert [number - OFFSET["cam02"] for number in exo] == ego


def test_examples_are_read_as_they_were_written(shown: Demo, engines: list[FakeEngine]) -> None:
    make_examples(shown)
    examples = read_examples(examples_file(shown))
    assert json.loads(examples_file(shown).read_text()) == json.loads(json.dumps([asdict(one) for one in examples]))
    assert all(isinstance(one.ego, tuple) and isinstance(one.answers, tuple) for one in examples)
    before = examples_file(shown).read_bytes()
    make_examples(shown)
    assert examples_file(shown).read_bytes() == before
