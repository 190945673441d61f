"""Checkpoints: safetensors and JSON, written aside and renamed. No pickle anywhere.

A step checkpoint holds what trains and the optimiser's moments; what is frozen comes from the stage's start, whose
fingerprint is compared. Random numbers need no state: data and dropout are functions of (seed, step).
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from exo2ego.data.atomic import TMP_SUFFIX, write_folder
from exo2ego.data.jsonfile import Fields, load_json, write_json
from exo2ego.errors import CheckpointError, FormatError

WEIGHTS, OPTIMIZER, STATE = "trainable.safetensors", "optimizer.safetensors", "state.json"


def fingerprint(values: Any) -> str:
    """Short hash of plain JSON values, independent of key order."""
    return hashlib.sha256(_json(values)).hexdigest()[:16]


def list_fingerprint(values: Iterable[Any]) -> str:
    """`fingerprint` of the list of these values, without ever holding it."""
    digest = hashlib.sha256(b"[")
    for number, value in enumerate(values):
        digest.update(b"," * bool(number) + _json(value))
    digest.update(b"]")
    return digest.hexdigest()[:16]


def _json(values: Any) -> bytes:
    return json.dumps(values, sort_keys=True, separators=(",", ":"), default=str).encode()


def weights_fingerprint(model: nn.Module) -> str:
    """Hash of all parameters and buffers (names, shapes, bytes)."""
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(f"{name}{tuple(value.shape)}{value.dtype}".encode())
        digest.update(
            value.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes()
            if value.ndim
            else str(value.item()).encode()
        )
    return digest.hexdigest()[:16]


def write_weights(folder: Path, fill: Callable[[Path], object]) -> None:
    """`write_folder` for what safetensors writes, whose own error for a full disk becomes OutputError too."""

    def filled(aside: Path) -> None:
        try:
            fill(aside)
        except SafetensorError as error:
            raise OSError(str(error)) from error

    write_folder(folder, filled)


def trainable_state(model: nn.Module) -> dict[str, Tensor]:
    """Parameters that train, by name."""
    return {name: p.detach().contiguous() for name, p in model.named_parameters() if p.requires_grad}


def save_step(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Write one step checkpoint; `state` is plain JSON and must hold `step` (steps done) and `settings`.

    `cursor` may say where in the data the next step lies.
    """

    def fill(aside: Path) -> None:
        save_file(trainable_state(model), aside / WEIGHTS)
        save_file(optimizer_tensors(optimizer), aside / OPTIMIZER)
        write_json(aside / STATE, state)

    write_weights(folder, fill)


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Moments as flat names `<parameter number>.<moment>`."""
    return {
        f"{index}.{name}": value.detach().contiguous()
        for index, moments in optimizer.state_dict()["state"].items()
        for name, value in moments.items()
    }


def load_step(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, settings: str) -> dict[str, Any]:
    """Read a step checkpoint back into model and optimiser; returns its state.

    Raises CheckpointError when it is incomplete or was written under other settings.
    """
    state = read_state(folder)
    if state["settings"] != settings:
        raise CheckpointError(
            f"{folder} belongs to another run (settings {state['settings']}, this run {settings}); "
            "choose another --out or delete it"
        )
    load_exactly(model, read_tensors(folder / WEIGHTS), folder)
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in read_tensors(folder / OPTIMIZER).items():
        index, moment = name.split(".", 1)
        moments.setdefault(int(index), {})[moment] = value
    optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
    return state


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Tensors of a checkpoint's file by name; CheckpointError when it is damaged."""
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (SafetensorError, OSError) as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(f"{path} is damaged ({reason}); delete {path.parent} to go on from before it") from None
    return tensors


def read_state(folder: Path) -> dict[str, Any]:
    """The JSON part of a checkpoint; CheckpointError when a part is missing or damaged."""
    missing = [name for name in (WEIGHTS, OPTIMIZER, STATE) if not (folder / name).is_file()]
    if missing:
        raise CheckpointError(f"{folder} is not a checkpoint: {', '.join(missing)} missing")
    try:
        state = Fields(load_json(folder / STATE), str(folder / STATE))
        return {"step": int(state.number("step")), "settings": state.text("settings"), "cursor": _cursor(state)}
    except FormatError as error:
        raise CheckpointError(f"{error}; delete {folder} to go on from before it") from None


def _cursor(state: Fields) -> dict[str, Any] | None:
    """Where in the data the run stood (`training/stream.py: Stream.cursor`); None for runs that need none."""
    if state.data.get("cursor") is None:
        return None
    cursor = Fields(state.table("cursor"), f"{state.where}: cursor")
    return {name: int(cursor.number(name)) for name in ("window", "first_step")} | {"digest": cursor.text("digest")}


def load_exactly(model: nn.Module, tensors: dict[str, Tensor], source: Path) -> None:
    """Copy the tensors into the parameters that train; names and shapes must be exactly those."""
    wanted = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if set(wanted) != set(tensors):
        odd = sorted(set(wanted) ^ set(tensors))
        raise CheckpointError(f"{source} does not fit the recipe: {len(odd)} parameters differ, the first is {odd[0]}")
    with torch.no_grad():
        for name, parameter in wanted.items():
            if parameter.shape != tensors[name].shape:
                raise CheckpointError(
                    f"{source}: {name} is {tuple(tensors[name].shape)}, the recipe has {tuple(parameter.shape)}"
                )
            parameter.copy_(tensors[name])


def step_folders(folder: Path) -> list[Path]:
    """Complete step checkpoints, oldest first; what a killed run left half-written is none."""
    return sorted(path for path in folder.glob("step-*") if path.suffix != TMP_SUFFIX)


def newest_step(folder: Path) -> Path | None:
    """The checkpoint of the highest step in a stage's `checkpoints` folder."""
    found = step_folders(folder)
    return found[-1] if found else None


def keep_newest(folder: Path, count: int) -> None:
    """Delete all but the `count` newest step checkpoints."""
    for old in step_folders(folder)[:-count]:
        shutil.rmtree(old)
