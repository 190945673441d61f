"""Shipped files are believed only byte for byte."""

import hashlib
import json
from pathlib import Path

import pytest

from exo2ego import shipped
from exo2ego.errors import ChecksumError, FormatError, MissingFileError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    manifest = {"model.safetensors": hashlib.sha256(b"weights").hexdigest()}
    (tmp_path / shipped.MANIFEST).write_text(json.dumps(manifest))
    return tmp_path


def test_right_bytes_pass(folder: Path) -> None:
    assert shipped.verify(folder) == 1


def test_one_flipped_byte_is_refused(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"weightz")
    with pytest.raises(ChecksumError, match=r"model\.safetensors"):
        shipped.verify(folder)


def test_a_missing_file_and_a_missing_manifest_are_named(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(MissingFileError, match=r"model\.safetensors"):
        shipped.verify(folder)
    (folder / shipped.MANIFEST).unlink()
    with pytest.raises(MissingFileError, match=r"manifest\.json"):
        shipped.verify(folder)


@pytest.mark.parametrize("content", ["{", "[]", '{"a": 1}'])
def test_a_broken_manifest_is_refused(folder: Path, content: str) -> None:
    (folder / shipped.MANIFEST).write_text(content)
    with pytest.raises(FormatError):
        shipped.verify(folder)
