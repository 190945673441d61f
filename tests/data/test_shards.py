"""Shards: exact clips, byte-identical however they were built, every damage found, nothing half-written."""

import json
import pickle
import resource
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from coded_video import make_video, numbers_of, steady
from guarded_work import is_alive
from tiny_tree import Tree, annotation, description

from exo2ego.data import shard_group
from exo2ego.data.atomic import held
from exo2ego.data.clips import ClipRule
from exo2ego.data.egoexo4d import read_root
from exo2ego.data.pairs import FilterReport, FilterRule, make_clips
from exo2ego.data.shard_group import ClipFormat
from exo2ego.data.shard_plan import Planned
from exo2ego.data.shard_writer import LOCK, build_shards, plan_pairs
from exo2ego.data.shards import ShardSet, open_shards, tar_members, verify_shards
from exo2ego.data.video import read_clip
from exo2ego.errors import ChecksumError, FormatError, MissingFileError, OutputError

PATHS = [str(Path(__file__).parent), str(Path(__file__).parents[1]), str(Path(shard_group.__file__).parents[2])]
"""Where a script of a test finds this file, the test videos and the package."""
FORMAT = ClipFormat(num_frames=4, size_px=48)


def plan(root: Path) -> tuple[Iterator[Planned], FilterReport]:
    # alpha 2.5: clips of kitchen_1 are 0.4 s wide, 4 frames at 10 a second, so numbers are known exactly.
    clips, report = make_clips(read_root(root), ClipRule(alpha=2.5), FilterRule())
    return plan_pairs(clips, root, FORMAT), report


def build(root: Path, out: Path, **options: Any) -> ShardSet:
    planned, report = plan(root)
    options = {"samples_per_shard": 2, "settings": {"a": 1}, **options}
    return build_shards(out, planned, FORMAT, report=report, **options)


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture
def shards(tree: Tree, tmp_path: Path) -> ShardSet:
    return build(tree.root, tmp_path / "shards")


def test_stored_clips_show_the_very_frames_of_every_view(shards: ShardSet) -> None:
    sample = next(s for s in shards.samples if s.text == "C drops the cup.")
    assert (sample.start_s, sample.end_s, sample.fps) == (2.8, 3.2, pytest.approx(10.0))
    for position, view in enumerate(("ego", "cam01", "cam02")):
        clip = read_clip(shards.read(sample, view), None, None, 4, 48)
        assert [n - 100 * position for n in numbers_of(clip)] == [28, 29, 30, 31]


def test_pairs_are_one_per_narration_and_exo_view(shards: ShardSet) -> None:
    assert len(shards) == 5
    assert len(shards.pairs) == 10
    best = {(sample.text, view) for sample, view, is_best in shards.pairs if is_best}
    assert len(best) == 5
    assert ("C holds a <b>cup</b>.", "cam01") in best


def test_webdataset_layout(shards: ShardSet) -> None:
    """What any WebDataset reader expects: the members of one sample side by side, key up to the first dot."""
    with tarfile.open(shards.folder / "shard-00000.tar") as tar:
        names = tar.getnames()
        record = json.loads(tar.extractfile(names[0]).read())  # type: ignore[union-attr]
    keys = [name.split(".")[0] for name in names]
    assert keys == sorted(keys, key=keys.index)
    assert [name.partition(".")[2] for name in names[:4]] == ["json", "ego.mp4", "cam01.mp4", "cam02.mp4"]
    assert record["text"] == shards.samples[0].text
    assert json.loads(shards.read(shards.samples[0], "json")) == record


def test_workers_do_not_change_a_byte(tree: Tree, shards: ShardSet, tmp_path: Path) -> None:
    progress: list[tuple[int, int]] = []
    build(tree.root, tmp_path / "two", workers=2, progress=lambda done, total: progress.append((done, total)))
    assert contents(tmp_path / "two") == contents(shards.folder)
    assert progress[0] == (0, 5)
    assert progress[-1] == (5, 5)


def test_threads_and_spawned_processes_read(shards: ShardSet) -> None:
    work = [(sample, view) for sample in shards.samples for view in sample.views] * 5
    expected = [shards.read(*item) for item in work]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda item: shards.read(*item), work)) == expected
    copy = pickle.loads(pickle.dumps(shards))  # noqa: S301 - our own object, as multiprocessing does it
    assert [copy.read(*item) for item in work] == expected
    with get_context("spawn").Pool(1) as pool:
        assert pool.apply(shards.read, work[0]) == expected[0]


def test_one_flipped_byte_is_found_and_named(shards: ShardSet) -> None:
    sample = shards.samples[-1]
    clip = shards.read(sample, "cam02")
    path = shards.folder / "shard-00001.tar"
    spoilt = bytearray(path.read_bytes())
    spoilt[spoilt.index(clip) + len(clip) // 2] ^= 1
    path.write_bytes(spoilt)
    again = open_shards(shards.folder)
    with pytest.raises(ChecksumError, match=rf"shard-00001\.tar: member {sample.key}\.cam02\.mp4 is damaged"):
        again.read(sample, "cam02")
    assert again.read(sample, "cam01")
    with pytest.raises(ChecksumError, match=r"shard-00001\.tar: differs"):
        verify_shards(shards.folder)


def test_cut_missing_or_changed_files_are_found(shards: ShardSet) -> None:
    path = shards.folder / "shard-00001.tar"
    whole = path.read_bytes()
    path.write_bytes(whole[:600])
    with pytest.raises(ChecksumError):
        shards.read(shards.samples[-1], "ego")
    path.unlink()
    with pytest.raises(MissingFileError, match=r"shard-00001\.tar"):
        shards.read(shards.samples[-1], "ego")
    with pytest.raises(FormatError, match="no view 'cam09', only ego, cam01, cam02"):
        shards.read(shards.samples[0], "cam09")
    index = shards.folder / "index.jsonl"
    index.write_bytes(index.read_bytes().replace(b'"train"', b'"val" '))
    with pytest.raises(ChecksumError, match=r"index\.jsonl"):
        open_shards(shards.folder)
    (shards.folder / "manifest.json").unlink()
    with pytest.raises(MissingFileError, match="run the same command again"):
        open_shards(shards.folder)


@pytest.mark.parametrize("name", ["../x.json", "a.pkl", "/a.json", "a.b.c.mp4", "a.pth", "a.ego.mp4.py"])
def test_foreign_members_are_refused(shards: ShardSet, name: str) -> None:
    with tarfile.open(shards.folder / "bad.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo(name))
    with pytest.raises(FormatError, match="does not belong in a shard"):
        tar_members(shards.folder / "bad.tar")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_links_folders_and_devices_are_refused(shards: ShardSet, kind: bytes) -> None:
    info = tarfile.TarInfo("a.ego.mp4")
    info.type, info.linkname = kind, "/etc/passwd"
    with tarfile.open(shards.folder / "bad.tar", "w") as tar:
        tar.addfile(info)
    with pytest.raises(FormatError, match="does not belong in a shard"):
        tar_members(shards.folder / "bad.tar")


@pytest.mark.parametrize("changes", [{"key": "a.b"}, {"views": ("ego", "../x")}, {"split": "all"}])
def test_impossible_samples_are_refused(shards: ShardSet, changes: dict[str, Any]) -> None:
    with pytest.raises(FormatError):
        replace(shards.samples[0], **changes)


def test_bad_videos_are_quarantined_with_the_reason_and_never_replaced(tree: Tree, tmp_path: Path) -> None:
    tree.video("uid-a", "cam01").write_bytes(b"")
    whole = make_video(steady(60), container="matroska", width=48)
    tree.video("uid-b", "aria01").write_bytes(whole[: len(whole) * 7 // 10])  # pictures up to 3.3 s
    built = build(tree.root, tmp_path / "out")
    texts = {sample.text: sample.views for sample in built.samples}
    assert set(texts) == {"C lifts the cup.", "C holds a <b>cup</b>.", "C drops the cup.", "C turns the bolt."}
    assert texts["C lifts the cup."] == ("ego", "cam02")
    entries = [json.loads(line) for line in (tmp_path / "out" / "quarantine.jsonl").read_text().splitlines()]
    assert sorted(e["view"] for e in entries) == ["", "cam01", "cam01", "cam01", "ego"]
    assert "the file is empty" in next(e["reason"] for e in entries if e["view"] == "cam01")
    assert "no frame at" in next(e["reason"] for e in entries if e["view"] == "ego")
    assert built.manifest["counts"]["quarantined"] == 5


def test_narration_beyond_the_end_of_a_shorter_video(tree: Tree, tmp_path: Path) -> None:
    tree.train["uid-b"].append(annotation("late", [description("C waves.", 5.9)]))
    tree.video("uid-b", "cam01").write_bytes(make_video(steady(45), width=48))
    built = build(tree.save(), tmp_path / "out")
    assert next(s for s in built.samples if s.text == "C waves.").views == ("ego", "cam02")


def test_opening_again_builds_nothing_and_other_settings_are_refused(tree: Tree, shards: ShardSet) -> None:
    before = {path: path.stat().st_mtime_ns for path in shards.folder.glob("*.tar")}
    assert build(tree.root, shards.folder).samples == shards.samples
    assert {path: path.stat().st_mtime_ns for path in shards.folder.glob("*.tar")} == before
    with pytest.raises(OutputError, match=r"another build \(settings differ\)"):
        build(tree.root, shards.folder, settings={"a": 2})
    tree.train["uid-a"][0]["descriptions"][0]["text"] = "C kicks the cup."
    with pytest.raises(OutputError, match=r"another build \(input differ\)"):
        build(tree.save(), shards.folder)


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = {paths!r}
from exo2ego.data import shard_group
from exo2ego.data.atomic import held
from test_shards import build

calls = 0
add = shard_group._add

def dying(tar, name, content):
    global calls
    calls += 1
    if calls == {after}:
        os.kill(os.getpid(), signal.SIGKILL)
    return add(tar, name, content)

shard_group._add = dying
build(Path({root!r}), Path({out!r}))
"""


@pytest.mark.parametrize("after", [3, 14])
def test_kill_9_and_resume(tree: Tree, shards: ShardSet, tmp_path: Path, after: int) -> None:
    """Killed within the first or the second shard: no partial file has a final name, and the outcome is the same."""
    out = tmp_path / "killed"
    script = KILLED.format(root=str(tree.root), out=str(out), after=after, paths=PATHS)
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -signal.SIGKILL
    left = contents(out)
    finished = contents(shards.folder)
    assert any(name.endswith(".tmp") for name in left)
    final = {name: left[name] for name in left if not name.endswith(".tmp") and not name.startswith("parts/")}
    assert final.items() <= finished.items()
    assert ("shard-00000.tar" in left) == (after == 14)
    with pytest.raises(MissingFileError):
        open_shards(out)
    build(tree.root, out)
    assert contents(out) == finished


ORPHANED = """
import signal, sys, time
from pathlib import Path
sys.path[:0] = {paths!r}
from test_shards import build

def linger(done, total):
    if done:
        print(done, flush=True)
        time.sleep(600)

if __name__ == "__main__":
    # a test run started in the background of a shell ignores Ctrl-C, and so would this
    signal.signal(signal.SIGINT, signal.default_int_handler)
    build(Path({root!r}), Path({out!r}), workers=2, progress=linger)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_workers_go_with_a_stopped_parent(tree: Tree, tmp_path: Path, number: signal.Signals) -> None:
    """Workers left behind would write beside the next build's."""
    script = tmp_path / "script.py"
    script.write_text(ORPHANED.format(root=str(tree.root), out=str(tmp_path / "out"), paths=PATHS))
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    process.stdout.readline()
    children = [int(child) for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
    assert len(children) >= 2
    process.send_signal(number)
    process.wait(timeout=300)
    deadline = time.monotonic() + 300
    while (left := [pid for pid in children if is_alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left


def test_a_second_build_in_the_same_place_is_refused(tree: Tree, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with held(tmp_path / "out", LOCK), pytest.raises(OutputError, match="another run is writing here"):
        build(tree.root, tmp_path / "out")


def test_a_folder_with_something_else_is_left_alone(tree: Tree, tmp_path: Path) -> None:
    out = tmp_path / "mine"
    out.mkdir()
    (out / "thesis.tex").write_text("x")
    with pytest.raises(OutputError, match=r"not empty \('thesis\.tex'\)"):
        build(tree.root, out)
    assert (out / "thesis.tex").read_text() == "x"


@pytest.mark.parametrize("place", ["file/below", "/proc/nowhere/out", "/dev/null"])
def test_places_that_cannot_be_written(tree: Tree, tmp_path: Path, place: str) -> None:
    """Tests may run as root, whom a mode does not stop: a file as parent and a kernel file system do."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="choose another place") as caught:
        build(tree.root, tmp_path / place)
    assert "\n" not in str(caught.value)


def test_full_disk_leaves_no_partial_file_and_can_be_resumed(tree: Tree, shards: ShardSet, tmp_path: Path) -> None:
    """A limit on file size stands for the full disk: the kernel refuses the write in the middle of a shard."""
    out = tmp_path / "full"
    script = (
        f"import resource, sys; sys.path[:0] = {PATHS!r}\n"
        "from pathlib import Path\nfrom test_shards import build\nfrom exo2ego.errors import OutputError\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))\n"
        f"try:\n    build(Path({str(tree.root)!r}), Path({str(out)!r}))\n"
        "except OutputError as error:\n    print(error); sys.exit(2)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert done.stdout.count("\n") == 1
    assert "shard-00000.tar: cannot be written (File too large)" in done.stdout
    assert not list(out.glob("*.tar*"))
    build(tree.root, out)
    assert contents(out) == contents(shards.folder)
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_nothing_to_store_and_odd_sizes_are_refused(tree: Tree, tmp_path: Path) -> None:
    planned, report = plan(tree.root)
    with pytest.raises(FormatError, match="nothing to store"):
        build_shards(tmp_path / "o", [], FORMAT, settings={}, report=report)
    with pytest.raises(FormatError, match="even size"):
        build_shards(tmp_path / "o", planned, ClipFormat(size_px=63), settings={}, report=report)
    assert not (tmp_path / "o").exists()


def test_samples_of_one_take_stay_in_one_shard(tree: Tree, tmp_path: Path) -> None:
    built = build(tree.root, tmp_path / "out", samples_per_shard=1)
    homes: dict[str, set[str]] = {}
    for tar in (tmp_path / "out").glob("*.tar"):
        for name in tar_members(tar):
            sample = next(s for s in built.samples if s.key == name.partition(".")[0])
            homes.setdefault(sample.take_uid, set()).add(tar.name)
    assert sorted(map(len, homes.values())) == [1, 1]
