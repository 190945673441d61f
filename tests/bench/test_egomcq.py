"""EgoMCQ: the published file's form, the trap of the swapped types, the three layouts of the videos."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bench_fakes import FakeModel, mcq_file, sees_the_kind

from exo2ego.bench.items import missing_videos
from exo2ego.bench.tasks import egomcq
from exo2ego.bench.tasks.base import ScoreSettings
from exo2ego.errors import FormatError, MissingFileError
from exo2ego.records import Prediction, VideoSpan


def write(root: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """An egomcq.json whose question 0 (inter) was changed."""
    content = mcq_file()
    change(content["0"])
    (root / "egomcq.json").write_text(json.dumps(content))
    return root


def test_the_real_keys_become_items(bench_root: Path) -> None:
    items = egomcq.load(bench_root / "egomcq")
    assert len(items) == 20
    assert items[0].groups["type"] == "inter"
    assert items[1].groups["type"] == "intra"
    assert items[2].options == ("Camera-wearer lifts the jar.",)
    assert items[2].videos[2] == VideoSpan(path="videos/vid2.mp4", start_s=4.0, end_s=5.0)
    assert not missing_videos(items, bench_root / "egomcq")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda q: q.update(answer=5), "question 0: answer = 5 must be a number from 0 to 4"),
        (lambda q: q.update(answer=True), "answer = True"),
        (lambda q: q.update(types=3), "types = 3"),
        (lambda q: q.update(types=2), "swaps the names"),
        (lambda q: q["choices"].pop("4"), "choices"),
        (lambda q: q["choices"].update({"4": q["choices"]["3"]}), "repeats a clip"),
        (lambda q: q["choices"]["1"].update(clip_end=0.0), "0 <= start < end"),
        (lambda q: q["choices"]["1"].update(clip_start="x"), "choice 1: clip_start = 'x'"),
        (lambda q: q["choices"]["1"].update(clip_end=float("nan")), "0 <= start < end"),
        (lambda q: q["choices"]["1"].update(video_uid="../../etc"), "name of a video"),
        (lambda q: q["query"].pop("clip_text"), "query.clip_text = None"),
    ],
)
def test_a_broken_question_is_named(tmp_path: Path, change: Callable[[dict[str, Any]], None], message: str) -> None:
    with pytest.raises(FormatError, match=r"egomcq\.json") as caught:
        egomcq.load(write(tmp_path, change))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_intra_question_called_inter_is_refused(tmp_path: Path) -> None:
    content = mcq_file()
    content["1"]["types"] = 1
    (tmp_path / "egomcq.json").write_text(json.dumps(content))
    with pytest.raises(
        FormatError, match="question 1: types = 1 says inter-video, but the 5 choices come from 1 video"
    ):
        egomcq.load(tmp_path)


def test_a_question_number_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    question = json.dumps(mcq_file()["0"])
    (tmp_path / "egomcq.json").write_text(f'{{"0": {question}, "0": {question}}}')
    with pytest.raises(FormatError, match="'0' occurs twice"):
        egomcq.load(tmp_path)


def test_files_that_are_no_questions_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"egomcq\.json is not there"):
        egomcq.load(tmp_path)
    (tmp_path / "egomcq.json").write_text('{"0": ')
    with pytest.raises(FormatError, match="line 1, column 7: not JSON"):
        egomcq.load(tmp_path)
    (tmp_path / "egomcq.json").write_bytes(b"\x80\x04\x95")
    with pytest.raises(FormatError, match="pickle"):
        egomcq.load(tmp_path)
    (tmp_path / "egomcq.json").write_text("[" * 100_000)
    with pytest.raises(FormatError, match="nested"):
        egomcq.load(tmp_path)


def test_all_three_video_layouts_are_found(tmp_path: Path) -> None:
    videos = tmp_path / "videos"
    (videos / "lavila.mp4").mkdir(parents=True)
    (videos / "egovlp").mkdir()
    (videos / "whole.mp4").write_bytes(b"x")
    (videos / "whole").mkdir()  # a stray folder does not hide the file
    assert egomcq.locate(tmp_path, "whole", 650, 651) == VideoSpan(path="videos/whole.mp4", start_s=650, end_s=651)
    assert egomcq.locate(tmp_path, "egovlp", 650, 651) == VideoSpan(path="videos/egovlp/1.mp4", start_s=50, end_s=51)
    lavila = egomcq.locate(tmp_path, "lavila", 650, 651)
    assert lavila == VideoSpan(path="videos/lavila.mp4/600.mp4", start_s=50, end_s=51)


def test_a_clip_across_two_chunks_keeps_its_longer_part(tmp_path: Path) -> None:
    (tmp_path / "videos/v").mkdir(parents=True)
    assert egomcq.locate(tmp_path, "v", 599.0, 603.0) == VideoSpan(path="videos/v/1.mp4", start_s=0.0, end_s=3.0)
    assert egomcq.locate(tmp_path, "v", 597.0, 601.0) == VideoSpan(path="videos/v/0.mp4", start_s=597.0, end_s=600.0)


def test_a_limit_draws_by_lot_and_depends_on_the_seed_only(bench_root: Path) -> None:
    def ids(seed: int) -> list[str]:
        return [item.item_id for item in egomcq.load(bench_root / "egomcq", limit=6, seed=seed)]

    assert ids(1) == ids(1)
    assert ids(1) != ids(2)
    assert ids(1) != [str(number) for number in range(6)]


def test_a_model_that_sees_is_right_and_types_are_scored_apart(bench_root: Path) -> None:
    items = egomcq.load(bench_root / "egomcq")
    model = FakeModel(sees_the_kind)
    predictions = {item.item_id: egomcq.ask_likelihood(model, item, "base") for item in items}
    wrong = items[1]
    predictions[wrong.item_id] = Prediction(item_id=wrong.item_id, scores=(1.0, 0.0, 0.0, 0.0, 0.0))
    inter, intra = egomcq.score(items, predictions, ScoreSettings(protocol="likelihood"))
    assert (inter.score.name, inter.score.value) == ("egomcq/inter accuracy (likelihood)", 1.0)
    assert (intra.score.name, intra.score.value) == ("egomcq/intra accuracy (likelihood)", 0.9)
    assert inter.score.chance == pytest.approx(0.2)


def test_equal_scores_do_not_favour_the_first_clip(bench_root: Path) -> None:
    items = egomcq.load(bench_root / "egomcq")
    blind = FakeModel(lambda video, text: -1.0)
    chosen = {egomcq.best(egomcq.ask_likelihood(blind, item, "base").scores, 5, item.item_id) for item in items}
    assert len(chosen) > 2


def test_reversed_shows_one_clip_and_five_texts_and_is_named_so(bench_root: Path) -> None:
    items = egomcq.load(bench_root / "egomcq")
    model = FakeModel(sees_the_kind, text="(B)")
    predictions = {item.item_id: egomcq.ask_reversed(model, item, "base") for item in items}
    video, question, _ = model.asked[3]
    assert video == items[3].videos[3]
    assert "(D) Camera-wearer lifts the pan.\n" in question
    pooled, inter, intra = egomcq.score(items, predictions, ScoreSettings(protocol="reversed"))
    assert pooled.score.name == "egomcq/reversed accuracy (reversed)"
    assert (pooled.score.n, pooled.score.value, pooled.headline) == (20, 0.2, True)
    assert (inter.score.name, inter.score.n) == ("egomcq/reversed inter accuracy (reversed)", 10)
    assert not inter.headline
    assert not intra.headline
    # Numbers of dual encoders on EgoVLP's form must not stand beside these.
    assert not any(pooled.score.name.startswith(number.measure) for number in egomcq.TASK.published)


def test_reversed_calls_equal_words_equally_right(tmp_path: Path) -> None:
    def twins(question: dict[str, Any]) -> None:
        question["choices"]["3"]["clip_text"] = question["choices"]["0"]["clip_text"]

    item = egomcq.load(write(tmp_path, twins))[0]
    assert egomcq.choose_reversed(item, Prediction(item_id="0", text="D")) == 0
    assert egomcq.choose_reversed(item, Prediction(item_id="0", text="C")) == 2
    assert egomcq.choose_reversed(item, Prediction(item_id="0", text="who knows")) is None


def test_reversed_needs_the_words_of_every_choice(tmp_path: Path) -> None:
    item = egomcq.load(write(tmp_path, lambda question: question["choices"]["2"].pop("clip_text")))[0]
    with pytest.raises(FormatError, match=r"question 0: a choice has no clip_text"):
        egomcq.ask_reversed(FakeModel(sees_the_kind), item, "base")
