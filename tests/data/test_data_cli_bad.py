"""What users hand to `exo2ego data ...` by mistake: left out and counted, or one line and exit code 2; nothing lost."""

import contextlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from coded_video import audio_only, make_video, steady, turned
from tiny_tree import Tree, annotation, description

from exo2ego.cli.__main__ import main
from exo2ego.data.shards import ShardSet, open_shards
from exo2ego.data.sources import durations

WHOLE = make_video(steady(60), width=48)
CUT_MKV = make_video(steady(60), width=48, container="matroska")
BAD_VIDEOS = {
    "zero bytes": (b"", "the file is empty (0 bytes)"),
    "truncated mp4": (WHOLE[: len(WHOLE) // 2], "cut short or not a video"),
    "truncated in the middle": (CUT_MKV[: len(CUT_MKV) // 3], "cut short"),
    "audio only": (audio_only(), "holds no video, only audio"),
    "text": (b"not a video", "cut short or not a video"),
}
GOOD_VIDEOS = {
    "variable frame rate": make_video([i / 10 + (0.03 if i % 2 else 0) for i in range(60)], width=48),
    "rotated": turned(make_video(steady(60), width=48), (-1, 0, 0, -1, 48, 48)),
}


def clips(tree: Tree, out: Path) -> int:
    options = ["--frames", "4", "--size", "32", "--alpha", "2.5"]
    return main(["data", "clips", "--source", str(tree.root), "--out", str(out), *options])


def instruct(source: Path, tree: Tree, out: Path) -> int:
    options = ["--frames", "4", "--size", "32"]
    return main(["data", "instruct", "--source", str(source), "--videos", str(tree.root), "--out", str(out), *options])


def conversations(folder: Path, videos: list[str]) -> Path:
    turns = [{"from": "human", "value": "<video>\nWhat?"}, {"from": "gpt", "value": "A cup"}]
    path = folder / "talk.json"
    rows = [{"id": n, "video": name, "conversations": turns} for n, name in enumerate(videos)]
    path.write_text(json.dumps(rows))
    return path


def quarantine(out: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (out / "quarantine.jsonl").read_text().splitlines()]


def complaint(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on stderr."""
    err = capsys.readouterr().err
    assert err.count("\n") == 1, err
    return err


@pytest.mark.parametrize("kind", BAD_VIDEOS)
def test_a_bad_exo_video_costs_its_own_clips_and_is_named(
    kind: str, tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content, reason = BAD_VIDEOS[kind]
    bad = tree.video("uid-b", "cam01")
    bad.write_bytes(content)
    assert clips(tree, tmp_path / "out") == 0
    assert "2 clips could not be stored; reasons in" in " ".join(capsys.readouterr().out.split())
    entries = quarantine(tmp_path / "out")
    assert {entry["video"] for entry in entries} == {str(bad)}
    assert all(reason in entry["reason"] for entry in entries)
    views = {sample.text: sample.views for sample in open_shards(tmp_path / "out").samples}
    assert len(views) == 5, "the other camera still makes a pair"
    assert views["C taps it."] == ("ego", "cam02")
    assert bad.read_bytes() == content


def test_a_bad_ego_video_loses_its_narrations_only(tree: Tree, tmp_path: Path) -> None:
    tree.video("uid-b", "aria01").write_bytes(b"")
    assert clips(tree, tmp_path / "out") == 0
    built = open_shards(tmp_path / "out")
    assert {sample.take_uid for sample in built.samples} == {"uid-a"}
    assert [e["reason"] for e in quarantine(tmp_path / "out") if not e["view"]] == ["no usable view is left"] * 2


@pytest.mark.parametrize("kind", GOOD_VIDEOS)
def test_an_unusual_video_is_stored(kind: str, tree: Tree, tmp_path: Path) -> None:
    tree.video("uid-b", "cam01").write_bytes(GOOD_VIDEOS[kind])
    assert clips(tree, tmp_path / "out") == 0
    assert quarantine(tmp_path / "out") == []


def test_a_wrong_extension_is_read_by_its_content(tree: Tree, tmp_path: Path) -> None:
    """Some releases name Matroska files mp4; what counts is what is in them."""
    tree.video("uid-b", "cam01").write_bytes(CUT_MKV)
    assert clips(tree, tmp_path / "out") == 0
    assert quarantine(tmp_path / "out") == []


def test_a_narration_beyond_the_end_is_counted(tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tree.train["uid-a"].append(annotation("late", [description("C waves.", 99.0)]))
    tree.save()
    assert clips(tree, tmp_path / "out") == 0
    assert "left out, outside the take: 1" in capsys.readouterr().out
    assert "C waves." not in {sample.text for sample in open_shards(tmp_path / "out").samples}


def test_an_unknown_take_is_counted_and_a_take_that_is_no_train_take_is_not_trained_on(
    tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree.train["uid-nobody"] = [annotation("x", [description("C waves.", 1.0)])]
    tree.train["uid-t"] = [annotation("y", [description("C leaks.", 1.0)])]
    tree.save()
    assert clips(tree, tmp_path / "out") == 0
    out = capsys.readouterr().out
    assert "1 x unknown take" in out
    assert not {"C waves.", "C leaks."} & {sample.text for sample in open_shards(tmp_path / "out").samples}


@pytest.mark.parametrize(
    ("name", "spoil", "says"),
    [
        ("takes.json", lambda text: text[: len(text) // 2], "not valid JSON"),
        ("takes.json", lambda text: "{}", "expected a list of takes"),
        (
            "takes.json",
            lambda text: text.replace('"duration_sec": 6.0', '"duration_sec": "6"'),
            "'duration_sec' is \"6\"",
        ),
        ("annotations/splits.json", lambda text: text.replace('"TRAIN"', '"TRIAN"'), "'uid-a' is \"TRIAN\""),
        ("annotations/splits.json", lambda text: "\x00", "not valid JSON"),
        ("annotations/atomic_descriptions_train.json", lambda text: re.sub(r"\d\.0", '"soon"', text), "'timestamp'"),
        ("annotations/atomic_descriptions_train.json", lambda text: text + "]", "not valid JSON"),
    ],
)
def test_a_malformed_file_is_named_with_the_field(
    name: str,
    spoil: Callable[[str], str],
    says: str,
    tree: Tree,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tree.root / name
    path.write_text(spoil(path.read_text()))
    assert clips(tree, tmp_path / "out") == 2
    said = complaint(capsys)
    assert str(path) in said
    assert says in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("missing", ["", "takes.json", "annotations", "annotations/splits.json"])
def test_a_missing_file_or_folder_is_named(
    missing: str, tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tree.root / missing).rename(tmp_path / "elsewhere")
    assert clips(tree, tmp_path / "out") == 2
    assert "no such" in complaint(capsys)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", BAD_VIDEOS)
def test_conversations_about_bad_videos_are_counted(
    kind: str, tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tree.root / "bad.mp4").write_bytes(BAD_VIDEOS[kind][0])
    (tree.root / "good.mp4").write_bytes(WHOLE)
    source = conversations(tmp_path, ["good.mp4", "bad.mp4", "gone.mp4"])
    assert instruct(source, tree, tmp_path / "out") == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "gone.mp4: no such file" in out + json.dumps(open_shards(tmp_path / "out").manifest["report"])
    assert [sample.take_uid for sample in open_shards(tmp_path / "out").samples] == ["good.mp4"]


def test_whole_videos_of_conversations_are_measured_in_a_process_of_their_own(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that hangs the decoder costs its conversations; lengths are remembered beside the shards."""
    (tree.root / "good.mp4").write_bytes(WHOLE)
    source = conversations(tmp_path, ["good"])  # as some files name their videos
    with monkeypatch.context() as hanging:
        hanging.setattr(durations, "TIME_LIMIT_S", 1e-6)
        assert instruct(source, tree, tmp_path / "out") == 2
    assert "good.mp4: took longer than 1e-06 s and was stopped" in complaint(capsys)
    assert instruct(source, tree, tmp_path / "out") == 0
    (line,) = (tmp_path / "out.durations.jsonl").read_text().splitlines()
    assert json.loads(line)["path"] == "good.mp4"
    assert [sample.take_uid for sample in open_shards(tmp_path / "out").samples] == ["good.mp4"]


LONG = f"{'long' * 75}.mp4"
"""No file can have a name of so many bytes: to ask whether it is there is an error of its own."""


def test_a_name_too_long_in_a_conversation_costs_that_one(
    tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tree.root / "good.mp4").write_bytes(WHOLE)
    source = conversations(tmp_path, [LONG, "good.mp4", "deep/" * 1000 + "a.mp4"])
    assert instruct(source, tree, tmp_path / "out") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "bad rows: 2; the first: " in said
    assert "row 0: field 'video' is \"longlong" in said
    assert [sample.take_uid for sample in open_shards(tmp_path / "out").samples] == ["good.mp4"]


@pytest.mark.parametrize("verb", ["clips", "check", "plan"])
def test_a_name_too_long_in_takes_json_costs_that_take(
    verb: str, tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree.takes[0]["frame_aligned_videos"]["cam01"]["0"]["relative_path"] = LONG
    tree.save()
    if verb == "clips":
        assert clips(tree, tmp_path / "out") == 0
        assert {sample.take_uid for sample in open_shards(tmp_path / "out").samples} == {"uid-b"}
    elif verb == "check":
        assert main(["data", "check", str(tree.root), "--out", str(tmp_path / "check")]) == 1
    else:
        assert main(["data", "plan", str(tree.root)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "bad take" in said
    assert "(take uid-a): frame_aligned_videos.cam01.0: field 'relative_path' is \"longlong" in said


def test_a_folder_whose_name_is_no_utf8(tree: Tree, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """As old archives and Windows drives leave them; all that is written names it in some way."""
    folder = os.fsdecode(bytes(tmp_path) + b"/p\xffq")
    assert clips(tree, Path(folder)) == 0
    assert main(["data", "inspect", folder]) == 0
    assert b"data inspect" in capsysbinary.readouterr().out
    page = (Path(folder) / "sheet.html").read_text(encoding="utf-8")
    assert "<title>Ego-exo pairs: p\\udcffq</title>" in page
    moved = tree.root.rename(os.fsdecode(bytes(tmp_path) + b"/s\xff"))
    assert main(["data", "clips", "--source", str(moved), "--out", f"{folder}/2", "--frames", "4", "--size", "32"]) == 0
    assert open_shards(Path(folder) / "2").manifest["settings"]["source"] == str(moved)
    assert main(["data", "check", str(moved), "--out", f"{folder}/check"]) == 0


def test_conversations_that_are_no_list(tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for content, says in (("[{", "not valid JSON"), ('{"a": 1}', "expected a list"), ("[]", "not one usable")):
        source = tmp_path / "talk.json"
        source.write_text(content)
        assert instruct(source, tree, tmp_path / "out") == 2
        assert says in complaint(capsys)
    assert instruct(conversations(tmp_path, ["gone.mp4"]), tree, tmp_path / "out") == 2
    assert "there is nothing to store" in complaint(capsys)


@pytest.fixture
def built(tree: Tree, tmp_path: Path) -> ShardSet:
    assert clips(tree, tmp_path / "shards") == 0
    return open_shards(tmp_path / "shards")


def test_inspect_finds_one_flipped_byte_and_leaves_the_old_page(
    built: ShardSet, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "inspect", str(built.folder)]) == 0
    page = (built.folder / "sheet.html").read_bytes()
    tar = built.folder / "shard-00000.tar"
    content = bytearray(tar.read_bytes())
    clip = built.read(built.samples[0], "ego")
    content[content.index(clip) + 40] ^= 1
    tar.write_bytes(content)
    capsys.readouterr()
    for flags in ([], ["--verify"]):
        assert main(["data", "inspect", str(built.folder), *flags]) == 2
        assert "shard-00000.tar" in complaint(capsys)
    assert (built.folder / "sheet.html").read_bytes() == page


def test_clips_on_a_full_disk_keep_what_is_done_and_go_on(
    tree: Tree, tmp_path: Path, small_disk: Callable[[int], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    disk = small_disk(40)
    (disk / "precious.txt").write_text("kept")
    assert clips(tree, disk / "out") == 2
    said = complaint(capsys)
    assert "cannot be written (No space left on device); free space or choose another place" in said
    assert not list((disk / "out").rglob("*.tmp"))
    assert (disk / "precious.txt").read_text() == "kept"
    small_disk(4000)
    assert clips(tree, disk / "out") == 0
    assert len(open_shards(disk / "out")) == 5
    with contextlib.suppress(OSError), (disk / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(b"x" * 4096)
    assert main(["data", "inspect", str(disk / "out")]) == 2
    assert "No space left" in complaint(capsys)
    assert len(open_shards(disk / "out")) == 5


def test_output_to_a_read_only_place(
    tree: Tree, tmp_path: Path, read_only: Callable[[Path], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "locked"
    place.mkdir()
    read_only(place)
    assert clips(tree, place / "out") == 2
    assert "Read-only file system" in complaint(capsys)


def test_a_read_only_download_is_enough_to_read_from(
    tree: Tree, tmp_path: Path, read_only: Callable[[Path], Path]
) -> None:
    read_only(tree.root)
    assert clips(tree, tmp_path / "out") == 0
