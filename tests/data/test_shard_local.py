"""A build of several processes, killed whole and at any moment: what it ends with is what an undisturbed one has."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from test_shards import FORMAT, PATHS, contents, plan
from tiny_tree import Tree

from exo2ego.data.shard_clips import Limits
from exo2ego.data.shard_plan import Planned
from exo2ego.data.shard_writer import build_shards
from exo2ego.data.shards import open_shards, verify_shards

TAKES = 6

SCRIPT = """
import sys
from pathlib import Path
sys.path[:0] = {paths!r}
from test_shard_local import build_many

if __name__ == "__main__":
    build_many(Path({root!r}), Path({out!r}), workers=2)
"""


def many(root: Path) -> Iterator[Planned]:
    """The samples of the tree for each of six takes: a shard each."""
    samples = list(plan(root)[0])
    for take in range(TAKES):
        for item in samples:
            sample = replace(item.sample, key=f"{item.sample.key}-{take}", take_uid=f"take-{take}")
            yield replace(item, sample=sample)


def build_many(root: Path, out: Path, **how: Any) -> None:
    build_shards(out, many(root), FORMAT, settings={}, report={}, samples_per_shard=1, limits=Limits(), **how)


def test_killed_at_random_moments_nothing_is_lost_doubled_or_changed(tree: Tree, tmp_path: Path) -> None:
    out, script = tmp_path / "killed", tmp_path / "script.py"
    script.write_text(SCRIPT.format(root=str(tree.root), out=str(out), paths=PATHS))
    start = time.monotonic()
    build_many(tree.root, tmp_path / "whole")
    usual_s = time.monotonic() - start
    moments = random.Random(7)
    deaths = 0
    while True:
        run = subprocess.Popen([sys.executable, str(script)], start_new_session=True)
        try:
            # The last run is left alone: a machine may be so slow that none would reach its end.
            assert run.wait(None if deaths == 4 else moments.uniform(0.1, 1.0) * (0.5 + usual_s)) == 0
            break
        except subprocess.TimeoutExpired:
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()
            deaths += 1
    assert deaths >= 1
    assert contents(out) == contents(tmp_path / "whole")
    assert verify_shards(out) == TAKES * 5 * 4
    keys = [sample.key for sample in open_shards(out).samples]
    assert len(keys) == len(set(keys)) == TAKES * 5
