"""Two processes train as one: equal weights on both, and the mean gradient."""

import json
import os
import subprocess
import sys

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


@pytest.mark.slow
def test_two_processes_log_once_and_finish(start, pairs, tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "29517"]
    args = ["-m", "exo2ego", "train", "--stage", "teacher", "--data", str(pairs.folder), "--init-from", str(start)]
    out = tmp_path / "run"
    done = subprocess.run(
        [*command, *args, "--steps", "4", "--batch-size", "4", "--out", str(out)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    assert (out / "model" / "config.json").is_file()
