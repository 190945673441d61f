"""Conversations about val and test takes of Ego-Exo4D never become training data, wherever `--videos` points."""

import json
import os
from pathlib import Path

import pytest
from tiny_tree import TAKES, Tree

from exo2ego.cli.__main__ import main
from exo2ego.data.shards import open_shards


def talk(folder: Path, videos: list[str]) -> Path:
    turns = [{"from": "human", "value": "What?"}, {"from": "gpt", "value": "A cup"}]
    path = folder / "talk.json"
    path.write_text(
        json.dumps([{"id": f"about-{n}", "video": v, "conversations": turns} for n, v in enumerate(videos)])
    )
    return path


def instruct(videos: Path, names: list[str], out: Path, *more: str) -> int:
    source = talk(out.parent, names)
    options = ["--frames", "2", "--size", "16", *more]
    return main(["data", "instruct", "--source", str(source), "--videos", str(videos), "--out", str(out), *options])


def video(uid: str) -> str:
    return f"takes/{TAKES[uid]}/frame_aligned_videos/cam01.mp4"


@pytest.mark.parametrize(("uid", "kind"), [("uid-t", "test take"), ("uid-v", "val take")])
@pytest.mark.parametrize("base", ["", "takes", "takes/NAME", ".."])
def test_a_take_that_is_held_out_is_refused_in_one_line(
    uid: str, kind: str, base: str, tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = (tree.root / base.replace("NAME", TAKES[uid])).resolve()
    name = os.path.relpath(tree.root / video(uid), folder)
    assert instruct(folder, [name], tmp_path / "out") == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert f"1 of 1 conversations must not be trained on, the first: about-0: {name}: " in err
    assert f"annotations/splits.json says that it is a {kind}; --drop-held-out leaves them out" in err
    assert not (tmp_path / "out").exists()


def test_they_are_left_out_and_counted_when_asked(
    tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del tree.splits["uid-b"]
    tree.save()
    names = [video(uid) for uid in ("uid-a", "uid-t", "uid-v", "uid-b", "uid-t")]
    assert instruct(tree.root, names, tmp_path / "out", "--drop-held-out") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "left out, test take: 2; the first: about-1: " in said
    assert "does not say of which split the take is; it might be a test take" in said
    built = open_shards(tmp_path / "out")
    assert [sample.take_uid for sample in built.samples] == [TAKES["uid-a"]]
    assert built.manifest["report"]["left_out"] == {"take without split": 1, "test take": 2, "val take": 1}


def test_a_link_into_a_download_hides_nothing(tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/a.mp4").symlink_to(tree.root / video("uid-t"))
    assert instruct(tmp_path / "mine", ["a.mp4"], tmp_path / "out") == 2
    assert "is a test take" in capsys.readouterr().err


def test_train_takes_and_other_folders_named_takes_pass(tree: Tree, tmp_path: Path) -> None:
    other = tmp_path / "films" / "takes" / TAKES["uid-t"]
    other.mkdir(parents=True)
    (other / "a.mp4").write_bytes((tree.root / video("uid-a")).read_bytes())
    names = ["ego_exo4d/" + video("uid-a"), f"films/takes/{TAKES['uid-t']}/a.mp4"]
    assert instruct(tmp_path, names, tmp_path / "out") == 0
    assert len(open_shards(tmp_path / "out")) == 2


def test_tables_that_contradict_each_other_make_no_train_take(
    tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whichever table is right, a take that one of them gives to test or val is not trained on."""
    table = {"train": ["uid-a"], "val": ["uid-v"], "TEST": ["uid-b", "uid-t"]}
    path = tree.root / "annotations/splits.json"
    path.write_text(json.dumps({"take_uid_to_split": tree.splits, "split_to_take_uids": table}))
    doubt = f"{path}: take uid-b: split_to_take_uids says TEST, take_uid_to_split says train"
    options = ["--frames", "2", "--size", "16"]
    assert main(["data", "clips", "--source", str(tree.root), "--out", str(tmp_path / "pairs"), *options]) == 0
    assert {sample.take_uid for sample in open_shards(tmp_path / "pairs").samples} == {"uid-a"}
    said = capsys.readouterr().out
    assert "1 x split in doubt: the two tables of annotations/splits.json differ on the take; left out" in said
    assert f"the first: {doubt}" in said
    assert instruct(tree.root, [video("uid-b")], tmp_path / "out") == 2
    assert f"{doubt}; it might be a test take" in capsys.readouterr().err
    assert main(["data", "check", str(tree.root), "--out", str(tmp_path / "check")]) == 1
    assert "split in doubt" in capsys.readouterr().out
