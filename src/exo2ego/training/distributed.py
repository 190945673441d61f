"""How many processes train together: the one place that asks. Plain data parallelism under `torchrun`.

    OMP_NUM_THREADS=1 torchrun --nproc-per-node 2 -m exo2ego train --stage initial ...

Each process computes its share of every batch; gradients are averaged so that they are those
of one process that computes it all (`training/shares.py`).
"""

import os
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """This process among all that train."""

    rank: int
    size: int

    @property
    def is_main(self) -> bool:
        """Whether this process writes files."""
        return self.rank == 0


def join_world() -> World:
    """Join the processes that `torchrun` started; alone when it did not."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return World(rank=0, size=1)
    if not dist.is_initialized():
        # gloo as well where there are GPUs: figures for the log are averaged on the CPU
        dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
    return World(rank=dist.get_rank(), size=size)


def own_device(device: str) -> str:
    """`cuda` under `torchrun` is each process's own GPU; any other device stays as it is."""
    return f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if device == "cuda" else device


def average_gradients(model: nn.Module, world: World) -> None:
    """Mean of the gradients over all processes, in one message. A parameter without gradient counts as zero."""
    if world.size == 1:
        return
    trainable = [p for p in model.parameters() if p.requires_grad]
    flat = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in trainable])
    dist.all_reduce(flat)
    flat /= world.size
    start = 0
    for parameter in trainable:
        stop = start + parameter.numel()
        parameter.grad = flat[start:stop].view_as(parameter).clone()
        start = stop


def add_up(values: dict[str, float], world: World) -> dict[str, float]:
    """Sum of each value over all processes."""
    if world.size == 1:
        return values
    names = sorted(values)
    flat = torch.tensor([values[name] for name in names], dtype=torch.float64)
    dist.all_reduce(flat)
    return dict(zip(names, flat.tolist(), strict=True))


def average(values: dict[str, float], world: World) -> dict[str, float]:
    """Mean of each value over all processes."""
    return values if world.size == 1 else {name: v / world.size for name, v in add_up(values, world).items()}


def wait_for_all(world: World) -> None:
    """Return when every process has come here."""
    if world.size > 1:
        dist.barrier()
