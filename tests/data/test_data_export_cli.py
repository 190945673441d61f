"""`exo2ego data export`, and back by `data instruct`: the frames that come back are the frames that were stored."""

from pathlib import Path

import pytest
from coded_video import numbers_of
from tiny_tree import Tree

from exo2ego.cli.__main__ import main
from exo2ego.data.shards import ShardSet, open_shards
from exo2ego.data.sources.conversations import read_conversations
from exo2ego.data.video import read_clip

SMALL = ["--frames", "4", "--size", "48"]


@pytest.fixture
def pairs(tree: Tree, tmp_path: Path) -> ShardSet:
    """Five narrations with an ego and two exo views."""
    assert main(["data", "clips", "--source", str(tree.root), "--out", str(tmp_path / "pairs"), *SMALL]) == 0
    return open_shards(tmp_path / "pairs")


def frames(shards: ShardSet, view: str) -> list[list[int]]:
    return sorted(numbers_of(read_clip(shards.read(one, view), None, None, 4, 48)) for one in shards.samples)


@pytest.mark.parametrize(("form", "file"), [("llava", "llava.json"), ("openai", "openai.jsonl")])
def test_pairs_to_files_and_back(
    form: str, file: str, pairs: ShardSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "export"
    options = ["data", "export", str(pairs.folder), "--format", form, "--out", str(out), "--view", "cam01"]
    assert main(options) == 0
    assert "the clips are not copied; run again with --copy-videos" in capsys.readouterr().out
    assert main([*options, "--copy-videos"]) == 0
    printed = capsys.readouterr().out
    assert "conversations: 5 about 5 clips of 5 samples" in printed
    assert "clips written: 5, there already: 0" in printed
    for one in pairs.samples:
        (clip,) = (out / "videos").rglob(f"{one.key}.cam01.mp4")
        assert clip.read_bytes() == pairs.read(one, "cam01")
    good, _ = read_conversations(out / file)
    assert {turn.answer for one in good for turn in one.turns} == {one.text for one in pairs.samples}
    assert good[0].turns[0].question == "What does the camera-wearer do?"
    back = tmp_path / "back"
    again = ["data", "instruct", "--source", str(out / file), "--videos", str(out), "--out", str(back), *SMALL]
    assert main(again) == 0
    returned = open_shards(back)
    assert frames(returned, "video") == frames(pairs, "cam01")
    assert {one.conversations[0][0].answer for one in returned.samples} == {one.text for one in pairs.samples}
    assert main(["data", "export", str(back), "--format", "sharegpt", "--out", str(tmp_path / "twice")]) == 0
    twice, _ = read_conversations(tmp_path / "twice/sharegpt.json")
    assert {one.turns for one in twice} == {one.turns for one in good}


def test_mistakes_are_one_line(pairs: ShardSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    capsys.readouterr()
    for arguments, says in (
        (("gone", "--format", "llava"), "gone: no such folder"),
        ((str(pairs.folder), "--format", "csv"), "invalid choice: 'csv'"),
        ((str(pairs.folder), "--format", "llava", "--view", "cam09"), "nothing to export (5 no such view)"),
        ((str(pairs.folder), "--format", "llava", "--splits", "dev"), "splits dev"),
        ((str(pairs.folder), "--format", "openai", "--marker", "image"), "only LLaVA's files have it"),
        ((str(pairs.folder), "--format", "llava", "--recipe", "huge"), "unknown recipe 'huge'; available: tiny"),
        ((str(pairs.folder), "--format", "llava", "--question", " "), "say what is asked about them with --question"),
    ):
        assert main(["data", "export", *arguments, "--out", str(out)]) == 2
        complaint = capsys.readouterr().err
        assert says in complaint
        assert complaint.count("\n") == 1


def test_a_damaged_clip_is_named_and_leaves_no_half_file(
    pairs: ShardSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tar = next(pairs.folder.glob("*.tar"))
    clip = pairs.read(pairs.samples[0], "ego")
    content = bytearray(tar.read_bytes())
    content[content.index(clip) + 40] ^= 1
    tar.write_bytes(content)
    out = tmp_path / "out"
    assert main(["data", "export", str(pairs.folder), "--format", "llava", "--copy-videos", "--out", str(out)]) == 2
    assert tar.name in capsys.readouterr().err
    assert not list(out.rglob("*.mp4")) + list(out.rglob("*.tmp")) + list(out.rglob("llava.json"))
