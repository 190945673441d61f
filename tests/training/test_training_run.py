"""Whole stages: killed at any step and resumed bit for bit, chained, refused when they are another's."""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from training_fixtures import build, planned_pair
from training_processes import await_standing, finish_training, start_training

from exo2ego.data.mixture import Mixture, Source
from exo2ego.data.shard_plan import Planned
from exo2ego.errors import CheckpointError, FormatError, InputError
from exo2ego.inference.engine import Engine
from exo2ego.models.weights import load_roles
from exo2ego.records import VideoSpan
from exo2ego.training.run import StageRun, train_stage


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


class Stop(Exception):
    """Raised from the progress callback: the run breaks off between two steps."""


def run_until(step, recipe, stage, start, shards, out, seed=0):
    """A run that breaks off behind this step."""

    def stop(row):
        if row.step == step:
            raise Stop

    with pytest.raises(Stop):
        train_stage(recipe, stage, start=start, data=[shards.folder], out=out, seed=seed, report=stop)
    return out


def test_another_seed_is_another_curve(recipe, start, pairs, whole, tmp_path):
    other = run_until(1, recipe, "guidance", start, pairs, tmp_path / "other", seed=1)
    assert losses(other / "log.jsonl") != losses(whole.log)[:1]


def test_bfloat16_is_near_float32_keeps_float32_weights_and_resumes_bit_identical(
    recipe, start, pairs, whole, tmp_path
):
    half = replace(recipe, precision="bf16")
    run_until(3, half, "guidance", start, pairs, tmp_path / "r")
    resumed = run(half, "guidance", start, pairs, tmp_path / "r")
    calm = run(half, "guidance", start, pairs, tmp_path / "calm")
    assert losses(resumed.log) == losses(calm.log)
    assert (resumed.final / "roles.safetensors").read_bytes() == (calm.final / "roles.safetensors").read_bytes()
    (_, first, *_), (_, exact, *_) = losses(calm.log)[0], losses(whole.log)[0]
    assert first != exact, "nothing was computed in bfloat16"
    assert first == pytest.approx(exact, rel=0.02)
    checkpoint = load_file(tmp_path / "calm" / "checkpoints" / "step-0000004" / "trainable.safetensors")
    for weights in (checkpoint, load_file(calm.final / "roles.safetensors")):
        assert {value.dtype for value in weights.values() if value.is_floating_point()} == {torch.float32}
    rounded = [torch.equal(value.bfloat16().float(), value) for value in checkpoint.values()]
    assert not all(rounded), "weights were rounded to bfloat16"
    with pytest.raises(CheckpointError, match="another recipe, start, data or seed"):
        run(recipe, "guidance", start, pairs, tmp_path / "calm")


def killed_and_calm(args: list[str], kills_in: tuple[int, ...], folder: Path) -> list[StageRun]:
    """A run killed with -9 within these steps and then let go to its end, beside one that nobody killed."""
    errors = folder / "errors"

    def command(name: str) -> list[str]:
        return ["--recipe", "tiny", *args, "--out", str(folder / name)]

    for step in kills_in:
        process = start_training(command("killed"), errors=errors, stands_after=step)
        await_standing(process, errors)
        process.kill()
        process.join()
        assert len((folder / "killed" / "log.jsonl").read_text().splitlines()) == step - 1
    for name in ("killed", "calm"):
        finish_training(command(name), errors=errors)
    return [StageRun(out=folder / name) for name in ("killed", "calm")]


@pytest.mark.parametrize(("stage", "kills_in"), [("guidance", (2, 6)), ("practice", (6,))])
def test_kill_9_and_the_same_command_again_is_bit_identical(stage, kills_in, tiny_start, pairs, instructions, tmp_path):
    """Before and behind the first checkpoint; with a frozen teacher, and with adapters and their dropout."""
    shards = instructions if stage == "practice" else pairs
    args = ["--stage", stage, "--data", str(shards.folder), "--init-from", str(tiny_start)]
    killed, calm = killed_and_calm([*args, "--steps", "7", "--batch-size", "2"], kills_in, tmp_path)
    assert losses(killed.log) == losses(calm.log)
    for weights in (killed.model / "model.safetensors", killed.final / "roles.safetensors"):
        assert weights.read_bytes() == (calm.out / weights.relative_to(killed.out)).read_bytes()


def narrated(videos, number: int, text: str) -> Planned:
    planned = planned_pair(videos, number)
    return replace(planned, sample=replace(planned.sample, text=text))


def test_kill_9_in_a_mixture_with_a_token_budget_is_bit_identical(tiny_start, videos, tmp_path):
    """To the sample: every step has the same number of them, from the same sources, of the same lengths."""
    long = build(tmp_path / "long", [narrated(videos, n, f"{'the cup ' * int(1.5**n)}red") for n in range(9)])
    short = build(tmp_path / "short", [narrated(videos, n, "red") for n in range(5)])
    data = [f"--data=long={long.folder}:1/3", f"--data=short={short.folder}:0.7"]
    args = ["--stage", "teacher", *data, "--init-from", str(tiny_start), "--steps", "11"]
    args += ["--tokens-per-batch", "500", "--bucket-samples", "30"]
    killed, calm = killed_and_calm(args, (10,), tmp_path)
    rows = [[json.loads(line) for line in run.log.read_text().splitlines()] for run in (killed, calm)]
    for row in (*rows[0], *rows[1]):
        row.pop("clips_per_s")
    assert rows[0] == rows[1]
    assert len({row["samples"] for row in rows[1]}) > 1
    assert all(row["tokens"] <= 500 for row in rows[1])
    assert killed.data.read_bytes() == calm.data.read_bytes()
    state = json.loads((killed.out / "checkpoints" / "step-0000008" / "state.json").read_text())
    assert 0 < state["cursor"]["first_step"] < 8, "the checkpoint should lie within a window, or this shows nothing"
    assert (killed.model / "model.safetensors").read_bytes() == (calm.model / "model.safetensors").read_bytes()


def test_stages_chain_and_the_last_one_answers(recipe, start, pairs, instructions, videos, tmp_path):
    """The exo encoder of guidance is the teacher's, and is still so at its end; adapters are folded in."""
    teacher = run(recipe, "teacher", start, pairs, tmp_path / "teacher")
    guidance = run(recipe, "guidance", teacher.final, pairs, tmp_path / "guidance")
    untouched, taught, guided = (
        load_roles(folder, recipe.mapping)[0].exo.state_dict() for folder in (start, teacher.final, guidance.final)
    )
    assert all(torch.equal(guided[name], value) for name, value in taught.items())
    assert any(not torch.equal(untouched[name], value) for name, value in taught.items())
    practice = run(recipe, "practice", guidance.final, instructions, tmp_path / "practice")
    engine = Engine.load(practice.model)
    span = VideoSpan(path=str(videos / "0-ego.mp4"))
    assert isinstance(engine.generate(span, "What am I doing?"), str)
    names = set(engine.model.state_dict())
    assert not any("lora" in n or "exo_to_ego" in n for n in names)


def test_a_finished_run_is_not_run_again(recipe, start, pairs, whole):
    stamp = (whole.model / "model.safetensors").stat().st_mtime_ns
    run(recipe, "guidance", start, pairs, whole.out)
    assert (whole.model / "model.safetensors").stat().st_mtime_ns == stamp


def test_a_folder_of_another_recipe_is_refused(recipe, start, pairs, whole):
    other = replace(recipe, jitter_px=1)
    with pytest.raises(CheckpointError, match="another recipe, start, data or seed"):
        run(other, "guidance", start, pairs, whole.out)


def test_a_folder_moved_from_one_source_to_another_is_another_run(recipe, start, pairs, videos, tmp_path):
    """Names, weights and the examples one after the other are the same; whose they are is not."""
    more = [build(tmp_path / name, [planned_pair(videos, n)]) for n, name in enumerate(("one", "two", "three"))]
    parts = [shards.folder for shards in more]

    def mixture(first: int) -> Mixture:
        groups = {"a": parts[:first], "b": parts[first:]}
        sources = [Source(name=n, folders=tuple(f), weight=Fraction(1)) for n, f in groups.items()]
        return Mixture(sources=tuple(sources))

    train_stage(recipe, "teacher", start=start, data=mixture(1), out=tmp_path / "r")
    train_stage(recipe, "teacher", start=start, data=mixture(1), out=tmp_path / "r")
    with pytest.raises(CheckpointError, match="another recipe, start, data or seed"):
        train_stage(recipe, "teacher", start=start, data=mixture(2), out=tmp_path / "r")


def test_a_checkpoint_that_loses_a_part_is_refused(recipe, start, pairs, tmp_path):
    run_until(3, recipe, "teacher", start, pairs, tmp_path / "r")
    (tmp_path / "r" / "checkpoints" / "step-0000002" / "optimizer.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"optimizer\.safetensors missing"):
        run(recipe, "teacher", start, pairs, tmp_path / "r")


def test_data_of_the_wrong_kind_is_named(recipe, start, instructions, tmp_path):
    with pytest.raises(FormatError, match="ego-exo pairs"):
        run(recipe, "teacher", start, instructions, tmp_path / "r")
    with pytest.raises(InputError, match="no data was given"):
        train_stage(recipe, "teacher", start=start, data=[], out=tmp_path / "r")
