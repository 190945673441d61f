"""Shards built over Ray, on one machine or many that see the same files under the same names.

A shard is one piece of work: whole or not at all, named by its number, the same bytes wherever it is built. So a node
that dies costs the shards it was at, and nothing is stored twice.
"""

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from exo2ego.data.ray_workers import RayWorkers
from exo2ego.data.shard_group import Group, build_group
from exo2ego.errors import EnvironmentUnfitError


def run_on_ray(groups: Iterator[Group], count: int, *, workers: int | None, address: str | None) -> Iterator[Group]:
    """Builds `count` groups on `workers` processes of the cluster (None: one for each CPU); yields each when done.

    Raises EnvironmentUnfitError where there is no cluster, a node lacks the files, or workers die over one shard again
    and again; OutputError where a disk refuses.
    """
    make = partial(_builder, Path.cwd())
    makers: RayWorkers[Group, int] = RayWorkers(make, workers, address, most=count)
    with makers:
        for group, _ in makers.results(groups, lambda group: group.tar.name):
            yield group


def _builder(folder: Path) -> tuple[Callable[[Group], int], None]:
    """In a worker: relative names mean what they mean to the caller."""
    try:
        os.chdir(folder)
    except OSError as error:
        raise EnvironmentUnfitError(
            f"{os.uname().nodename}: has no {folder} ({error.strerror}); all nodes must see the same files"
        ) from None
    return build_group, None
