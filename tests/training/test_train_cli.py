"""`exo2ego train` as users meet it: one line for every mistake, nothing lost, the same command goes on."""

import contextlib
import json
import os
import re
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from training_fixtures import build, planned_pair
from training_processes import await_standing, finish_training, start_training

from exo2ego.cli.__main__ import main
from exo2ego.data.atomic import held
from exo2ego.data.shards import ShardSet
from exo2ego.errors import CheckpointError
from exo2ego.training.loop import read_losses
from exo2ego.training.recipes.tiny import tiny
from exo2ego.training.run import LOCK, train_stage


@pytest.fixture
def start(tiny_start: Path) -> Path:
    return tiny_start


def train(out: Path, data: Path, start: Path, *more: str, stage: str = "teacher", steps: int = 3) -> int:
    short = ["--steps", str(steps), "--batch-size", "2", "--device", "cpu"]
    places = ["--data", str(data), "--init-from", str(start), "--out", str(out)]
    return main(["train", "--stage", stage, *places, *short, *more])


def complaint(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on stderr."""
    err = capsys.readouterr().err
    assert err.count("\n") == 1, err
    assert err.startswith("exo2ego: ")
    return err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "Missing from exo2ego train: --stage STR --out PATH (see: exo2ego train --help)"),
        (["--stage", "teacher", "--out"], "Missing value for argument '--out'"),
        (["--stage", "teacher", "--out", "x", "--stpes", "3"], "Unrecognized options: --stpes"),
        (["--stage", "teacher", "--out", "x", "--steps", "many"], "--steps"),
        (["--stage", "teacher", "--out", "x", "--steps", "0"], "steps and batch_size must be at least 1"),
        (["--stage", "teacher", "--out", "x", "--lr", "-1"], "impossible optimiser: lr -1.0"),
        (["--stage", "teacher", "--out", "x", "--lr", "nan"], "impossible optimiser: lr nan"),
        (["--stage", "teacher", "--out", "x", "--device", "abacus"], "--device"),
        (["--stage", "teacher", "--out", "x", "--data", ".", "--seed", "-1"], "--seed -1: must be 0 or more"),
        (["--stage", "initial", "--out", "x", "--data", ".", "--seed", "-1"], "--seed -1: must be 0 or more"),
        (["--stage", "teachre", "--out", "x"], "no stage 'teachre'; available: "),
        (["--stage", "teacher", "--out", "x", "--recipe", "huge"], "unknown recipe 'huge'; available: tiny"),
        (["--stage", "teacher", "--out", "x"], "no data was given"),
        (["--stage", "teacher", "--out", "x", "--data", "gone"], "gone: no such folder"),
        (["--stage", "teacher", "--out", "x", "--data", "."], "no manifest.json"),
        (["--stage", "initial", "--recipe", "paper", "--out", "x"], "has no random start"),
        (["--stage", "teacher", "--out", "x", "--tokens-per-batch", "0"], "must be at least 1"),
        (
            ["--stage", "teacher", "--out", "x", "--tokens-per-batch", "9", "--batch-size", "2"],
            "exactly one of batch_size and tokens_per_batch",
        ),
        (
            ["--stage", "teacher", "--out", "x", "--bucket-samples", "9"],
            "must be a multiple of batch_size 16, e.g. 1024",
        ),
        (["--stage", "teacher", "--out", "x", "--data", "a=b:x"], "weight 'x' is no number above 0"),
        (["--stage", "teacher", "--out", "x", "--data", "a=b:1", "--mix", "m.json"], "give --data or --mix, not both"),
        (["--stage", "teacher", "--out", "x", "--mix", "m.json"], "m.json: no such file"),
        (["--stage", "teacher", "--out", "x", "--held-out", "h.jsonl"], "h.jsonl: cannot be read"),
        (["--stage", "teacher", "--out", "x", "--drop-held-out"], "--drop-held-out needs --held-out FILE"),
    ],
)
def test_mistakes_on_the_command_line(
    words: list[str],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", *words]) == 2
    assert says in complaint(capsys)
    assert list(tmp_path.iterdir()) == []


def test_help_shows_an_example_and_prints_the_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["train", "--help"])
    assert left.value.code == 0
    assert "example: exo2ego train --recipe tiny --stage guidance" in " ".join(capsys.readouterr().out.split())
    assert main(["train", "--stage", "guidance", "--out", "x", "--steps", "7", "--print-recipe"]) == 0
    assert json.loads(capsys.readouterr().out)["stages"]["guidance"]["optim"]["steps"] == 7


def test_a_mixture_is_read_from_a_file_and_what_is_held_out_from_a_list(
    pairs: ShardSet, videos: Path, start: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Refused first, naming sample and question; then left out, counted, and the sources reported."""
    few = build(tmp_path / "few", [planned_pair(videos, number) for number in range(3)])
    rows = [
        {"name": "many", "shards": str(pairs.folder), "weight": 0.25},
        {"name": "few", "shards": few.folder.name, "weight": 0.75},
    ]
    (tmp_path / "mix.json").write_text(json.dumps({"sources": rows}))
    (tmp_path / "held.jsonl").write_text('{"video": "take-pair-7", "bench": "egomcq", "item": "17"}\n')
    words = ["train", "--stage", "teacher", "--init-from", str(start), "--steps", "8", "--device", "cpu"]
    words += ["--mix", str(tmp_path / "mix.json"), "--held-out", str(tmp_path / "held.jsonl")]
    words += ["--batch-size", "2", "--bucket-samples", "8", "--out", str(tmp_path / "run")]
    assert main(words) == 2
    said = complaint(capsys)
    assert "sample pair-7 is 0 s to 1.6 s of take-pair-7, which is held out (egomcq item 17, somewhere in it)" in said
    assert not (tmp_path / "run").exists()
    assert main([*words, "--drop-held-out"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "1 samples are held out and not trained on" in out
    assert "many: 4 samples of 11 examples, 0.36 epochs, weight 1/4" in out
    assert "few: 12 samples of 3 examples, 4.00 epochs, weight 3/4" in out
    last = json.loads((tmp_path / "run" / "log.jsonl").read_text().splitlines()[-1])
    assert last["epochs"] == {"many": round(4 / 11, 4), "few": 4.0}
    assert (last["samples"], last["padding"]) == (2, 0.0)
    board = b"".join(file.read_bytes() for file in (tmp_path / "run" / "tensorboard").iterdir())
    assert all(name in board for name in (b"epochs/many", b"epochs/few", b"padding", b"tokens"))
    capsys.readouterr()
    other = [word if word != "8" else "4" for word in words]
    assert main([*other, "--drop-held-out"]) == 2
    assert "another recipe, start, data or seed" in complaint(capsys)


def test_a_budget_too_small_for_a_sample_leaves_no_folder_behind(
    pairs: ShardSet, start: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same --out must be free for the next try with a larger one."""
    words = ["train", "--stage", "teacher", "--init-from", str(start), "--steps", "2", "--data", str(pairs.folder)]
    assert main([*words, "--tokens-per-batch", "20", "--out", str(tmp_path / "run")]) == 2
    assert "more than tokens_per_batch 20; raise the budget or leave the sample out" in complaint(capsys)
    assert list(tmp_path.iterdir()) == []


def test_a_stage_leaves_what_the_next_one_needs(
    pairs: ShardSet, instructions: ShardSet, start: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path / "guidance", pairs.folder, start, stage="guidance") == 0
    out = capsys.readouterr().out
    assert f"start of the next stage: {tmp_path / 'guidance' / 'final'}" in out
    assert train(tmp_path / "practice", instructions.folder, tmp_path / "guidance" / "final", stage="practice") == 0


def test_a_start_that_is_not_there(pairs: ShardSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(tmp_path / "out", pairs.folder, tmp_path / "gone") == 2
    assert "gone holds no model (config.json is missing)" in complaint(capsys)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("changed", [{"num_frames": 16}, {"size_px": 128}])
def test_a_start_that_reads_other_videos_than_the_recipe_gives(
    changed: dict[str, int], pairs: ShardSet, start: Path, tmp_path: Path
) -> None:
    """Other frames would be trained and never be asked for; another size would break the grid in a traceback."""
    says = f"reads 8 frames of 64 px, recipe tiny gives {changed.get('num_frames', 8)} of {changed.get('size_px', 64)};"
    with pytest.raises(CheckpointError, match=re.escape(f"{start} {says}")):
        train_stage(replace(tiny(), **changed), "teacher", start=start, data=[pairs.folder], out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_papers_recipe_does_not_fit_the_shipped_start(
    pairs: ShardSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "--recipe", "paper", "--stage", "teacher", "--data", str(pairs.folder), "--device", "cpu"]
    assert main([*words, "--out", str(tmp_path / "run")]) == 2
    assert "recipe paper gives 16 of 336; name a model of that kind with --init-from" in complaint(capsys)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", ["{", '{"step": 1}', '{"loss": "low"}', "[1]", "null"])
def test_a_damaged_log_is_named_with_its_row(content: str, tmp_path: Path) -> None:
    """As after a power cut."""
    out = tmp_path / "run"
    out.mkdir()
    (out / "log.jsonl").write_text('{"loss": 2.5, "step": 1}\n' + content + "\n")
    with pytest.raises(CheckpointError, match=re.escape(f"{out / 'log.jsonl'}: row 2 is no step: ")) as caught:
        read_losses(out / "log.jsonl", 2)
    assert f"delete {out} and run again" in str(caught.value)
    assert read_losses(out / "log.jsonl", 1) == [2.5], "what comes after the checkpoint will be written again"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", b"{"),
        ("config.json", b'{"model_type": "bert"}'),
        ("config.json", b"[]"),
        ("model.safetensors", b"cut"),
        ("tokenizer.json", b"{"),
        ("processor_config.json", b"{"),
    ],
)
def test_a_damaged_start_is_named(
    name: str, content: bytes, pairs: ShardSet, start: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoilt = tmp_path / "spoilt"
    shutil.copytree(start, spoilt)
    (spoilt / name).write_bytes(content)
    assert train(tmp_path / "out", pairs.folder, spoilt) == 2
    assert str(spoilt) in complaint(capsys)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [("mapping.json", b"{"), ("mapping.json", b'{"kind": 3}'), ("roles.safetensors", b"cut"), ("config.json", b"{")],
)
def test_a_damaged_stage_before_is_named(
    name: str, content: bytes, pairs: ShardSet, start: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path / "teacher", pairs.folder, start, steps=1) == 0
    final = tmp_path / "teacher" / "final"
    (final / name).write_bytes(content)
    capsys.readouterr()
    assert train(tmp_path / "out", pairs.folder, final, stage="guidance") == 2
    assert str(final) in complaint(capsys)
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_of_another_recipe_is_refused_and_kept(
    pairs: ShardSet, start: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert train(out, pairs.folder, start, steps=1) == 0
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    capsys.readouterr()
    for more in (["--lr", "0.5"], ["--seed", "1"], ["--recipe", "tiny-no-kl"]):
        assert train(out, pairs.folder, start, *more, steps=1) == 2
        assert "another recipe, start, data or seed" in complaint(capsys)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    final = out / "final"
    assert train(tmp_path / "next", pairs.folder, final, "--recipe", "tiny-fc-mapping", stage="guidance") == 2
    assert "use the recipe it was trained with" in complaint(capsys)


def test_shards_with_a_flipped_byte_stop_it_and_repaired_ones_go_on(
    pairs: ShardSet, start: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shards = tmp_path / "shards"
    shutil.copytree(pairs.folder, shards)
    tar = next(iter(sorted(shards.glob("*.tar"))))
    whole = tar.read_bytes()
    clip = pairs.read(pairs.samples[0], "cam01")
    spoilt = bytearray(whole)
    spoilt[whole.index(clip) + len(clip) // 2] ^= 1
    tar.write_bytes(spoilt)
    assert train(tmp_path / "out", shards, start, steps=6) == 2
    said = complaint(capsys)
    assert f"member {pairs.samples[0].key}.cam01.mp4 is damaged (checksum differs); copy or build it again" in said
    tar.write_bytes(whole)
    assert train(tmp_path / "out", shards, start, steps=6) == 0
    assert len((tmp_path / "out" / "log.jsonl").read_text().splitlines()) == 6


def test_held_out_takes_are_never_trained_on(
    videos: Path, start: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held_out = build(tmp_path / "val", [planned_pair(videos, 0, split="val")])
    assert train(tmp_path / "out", held_out.folder, start) == 2
    assert "is of split 'val'; train on 'train' only" in complaint(capsys)


def test_a_full_disk_is_one_line_and_the_run_goes_on_when_there_is_room(
    pairs: ShardSet,
    start: Path,
    tmp_path: Path,
    small_disk: Callable[[int], Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    disk = small_disk(600)
    assert train(disk / "run", pairs.folder, start) == 2
    assert "No space left on device" in complaint(capsys)
    assert not list((disk / "run").glob("*.tmp"))
    small_disk(100_000)
    assert train(disk / "run", pairs.folder, start) == 0
    assert train(tmp_path / "calm", pairs.folder, start) == 0
    weights = [place / "model" / "model.safetensors" for place in (disk / "run", tmp_path / "calm")]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_a_disk_with_no_room_at_all(
    pairs: ShardSet, start: Path, small_disk: Callable[[int], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    disk = small_disk(16)
    with contextlib.suppress(OSError), (disk / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(b"x" * 4096)
    assert train(disk / "run", pairs.folder, start) == 2
    assert "No space left on device" in complaint(capsys)


def test_a_read_only_place(
    pairs: ShardSet,
    start: Path,
    tmp_path: Path,
    read_only: Callable[[Path], Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "locked").mkdir()
    read_only(tmp_path / "locked")
    assert train(tmp_path / "locked" / "run", pairs.folder, start) == 2
    assert "Read-only file system" in complaint(capsys)


def test_a_second_run_in_the_same_folder_is_refused(
    pairs: ShardSet, start: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run").mkdir()
    with held(tmp_path / "run", LOCK):
        assert train(tmp_path / "run", pairs.folder, start) == 2
    assert "another run is writing here" in complaint(capsys)
    assert train(tmp_path / "run", pairs.folder, start) == 0


def test_ctrl_c_says_how_to_go_on_and_the_same_command_does(pairs: ShardSet, start: Path, tmp_path: Path) -> None:
    out, errors = tmp_path / "run", tmp_path / "errors"
    words = ["--stage", "teacher", "--data", str(pairs.folder), "--init-from", str(start), "--out", str(out)]
    words += ["--steps", "7", "--batch-size", "1", "--device", "cpu"]
    process = start_training(words, errors=errors, stands_after=6)
    await_standing(process, errors)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGINT)
    process.join(300)
    assert process.exitcode == 130
    assert errors.read_text().splitlines()[-1] == "exo2ego: stopped; run the same command again to go on"
    assert [path.name for path in (out / "checkpoints").iterdir()] == ["step-0000004"]
    finish_training(words, errors=errors)
    assert [json.loads(line)["step"] for line in (out / "log.jsonl").read_text().splitlines()] == list(range(1, 8))
