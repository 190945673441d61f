"""What the test of a dying node lets Ray's workers do: those on one node stand still in the middle of a shard.

A module of its own, so that workers find it and load little.
"""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import ray

from exo2ego.data.shard_group import Group, build_group

PATIENCE_S = 300.0


def build_or_stand(node_id: str, begun: Path, folder: Path) -> tuple[Callable[[Group], int], None]:
    """In the place of `ray_build._builder`: on node `node_id` a shard is begun, noted in `begun`, and never done;
    elsewhere shards are built, the first not before one is begun there."""
    os.chdir(folder)
    is_there = ray.get_runtime_context().get_node_id() == node_id

    def build(group: Group) -> int:
        if is_there:
            begun.touch()
            signal.pause()
        deadline = time.monotonic() + PATIENCE_S
        while not begun.exists():
            assert time.monotonic() < deadline, "no worker on the node that is to die"
            time.sleep(0.01)
        return build_group(group)

    return build, None
