"""Clips of one video within limits: what hangs, or floods the memory, goes to the quarantine and nothing else does."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from check_fakes import patient_but_for
from coded_video import make_video, steady
from test_shards import build, contents
from tiny_tree import Tree

from exo2ego.data.guard import Guard
from exo2ego.data.shard_clips import Limits
from exo2ego.errors import FormatError


def reasons(out: Path) -> dict[str, str]:
    """Of each quarantined view of a build; the videos of all are given."""
    entries = [json.loads(line) for line in (out / "quarantine.jsonl").read_text().splitlines()]
    return {f"{Path(e['video']).parents[1].name}/{e['view']}": e["reason"] for e in entries if e["video"]}


def test_limits_change_no_byte(tree: Tree, tmp_path: Path) -> None:
    build(tree.root, tmp_path / "free")
    build(tree.root, tmp_path / "limited", limits=Limits())
    assert contents(tmp_path / "limited") == contents(tmp_path / "free")


def test_a_video_that_needs_too_much_memory_loses_its_own_clips(tree: Tree, tmp_path: Path) -> None:
    tree.video("uid-b", "cam01").write_bytes(make_video(steady(12, 2), width=2048, height=1536))
    built = build(tree.root, tmp_path / "out", limits=Limits(memory_limit_bytes=12 << 20))
    assert set(reasons(tmp_path / "out")) == {"bench_2/cam01"}
    assert {sample.views for sample in built.samples} == {("ego", "cam01", "cam02"), ("ego", "cam02")}


def test_a_video_that_hangs_is_given_up_after_its_time(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = "kitchen_1/frame_aligned_videos/cam01.mp4"
    call = patient_but_for(stopped)

    def stopping(self: Guard, function: Any, path: str, *rest: Any, **options: Any) -> Any:
        if path.endswith(stopped):
            assert self._child is not None
            self._child.wait_until_ready()
            os.kill(self._child.process.pid, signal.SIGSTOP)
        return call(self, function, path, *rest, **options)

    monkeypatch.setattr(Guard, "call", stopping)
    build(tree.root, tmp_path / "out", limits=Limits(time_limit_s=1.0))
    assert set(reasons(tmp_path / "out")) == {"kitchen_1/cam01"}
    assert "took longer than 1 s and was stopped" in reasons(tmp_path / "out")["kitchen_1/cam01"]


def test_long_videos_may_take_longer() -> None:
    limits = Limits(time_limit_s=300.0)
    assert [limits.of_video(length) for length in (1.0, 600.0, 3600.0)] == [300.0, 300.0, 1800.0]


@pytest.mark.parametrize("bad", [{"time_limit_s": 0.0}, {"time_limit_s": float("nan")}, {"memory_limit_bytes": 0}])
def test_impossible_limits_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(FormatError, match="give more than 0"):
        Limits(**bad)
