"""Weights on disk: the shipped start, exported Hugging Face folders, and the roles between two stages. Safetensors
only."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_model, save_model
from transformers.utils import logging as transformers_logging

from exo2ego.data.jsonfile import Fields, load_json, write_json
from exo2ego.errors import CheckpointError, ChecksumError, InputError, MissingFileError
from exo2ego.models.configuration import Exo2EgoConfig
from exo2ego.models.modeling import Exo2EgoForConditionalGeneration, register
from exo2ego.models.processing import Exo2EgoProcessor
from exo2ego.models.roles import MappingSpec, Roles

ASSETS = Path(__file__).resolve().parent.parent / "assets"
START = ASSETS / "start"
"""The shipped third-person start (see assets/README.md for how it was trained)."""
ROLES, MAPPING = "roles.safetensors", "mapping.json"


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model and the processor that goes with it."""

    model: Exo2EgoForConditionalGeneration
    processor: Exo2EgoProcessor


def check_assets(folder: Path = ASSETS) -> None:
    """Compare every shipped file with `manifest.json`; ChecksumError names the first that differs."""
    manifest = folder / "manifest.json"
    if not manifest.is_file():
        raise MissingFileError(f"{manifest} is missing: the shipped weights are not installed; reinstall exo2ego")
    try:
        digests = json.loads(manifest.read_text())
        named = dict(digests.items())
    except (ValueError, AttributeError) as error:
        raise ChecksumError(f"{manifest} is damaged ({error}); reinstall exo2ego") from error
    for name, digest in named.items():
        path = folder / name
        if not path.is_file():
            raise MissingFileError(f"{path} is missing; reinstall exo2ego")
        if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise ChecksumError(f"{path} differs from its checksum; reinstall exo2ego")


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """Turns what Transformers and safetensors raise for damaged files into CheckpointError naming the folder."""
    try:
        yield
    except InputError as error:  # a part that our models cannot be made of
        raise InputError(f"{folder}: {error}") from error
    # KeyError, AttributeError and TypeError too: that is how Transformers meets a valid JSON of another shape
    except (SafetensorError, OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise CheckpointError(f"{folder} cannot be loaded: {reason}; copy it or train it again") from error


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """No table of weights that do not fit: they are refused in one line."""
    level = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)


def require_model(folder: Path) -> None:
    """Raises MissingFileError for a folder without a model, CheckpointError for another kind of model.

    Transformers itself would build the defaults (a model of 7 B parameters) and fill it with random numbers.
    """
    for name in ("config.json", "processor_config.json"):
        if not (folder / name).is_file():
            raise MissingFileError(f"{folder} holds no model ({name} is missing); give a folder by `exo2ego train`")
    kind = Fields(load_json(folder / "config.json"), str(folder / "config.json")).text("model_type", default="")
    if kind != Exo2EgoConfig.model_type:
        raise CheckpointError(f"{folder} holds a model of type '{kind}'; give a folder written by `exo2ego train`")
    register()


def load_model_folder(folder: Path) -> LoadedModel:
    """An exported model (config.json, model.safetensors, processor) in float32 and evaluation mode."""
    folder = Path(folder)
    require_model(folder)
    if folder.resolve().is_relative_to(ASSETS):
        check_assets(ASSETS)
    with reading(folder), quiet_transformers():
        model, found = Exo2EgoForConditionalGeneration.from_pretrained(
            folder,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # else a RuntimeError with a table; they are refused below
        )
        processor = Exo2EgoProcessor.from_pretrained(folder)
    odd = sorted({*found["missing_keys"], *found["unexpected_keys"], *(name for name, *_ in found["mismatched_keys"])})
    if odd:
        raise CheckpointError(
            f"{folder}: {len(odd)} weights do not fit its config.json, the first is {odd[0]}; a model of another "
            "version of exo2ego has to be trained again"
        )
    return LoadedModel(model.eval(), processor)


def load_roles(folder: Path, mapping: MappingSpec) -> tuple[Roles, Exo2EgoProcessor]:
    """Roles from a stage's `final` folder, or from an exported model (both encoders start as its encoder)."""
    folder = Path(folder)
    if not (folder / ROLES).is_file():
        loaded = load_model_folder(folder)
        with reading(folder):
            return Roles(loaded.model, mapping), loaded.processor
    require_model(folder)
    with reading(folder):
        config = Exo2EgoConfig.from_pretrained(folder)
        processor = Exo2EgoProcessor.from_pretrained(folder)
    stored = read_mapping(folder / MAPPING)
    if stored != mapping:
        raise CheckpointError(
            f"{folder} was trained with {stored}, this recipe has {mapping}; use the recipe it was trained with"
        )
    with reading(folder):
        roles = Roles(Exo2EgoForConditionalGeneration(config), mapping)
    try:
        load_model(roles, folder / ROLES, strict=True)
    except (RuntimeError, SafetensorError) as error:
        raise CheckpointError(f"{folder} does not fit its config: {str(error).splitlines()[0]}") from error
    return roles, processor


def read_mapping(path: Path) -> MappingSpec:
    """The form of the mappings that roles were saved with."""
    row = Fields(load_json(path), str(path))
    return MappingSpec(
        kind=row.text("kind"),
        width=int(row.number("width")),
        blocks=int(row.number("blocks")),
        residual=row.flag("residual"),
    )


def save_roles(folder: Path, roles: Roles, processor: Exo2EgoProcessor, mapping: MappingSpec) -> None:
    """All roles after a stage, so that the next one can start from this folder alone."""
    view_config(roles.config, "none", mapping).save_pretrained(folder)
    processor.save_pretrained(folder)
    save_model(roles, str(folder / ROLES))
    write_json(folder / MAPPING, asdict(mapping))


def view_config(config: Exo2EgoConfig, kind: str, mapping: MappingSpec) -> Exo2EgoConfig:
    """The same model with another mapping (`none` for a one-view model)."""
    values = config.to_dict() | {
        "mapping": kind,
        "mapping_width": mapping.width,
        "mapping_blocks": mapping.blocks,
        "mapping_residual": mapping.residual,
    }
    values.pop("model_type", None)
    return Exo2EgoConfig(**values)


def export(folder: Path, roles: Roles, processor: Exo2EgoProcessor, mapping: MappingSpec, *, student: bool) -> None:
    """Write a Hugging Face model: the student (ego encoder, ego_to_exo, LLM) or the exo encoder with the LLM."""
    config = view_config(roles.config, mapping.kind if student else "none", mapping)
    model = Exo2EgoForConditionalGeneration(config)
    encoder = roles.ego if student else roles.exo
    model.model.vision_tower.load_state_dict(encoder.tower.state_dict())
    model.model.multi_modal_projector.load_state_dict(encoder.connector.state_dict())
    if model.model.ego_to_exo is not None:
        model.model.ego_to_exo.load_state_dict(roles.ego_to_exo.state_dict())
    model.model.language_model.load_state_dict(roles.language.model.state_dict())
    model.lm_head.load_state_dict(roles.language.lm_head.state_dict())
    model.save_pretrained(folder)
    tokens = model.model.token_grid().tokens * (2 if student else 1)
    with_video_tokens(processor, tokens).save_pretrained(folder)


def with_video_tokens(processor: Exo2EgoProcessor, tokens: int) -> Exo2EgoProcessor:
    """The same processor for a model that takes `tokens` visual tokens."""
    names = ("num_frames", "image_size", "image_mean", "image_std")
    texts = ("before_video", "before_question", "after_question", "before_answer")
    values = {name: getattr(processor, name) for name in (*names, *texts)}
    return Exo2EgoProcessor(processor.tokenizer, video_tokens=tokens, **values)
