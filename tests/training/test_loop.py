"""The loop: stops on divergence with what is needed to look into it, drops log lines that will be written again."""

import json
import math
from collections import deque
from types import SimpleNamespace

import pytest
import torch
from training_fixtures import loop_spec

from exo2ego.errors import DivergedError
from exo2ego.training.config import Objectives
from exo2ego.training.loop import (
    StepReport,
    check_divergence,
    log_file,
    read_losses,
    uses_bfloat16,
    weighted_sum,
)

BATCH = SimpleNamespace(ids=("clip-7[ego]", "clip-9[ego]"))


@pytest.mark.parametrize(("loss", "norm"), [(math.nan, 1.0), (math.inf, 1.0), (1.0, math.nan)])
def test_not_finite_names_step_ids_and_last_good_checkpoint(tmp_path, loss, norm):
    (tmp_path / "checkpoints" / "step-0000010").mkdir(parents=True)
    with pytest.raises(DivergedError, match=r"step 13: .*clip-7\[ego\], clip-9\[ego\].*step-0000010"):
        check_divergence(deque([1.0, loss]), norm, BATCH, 12, loop_spec(tmp_path), tmp_path / "checkpoints")


def test_a_rising_loss_stops_and_a_noisy_one_does_not(tmp_path):
    calm = deque([1.0] * 20 + [1.0, 6.0] * 10)
    check_divergence(calm, 1.0, BATCH, 39, loop_spec(tmp_path), tmp_path)
    with pytest.raises(DivergedError, match="rose from 1 to 5"):
        check_divergence(deque([1.0] * 20 + [5.0] * 20), 1.0, BATCH, 39, loop_spec(tmp_path), tmp_path)


def report(step):
    return StepReport(
        stage="guidance", step=step, steps=9, loss=float(step), losses={}, grad_norm=1.0, lr=1.0, clips_per_s=1, eta_s=1
    )


def test_resuming_drops_lines_after_the_checkpoint(tmp_path):
    with log_file(loop_spec(tmp_path), 0) as log:
        for step in (1, 2, 3):
            log(report(step))
    with log_file(loop_spec(tmp_path), 2) as log:
        log(report(3))
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3]
    assert read_losses(tmp_path / "log.jsonl", 2) == [1.0, 2.0]


def test_weights_multiply_their_own_losses():
    parts = {"vtg": torch.tensor(2.0), "kl": torch.tensor(10.0)}
    assert float(weighted_sum(parts, Objectives(vtg=0.5, kl=0.1))) == pytest.approx(2.0)


def test_precision():
    assert uses_bfloat16("bf16", "cpu")
    assert not uses_bfloat16("fp32", "cuda")
    assert uses_bfloat16("auto", "cuda")
