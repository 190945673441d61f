"""What training and a benchmark share: by recording, by seconds, through chunks and windows, and nothing invented."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo2ego.bench.contamination import Contamination, as_csv, contamination, held_out_spans, trained_on
from exo2ego.bench.items import Item
from exo2ego.bench.tasks import TASKS
from exo2ego.cli.__main__ import main as exo2ego
from exo2ego.cli.bench import main
from exo2ego.data.held_out import held_out, normal, shared_s
from exo2ego.data.shard_group import ClipFormat
from exo2ego.data.shard_plan import Planned
from exo2ego.data.shard_writer import build_shards
from exo2ego.data.shards import ShardSample
from exo2ego.data.video import write_video
from exo2ego.errors import FormatError
from exo2ego.records import VideoSpan


def trained(video: str, start_s: float, end_s: float, split: str = "train", key: str = "k") -> ShardSample:
    return ShardSample(
        key=key, split=split, take_uid=video, scenario="", text="", start_s=start_s, end_s=end_s, fps=8.0,
        views=("video",), best_exo=None, source="test",
    )  # fmt: skip


def item(path: str, start_s: float | None = None, end_s: float | None = None, cluster: str = "") -> Item:
    span = VideoSpan(path=path, start_s=start_s, end_s=end_s)
    return Item(item_id="i", question="?", videos=(span,), options=("a", "b"), cluster=cluster)


def compared(samples: list[ShardSample], one: Item, root: Path = Path("nowhere")) -> Contamination:
    return contamination(trained_on(samples), [one], root)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9)), max_size=6), st.integers(0, 20), st.integers(1, 20))
def test_shared_seconds_are_those_counted_one_by_one(spans: list[tuple[int, int]], start: int, length: int) -> None:
    trained_spans = [(float(low), float(low + width)) for low, width in spans]
    seconds = [s for s in range(start, start + length) if any(low <= s < low + width for low, width in spans)]
    assert shared_s(float(start), float(start + length), trained_spans) == len(seconds)


def test_names_are_compared_without_folders_endings_and_case() -> None:
    assert normal("takes/Cmu_Bike01_2") == normal("videos/cmu_bike01_2.mp4") == "cmu_bike01_2"
    found = compared([trained("EPIC/P01_11.mp4", 3.0, 5.0)], item("videos/P01/P01_11.MP4", 4.0, 8.0))
    assert (found.same_video, found.same_time, found.overlaps[0].overlap_s) == (1, 1, 1.0)
    apart = compared([trained("P01_11", 3.0, 4.0)], item("videos/P01/P01_11.MP4", 4.0, 8.0))
    assert (apart.same_video, apart.same_time, apart.overlaps[0].overlap_s) == (1, 0, 0.0)
    assert compared([trained("P01_12", 3.0, 5.0)], item("videos/P01/P01_11.MP4")).overlaps == ()


def test_only_what_was_trained_on_counts() -> None:
    found = compared([trained("a", 0.0, 5.0, split="val")], item("videos/a.mp4"))
    assert (found.same_video, found.train_samples) == (0, 0)


@pytest.mark.parametrize("path", ["videos/uid-1/2.mp4", "videos/uid-1.mp4/1200.mp4"])
def test_chunks_of_egomcq_are_put_back_into_their_recording(path: str) -> None:
    found = compared([trained("uid-1", 1210.0, 1212.0)], item(path, 11.0, 20.0))
    assert found.overlaps[0].overlap_s == 1.0
    assert found.overlaps[0].start_s == 1211.0


def test_a_clip_of_its_own_name_shares_a_video_but_no_known_second() -> None:
    found = compared([trained("recording", 0.0, 9.0)], item("videos/clip.mp4", cluster="recording"))
    assert (found.same_video, found.same_time) == (1, 0)
    assert list(csv.DictReader(as_csv(found).splitlines())) == [
        {"item_id": "i", "video": "recording", "start_s": "", "end_s": "", "train_samples": "1", "overlap_s": ""}
    ]


def test_egoschema_windows_give_the_seconds(bench_root: Path) -> None:
    root = bench_root / "egoschema"
    windows = {
        f"q{n}": {"video_uid": f"REC{n % 2}", "starting_sec": 100 * n, "ending_sec": 100 * n + 90} for n in range(12)
    }
    (root / "uid_to_ego4d.json").write_text(json.dumps(windows))
    items = TASKS["egoschema"].load(root)
    found = contamination(trained_on([trained("rec1.mp4", 110.0, 150.0), trained("rec1", 140.0, 195.0)]), items, root)
    assert found.same_video == 5  # of the ten with an answer, the odd ones
    assert [(o.item_id, o.overlap_s) for o in found.overlaps if o.overlap_s] == [("q1", 80.0)]
    (root / "uid_to_ego4d.json").write_text(json.dumps({"q1": {"video_uid": "r", "starting_sec": 9, "ending_sec": 1}}))
    with pytest.raises(FormatError, match="start < end"):
        contamination({}, items, root)


def test_what_is_held_out_has_places_where_they_are_known(bench_root: Path, tmp_path: Path) -> None:
    """EgoMCQ's chunks as seconds of their recording; EgoSchema's videos under their own names and their windows."""
    root = bench_root / "egoschema"
    window = {"video_uid": "REC1", "starting_sec": 100, "ending_sec": 190}
    (root / "uid_to_ego4d.json").write_text(json.dumps({"q0": window}))
    spans = held_out(held_out_spans("egoschema", TASKS["egoschema"].load(root), root))
    assert spans.find(trained("rec1", 150.0, 151.0)) == spans.by_video["rec1"][0]
    assert (spans.by_video["rec1"][0].item, spans.find(trained("rec1", 190.0, 195.0))) == ("q0", None)
    assert spans.find(trained("q0.mp4", 0.0, 1.0)) is not None
    chunks = held_out(held_out_spans("egomcq", [item("videos/uid-1/2.mp4", 11.0, 20.0)], root))
    assert chunks.find(trained("uid-1", 1215.0, 1216.0)) is not None
    assert chunks.find(trained("uid-1", 15.0, 16.0)) is None
    own = held_out(held_out_spans("t", [item("videos/clip.mp4", 1.0, 2.0, cluster="recording")], tmp_path))
    assert own.find(trained("recording", 500.0, 501.0)) is not None, "its place there is not known"


def test_the_command_counts_lists_and_fails_on_demand(
    bench_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video = tmp_path / "vid2.mp4"
    write_video(video, np.zeros((16, 16, 16, 3), dtype=np.uint8), 8.0)
    planned = [Planned(sample=trained("vid2.mp4", 0.0, 2.0, key="s"), videos=(("video", str(video)),))]
    build_shards(tmp_path / "shards", planned, ClipFormat(), settings={}, report={})
    rest = ["--train", str(tmp_path / "shards"), "--root", str(bench_root), "--out", str(tmp_path / "lists")]
    assert main(["contamination", "--tasks", "egomcq,epic_mir", *rest]) == 0
    shown = capsys.readouterr().out
    assert "egomcq: 12 of 20 items are about one of 1 trained recordings (1 samples)" in shown
    assert "epic_mir: 0 of " in shown
    assert len((tmp_path / "lists/egomcq.csv").read_text().splitlines()) > 12
    assert exo2ego(["bench", "contamination", "--tasks", "egomcq,epic_mir", *rest, "--fail"]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "12 benchmark items are about recordings that were trained on" in told
    assert exo2ego(["bench", "contamination", "--tasks", "epic_mir", *rest[:2], "--root",
                    str(bench_root / "epic_mir"), "--fail"]) == 0  # fmt: skip


def test_shards_and_questions_are_read_under_bars(
    bench_root: Path, tmp_path: Path, bars: Callable[[], dict[str, str]]
) -> None:
    video = tmp_path / "vid2.mp4"
    write_video(video, np.zeros((16, 16, 16, 3), dtype=np.uint8), 8.0)
    for name in ("a", "b"):
        planned = [Planned(sample=trained("vid2.mp4", 0.0, 2.0, key=name), videos=(("video", str(video)),))]
        build_shards(tmp_path / name, planned, ClipFormat(), settings={}, report={})
    sets = ["--train", str(tmp_path / "a"), str(tmp_path / "b")]
    assert main(["contamination", "--tasks", "egomcq,epic_mir", "--root", str(bench_root), *sets]) == 0
    clips = len(TASKS["epic_mir"].load(bench_root / "epic_mir"))
    assert bars() == {
        "reading questions": "2/2",
        "reading shards": "2/2",
        "comparing egomcq": "20/20",
        "comparing epic_mir": f"{clips}/{clips}",
    }


def test_a_task_without_questions_is_named_and_the_others_are_listed(
    bench_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, listed = tmp_path / "small", tmp_path / "held-out.jsonl"
    empty = root / "egotaskqa/indirect/test_qas.json"
    empty.parent.mkdir(parents=True)
    empty.write_text("[]")
    (root / "egotaskqa/direct").mkdir()
    (root / "egotaskqa/direct/test_qas.json").write_text("[]")
    rest = ["--root", str(root), "--export", str(listed), "--fail"]
    assert exo2ego(["bench", "contamination", "--tasks", "all", *rest]) == 2, "nothing at all is no list"
    assert "holds no question" in capsys.readouterr().err
    assert not listed.exists()
    (root / "egomcq").symlink_to(bench_root / "egomcq")
    assert exo2ego(["bench", "contamination", "--tasks", "all", *rest]) == 0
    shown = capsys.readouterr().out
    assert f"without a question, so not compared: egotaskqa_indirect ({empty}: holds no question" in shown
    assert '"bench": "egomcq"' in listed.read_text()
    assert exo2ego(["bench", "contamination", "--tasks", "egotaskqa_indirect", *rest]) == 2
    assert capsys.readouterr().err.count("\n") == 1
