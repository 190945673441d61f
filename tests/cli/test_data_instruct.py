"""`data instruct --source NAME=ROOT`: several sources at once, examples without videos, mistakes in one line."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from coded_video import coded_frame, make_video, number_of, steady
from PIL import Image

from exo2ego.cli.__main__ import main
from exo2ego.data.shards import open_shards
from exo2ego.data.video import read_frames


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sources with numbered videos of 6 s at 10 a second: a clip, a session's moment, a folder of frames."""
    root = tmp_path_factory.mktemp("sources")
    film = make_video(steady(60), width=48)
    ssv2 = root / "ssv2"
    (ssv2 / "labels").mkdir(parents=True)
    (ssv2 / "20bn-something-something-v2").mkdir()
    (ssv2 / "20bn-something-something-v2/7.webm").write_bytes(
        make_video(steady(24, fps=12), codec="libvpx-vp9", container="webm", width=48)
    )
    row = {"id": "7", "label": "opening box", "template": "Opening [something]", "placeholders": ["box"]}
    (ssv2 / "labels/train.json").write_text(json.dumps([row, row | {"id": "8"}, {"id": "9"}]))
    qa = root / "egotimeqa"
    (qa / "videos").mkdir(parents=True)
    (qa / "videos/clip.mp4").write_bytes(film)
    row = {"video_id": "clip", "sample_id": "clip", "question": "What did I open?", "answer": "the box"}
    row |= {"wrong_answers": ["the bag", "the jar", "the tin"], "moment_start_frame": 60.0, "moment_end_frame": 120.0}
    (qa / "annotations.EgoTimeQA.json").write_text(json.dumps([row]))
    frames = root / "openeqa/data/frames/hm3d-v0/000-x"
    frames.mkdir(parents=True)
    for number in range(30):
        Image.fromarray(coded_frame(number, 48, 48)).save(frames / f"{number:05d}-rgb.png")
    row = {"question": "Is it open?", "answer": "Yes", "category": "object state recognition", "question_id": "q"}
    (root / "openeqa/data/open-eqa-v0.json").write_text(json.dumps([row | {"episode_history": "hm3d-v0/000-x"}]))
    return root


def call(roots: Path, *more: str, names: Sequence[str] = ("ssv2", "egotimeqa", "openeqa")) -> int:
    sources = [word for name in names for word in ("--source", f"{name}={roots / name}")]
    return main(["data", "instruct", *sources, "--frames", "4", "--size", "48", *more])


def test_several_sources_at_once_each_in_its_folder(
    roots: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "egoit"
    assert call(roots, "--out", str(out)) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert (
        "ssv2 (Something-Something-V2): 6 conversations action: 2 fill: 2 template: 2 bad rows: 1; the first:"
        in printed
    )
    assert "row 2: field 'label' is missing" in printed
    assert "missing or unreadable videos: 3; the first: 8/action:" in printed
    sets = {name: open_shards(out / name) for name in ("ssv2", "egotimeqa", "openeqa")}
    assert {name: [(s.source, len(s.conversations)) for s in found.samples] for name, found in sets.items()} == {
        "ssv2": [("ssv2", 3)],
        "egotimeqa": [("egotimeqa", 2)],
        "openeqa": [("openeqa", 1)],
    }
    report = sets["ssv2"].manifest["report"]
    assert (report["bad_rows_count"], report["bad_videos_count"], report["conversations"]) == (1, 3, 3)
    assert sets["egotimeqa"].manifest["settings"]["window"] == "moment"


def test_the_stored_frames_are_those_of_the_span(roots: Path, tmp_path: Path) -> None:
    out = tmp_path / "egoit"
    assert call(roots, "--out", str(out)) == 0
    shown = {}
    for name in ("ssv2", "egotimeqa", "openeqa"):
        found = open_shards(out / name)
        sample = found.samples[0]
        clip = read_frames(found.read(sample, "video"), [i / sample.fps for i in range(4)])
        inner = clip[:, 0:48] if name == "openeqa" else clip[:, 6:42]
        shown[name] = [number_of(picture) for picture in inner]
    assert shown["ssv2"] == [3, 9, 15, 21]
    assert shown["egotimeqa"] in ([22, 27, 32, 37], [23, 28, 33, 38], [22, 28, 32, 38])
    assert shown["openeqa"] == [4, 11, 19, 26]


def test_it_is_finished_where_it_was_left_and_refuses_other_settings(
    roots: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "qa"
    assert call(roots, "--out", str(out), names=["egotimeqa"]) == 0
    before = (out / "manifest.json").read_bytes()
    assert call(roots, "--out", str(out), names=["egotimeqa"]) == 0
    assert (out / "manifest.json").read_bytes() == before
    assert call(roots, "--out", str(out), "--first-person", "no", names=["egotimeqa"]) == 2
    assert "holds shards of another build" in capsys.readouterr().err


def test_examples_need_neither_videos_nor_a_place(
    roots: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine/ssv2").mkdir(parents=True)
    (tmp_path / "mine/ssv2/action.txt").write_text("What is it that I do?\n")
    options = ("--dry-run", "--templates", "mine", "--leave-out", "ssv2/fill", "ssv2/template")
    assert call(roots, *options, names=["ssv2"]) == 0
    printed = capsys.readouterr().out
    assert "Q: What is it that I do?\n  A: I am opening a box." in printed
    assert "fill:" not in printed
    assert {path.name for path in tmp_path.iterdir()} == {"mine"}
    assert call(roots, "--dry-run", "--limit", "1", names=["egotimeqa"]) == 0
    assert capsys.readouterr().out.count("  Q: ") == 1


def test_folders_of_instructions_that_fit_no_source(
    roots: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine/ssv3").mkdir(parents=True)
    assert call(roots, "--dry-run", "--templates", str(tmp_path / "mine")) == 2
    assert "mine/ssv3: no source; known are egtea" in capsys.readouterr().err
    (tmp_path / "mine/ssv3").rename(tmp_path / "mine/egtea")
    assert call(roots, "--dry-run", "--templates", str(tmp_path / "mine")) == 2
    assert "mine: holds no instructions for ssv2, egotimeqa, openeqa" in capsys.readouterr().err


def test_one_absent_root_stops_before_anything_is_built(
    roots: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = f"egtea={tmp_path / 'gone'}"
    assert call(roots, "--out", str(tmp_path / "out"), "--source", absent) == 2
    assert "gone: no such folder" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--source", "egtea=absent", "--dry-run"], "absent: no such folder"),
        (["--source", "charades=x", "--dry-run"], "unknown source 'charades'; known are egtea, ssv2, egotimeqa"),
        (["--source", "egtea", "--dry-run"], "--source egtea: give its folder, e.g. egtea=data/egtea"),
        (["--source", "egtea=", "--dry-run"], "--source egtea=: give the folder too"),
        (["--source", "egtea=a", "--source", "egtea=b"], "--source egtea is given twice"),
        (["--source", "egtea=a", "--source", "b.json"], "b.json: a file of conversations stands alone"),
        (["--source", "egtea=a", "--videos", "b"], "--videos goes with a file of conversations"),
        (["--source", "egtea=a", "--leave-out", "egtea/nouns"], "known are egtea/action, egtea/objects"),
        (["--source", "a.json", "--videos", ".", "--split", "2"], "--split goes with --source NAME=ROOT"),
        (["--source", "a.json"], "--videos is missing"),
        (["--source", "egtea=.", "--templates", "gone", "--dry-run"], "gone: no such folder of templates"),
        (["--source", "egtea=a", "--limit", "0"], "0 is below 1"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["data", "instruct", *arguments]) == 2
    complaint = capsys.readouterr().err
    assert message in complaint
    assert complaint.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_source_without_its_videos_or_a_place_says_so(
    roots: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(roots, names=["egotimeqa"]) == 2
    assert "--out is missing" in capsys.readouterr().err
    copy = tmp_path / "egotimeqa"
    copy.mkdir()
    (copy / "annotations.EgoTimeQA.json").write_bytes((roots / "egotimeqa/annotations.EgoTimeQA.json").read_bytes())
    assert call(tmp_path, "--out", str(tmp_path / "out"), names=["egotimeqa"]) == 2
    assert "no conversation has its video; the first:" in capsys.readouterr().err
