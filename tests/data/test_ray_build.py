"""Shards over Ray, on a real cluster of two nodes of which one is killed: what a local build has, to the byte."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from test_shard_local import TAKES, build_many
from test_shards import contents
from tiny_tree import Tree

from exo2ego.cli.__main__ import main
from exo2ego.data.shards import open_shards, verify_shards

ray = pytest.importorskip("ray", reason="pip install -c constraints.txt -e .[ray]")
cluster_utils = pytest.importorskip("ray.cluster_utils")
ray_workers = pytest.importorskip("exo2ego.data.ray_workers")
ray_build = pytest.importorskip("exo2ego.data.ray_build")
one_node_stands_still = pytest.importorskip("one_node_stands_still")

pytestmark = pytest.mark.slow  # starting a cluster takes seconds


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes of two CPUs whose workers find the tests' own modules; the second is `cluster.second`."""
    with pytest.MonkeyPatch.context() as changes:
        changes.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), *sys.path]))
        changes.setenv("RAY_USAGE_STATS_ENABLED", "0")
        made = cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
        made.second = made.add_node(num_cpus=2)
        made.wait_for_nodes()
        yield made
        ray.shutdown()
        made.shutdown()


def test_the_command_builds_over_ray_what_it_builds_here(
    cluster: Any, tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tree.root.parent)
    tree.video("uid-b", "cam01").write_bytes(b"")
    base = ["data", "clips", "--source", tree.root.name, "--frames", "4", "--size", "32"]
    there = ["--engine", "ray", "--address", cluster.address]
    assert main([*base, "--out", "here"]) == 0
    assert main([*base, "--out", "there", *there]) == 0
    for folder in ("there", "here"):
        (tmp_path / folder / "README.md").unlink()  # names the command
    assert contents(tmp_path / "there") == contents(tmp_path / "here")
    assert len(open_shards(tmp_path / "there")) == 5
    assert not ray.is_initialized()
    assert main([*base, "--out", "nowhere", "--address", "127.0.0.1:1"]) == 2
    assert "give --engine ray" in capsys.readouterr().err


def test_a_node_that_dies_costs_nothing(
    cluster: Any, tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_many(tree.root, tmp_path / "here")
    out = tmp_path / "there"
    run = partial(ray_build.run_on_ray, workers=4, address=cluster.address)
    stands = partial(one_node_stands_still.build_or_stand, cluster.second.node_id, tmp_path / "begun")
    monkeypatch.setattr(ray_build, "_builder", stands)
    started: list[str] = []
    spawn = ray_workers.RayWorkers._spawn

    def counted(self: Any) -> None:
        started.append("worker")
        spawn(self)

    def kill_the_second(done: int, total: int) -> None:
        if done and "killed" not in started:  # a shard was begun there before any was done here
            started.append("killed")
            power_off(cluster, cluster.second)

    monkeypatch.setattr(ray_workers.RayWorkers, "_spawn", counted)
    build_many(tree.root, out, run=run, progress=kill_the_second)
    assert "worker" in started[started.index("killed") :], "the death was noticed, the shard handed out again"
    assert contents(out) == contents(tmp_path / "here")
    assert verify_shards(out) == TAKES * 5 * 4


def power_off(cluster: Any, node: Any) -> None:
    """A node with everything on it, at once."""
    raylet = node.all_processes["raylet"][0].process.pid
    for child in Path(f"/proc/{raylet}/task/{raylet}/children").read_text().split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(child), signal.SIGKILL)
    cluster.remove_node(node, allow_graceful=False)
