"""Checkpoints: exact, atomic, refused when they are another's."""

import errno

import pytest
import torch
from safetensors import SafetensorError
from torch import nn

from exo2ego.errors import CheckpointError, OutputError
from exo2ego.training import checkpoint as module
from exo2ego.training.checkpoint import (
    fingerprint,
    keep_newest,
    list_fingerprint,
    load_step,
    newest_step,
    save_step,
    weights_fingerprint,
    write_weights,
)


def trained(seed=0, width=3):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(width, 3), nn.Linear(3, 1))
    model[1].requires_grad_(False)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        model(torch.randn(4, width)).sum().backward()
        optimizer.step()
    return model, optimizer


def step_once(model, optimizer):
    torch.manual_seed(7)
    optimizer.zero_grad()
    model(torch.randn(4, 3)).square().sum().backward()
    optimizer.step()
    return {n: p.detach().clone() for n, p in model.named_parameters()}


def test_a_restored_optimiser_takes_the_very_same_step(tmp_path):
    model, optimizer = trained()
    save_step(tmp_path / "step-3", model, optimizer, {"step": 3, "settings": "s"})
    wanted = step_once(model, optimizer)
    other, fresh = trained(seed=0)
    with torch.no_grad():
        other[0].weight.zero_()
    assert load_step(tmp_path / "step-3", other, fresh, "s")["step"] == 3
    for name, value in step_once(other, fresh).items():
        assert torch.equal(value, wanted[name]), name


def test_other_settings_are_refused(tmp_path):
    model, optimizer = trained()
    save_step(tmp_path / "step-3", model, optimizer, {"step": 3, "settings": "mine"})
    with pytest.raises(CheckpointError, match="belongs to another run"):
        load_step(tmp_path / "step-3", model, optimizer, "yours")


def test_another_shape_is_refused(tmp_path):
    model, optimizer = trained(width=4)
    save_step(tmp_path / "step-3", model, optimizer, {"step": 3, "settings": "s"})
    with pytest.raises(CheckpointError, match=r"0\.weight"):
        load_step(tmp_path / "step-3", *trained(), "s")


def test_a_missing_part_is_named(tmp_path):
    model, optimizer = trained()
    save_step(tmp_path / "step-3", model, optimizer, {"step": 3, "settings": "s"})
    (tmp_path / "step-3" / module.OPTIMIZER).unlink()
    with pytest.raises(CheckpointError, match=r"optimizer\.safetensors missing"):
        load_step(tmp_path / "step-3", model, optimizer, "s")


@pytest.mark.parametrize("part", [module.WEIGHTS, module.OPTIMIZER, module.STATE])
def test_a_damaged_part_is_named_and_what_to_do(tmp_path, part):
    """As after a power cut: the file is there and is cut short."""
    model, optimizer = trained()
    save_step(tmp_path / "step-3", model, optimizer, {"step": 3, "settings": "s"})
    path = tmp_path / "step-3" / part
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(CheckpointError, match=rf"{part}.*delete .*step-3 to go on") as caught:
        load_step(tmp_path / "step-3", model, optimizer, "s")
    assert "\n" not in str(caught.value)


def test_a_full_disk_leaves_the_old_folder_as_it_was(tmp_path):
    target = tmp_path / "final"
    write_weights(target, lambda folder: (folder / "a").write_text("old"))

    def fill(folder):
        (folder / "a").write_text("new")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OutputError, match="No space left"):
        write_weights(target, fill)
    assert (target / "a").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["final"]


def test_a_full_disk_under_safetensors_is_told_too(tmp_path):
    """Safetensors has an error of its own for it, which is no OSError."""

    def fill(folder):
        raise SafetensorError("IoError(Os { code: 28, message: No space left on device })")

    with pytest.raises(OutputError, match="No space left"):
        write_weights(tmp_path / "final", fill)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        write_weights(tmp_path / "file" / "x", lambda folder: None)


def test_newest_and_pruning(tmp_path):
    assert newest_step(tmp_path / "none") is None
    for step in (2, 10, 4):
        (tmp_path / f"step-{step:07d}").mkdir()
    assert newest_step(tmp_path).name == "step-0000010"
    half = tmp_path / "step-0000012.77.tmp"
    half.mkdir()
    assert newest_step(tmp_path).name == "step-0000010", "a killed run's half-written step is no checkpoint"
    keep_newest(tmp_path, 2)
    assert sorted(p.name for p in tmp_path.iterdir() if p != half) == ["step-0000004", "step-0000010"]


def test_fingerprints_see_every_change():
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 1.5})
    model, _ = trained()
    before = weights_fingerprint(model)
    with torch.no_grad():
        model[1].bias.add_(1e-7)
    assert weights_fingerprint(model) != before


@pytest.mark.parametrize("values", [[], [1], [["a", {"b": 1, "a": "ü"}, ()], None, [2.5]]])
def test_a_list_has_one_fingerprint_held_or_not(values):
    assert list_fingerprint(iter(values)) == fingerprint(values)
