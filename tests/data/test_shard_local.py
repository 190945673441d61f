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

import pytest
from test_shards import FORMAT, PATHS, contents, plan
from tiny_tree import Tree

from exo2ego.data.shard_clips import Limits
from exo2ego.data.shard_plan import Planned
from exo2ego.data.shard_writer import build_shards
from exo2ego.data.shards import open_shards, verify_shards
from exo2ego.errors import MissingFileError

TAKES = 6

SCRIPT = """
import sys, time
from pathlib import Path
sys.path[:0] = {paths!r}
from test_shard_local import build_many

begun = None

def stand_still(done, total):
    global begun
    begun = done if begun is None else begun
    if done >= begun + {shards} * 5:
        print(done, flush=True)
        time.sleep({stand_s})

if __name__ == "__main__":
    build_many(Path({root!r}), Path({out!r}), workers=2, progress=stand_still)
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


@pytest.mark.parametrize("shards", [0, 2])
def test_killed_at_random_moments_nothing_is_lost_doubled_or_changed(tree: Tree, tmp_path: Path, shards: int) -> None:
    """With so many shards done in this run it stands still, or no kill might come in time; its workers go on, and are
    wherever the draw meets them."""
    out, script = tmp_path / "killed", tmp_path / "script.py"
    told = {"root": str(tree.root), "out": str(out), "paths": PATHS, "shards": shards}
    script.write_text(SCRIPT.format(**told, stand_s=600))
    build_many(tree.root, tmp_path / "whole")
    moments = random.Random(shards)
    # only once where workers went on meanwhile: they may have left too little for a second run to stand still at
    for _ in range(1 if shards else 2):
        run = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, start_new_session=True)
        assert run.stdout is not None
        assert run.stdout.readline()
        time.sleep(moments.uniform(0.0, 0.3))
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        run.stdout.close()
    with pytest.raises(MissingFileError):
        open_shards(out)
    script.write_text(SCRIPT.format(**told, stand_s=0))
    subprocess.run([sys.executable, str(script)], check=True, capture_output=True)
    assert contents(out) == contents(tmp_path / "whole")
    assert verify_shards(out) == TAKES * 5 * 4
    keys = [sample.key for sample in open_shards(out).samples]
    assert len(keys) == len(set(keys)) == TAKES * 5
