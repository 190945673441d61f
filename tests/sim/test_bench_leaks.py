"""Benchmarks of the simulated world kept out of training: a leaked sample of each is refused, clean ones never are."""

import json
from pathlib import Path

import pytest

from exo2ego.bench.contamination import held_out_spans
from exo2ego.bench.tasks import TASKS
from exo2ego.cli.__main__ import main
from exo2ego.data.egoexo4d import read_take_names
from exo2ego.data.held_out import HeldOut, held_out, read_held_out
from exo2ego.data.shards import ShardSample
from exo2ego.errors import InputError
from exo2ego.sim.spec import BENCHES

pytestmark = pytest.mark.gl

WRITTEN = [name for name, task in TASKS.items() if task.directory in BENCHES]
NAMED_BY_TAKE = {"egomcq", "egoschema", "forgetting", "qaego4d_closed", "qaego4d_open"}
"""Tasks whose files name the Ego-Exo4D take; the others' recordings go by names of their own, as the real ones do."""


def trained_on(video: str, start_s: float, end_s: float) -> ShardSample:
    return ShardSample(
        key="k", split="train", take_uid=video, scenario="", text="", start_s=start_s, end_s=end_s, fps=8.0,
        views=("video",), best_exo=None, source="test",
    )  # fmt: skip


def spans_of(world: Path, name: str) -> HeldOut:
    root = world / "bench" / TASKS[name].directory
    return held_out(held_out_spans(name, TASKS[name].load(root, full=True), root))


@pytest.mark.parametrize("name", WRITTEN)
def test_a_leaked_sample_is_found_by_the_benchmarks_own_names(bench_world: Path, name: str) -> None:
    """A shard made of the question's own video at the seconds asked about, and one of the recording it was cut from."""
    root = bench_world / "bench" / TASKS[name].directory
    spans = spans_of(bench_world, name)
    for item in TASKS[name].load(root, full=True):
        for video in item.videos:
            start_s = video.start_s or 0.0
            end_s = start_s + 1.0 if video.end_s is None else video.end_s
            found = spans.find(trained_on(str(root / video.path), start_s, end_s))
            assert found is not None
            assert found.bench == name
        if item.cluster:
            assert spans.find(trained_on(item.cluster, 0.0, 1e6)) is not None


@pytest.mark.parametrize("name", WRITTEN)
def test_the_takes_themselves_are_found_where_questions_name_them(bench_world: Path, name: str) -> None:
    spans = spans_of(bench_world, name)
    uids = read_take_names(bench_world / "ego_exo4d" / "takes.json")
    found = {uid for uid in uids if spans.find(trained_on(uid, 0.0, 1e6))}
    assert bool(found) == (name in NAMED_BY_TAKE)


def has_questions(world: Path, name: str) -> bool:
    """A world of three takes has nothing to ask for some tasks, and readers refuse an empty list."""
    try:
        return bool(TASKS[name].load(world / "bench" / TASKS[name].directory))
    except InputError:
        return False


def test_clean_takes_are_never_refused_and_the_command_lists_all(
    tiny_world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Train and val takes under both their names, against all benchmarks of their own world at once."""
    tree, out = tiny_world / "ego_exo4d", tmp_path / "held-out.jsonl"
    tasks = [name for name in WRITTEN if has_questions(tiny_world, name)]
    assert len({TASKS[name].directory for name in tasks}) >= 6
    root = ["--tasks", ",".join(tasks), "--root", str(tiny_world / "bench")]
    assert main(["bench", "contamination", *root, "--export", str(out), "--takes", str(tree / "takes.json")]) == 0
    assert f"written: {out}" in capsys.readouterr().out
    spans = read_held_out(out)
    assert {span.bench for stretches in spans.by_video.values() for span in stretches} <= set(tasks)
    splits = json.loads((tree / "annotations" / "splits.json").read_text())["take_uid_to_split"]
    for uid, name in read_take_names(tree / "takes.json").items():
        held = [spans.find(trained_on(one, 0.0, 1e6)) is not None for one in (uid, name)]
        assert held == [splits[uid] == "test"] * 2, (uid, splits[uid])


def test_the_command_needs_something_to_do(bench_world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "contamination", "--tasks", "egomcq", "--root", str(bench_world / "bench" / "egomcq")]) == 2
    assert "give --train SHARDS to compare, --export FILE to list, or both" in capsys.readouterr().err
