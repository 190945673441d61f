"""`exo2ego data check`: exit codes, the table, the JSON, and what `data clips` makes of the quarantine."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from json_shape import shape_of
from tiny_tree import Tree, annotation, description

from exo2ego.cli.__main__ import main
from exo2ego.data.shards import open_shards


def check(tree: Tree, out: Path, *more: str) -> int:
    return main(["data", "check", str(tree.root), "--out", str(out), *more])


def test_a_whole_download_leaves_with_0(tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tree, tmp_path / "out") == 0
    said = capsys.readouterr().out
    assert "needed: 6 videos of 2 takes; there: 6, readable: 6 (0.0 h), bad: 0, missing: 0" in said
    assert "codecs: h264 x 6" in said
    assert check(tree, tmp_path / "out") == 0
    assert "opened now: 0; known from before: 6" in capsys.readouterr().out


@pytest.mark.parametrize("given", ["egoexo4d", "egoexo4d/", "./egoexo4d", "egoexo4d/annotations/.."])
def test_the_report_is_named_after_the_folder_as_given(
    given: str, tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Downloads are often links to a large drive, where the folder has another name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "egoexo4d").symlink_to(tree.root)
    assert main(["data", "check", given]) == 0
    assert (tmp_path / "egoexo4d-check" / "quarantine.jsonl").is_file()


def test_the_report_on_the_present_folder_is_named_after_it(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree.root)
    assert main(["data", "check", "."]) == 0
    assert (tree.root / "ego_exo4d-check" / "quarantine.jsonl").is_file()


def test_faults_leave_with_1_and_data_clips_goes_on_without_them(
    tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree.video("uid-a", "cam01").write_bytes(b"")
    tree.video("uid-b", "cam02").unlink()
    assert check(tree, tmp_path / "out") == 1
    said = capsys.readouterr().out
    assert "fault  missing video" in said
    assert "bad video: kitchen_1 takes/kitchen_1/frame_aligned_videos/cam01.mp4: " in said
    quarantine = tmp_path / "out" / "quarantine.jsonl"
    build = ["data", "clips", "--source", str(tree.root), "--frames", "4", "--size", "32"]
    assert main([*build, "--out", str(tmp_path / "shards"), "--quarantine", str(quarantine)]) == 0
    shards = open_shards(tmp_path / "shards")
    assert shards.manifest["counts"]["quarantined"] == 0, "no clip had to fail on the bad video"
    assert {view for sample in shards.samples if sample.take_uid == "uid-a" for view in sample.views} == {
        "ego",
        "cam02",
    }
    assert check(tree, tmp_path / "again", "--quarantine", str(quarantine)) == 1
    assert "bad: 0, missing: 1" in capsys.readouterr().out


def test_only_what_a_list_or_a_view_needs_must_be_there(tree: Tree, tmp_path: Path) -> None:
    shutil.rmtree(tree.video("uid-b", "cam01").parent)
    tree.video("uid-a", "cam01").unlink()
    listed = tmp_path / "takes.txt"
    listed.write_text("uid-a\n")
    assert check(tree, tmp_path / "1") == 1
    assert check(tree, tmp_path / "2", "--takes", str(listed)) == 1
    del tree.train["uid-a"][1]  # its best view is the camera that is gone
    tree.save()
    assert check(tree, tmp_path / "3", "--takes", str(listed), "--views", "best") == 0


def test_bad_rows_leave_with_1_and_mere_notes_with_0(
    tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree.train["uid-a"].append(annotation("late", [description("C x.", 99.0)]))
    tree.save()
    assert check(tree, tmp_path / "out") == 0
    assert "note  description outside its take" in capsys.readouterr().out
    tree.train["uid-a"].append(annotation("bad", [description("C x.", "soon")]))
    tree.save()
    assert check(tree, tmp_path / "out") == 1
    assert "field 'timestamp' is \"soon\"" in capsys.readouterr().out


def test_the_json_of_a_check_has_its_form(tree: Tree, tmp_path: Path) -> None:
    """Others read this file: a field that changes its name or type is a new CHECK_VERSION."""
    tree.video("uid-a", "cam02").unlink()
    tree.video("uid-b", "cam02").write_bytes(b"x")
    path = tmp_path / "deep" / "check.json"
    assert check(tree, tmp_path / "out", "--json", str(path)) == 1
    record = json.loads(path.read_text())
    facts = {
        "duration_s": "float",
        "fps": "float",
        "frames": "int",
        "width_px": "int",
        "height_px": "int",
        "rotation_deg": "int",
        "codec": "str",
        "all_decoded": "bool",
    }
    assert shape_of(record) == {
        "version": "int",
        "root": "str",
        "is_whole": "bool",
        "takes": "int",
        "opened": "int",
        "clock_tables": "int",
        "states": {"fine": "int", "missing": "int", "bad": "int"},
        "kinds": {"codecs": {"h264": "int"}, "pictures": {"48 x 48 px": "int"}, "frames a second": {"10": "int"}},
        "counts": {"missing video": "int", "bad video": "int"},
        "findings": [{"kind": "str", "take": "str", "detail": "str", "video": "str", "is_fault": "bool"}],
        "videos": [
            {
                "video": "str",
                "take_uid": "str",
                "state": "str",
                "size_bytes": "int",
                "facts": facts,
                "reason": "NoneType",
            }
        ],
    }
    assert (record["version"], record["states"]) == (1, {"bad": 1, "fine": 4, "missing": 1})
    gone: dict[str, Any] = next(video for video in record["videos"] if video["state"] == "missing")
    assert (gone["size_bytes"], gone["facts"], gone["reason"]) == (None, None, None)


def test_the_documentation_sample_checked(docsample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A real take whose videos were never downloaded; the documentation's best cameras are none of its two."""
    assert main(["data", "check", str(docsample), "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().out
    assert "needed: 2 videos of 1 takes; there: 0, readable: 0 (0.0 h), bad: 0, missing: 2" in said
    assert "missing video: cmu_bike01_2 takes/cmu_bike01_2/frame_aligned_videos/downscaled/448/aria01_214-1.mp4" in said
    assert "best exo is no camera: cmu_bike01_2: best_exo of the take is cam04; it has cam01" in said
    assert "best_exo of 3 descriptions is cam02; it has cam01" in said


def test_the_folder_for_what_is_known_lies_here_by_default(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "here"
    place.mkdir()
    monkeypatch.chdir(place)
    before = sorted(tree.root.rglob("*"))
    assert main(["data", "check", str(tree.root)]) == 0
    assert sorted(path.name for path in (place / "ego_exo4d-check").iterdir()) == ["checked.jsonl", "quarantine.jsonl"]
    assert sorted(tree.root.rglob("*")) == before, "the download is not written to"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent"], "absent: no such folder"),
        ([], "required: root"),
        (["ROOT", "--workers", "0"], "0 is below 1"),
        (["ROOT", "--time-limit", "0"], "'0' leaves no time at all"),
        (["ROOT", "--time-limit", "long"], "'long' is not a number of seconds"),
        (["ROOT", "--memory-limit", "1"], "1 is below 64"),
        (["ROOT", "--frame-tolerance", "-1"], "-1 is below 0"),
        (["ROOT", "--takes", "absent.txt"], "absent.txt: no such file"),
        (["ROOT", "--takes", "ROOT/takes.json"], "names no take that can be used"),
        (["ROOT", "--quarantine", "absent.jsonl"], "absent.jsonl: no such file"),
        (["ROOT", "--splits", "test"], "withholds those of test"),
        (["ROOT", "--out", "ROOT/takes.json"], "takes.json"),
        (["EMPTY"], "no take is needed with these flags; exo2ego data plan says why"),
    ],
)
def test_mistakes_of_a_check_are_one_line(
    arguments: list[str],
    message: str,
    tree: Tree,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    place = tmp_path / "here"
    place.mkdir()
    monkeypatch.chdir(place)
    if "EMPTY" in arguments:
        tree.train.clear()
        tree.save()
    words = [word.replace("ROOT", str(tree.root)).replace("EMPTY", str(tree.root)) for word in arguments]
    assert main(["data", "check", *words]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert list(place.iterdir()) == []


def test_a_read_only_place_for_the_outcome_is_one_line(
    tree: Tree, tmp_path: Path, read_only: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "locked"
    place.mkdir()
    read_only(place)
    assert check(tree, place / "out") == 2
    assert "Read-only file system" in capsys.readouterr().err
