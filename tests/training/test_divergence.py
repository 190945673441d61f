"""A run that goes wrong stops by itself, through the command: what is named, what is not touched, how it goes on."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from training_fixtures import loop_spec

from exo2ego.cli.__main__ import main
from exo2ego.data.batch import Batch
from exo2ego.data.shards import ShardSet
from exo2ego.models.roles import Roles
from exo2ego.training import loop
from exo2ego.training.config import Objectives, Optim
from exo2ego.training.loop import train_step
from exo2ego.training.recipes import RECIPES
from exo2ego.training.recipes.tiny import tiny
from exo2ego.training.stages import STAGES
from exo2ego.training.stages.stage import Losses

Spoil = Callable[[Callable[[int], float]], list[tuple[str, ...]]]


@pytest.fixture
def spoil(monkeypatch: pytest.MonkeyPatch) -> Spoil:
    """Multiplies the teacher's loss of the n-th batch by a factor; returns the ids of the batches as they are read.

    Checkpoints lie two steps apart.
    """
    teacher = STAGES["teacher"]
    monkeypatch.setitem(RECIPES, "tiny", lambda: replace(tiny(), checkpoint_every=2))

    def by(factor: Callable[[int], float]) -> list[tuple[str, ...]]:
        seen: list[tuple[str, ...]] = []

        def losses(roles: Roles, batch: Batch, objectives: Objectives) -> Losses:
            seen.append(batch.ids)
            return {name: value * factor(len(seen)) for name, value in teacher.losses(roles, batch, objectives).items()}

        monkeypatch.setitem(STAGES, "teacher", replace(teacher, losses=losses))
        return seen

    return by


def words(pairs: ShardSet, start: Path, out: Path, steps: int) -> list[str]:
    places = ["--data", str(pairs.folder), "--init-from", str(start), "--out", str(out)]
    return ["train", "--stage", "teacher", *places, "--steps", str(steps), "--batch-size", "2", "--device", "cpu"]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_no_number_stops_before_anything_is_lost(
    bad: float,
    spoil: Spoil,
    pairs: ShardSet,
    tiny_start: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """At the step, with the batch and the checkpoint to go on from; with the cause gone, the same command does."""
    run = words(pairs, tiny_start, tmp_path / "run", steps=5)
    seen = spoil(lambda batch: bad if batch == 4 else 1.0)
    assert main(run) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert (
        f"stage teacher diverged at step 4: the loss is {bad}, the gradient norm nan; batch {', '.join(seen[3])};"
        in said
    )
    assert f"last good checkpoint: {tmp_path / 'run' / 'checkpoints' / 'step-0000002'};" in said
    assert not (tmp_path / "run" / "model").exists()
    spoil(lambda batch: 1.0)
    assert main(run) == 0
    rows = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5]


def test_a_loss_that_keeps_rising_stops(
    spoil: Spoil,
    pairs: ShardSet,
    tiny_start: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Numbers all the while: the mean of the last steps, here three, is above four times the first ones'."""
    monkeypatch.setattr(loop, "WINDOW", 3)
    spoil(lambda batch: 1.0 if batch <= 3 else 100.0)
    assert main(words(pairs, tiny_start, tmp_path / "run", steps=9)) == 2
    said = capsys.readouterr().err
    assert "diverged at step 6: the loss rose from " in said
    assert f"last good checkpoint: {tmp_path / 'run' / 'checkpoints' / 'step-0000004'};" in said


def test_a_rate_that_is_far_too_high_is_one_line(
    pairs: ShardSet, tiny_start: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words(pairs, tiny_start, tmp_path / "run", steps=3), "--lr", "1e30"]) == 2
    said = capsys.readouterr().err
    assert "diverged at step 2: the loss is nan" in said
    assert "last good checkpoint: none, the start; lower the learning rate or look at these samples" in said


@pytest.mark.parametrize(("factor", "moves"), [(1.0, True), (math.nan, False), (math.inf, False)])
def test_no_step_is_taken_along_a_gradient_that_is_no_number(factor: float, moves: bool, tmp_path: Path) -> None:
    """One would make every weight nan, and Adam's moments with them."""
    model = torch.nn.Linear(3, 1)
    optim = Optim(steps=4, batch_size=1, lr=0.1)
    spec = loop_spec(tmp_path, stage="teacher", optim=optim, checkpoint_every=1, settings="")
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    before = model.weight.detach().clone()
    batch = SimpleNamespace(to=lambda device: None)
    losses = lambda roles, batch, objectives: {"vtg": roles(torch.ones(1, 3)).square().sum() * factor}  # noqa: E731
    _, norm = train_step(model, optimizer, losses, batch, spec, step=1)  # type: ignore[arg-type]
    assert math.isfinite(norm) is moves
    assert torch.equal(model.weight, before) is not moves
    assert bool(optimizer.state) is moves
