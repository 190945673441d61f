"""`exo2ego data ...`: the report a user reads, exit codes, one line for every mistake."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from tiny_tree import Tree, annotation, description

from exo2ego.cli.__main__ import main
from exo2ego.data.shard_writer import SAMPLES_PER_SHARD
from exo2ego.data.shards import open_shards


def clips(tree: Tree, out: Path, *more: str) -> list[str]:
    base = ["data", "clips", "--source", str(tree.root), "--out", str(out), "--frames", "4", "--size", "32"]
    return [*base, *more]


def test_clips_then_inspect(tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tree.train["uid-nowhere"] = []
    tree.save()
    out = tmp_path / "shards"
    assert main(clips(tree, out, "--rewrite-subject")) == 0
    printed = capsys.readouterr().out
    assert "narrations: 7, kept: 5" in printed
    assert "left out, other split: 2" in printed
    assert "1 x unknown take" in printed
    assert "10 ego-exo pairs of 5 narrations" in printed
    assert {s.text.split()[0] for s in open_shards(out).samples} == {"Camera-wearer"}
    figures = tmp_path / "figures.json"
    assert main(["data", "inspect", str(out), "--json", str(figures), "--verify"]) == 0
    printed = capsys.readouterr().out
    assert "every checksum is right" in printed
    assert json.loads(figures.read_text())["pairs"] == 10
    assert (out / "sheet.html").read_text().startswith("<!doctype html>")
    assert main(clips(tree, out, "--rewrite-subject")) == 0


def test_annotations_are_read_under_bars(tree: Tree, tmp_path: Path, bars: Callable[[], dict[str, str]]) -> None:
    """Those of the release are hundreds of megabytes, and every video is looked for on its disk."""
    assert main(clips(tree, tmp_path / "out")) == 0
    assert bars() == {"reading annotations": "1/1", "choosing narrations": "7/7", "storing clips": "5/5"}


def test_clips_of_some_takes_without_the_quarantined_videos(
    tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    takes, bad = tmp_path / "takes.txt", tmp_path / "bad.jsonl"
    takes.write_text("uid-a\nuid-t\nuid-gone\n")
    bad.write_text(json.dumps({"video": str(tree.video("uid-a", "cam02")), "reason": "hangs"}) + "\n")
    out = tmp_path / "out"
    assert main(clips(tree, out, "--takes", str(takes), "--quarantine", str(bad), "--views", "1")) == 0
    printed = capsys.readouterr().out
    assert "1 listed takes are dropped, without split or unknown, as uid-gone" in printed
    assert "quarantine: 1 videos" in printed
    assert "left out, other take: 2" in printed
    assert {sample.views for sample in open_shards(out).samples} == {("ego", "cam01")}
    assert open_shards(out).manifest["settings"]["filters"]["views"] == 1
    assert main(clips(tree, out, "--takes", str(takes), "--views", "1")) == 2
    assert "another build" in capsys.readouterr().err


def test_instruct(tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    turns = [{"from": "human", "value": "<video>\nWhat?"}, {"from": "gpt", "value": "A cup"}]
    video = "takes/bench_2/frame_aligned_videos/cam01.mp4"
    rows = [{"id": n, "video": video, "start_s": 1.0, "end_s": 3.0, "conversations": turns} for n in range(3)]
    source = tmp_path / "ego.json"
    source.write_text(json.dumps([*rows, {"id": "bad"}]))
    out = tmp_path / "out"
    options = ["--source", str(source), "--videos", str(tree.root), "--out", str(out), "--frames", "4"]
    assert main(["data", "instruct", *options]) == 0
    printed = capsys.readouterr().out
    assert "conversations: 4, stored: 3 about 1 spans" in printed
    assert "bad rows: 1 (1 of text alone); the first:" in printed
    assert "field 'video' is missing" in " ".join(printed.split())
    assert len(open_shards(out).samples[0].conversations) == 3
    assert main(["data", "inspect", str(out)]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["data", "clipz"], "unknown verb 'data clipz'"),
        (["data", "clips"], "required"),
        (["data", "clips", "--source", "absent", "--out", "x"], "absent: no such folder"),
        (["data", "clips", "--source", "absent", "--out", "x", "--alpha", "few"], "neither auto nor"),
        (["data", "clips", "--source", "absent", "--out", "x", "--views", "some"], "neither all, best nor"),
        (["data", "clips", "--source", "absent", "--out", "x", "--views", "0"], "neither all, best nor"),
        (["data", "clips", "--source", "absent", "--out", "x", "--alpha", "-1"], "alpha is -1.0"),
        (["data", "clips", "--source", "absent", "--out", "x", "--splits", "test"], "withholds those of test"),
        (["data", "clips", "--source", "absent", "--out", "x", "--min-width", "nan"], "minimum width is nan"),
        (["data", "instruct", "--source", "absent.json", "--videos", ".", "--out", "x"], "absent.json: no such file"),
        (["data", "inspect", "absent"], "absent: no such folder"),
    ],
)
def test_mistakes_are_one_line(
    arguments: Sequence[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    complaint = capsys.readouterr().err
    assert message in complaint
    assert complaint.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verb", ["plan", "check", "clips", "instruct", "inspect"])
def test_help_shows_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["data", verb, "--help"])
    assert left.value.code == 0
    assert f"exo2ego data {verb} " in capsys.readouterr().out.split("example:")[1]


def test_figures_and_pages_may_go_to_a_folder_that_is_not_there_yet(
    tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As `data plan` and `data check` do; and what is printed is what the file says."""
    out = tmp_path / "shards"
    assert main(clips(tree, out)) == 0
    figures, page = tmp_path / "new/deep/figures.json", tmp_path / "new/page/sheet.html"
    assert main(["data", "inspect", str(out), "--json", str(figures), "--html", str(page), "--examples", "1"]) == 0
    assert page.read_text().startswith("<!doctype html>")
    assert not (out / "sheet.html").exists()
    record = json.loads(figures.read_text())
    capsys.readouterr()
    mix = tmp_path / "other/mix.json"
    assert main(["data", "mix", "--data", f"a={out}:1", "--samples", "20", "--json", str(mix)]) == 0
    (row,) = json.loads(mix.read_text())
    assert (row["name"], row["examples"], row["samples"]) == ("a", record["pairs"], 20)
    assert row["epochs"] == pytest.approx(20 / record["pairs"])


@pytest.mark.parametrize("child", ["spawn_main", "exo2ego.data.guard"])
def test_ctrl_c_while_children_start_is_one_line(
    child: str, tree: Tree, tmp_path: Path, ctrl_c_at_start: Callable[[str, Sequence[str]], tuple[int, str]]
) -> None:
    many = [description("C taps it.", 1 + 0.01 * number) for number in range(SAMPLES_PER_SHARD)]
    for take in ("uid-a", "uid-b"):
        tree.train[take].append(annotation("many", many))
    tree.save()
    command = clips(tree, tmp_path / "out", "--workers", "2")
    assert ctrl_c_at_start(child, command) == (130, "exo2ego: stopped; run the same command again to go on\n")
