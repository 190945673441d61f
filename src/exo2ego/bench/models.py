"""The models that the command line can name, and what tells two of them apart."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exo2ego.bench.baselines import BlindModel, MajorityModel, RandomModel
from exo2ego.bench.hf_folder import find_folder
from exo2ego.bench.hf_options import HFOptions
from exo2ego.bench.model import AnswerModel
from exo2ego.bench.model_options import parse_options
from exo2ego.bench.models_own import EngineModel, model_folder
from exo2ego.bench.openai_client import parse_server
from exo2ego.errors import InputError

FINGERPRINT_BYTES = 1 << 20
"""Bytes read from each end of a weight file: tells checkpoints apart without reading 14 GB."""

HOW_NOT_WHAT = frozenset({"concurrency", "timeout_s", "attempts", "price_in", "price_out", "device"})
"""Settings that change how a model is reached and not what it answers: a run may go on with others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of model."""

    form: str
    """How it is named on the command line."""
    load: Callable[[str, int], AnswerModel]
    """(what follows the colon, seed) -> the model."""
    identity: Callable[[str], Mapping[str, Any]]
    """What follows the colon -> what makes it this model; plain JSON values."""


def _load_hf(argument: str, seed: int) -> AnswerModel:
    from exo2ego.bench.models_hf import load_hf  # loads torch and Transformers: only where such a model is asked

    return load_hf(*parse_options(argument, HFOptions))


def _load_openai(argument: str, seed: int) -> AnswerModel:
    from exo2ego.bench.models_openai import load_server

    return load_server(argument)


def _hf_identity(argument: str) -> Mapping[str, Any]:
    name, options = parse_options(argument, HFOptions)
    return {"files": _files(find_folder(name, options.revision)), **_settings(options)}


def _openai_identity(argument: str) -> Mapping[str, Any]:
    url, model, options = parse_server(argument)
    return {"url": url, "model": model, **_settings(options)}


def _without_argument(argument: str, kind: str) -> Mapping[str, Any]:
    if argument:
        raise InputError(f"--model {kind}:{argument}: {kind!r} takes no folder")
    return {}


def _load_random(argument: str, seed: int) -> AnswerModel:
    if argument:
        raise InputError(f"--model random:{argument}: 'random' takes no folder; use --seed for other draws")
    return RandomModel(seed)


def _load_majority(argument: str, seed: int) -> AnswerModel:
    _without_argument(argument, "majority")
    return MajorityModel()


def _underneath(argument: str) -> str:
    """What `blind:` blinds: a model of any kind, or the folder of one of ours."""
    return argument if argument.partition(":")[0] in KINDS else f"exo2ego:{argument}"


KINDS: dict[str, Kind] = {
    "exo2ego": Kind(
        form="exo2ego:DIR",
        load=lambda argument, seed: EngineModel(model_folder(argument)),
        identity=lambda argument: {"files": _files(model_folder(argument))},
    ),
    "hf": Kind(form="hf:ID or hf:DIR", load=_load_hf, identity=_hf_identity),
    "openai": Kind(form="openai:URL#MODEL", load=_load_openai, identity=_openai_identity),
    "blind": Kind(
        form="blind:MODEL",
        load=lambda argument, seed: BlindModel(load_model(_underneath(argument), seed)),
        identity=lambda argument: {"blind": model_fingerprint(_underneath(argument))},
    ),
    "random": Kind(form="random", load=_load_random, identity=lambda argument: _without_argument(argument, "random")),
    "majority": Kind(
        form="majority", load=_load_majority, identity=lambda argument: _without_argument(argument, "majority")
    ),
}


def load_model(spec: str, seed: int) -> AnswerModel:
    """The model that a specification names; the forms are those of `KINDS`.

    Raises:
        InputError: the kind is unknown, or a setting is.
        MissingFileError: the folder is not there or holds no model.
    """
    kind, argument = _kind(spec)
    return kind.load(argument, seed)


def model_fingerprint(spec: str) -> str:
    """Short hash of what a model is, so that one predictions file never mixes two models.

    Weight and JSON files count by name, size and their first and last MiB; a server by its address and model; settings
    count where they change answers.

    Raises:
        InputError, MissingFileError: as `load_model`.
    """
    kind, argument = _kind(spec)
    identity = json.dumps([spec.partition(":")[0], kind.identity(argument)], sort_keys=True)
    return hashlib.sha256(identity.encode()).hexdigest()[:16]


def _kind(spec: str) -> tuple[Kind, str]:
    name, _, argument = spec.partition(":")
    if name not in KINDS:
        forms = ", ".join(kind.form for kind in KINDS.values())
        raise InputError(f"--model {spec}: unknown kind {name!r}; use {forms}")
    return KINDS[name], argument


def _settings(options: Any) -> dict[str, Any]:
    return {"settings": {field: getattr(options, field) for field in options.__slots__ if field not in HOW_NOT_WHAT}}


def folder_fingerprint(folder: Path) -> str:
    """Short hash of a folder of any model, by names, sizes and ends of its weight, JSON and template files."""
    return _files(folder)[:16]


def _files(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix not in (".json", ".safetensors", ".jinja"):
            continue
        size = path.stat().st_size
        digest.update(f"{path.name} {size}".encode())
        with path.open("rb") as file:
            digest.update(file.read(FINGERPRINT_BYTES))
            file.seek(max(0, size - FINGERPRINT_BYTES), os.SEEK_SET)
            digest.update(file.read(FINGERPRINT_BYTES))
    return digest.hexdigest()
