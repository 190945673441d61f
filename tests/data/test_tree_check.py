"""A check of a download: everything wrong is named, nothing right is, and nothing is opened twice."""

import io
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import check_fakes
import pytest
from coded_video import make_video, steady
from download_fakes import need
from hypothesis import given
from hypothesis import strategies as st
from tiny_tree import Tree

from exo2ego.data import tree_check_pool
from exo2ego.data.download_needs import needs
from exo2ego.data.download_sizes import Sizes
from exo2ego.data.egoexo4d import read_root
from exo2ego.data.guard import Guard
from exo2ego.data.pairs import FilterRule
from exo2ego.data.tree_check import Tolerance, TreeCheck, check_tree, take_findings
from exo2ego.data.tree_check_log import CHECKED, Asked, Checked, CheckLog
from exo2ego.data.tree_check_report import write_quarantine
from exo2ego.data.tree_check_video import VideoFacts
from exo2ego.errors import FormatError, OutputError

CLIPS = ("uid-a", "uid-b")
"""Takes of the train split: six videos."""


def checked(tree: Tree, out: Path, *, tolerance: Tolerance | None = None, workers: int = 1, **asked: Any) -> TreeCheck:
    retry = asked.pop("retry_bad", False)
    dataset = read_root(tree.save())
    found, _ = needs(dataset, FilterRule(), Sizes(tree.root, 0.0))
    return check_tree(dataset, found, out, Asked(**asked), tolerance or Tolerance(), workers=workers, retry_bad=retry)


def kinds(check: TreeCheck) -> list[tuple[str, str]]:
    """(kind, name of the file or of the take) of each finding."""
    return sorted((finding.kind, Path(finding.video).name or finding.take) for finding in check.findings)


def test_a_whole_download_has_no_findings(tree: Tree, tmp_path: Path) -> None:
    check = checked(tree, tmp_path / "out", workers=2)
    assert check.findings == ()
    assert check.is_whole
    assert (check.takes, check.opened, len(check.videos)) == (2, 6, 6)
    facts = check.videos[str(tree.video("uid-a", "cam01").relative_to(tree.root))].facts
    assert facts == VideoFacts(
        duration_s=6.0,
        fps=10.0,
        frames=60,
        width_px=48,
        height_px=48,
        rotation_deg=0,
        codec="h264",
        all_decoded=False,
    )


def test_every_fault_is_named_with_its_file(tree: Tree, tmp_path: Path) -> None:
    whole = tree.video("uid-a", "aria01").read_bytes()
    tree.video("uid-a", "aria01").write_bytes(b"")
    tree.video("uid-a", "cam01").write_bytes(whole[: len(whole) // 2])
    tree.video("uid-a", "cam02").unlink()
    tree.video("uid-b", "cam01").write_bytes(make_video(steady(50), width=48))
    tree.video("uid-b", "cam02").write_bytes(make_video(steady(120, fps=20), width=48))
    check = checked(tree, tmp_path / "out")
    assert kinds(check) == [
        ("bad video", "aria01_214-1.mp4"),
        ("bad video", "cam01.mp4"),
        ("frames differ", "cam01.mp4"),
        ("frames differ", "cam02.mp4"),
        ("missing video", "cam02.mp4"),
        ("rates differ", "cam02.mp4"),
        ("wrong length", "cam01.mp4"),
    ]
    details = {(f.kind, f.take, Path(f.video).stem): f.detail for f in check.findings}
    assert details["bad video", "kitchen_1", "aria01_214-1"].startswith("the file is empty (0 bytes)")
    assert details["bad video", "kitchen_1", "cam01"].startswith("cannot be opened as a video: it is cut short")
    assert details["missing video", "kitchen_1", "cam02"] == "no such file, nor the full-size one"
    assert details["wrong length", "bench_2", "cam01"] == "5.000 s, takes.json says 6.000 s"
    assert details["frames differ", "bench_2", "cam01"] == "50 frames, the ego video has 60"
    assert not check.is_whole
    assert [one.video.rpartition("/")[2] for one in check.bad] == ["aria01_214-1.mp4", "cam01.mp4"]


@pytest.mark.parametrize("full", [False, True])
def test_a_video_cut_short_under_an_intact_header_is_found(tree: Tree, tmp_path: Path, full: bool) -> None:
    """In matroska the header comes first: such a file opens, and says that it lasts six seconds."""
    whole = make_video(steady(60), width=48, container="matroska")
    tree.video("uid-a", "cam01").write_bytes(whole)
    assert checked(tree, tmp_path / "out", full=full).is_whole
    tree.video("uid-a", "cam01").write_bytes(whole[: len(whole) * 3 // 4])
    check = checked(tree, tmp_path / "out", full=full)
    assert kinds(check) == [("bad video", "cam01.mp4")]
    assert "cut short" in check.findings[0].detail


def test_tolerances_are_options_and_need_no_second_look(tree: Tree, tmp_path: Path) -> None:
    tree.video("uid-b", "cam01").write_bytes(make_video(steady(57), width=48))
    first = checked(tree, tmp_path / "out", tolerance=Tolerance(duration_s=0.2))
    assert kinds(first) == [("frames differ", "cam01.mp4"), ("wrong length", "cam01.mp4")]
    second = checked(tree, tmp_path / "out", tolerance=Tolerance(duration_s=0.31, frames=3))
    assert (second.findings, second.opened) == ((), 0)


def test_a_file_that_hangs_crashes_or_floods_costs_itself_alone(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree_check_pool, "inspect_video", check_fakes.look_or_suffer)
    for name, camera in {"hang": "aria01", "crash": "cam01", "flood": "cam02"}.items():
        old = tree.video("uid-a", camera)
        stream = next(iter(tree.takes[0]["frame_aligned_videos"][camera].values()))
        stream["relative_path"] = f"frame_aligned_videos/{name}.mp4"
        old.rename(old.with_name(f"{name}.mp4"))
    monkeypatch.setattr(Guard, "call", check_fakes.patient_but_for("hang.mp4"))
    check = checked(tree, tmp_path / "out", workers=2, time_limit_s=1.0, memory_limit_bytes=1 << 30)
    assert kinds(check) == [("bad video", f"{name}.mp4") for name in ("crash", "flood", "hang")]
    reasons = {Path(one.video).stem: one.reason or "" for one in check.bad}
    assert "took longer than 1 s and was stopped" in reasons["hang"]
    assert "crashed" in reasons["crash"]
    assert "memory" in reasons["flood"]
    write_quarantine(tmp_path / "quarantine.jsonl", check)
    rows = [json.loads(line) for line in (tmp_path / "quarantine.jsonl").read_text().splitlines()]
    assert [Path(row["video"]).stem for row in rows] == ["crash", "flood", "hang"]
    assert all(row["reason"] and row["take_uid"] == "uid-a" for row in rows)


def test_what_has_not_changed_is_not_opened_again(tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = tree.video("uid-a", "cam01")
    bad.write_bytes(b"no video")
    first = checked(tree, tmp_path / "out")
    with monkeypatch.context() as patched:
        patched.setattr(tree_check_pool, "inspect_video", check_fakes.look_never)
        again = checked(tree, tmp_path / "out")
        assert (again.opened, again.findings) == (0, first.findings)
        (tmp_path / "out" / CHECKED).open("a").write('{"video": "torn')
        assert checked(tree, tmp_path / "out").opened == 0
        with pytest.raises(RuntimeError, match="opened again"):
            checked(tree, tmp_path / "out", retry_bad=True)
    assert checked(tree, tmp_path / "out", time_limit_s=31.0).opened == 1, "more time for the bad one"
    assert checked(tree, tmp_path / "out", full=True).opened == 6 - 1, "the bad one is bad anyway"
    assert checked(tree, tmp_path / "out").opened == 0, "a full look answers a quick one"
    bad.write_bytes(tree.video("uid-b", "cam01").read_bytes())
    mended = checked(tree, tmp_path / "out")
    assert (mended.opened, mended.findings) == (1, ())
    os.utime(bad, ns=(1, 1))
    assert checked(tree, tmp_path / "out").opened == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
def test_stopped_in_the_middle_it_goes_on(tree: Tree, tmp_path: Path, number: int, code: int) -> None:
    """kill -9 and Ctrl-C: what the log holds by then is not opened again."""
    root, out = tree.save(), tmp_path / "out"
    script = textwrap.dedent(
        f"""
        import signal, sys
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.path.insert(0, {str(Path(check_fakes.__file__).parent)!r})
        import check_fakes
        from exo2ego.cli.__main__ import main
        from exo2ego.data import tree_check_pool
        tree_check_pool.inspect_video = check_fakes.look_at_the_first_take_only
        sys.exit(main(["data", "check", {str(root)!r}, "--out", {str(out)!r}, "--time-limit", "600"]))
        """
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    log = out / CHECKED
    until = time.monotonic() + 300
    while not log.is_file() or log.read_bytes().count(b"\n") < 1 + 3:
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(number)
    assert process.wait(timeout=300) == code  # long before the ten minutes of the video that it was looking at
    done = log.read_bytes().count(b"\n") - 1
    check = checked(tree, out)
    assert done == 3
    assert check.opened == 6 - done
    assert check.is_whole
    lines = [json.loads(line) for line in log.read_text().splitlines()[1:]]
    assert Counter(line["video"] for line in lines).most_common(1)[0][1] == 1


def test_damage_in_the_middle_is_found_by_a_full_look_only(tree: Tree, tmp_path: Path) -> None:
    path = tree.video("uid-a", "cam01")
    content = bytearray(path.read_bytes())
    with av.open(io.BytesIO(bytes(content))) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    position, size = packets[16]
    content[position + 5 : position + size] = bytes(byte ^ 0x5A for byte in content[position + 5 : position + size])
    path.write_bytes(content)
    assert checked(tree, tmp_path / "out").is_whole
    check = checked(tree, tmp_path / "out", full=True)
    assert kinds(check) == [("bad video", "cam01.mp4")]
    assert "damaged, the first at 1." in check.findings[0].detail
    assert all(one.facts is None or one.facts.all_decoded for one in check.videos.values())


def test_clock_tables_are_compared_where_they_are(tree: Tree, tmp_path: Path) -> None:
    for row, end in zip(tree.takes[:2], (90, 91), strict=True):
        row |= {"timesync_start_idx": 30, "timesync_end_idx": end}
        row["capture"]["root_dir"] = f"captures/{row['take_name']}"
    table = tree.root / "captures" / "kitchen_1" / "timesync.csv"
    table.parent.mkdir(parents=True)
    table.write_text("aria01_214-1_pts\n" + "1\n" * 89 + "2")
    check = checked(tree, tmp_path / "out")
    assert (check.clocks, check.findings) == (1, ())
    table.write_text("aria01_214-1_pts\n" + "1\n" * 89)
    other = tree.root / "captures" / "bench_2" / "timesync.csv"
    other.parent.mkdir(parents=True)
    other.write_text("aria01_214-1_pts\n" + "1\n" * 91)
    check = checked(tree, tmp_path / "out")
    assert kinds(check) == [("clock table", "bench_2"), ("clock table", "kitchen_1")]
    assert check.is_whole, "no stage reads it"
    assert "rows 30 to 91 for 60 frames" in check.findings[1].detail + check.findings[0].detail
    assert "has 89 rows, takes.json names rows 30 to 90" in check.findings[1].detail + check.findings[0].detail


def test_small_videos_have_their_size(tree: Tree, tmp_path: Path) -> None:
    path = tree.video("uid-a", "cam01")
    small = path.parent / "downscaled" / "448" / path.name
    small.parent.mkdir(parents=True)
    path.rename(small)
    check = checked(tree, tmp_path / "out")
    assert kinds(check) == [("not 448 px", "cam01.mp4")]
    assert check.is_whole


def test_a_log_of_something_else_is_refused(tree: Tree, tmp_path: Path) -> None:
    out = tmp_path / "out"
    checked(tree, out)
    moved = replace(tree, root=tmp_path / "elsewhere")
    tree.root.rename(moved.root)
    with pytest.raises(OutputError, match=r"holds the check of .*ego_exo4d, not of .*elsewhere; choose another --out"):
        checked(moved, out)
    moved.root.rename(tree.root)
    with CheckLog(out, tree.root), pytest.raises(OutputError, match="another run is writing here"):
        checked(tree, out)
    with (out / CHECKED).open("a") as log:
        log.write('{"video": 3}\n')
    with pytest.raises(FormatError, match=r"checked\.jsonl: line 8: field 'video' is 3"):
        checked(tree, out)
    lines = (out / CHECKED).read_text().splitlines(keepends=True)
    (out / CHECKED).write_text("".join([*lines[:3], "nonsense\n", *lines[3:7]]))
    with pytest.raises(FormatError, match=r"line 4 is not valid JSON .*; delete the file"):
        checked(tree, out)


facts = st.builds(
    VideoFacts,
    duration_s=st.floats(0, 1e5),
    fps=st.floats(0.1, 240),
    frames=st.integers(0, 10**7),
    width_px=st.integers(1, 10**4),
    height_px=st.integers(1, 10**4),
    rotation_deg=st.sampled_from([0, 90, 180, 270]),
    codec=st.text(max_size=8),
    all_decoded=st.booleans(),
)


looked_at = (
    st.none()
    | st.just("it is damaged")
    | st.builds(
        VideoFacts,
        duration_s=st.integers(595, 605).map(lambda tenths: tenths / 10),
        fps=st.sampled_from([30.0, 29.97, 15.0]),
        frames=st.integers(1795, 1805),
        width_px=st.just(64),
        height_px=st.just(64),
        rotation_deg=st.just(0),
        codec=st.just("h264"),
        all_decoded=st.just(False),
    )
)


@given(ego=looked_at, exo=looked_at, frames=st.integers(0, 5), tenths=st.integers(0, 5))
def test_comparisons_are_those_of_the_table_in_the_docs(
    ego: VideoFacts | str | None, exo: VideoFacts | str | None, frames: int, tenths: int
) -> None:
    """Every pair of an absent, bad or readable ego and exo video of a take of 60 s."""
    one = need("u", "Cooking", "cmu", 1, 1)
    known = {
        stream.path: Checked(
            video=stream.path,
            size_bytes=1,
            mtime_ns=1,
            asked=Asked(),
            facts=found if isinstance(found, VideoFacts) else None,
            reason=found if isinstance(found, str) else None,
        )
        for stream, found in ((one.ego, ego), (one.exos[0], exo))
        if found is not None
    }
    expected = [("bad video", name) for name, found in (("ego", ego), ("exo", exo)) if isinstance(found, str)]
    for name, found in (("ego", ego), ("exo", exo)):
        if isinstance(found, VideoFacts) and abs(round(found.duration_s * 10) - 600) > tenths:
            expected.append(("wrong length", name))
    if isinstance(ego, VideoFacts) and isinstance(exo, VideoFacts):
        expected += [("frames differ", "exo")] if abs(ego.frames - exo.frames) > frames else []
        expected += [("rates differ", "exo")] if (ego.fps == 15.0) != (exo.fps == 15.0) else []
    tolerance = Tolerance(duration_s=tenths / 10 + 1e-6, frames=frames)
    found = [(f.kind, "ego" if f.video == one.ego.path else "exo") for f in take_findings(one, known, tolerance)]
    assert sorted(found) == sorted(expected)


@given(
    size=st.integers(0, 2**50),
    mtime=st.integers(0, 2**63),
    found=facts | st.text(min_size=1),
    full=st.booleans(),
    name=st.text(max_size=20),
)
def test_the_log_gives_back_what_it_was_told_to_the_nanosecond(
    tmp_path_factory: pytest.TempPathFactory, size: int, mtime: int, found: VideoFacts | str, full: bool, name: str
) -> None:
    folder = tmp_path_factory.mktemp("log")
    told = Checked(
        video=name,
        size_bytes=size,
        mtime_ns=mtime,
        asked=Asked(full=full),
        facts=None if isinstance(found, str) else found,
        reason=found if isinstance(found, str) else None,
    )
    with CheckLog(folder, folder) as log:
        log.add(told)
    with CheckLog(folder, folder) as log:
        assert log.known == {name: told}
        assert told.holds_for(size, mtime, Asked(full=full), retry_bad=False)
        assert not told.holds_for(size, mtime + 1, Asked(full=full), retry_bad=False)
