"""Statistics of a known directory, and a page that holds everything it shows and nothing executable."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from test_shards import build
from tiny_tree import Tree

from exo2ego.cli.__main__ import main
from exo2ego.data import told as data_told
from exo2ego.data.inspect import contact_sheet, statistics, statistics_text
from exo2ego.data.shards import Samples, ShardSample


def test_statistics(tree: Tree, tmp_path: Path) -> None:
    figures = statistics(build(tree.root, tmp_path / "out"))
    assert {name: figures[name] for name in ("takes", "videos", "clips", "narrations", "pairs")} == {
        "takes": 2,
        "videos": 6,
        "clips": 15,
        "narrations": 5,
        "pairs": 10,
    }
    # kitchen_1: three clips of 1 / 2.5 s; bench_2: two of 2 / 2.5 s.
    assert abs(figures["mean_clip_s"] - (3 * 0.4 + 2 * 0.8) / 5) < 1e-9
    assert abs(figures["clip_hours"] - 3 * 2.8 / 3600) < 1e-9
    # Two takes of 6 s, each seen by three cameras; the take of another split is not counted.
    assert abs(figures["video_hours"] - 2 * 3 * 6 / 3600) < 1e-9
    assert figures["share_under_1_s"] == 1.0
    assert figures["scenarios"] == {"Cooking": 5}
    lines = statistics_text(figures).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert any(re.fullmatch(r"left out: other split\s+2", line) for line in lines)
    assert not any(line.startswith("conversations") for line in lines), "pairs have none"


def test_page_is_self_contained_and_escaped(tree: Tree, tmp_path: Path) -> None:
    shards = build(tree.root, tmp_path / "out")
    page = contact_sheet(shards, statistics(shards), examples=5)
    assert "C holds a &lt;b&gt;cup&lt;/b&gt;." in page
    assert "<b>" not in page
    assert page.count('src="data:image/jpeg;base64,') == 15
    assert not re.search(r"https?://|<script|<link", page)
    assert page.count("(best)") == 5


def test_fewer_samples_than_examples(tree: Tree, tmp_path: Path) -> None:
    shards = build(tree.root, tmp_path / "out")
    figures = statistics(shards)
    assert contact_sheet(shards, figures, examples=50).count("<section>") == 5
    assert contact_sheet(shards, figures, examples=1).count("<section>") == 1


def test_all_records_are_read_once_under_a_bar(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, screen: Callable[[], list[str]]
) -> None:
    """Of millions of samples one reading takes minutes: not one for each figure, and one more for the page."""
    build(tree.root, tmp_path / "out")
    readings: list[int] = []
    plain = Samples.__iter__

    def counted(samples: Samples) -> Iterator[ShardSample]:
        readings.append(len(samples))
        return plain(samples)

    monkeypatch.setattr(Samples, "__iter__", counted)
    assert main(["data", "inspect", str(tmp_path / "out"), "--verify"]) == 0
    assert readings == [5]
    bars = [re.sub(r" +━+ (\d+/\d+) .*", r" \1", line) for line in screen()]
    assert "reading samples 5/5" in bars
    assert bars[-1] == "checking 1/1"


def test_progress_is_told_now_and_then_and_at_the_end(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_told, "TOLD_EVERY", 2)
    told: list[tuple[int, int]] = []
    statistics(build(tree.root, tmp_path / "out"), lambda *at: told.append(at))
    assert told == [(2, 5), (4, 5), (5, 5)]
