"""Whole stages: killed at any step and resumed bit for bit, chained, refused when they are another's."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from exo2ego.errors import CheckpointError, FormatError, InputError
from exo2ego.inference.engine import Engine
from exo2ego.training.run import train_stage


def losses(path: Path) -> list[tuple]:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [(r["step"], r["loss"], r["grad_norm"], json.dumps(r["losses"], sort_keys=True)) for r in rows]


def run(recipe, stage, start, shards, out, seed=0):
    return train_stage(recipe, stage, start=start, data=[shards.folder], out=out, seed=seed)


@pytest.fixture(scope="module")
def whole(recipe, start, pairs, tmp_path_factory):
    """An uninterrupted guidance run."""
    return run(recipe, "guidance", start, pairs, tmp_path_factory.mktemp("whole") / "run")


def test_the_log_has_every_step(whole):
    rows = losses(whole.log)
    assert [row[0] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert (whole.out / "tensorboard").is_dir()
    assert not list(whole.out.glob("**/*.partial*"))


def test_same_seed_same_curve_other_seed_another(recipe, start, pairs, whole, tmp_path):
    again = run(recipe, "guidance", start, pairs, tmp_path / "again")
    assert losses(again.log) == losses(whole.log)
    other = run(recipe, "guidance", start, pairs, tmp_path / "other", seed=1)
    assert losses(other.log) != losses(whole.log)


class Stop(Exception):
    """Raised from the progress callback: the run breaks off between two steps."""


@pytest.mark.parametrize("at", [1, 3, 5])
def test_broken_off_and_resumed_is_bit_identical(recipe, start, pairs, whole, tmp_path, at):
    def stop(row):
        if row.step == at:
            raise Stop

    with pytest.raises(Stop):
        train_stage(recipe, "guidance", start=start, data=[pairs.folder], out=tmp_path / "r", report=stop)
    resumed = run(recipe, "guidance", start, pairs, tmp_path / "r")
    assert losses(resumed.log) == losses(whole.log)
    for name in ("final/roles.safetensors", "model/model.safetensors"):
        assert (resumed.out / name).read_bytes() == (whole.out / name).read_bytes()


def kill_when(process: subprocess.Popen, log: Path, lines: int) -> bool:
    """kill -9 as soon as the log has so many lines; False when the process was faster."""
    for _ in range(6000):
        if process.poll() is not None:
            return False
        if log.is_file() and len(log.read_text().splitlines()) >= lines:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            return True
        time.sleep(0.005)
    raise AssertionError("the run never came so far")


def test_kill_9_and_the_same_command_again_is_bit_identical(start, pairs, tmp_path):
    """Through the command line, as a user would: three kills, then the end, beside a run that nobody killed."""

    def command(out):
        args = ["--recipe", "tiny", "--stage", "teacher", "--data", str(pairs.folder), "--init-from", str(start)]
        return [
            sys.executable,
            "-m",
            "exo2ego",
            "train",
            *args,
            "--steps",
            "130",
            "--batch-size",
            "1",
            "--out",
            str(out),
        ]

    env = os.environ | {"OMP_NUM_THREADS": "1"}
    kills = 0
    for lines in (40, 104, 115):
        process = subprocess.Popen(command(tmp_path / "killed"), env=env, stdout=subprocess.DEVNULL)
        kills += kill_when(process, tmp_path / "killed" / "log.jsonl", lines)
    assert kills == 3
    for out in ("killed", "calm"):
        subprocess.run(command(tmp_path / out), env=env, check=True, capture_output=True)
    assert losses(tmp_path / "killed" / "log.jsonl") == losses(tmp_path / "calm" / "log.jsonl")
    there = [(tmp_path / out / "model" / "model.safetensors").read_bytes() for out in ("killed", "calm")]
    assert there[0] == there[1]


def test_stages_chain_and_the_last_one_answers(recipe, start, pairs, instructions, videos, tmp_path):
    from exo2ego.records import VideoSpan

    teacher = run(recipe, "teacher", start, pairs, tmp_path / "teacher")
    guidance = run(recipe, "guidance", teacher.final, pairs, tmp_path / "guidance")
    practice = run(recipe, "practice", guidance.final, instructions, tmp_path / "practice")
    engine = Engine.load(practice.model)
    span = VideoSpan(path=str(videos / "0-ego.mp4"))
    assert isinstance(engine.generate(span, "What am I doing?"), str)
    names = set(engine.model.state_dict())
    assert not any("lora" in n or "exo_to_ego" in n for n in names)


def test_guidance_starts_from_the_trained_teacher(recipe, start, pairs, tmp_path):
    """The exo encoder of the guidance stage is the teacher's, and is still so at its end."""
    from exo2ego.models.weights import load_roles

    teacher = run(recipe, "teacher", start, pairs, tmp_path / "teacher")
    guidance = run(recipe, "guidance", teacher.final, pairs, tmp_path / "guidance")
    first, _ = load_roles(teacher.final, recipe.mapping)
    second, _ = load_roles(guidance.final, recipe.mapping)
    untouched, _ = load_roles(start, recipe.mapping)
    for name, value in first.exo.state_dict().items():
        assert torch.equal(second.exo.state_dict()[name], value)
    assert any(not torch.equal(untouched.exo.state_dict()[n], v) for n, v in first.exo.state_dict().items())


def test_a_finished_run_is_not_run_again(recipe, start, pairs, whole):
    stamp = (whole.model / "model.safetensors").stat().st_mtime_ns
    run(recipe, "guidance", start, pairs, whole.out)
    assert (whole.model / "model.safetensors").stat().st_mtime_ns == stamp


def test_a_folder_of_another_recipe_is_refused(recipe, start, pairs, whole):
    other = replace(recipe, jitter_px=1)
    with pytest.raises(CheckpointError, match="another recipe, start, data or seed"):
        run(other, "guidance", start, pairs, whole.out)


def test_a_checkpoint_that_loses_a_part_is_refused(recipe, start, pairs, tmp_path):
    def stop(row):
        if row.step == 3:
            raise Stop

    with pytest.raises(Stop):
        train_stage(recipe, "teacher", start=start, data=[pairs.folder], out=tmp_path / "r", report=stop)
    (tmp_path / "r" / "checkpoints" / "step-0000002" / "optimizer.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"optimizer\.safetensors missing"):
        run(recipe, "teacher", start, pairs, tmp_path / "r")


def test_data_of_the_wrong_kind_is_named(recipe, start, instructions, tmp_path):
    with pytest.raises(FormatError, match="ego-exo pairs"):
        run(recipe, "teacher", start, instructions, tmp_path / "r")
    with pytest.raises(InputError, match="no data was given"):
        train_stage(recipe, "teacher", start=start, data=[], out=tmp_path / "r")
