"""Two processes train as one: equal weights on both, and the mean gradient."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from exo2ego.training.distributed import World, average_gradients, join_world


def test_alone_without_torchrun(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert join_world() == World(rank=0, size=1)
    model = torch.nn.Linear(2, 1)
    model(torch.ones(1, 2)).sum().backward()
    before = model.weight.grad.clone()
    average_gradients(model, World(rank=0, size=1))
    assert torch.equal(model.weight.grad, before)


def trained(out: Path, processes: int, port: int, *args: str) -> list[dict]:
    """The log of `exo2ego train` under so many processes."""
    alone = [sys.executable]
    many = [*alone, "-m", "torch.distributed.run", "--nproc-per-node", str(processes), "--master-port", str(port)]
    done = subprocess.run(
        [*(many if processes > 1 else alone), "-m", "exo2ego", "train", *args, "--out", str(out)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_two_processes_log_once_and_finish(start, pairs, tmp_path):
    args = ["--stage", "teacher", "--data", str(pairs.folder), "--init-from", str(start)]
    rows = trained(tmp_path / "run", 2, 29517, *args, "--steps", "4", "--batch-size", "4")
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    assert (tmp_path / "run" / "model" / "config.json").is_file()


@pytest.mark.slow
def test_two_processes_with_unequal_shares_train_as_one(start, mixed, tmp_path):
    """A token budget gives batches of any size, some of them of one sample: same samples, same losses, same steps."""
    data = [f"--data={s.name}={s.folders[0]}:{s.weight}" for s in mixed.sources]
    args = ["--stage", "practice", *data, "--init-from", str(start), "--steps", "8"]
    args += ["--tokens-per-batch", "700", "--bucket-samples", "12"]
    alone, both = (trained(tmp_path / str(n), n, 29519, *args) for n in (1, 2))
    assert {row["samples"] % 2 for row in alone} == {0, 1}
    for one, two in zip(alone, both, strict=True):
        assert (one["samples"], one["epochs"]) == (two["samples"], two["epochs"])
        assert two["loss"] == pytest.approx(one["loss"], rel=1e-3)
        assert two["tokens"] <= 700
    assert both[0]["grad_norm"] == pytest.approx(alone[0]["grad_norm"], rel=1e-3)
