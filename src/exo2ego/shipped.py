"""Where the shipped files lie (`src/exo2ego/assets`) and whether their bytes are the ones that were shipped."""

import hashlib
import json
from importlib.resources import files
from pathlib import Path

from exo2ego.errors import ChecksumError, FormatError, MissingFileError

MANIFEST = "manifest.json"


def shipped_dir() -> Path:
    """The folder of the shipped tokenizer and initial weights (it may be empty in a development checkout)."""
    return Path(str(files("exo2ego"))) / "assets"


def verify(folder: Path) -> int:
    """Compares every file named in `folder/manifest.json` ({"file": "sha256"}) with its checksum.

    Returns how many were compared. Raises MissingFileError, FormatError or ChecksumError.
    """
    manifest = folder / MANIFEST
    if not manifest.is_file():
        raise MissingFileError(f"shipped weights: no {manifest}; install the package again")
    try:
        expected = json.loads(manifest.read_text(encoding="utf-8"))
    except ValueError as error:
        raise FormatError(f"{manifest}: not JSON ({error}); install the package again") from error
    if not isinstance(expected, dict) or not all(isinstance(value, str) for value in expected.values()):
        raise FormatError(f"{manifest}: expected an object of file name -> sha256; install the package again")
    for name, sha256 in expected.items():
        file = folder / name
        if not file.is_file():
            raise MissingFileError(f"shipped weights: {file} is named in {MANIFEST} and is not there; install again")
        found = hashlib.sha256(file.read_bytes()).hexdigest()
        if found != sha256:
            raise ChecksumError(f"{file}: sha256 is {found[:12]}, shipped was {sha256[:12]}; install the package again")
    return len(expected)
