"""A small world on disk: complete, synchronous, the same for any number of workers, resumable, never mixed up."""

import filecmp
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from exo2ego.errors import OutputError
from exo2ego.sim.encode import decode
from exo2ego.sim.export import simulate
from exo2ego.sim.spec import SimSpec
from exo2ego.sim.world import plan_takes

pytestmark = pytest.mark.gl


def texts(root: Path) -> dict[str, bytes]:
    """All files but videos."""
    found = (path for path in root.rglob("*") if path.suffix in (".json", ".jsonl", ".csv"))
    return {str(path.relative_to(root)): path.read_bytes() for path in found}


def test_all_videos_of_a_take_have_the_same_frames(tiny_spec: SimSpec, tiny_world: Path) -> None:
    """Frame i of every video of a take is the same instant, so their numbers agree with the plan."""
    takes = json.loads((tiny_world / "ego_exo4d" / "takes.json").read_text())
    for plan, take in zip(plan_takes(tiny_spec), takes, strict=True):
        folder = tiny_world / "ego_exo4d" / take["root_dir"] / "frame_aligned_videos"
        videos = sorted(folder.glob("*.mp4"))
        assert len(videos) == 1 + len(plan.cameras)
        for path in videos:
            frames = list(decode(path))
            assert len(frames) == plan.frames == round(take["duration_sec"] * tiny_spec.fps)
            assert frames[0].shape == (32, 32, 3)
            assert np.std(frames[0]) > 10, "a blank picture"


def test_something_happens_in_every_view(tiny_spec: SimSpec, tiny_world: Path) -> None:
    """During an act the pictures change more than before the first step, from fixed cameras too."""
    plan = plan_takes(tiny_spec)[0]
    folder = tiny_world / "ego_exo4d" / "takes" / plan.take_name / "frame_aligned_videos"
    for path in folder.glob("cam*.mp4"):
        frames = np.stack([frame.astype(float) for frame in decode(path)])
        change = np.abs(np.diff(frames, axis=0)).max(axis=(1, 2, 3))
        for event in plan.events:
            first, last = round(event.act_start_s * plan.fps), round(event.act_end_s * plan.fps)
            assert change[first:last].max() > 25, (path.name, event.verb)


def test_bytes_do_not_depend_on_the_workers(tiny_spec: SimSpec, tiny_world: Path, tmp_path: Path) -> None:
    """Two processes write what one wrote: every text, and every video."""
    simulate(replace(tiny_spec, out=tmp_path / "again", workers=2))
    assert texts(tmp_path / "again") == texts(tiny_world)
    videos = sorted(path.relative_to(tiny_world) for path in tiny_world.rglob("*.[mM][pP]4"))
    _, differing, missing = filecmp.cmpfiles(tiny_world, tmp_path / "again", map(str, videos), shallow=False)
    assert (differing, missing) == ([], [])


def test_a_stopped_simulation_goes_on(tiny_spec: SimSpec, tiny_world: Path, tmp_path: Path) -> None:
    """Takes that are there are not rendered again; a half-written one and its leftovers are."""
    out = tmp_path / "sim"
    shutil.copytree(tiny_world, out)
    takes = sorted((out / "ego_exo4d" / "takes").iterdir())
    kept = (takes[0] / "frame_aligned_videos" / "aria01_214-1.mp4").stat().st_mtime_ns
    takes[1].rename(takes[1].with_name(f".{takes[1].name}.99.part"))
    (out / "truth.jsonl").unlink()
    seen: list[tuple[str, int, int]] = []
    summary = simulate(replace(tiny_spec, out=out), lambda *told: seen.append(told))
    assert seen[:2] == [("rendering takes", 2, 3), ("rendering takes", 3, 3)]
    folders = len(tiny_spec.benches)
    assert seen[2:] == [("writing benchmarks", done, folders) for done in range(folders + 1)]
    assert 0 < summary.rendered_frames < summary.frames
    assert (takes[0] / "frame_aligned_videos" / "aria01_214-1.mp4").stat().st_mtime_ns == kept
    assert texts(out) == texts(tiny_world)
    assert not list(out.rglob("*.part"))


def test_another_world_is_not_mixed_in(tiny_spec: SimSpec, tiny_world: Path, tmp_path: Path) -> None:
    """Neither into a world of other settings nor into a folder of something else."""
    with pytest.raises(OutputError, match=r"sim\.json.*other settings"):
        simulate(replace(tiny_spec, seed=4))
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(OutputError, match="not empty"):
        simulate(replace(tiny_spec, out=tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]


def test_a_place_that_cannot_be_written_is_named(tiny_spec: SimSpec, tmp_path: Path) -> None:
    """A file where the folder should be: one line, no traceback."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot write .*file"):
        simulate(replace(tiny_spec, out=tmp_path / "file" / "below"))


def test_instructions_are_about_train_takes_and_within_the_video(tiny_spec: SimSpec, tiny_world: Path) -> None:
    """Every entry's video exists; ego instructions are on ego video and tell nothing untold."""
    plans = {plan.take_name: plan for plan in plan_takes(tiny_spec)}
    for view in ("ego", "exo"):
        entries = json.loads((tiny_world / "instruct" / f"{view}.json").read_text())
        assert len({entry["id"] for entry in entries}) == len(entries) > 0
        for entry in entries:
            plan = plans[entry["video"].split("/")[1]]
            assert plan.split == "train"
            assert (tiny_world / "ego_exo4d" / entry["video"]).is_file()
            assert ("aria01" in entry["video"]) == (view == "ego")
            assert 0 <= entry["start_s"] < entry["end_s"] <= plan.duration_s
            assert entry["conversations"][0]["value"].startswith("<video>\n")
        colours = {"red", "green", "blue", "yellow", "purple", "cyan"}
        said = {entry["conversations"][1]["value"] for entry in entries}
        assert bool(said & (colours | {"left", "right"})) == (view == "exo")


def test_bench_videos_are_there(tiny_world: Path) -> None:
    """Each question has its ego clip and its exo twin of 1.6 s."""
    rows = json.loads((tiny_world / "bench" / "egoschema" / "questions.json").read_text())
    assert len(rows) == 6
    for folder in ("egoschema", "egoschema_exo"):
        for row in rows:
            frames = list(decode(tiny_world / "bench" / folder / "videos" / f"{row['q_uid']}.mp4"))
            assert len(frames) == 8
    mcq = json.loads((tiny_world / "bench" / "egomcq" / "egomcq.json").read_text())
    for row in mcq.values():
        assert (tiny_world / "bench" / "egomcq" / "videos" / f"{row['query']['video_uid']}.mp4").is_file()
    assert list((tiny_world / "bench" / "epic_mir" / "videos").glob("P*/P*_*.MP4"))


def test_a_killed_worker_is_one_line(tmp_path, monkeypatch):
    """What the kernel does when memory runs out must not end in a traceback."""
    from concurrent.futures.process import BrokenProcessPool

    from exo2ego.errors import OutputError
    from exo2ego.sim import export, pool

    class Pool:
        def __init__(self, *args, **kwargs):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *args):
            return False

        def submit(self, *args):
            from concurrent.futures import Future

            future = Future()
            future.set_exception(BrokenProcessPool("gone"))
            return future

        def shutdown(self, **kwargs):
            pass

    monkeypatch.setattr(pool, "ProcessPoolExecutor", Pool)
    spec = export.SimSpec(out=tmp_path, takes=4, seed=0, workers=2)
    with pytest.raises(OutputError, match="worker was killed"):
        list(export._rendered(spec, [None, None, None, None]))
