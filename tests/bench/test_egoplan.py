"""EgoPlan-Bench: which stretch of video is shown, the lowest loss, and what is refused, other sets above all."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bench_fakes import FakeModel, write_csv
from small_folders import egoplan_row, json_file

from exo2ego.bench.items import missing_videos
from exo2ego.bench.tasks import egoplan
from exo2ego.bench.tasks.base import ScoreSettings
from exo2ego.errors import FormatError, MissingFileError
from exo2ego.records import OptionScore, Prediction, VideoSpan

REAL = Path(__file__).parents[3] / "shared/data"
INFO = ["video_id", "duration", "fps", "resolution"]


def write(root: Path, rows: list[dict[str, Any]]) -> Path:
    json_file(root / "EgoPlan_validation.json", rows)
    write_csv(root / "EPIC_100_video_info.csv", INFO, [["P01_01", "100.0", "50.0", "1x1"]])
    return root


def test_the_four_latest_clips_up_to_the_current_frame_are_shown(bench_root: Path) -> None:
    items = egoplan.load(bench_root / "egoplan")
    # Six clips of progress; the last four begin with frame 201. EPIC counts from 1 at 50 frames/s, Ego4D from 0 at 30.
    assert items[0].videos == (VideoSpan(path="videos/P01/P01_01.MP4", start_s=4.0, end_s=12.0),)
    assert items[1].videos == (VideoSpan(path="videos/0a1b-uid.mp4", start_s=201 / 30, end_s=601 / 30),)
    assert [item.answer for item in items] == [0, 1, 2, 3] * 2
    assert (items[3].item_id, items[3].cluster, items[3].chance) == ("3", "0a1b-uid", 0.25)
    assert not missing_videos(items, bench_root / "egoplan")


def test_what_is_not_over_yet_is_no_progress_and_without_any_a_second_is_shown(tmp_path: Path) -> None:
    rows = [egoplan_row(0), egoplan_row(2), egoplan_row(4)]
    rows[0]["current_observation_frame"] = 450  # the fifth clip (401 to 460) is not over
    rows[1]["current_observation_frame"] = 50
    rows[2]["task_progress_metadata"] = []
    first, second, third = egoplan.load(write(tmp_path, rows))
    assert (first.videos[0].start_s, first.videos[0].end_s) == (0.0, 9.0)
    assert (second.videos[0].start_s, second.videos[0].end_s) == (0.0, 1.0)
    assert (third.videos[0].start_s, third.videos[0].end_s) == (11.0, 12.0)


def test_the_real_record_loads(tmp_path: Path) -> None:
    sample, info = REAL / "egoplan/EgoPlan_validation.sample1.json", REAL / "epic_kitchens_mir/EPIC_100_video_info.csv"
    if not sample.is_file() or not info.is_file():
        pytest.skip("the EgoPlan sample is not beside this checkout (../shared/data/egoplan)")
    (tmp_path / "EgoPlan_validation.json").write_bytes(sample.read_bytes())
    (tmp_path / "EPIC_100_video_info.csv").write_bytes(info.read_bytes())
    (item,) = egoplan.load(tmp_path)
    assert item.options[item.answer or 0] == "put cereal box into cupboard"
    (video,) = item.videos
    assert video.path == "videos/P01/P01_13.MP4"
    # Frames 111 (fourth clip from the end) to 760 at 59.94 frames/s.
    assert video.start_s == pytest.approx(110 / 59.94, abs=1e-3)
    assert video.end_s == pytest.approx(760 / 59.94, abs=1e-3)


@pytest.mark.parametrize(
    ("source", "message"),
    [("egothinker/egoplan2.first300.json", "EgoPlan-Bench2"), ("egoplan/EgoPlan_IT.sample1.json", "EgoPlan-IT")],
)
def test_the_real_files_of_other_sets_are_refused(tmp_path: Path, source: str, message: str) -> None:
    if not (REAL / source).is_file():
        pytest.skip(f"the real file is not beside this checkout (../shared/data/{source})")
    write(tmp_path, [])
    (tmp_path / "EgoPlan_validation.json").write_bytes((REAL / source).read_bytes())
    with pytest.raises(FormatError, match=f"row 1: .*{message}"):
        egoplan.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda row: row.update(sample_id=1), "row 3: sample_id = '1' occurs twice"),
        (lambda row: row.update(sample_id="x_2"), "sample_id = 'x_2' must be a whole number"),
        (lambda row: row.update(golden_choice_idx="E"), "golden_choice_idx = 'E' must be A, B, C or D"),
        (lambda row: row.update(golden_choice_idx="A"), "answer = 'move cup' is not choice A, 'take cup'"),
        (lambda row: row.update(choice_b="take cup"), "repeats a choice"),
        (lambda row: row.pop("choice_d"), "choice_d = None must be a text"),
        (lambda row: row.update(domain="Hobbies"), "EgoPlan-Bench2, another benchmark"),
        (lambda row: row.update(video_source="Charades"), "must be EpicKitchens or Ego4D"),
        (lambda row: row.update(video_id="../x"), "must look like P01_13"),
        (lambda row: row.update(video_source="Ego4D", video_id="../x"), "must be the name of a video"),
        (lambda row: row.update(video_id="P09_09"), "video_id = 'P09_09' has no line"),
        (lambda row: row.update(current_observation_frame=0), "a frame number from 1 on"),
        (lambda row: row.update(current_observation_frame=1.5), "a frame number from 1 on"),
        (lambda row: row.update(task_progress_metadata=None), "task_progress_metadata = None must be a list"),
        (lambda row: row["task_progress_metadata"].append({"start_frame": 9, "stop_frame": 8}), "metadata[6]"),
    ],
)
def test_a_broken_row_is_named(tmp_path: Path, change: Callable[[dict[str, Any]], None], message: str) -> None:
    rows = [egoplan_row(number) for number in range(4)]
    change(rows[2])
    with pytest.raises(FormatError) as caught:
        egoplan.load(write(tmp_path, rows))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_frame_rates_are_needed_for_epic_only_and_must_be_rates(tmp_path: Path) -> None:
    json_file(tmp_path / "EgoPlan_validation.json", [egoplan_row(1)])
    assert len(egoplan.load(tmp_path)) == 1
    json_file(tmp_path / "EgoPlan_validation.json", [egoplan_row(0)])
    with pytest.raises(MissingFileError, match=r"EPIC_100_video_info\.csv is not there"):
        egoplan.load(tmp_path)
    write_csv(tmp_path / "EPIC_100_video_info.csv", INFO, [["P01_01", "100.0", "0", "1x1"]])
    with pytest.raises(FormatError, match="line 2: fps = '0' must be frames per second"):
        egoplan.load(tmp_path)
    (tmp_path / "EPIC_100_video_info.csv").unlink()
    (tmp_path / "EPIC_100_video_info.pkl").write_bytes(b"\x80\x04")
    with pytest.raises(FormatError, match="pickles are never loaded"):
        egoplan.load(tmp_path)


class LongTexts(FakeModel):
    """Every token costs 1, but those of `fill cup` only 0.9; `take cup` has one token, the others ten."""

    def option_logprobs(self, video: VideoSpan | None, question: str, options: Any) -> list[OptionScore]:
        tokens = {"take cup": 1}
        cost = {"fill cup": 0.9}
        return [OptionScore(logprob=-cost.get(o, 1.0) * tokens.get(o, 10), tokens=tokens.get(o, 10)) for o in options]


def test_the_lowest_loss_is_the_mean_over_tokens(bench_root: Path) -> None:
    items = egoplan.load(bench_root / "egoplan")
    model = LongTexts(lambda video, text: 0.0)
    ask = egoplan.PROTOCOLS["lowest_loss"].ask
    predictions = {item.item_id: ask(model, item, "base") for item in items}
    assert egoplan.choose(items[0], predictions["0"]) == 1  # by the sum it would be 0
    (measure,) = egoplan.score(items, predictions, ScoreSettings(protocol="lowest_loss"))
    assert (measure.score.name, measure.score.value) == ("egoplan accuracy (lowest_loss)", 0.25)
    assert measure.headline


def test_letters_are_read_and_a_lost_video_is_unscored(bench_root: Path) -> None:
    items = egoplan.load(bench_root / "egoplan")
    predictions = {i.item_id: Prediction(item_id=i.item_id, text="ABCD"[i.answer or 0]) for i in items}
    predictions["1"] = Prediction(item_id="1", text="I cannot say")
    predictions["2"] = Prediction(item_id="2", error="VideoError: cut short")
    (measure,) = egoplan.score(items, predictions, ScoreSettings(protocol="letter"))
    assert measure.score.value == 6 / 7
    assert (measure.score.unparsed, measure.score.unscored) == (1, 1)
