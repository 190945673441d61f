"""Two processes train as one: equal weights on both, and the mean gradient."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from training_processes import start_training

from exo2ego.training.distributed import World, average_gradients, join_world


def test_alone_without_torchrun(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert join_world() == World(rank=0, size=1)
    model = torch.nn.Linear(2, 1)
    model(torch.ones(1, 2)).sum().backward()
    before = model.weight.grad.clone()
    average_gradients(model, World(rank=0, size=1))
    assert torch.equal(model.weight.grad, before)


def log_of(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def trained(out: Path, processes: int, *args: str) -> list[dict]:
    """The log of `exo2ego train` in so many processes, which meet as those of `torchrun` do: at a store of its own."""
    store = torch.distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port), "TORCHELASTIC_USE_AGENT_STORE": "True"}
    running = []
    for rank in range(processes):
        environment = meeting | {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(processes)}
        errors = out.with_name(f"errors-{processes}-{rank}")
        command = [*args, "--out", str(out)]
        running.append((start_training(command, errors=errors, environment=environment), errors))
    for process, errors in running:
        process.join(300)
        assert process.exitcode == 0, errors.read_text()[-2000:]
    return log_of(out)


@pytest.mark.slow
def test_two_processes_log_once_and_finish(tiny_start, pairs, tmp_path):
    """Under `torchrun` itself, at a port that it finds free."""
    places = ["--data", str(pairs.folder), "--init-from", str(tiny_start), "--out", str(tmp_path / "run")]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*launcher, "-m", "exo2ego", "train", "--stage", "teacher", *places, "--steps", "2", "--batch-size", "4"],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert [row["step"] for row in log_of(tmp_path / "run")] == [1, 2]
    assert (tmp_path / "run" / "model" / "config.json").is_file()


@pytest.mark.slow
def test_two_processes_with_unequal_shares_train_as_one(tiny_start, mixed, tmp_path):
    """A token budget gives batches of any size, some of them of one sample: same samples, same losses, same steps."""
    data = [f"--data={s.name}={s.folders[0]}:{s.weight}" for s in mixed.sources]
    args = ["--stage", "practice", *data, "--init-from", str(tiny_start), "--steps", "4"]
    args += ["--tokens-per-batch", "700", "--bucket-samples", "12"]
    alone, both = (trained(tmp_path / str(n), n, *args) for n in (1, 2))
    assert {row["samples"] % 2 for row in alone} == {0, 1}
    for one, two in zip(alone, both, strict=True):
        assert (one["samples"], one["epochs"]) == (two["samples"], two["epochs"])
        assert two["loss"] == pytest.approx(one["loss"], rel=1e-3)
        assert two["tokens"] <= 700
    # a little apart: each process draws its own dropout for the adapters
    assert both[0]["grad_norm"] == pytest.approx(alone[0]["grad_norm"], rel=1e-2)
