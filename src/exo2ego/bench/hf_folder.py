"""A model folder of Transformers on this machine: where it is, and what its JSON files say. Nothing is fetched."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exo2ego.bench.files import fail, read_json, read_text
from exo2ego.bench.hf_pixels import Colours
from exo2ego.errors import FormatError, InputError, MissingFileError

PATTERNS = ["*.json", "*.safetensors", "*.jinja", "*.txt", "*.model"]


def find_folder(name: str, revision: str) -> Path:
    """A folder as it is; of anything else, the snapshot in the local Hugging Face cache.

    Raises:
        MissingFileError: neither; says how to get it.
        InputError: weights that are not safetensors.
    """
    folder = Path(name)
    if not folder.is_dir():
        folder = _cached(name, revision)
    if not (folder / "config.json").is_file():
        raise MissingFileError(f"{folder}: no config.json, so no model of Transformers; give the folder that has it")
    if not any(folder.glob("*.safetensors")):
        raise InputError(
            f"{folder}: no *.safetensors; other weight files can run code and are not loaded: convert them"
        )
    return folder


def _cached(name: str, revision: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError, RevisionNotFoundError

    try:
        return Path(snapshot_download(name, revision=revision, local_files_only=True, allow_patterns=PATTERNS))
    except (LocalEntryNotFoundError, RevisionNotFoundError):
        raise MissingFileError(
            f"hf:{name}: neither a folder nor in the Hugging Face cache (revision {revision}); "
            f"get it with: hf download {name} --revision {revision}"
        ) from None
    except HFValidationError:
        raise MissingFileError(f"hf:{name}: no such folder, and no id of the form OWNER/MODEL") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoSettings:
    """What a folder says about pictures."""

    colours: Colours
    size: Mapping[str, int]
    """`height` and `width`, or `shortest_edge` and `longest_edge` (areas for models with a free size)."""
    raw: Mapping[str, Any]
    """The whole object, for what only one family has."""


def read_video_settings(folder: Path) -> VideoSettings:
    """From `video_preprocessor_config.json`, else from what the folder has for pictures.

    Raises:
        MissingFileError, FormatError: there is no such file, or no colours in it.
    """
    path, raw = _settings_object(folder)
    colours = []
    for field in ("image_mean", "image_std"):
        values = raw.get(field)
        if not isinstance(values, list) or len(values) != 3 or not all(isinstance(v, int | float) for v in values):
            raise fail(path, "object", field, values, "must be three numbers")
        colours.append((float(values[0]), float(values[1]), float(values[2])))
    size = raw.get("size")
    # Older files give the two areas by these names.
    areas = {"shortest_edge": raw.get("min_pixels"), "longest_edge": raw.get("max_pixels")}
    sizes = {**(size if isinstance(size, dict) else {}), **{k: v for k, v in areas.items() if v is not None}}
    if not all(isinstance(value, int) and value > 0 for value in sizes.values()):
        raise fail(path, "object", "size", sizes, "must hold whole numbers")
    return VideoSettings(colours=Colours(mean=colours[0], std=colours[1]), size=sizes, raw=raw)


def _settings_object(folder: Path) -> tuple[Path, Mapping[str, Any]]:
    """The first that is there: for videos, in either layout; for pictures, in either layout."""
    places = (
        ("video_preprocessor_config.json", None),
        ("processor_config.json", "video_processor"),
        ("preprocessor_config.json", None),
        ("processor_config.json", "image_processor"),
    )
    for name, key in places:
        if (folder / name).is_file():
            record = read_json(folder / name)
            record = record.get(key) if key and isinstance(record, dict) else record
            if isinstance(record, dict):
                return folder / name, record
    raise MissingFileError(f"{folder}: no preprocessor_config.json, so the colours of pictures are unknown; get it")


def read_chat_template(folder: Path) -> str | None:
    """The template that comes with the processor, in the new or the old file; None leaves it to the tokenizer.

    Raises:
        FormatError: the old file holds something else.
    """
    if (folder / "chat_template.jinja").is_file():
        return read_text(folder / "chat_template.jinja")
    for name in ("chat_template.json", "processor_config.json"):
        if (folder / name).is_file():
            record = read_json(folder / name)
            template = record.get("chat_template") if isinstance(record, dict) else None
            if not isinstance(template, str | None):
                raise FormatError(f"{folder / name}: chat_template is no text; get the file anew")
            if template is not None:
                return template
    return None
