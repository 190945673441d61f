"""The script that puts a trained start into the package: what it writes is what loading checks."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

import exo2ego
from exo2ego.errors import ChecksumError
from exo2ego.models.weights import check_assets

SCRIPT = Path(exo2ego.__file__).parents[2] / "scripts" / "write_assets.py"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("write_assets", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "commit", lambda: "abc123")
    return module


@pytest.fixture
def trained(tmp_path: Path) -> tuple[list[Path], Path]:
    """Two finished stages and the shards they read."""
    stages = [tmp_path / "vision", tmp_path / "initial"]
    for number, folder in enumerate(stages, start=1):
        (folder / "model").mkdir(parents=True)
        (folder / "model" / "model.safetensors").write_bytes(b"weights" * number)
        (folder / "model" / "config.json").write_text("{}")
        rows = [{"loss": 4.0 - step, "clips_per_s": 2.0 * number} for step in range(3)]
        (folder / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (folder / "recipe.json").write_text(json.dumps({"stages": {folder.name: {"optim": {"batch_size": 1200}}}}))
        (folder / "settings.json").write_text(json.dumps({"settings": f"s{number}"}))
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / "manifest.json").write_text(json.dumps({"files": {"0.tar": "f00"}}))
    return stages, tmp_path / "shards"


def test_the_last_stages_model_goes_in_with_its_checksums_and_where_it_came_from(
    script: ModuleType, trained: tuple[list[Path], Path], tmp_path: Path
) -> None:
    """In place of the one before, of which nothing is left."""
    assets = tmp_path / "assets"
    (assets / "start").mkdir(parents=True)
    (assets / "start" / "old.bin").write_bytes(b"old")
    script.write(*trained, assets, {"verb": 95})
    start = assets / "start"
    assert sorted(path.name for path in start.iterdir()) == ["PROVENANCE.json", "config.json", "model.safetensors"]
    assert (start / "model.safetensors").read_bytes() == b"weights" * 2
    check_assets(assets)
    found = json.loads((start / "PROVENANCE.json").read_text())
    assert (found["commit"], found["metrics"], found["bytes"]) == ("abc123", {"verb": 95}, 16)
    record = {"settings": "s2", "steps": 3, "clips": 3600, "hours": 0.25, "loss_first": 4.0, "loss_last_50": 3.0}
    assert found["stages"]["initial"] == record
    assert list(found["stages"]) == ["vision", "initial"]
    assert [line.split()[0] for line in found["commands"]] == ["exo2ego", "exo2ego", "torchrun", "torchrun", "python"]
    for name in ("model.safetensors", "PROVENANCE.json"):
        whole = (start / name).read_bytes()
        (start / name).write_bytes(whole[:-1] + b"?")
        with pytest.raises(ChecksumError, match=name):
            check_assets(assets)
        (start / name).write_bytes(whole)


def test_a_model_too_large_to_ship_leaves_the_old_one_in_place(
    script: ModuleType, trained: tuple[list[Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script.write(*trained, tmp_path / "assets", {})
    assert "metrics" not in json.loads((tmp_path / "assets/start/PROVENANCE.json").read_text())
    monkeypatch.setattr(script, "LIMIT_BYTES", 20)
    (trained[0][-1] / "model" / "model.safetensors").write_bytes(b"weights" * 3)
    with pytest.raises(SystemExit, match="has 23 bytes; the package ships at most 20"):
        script.write(*trained, tmp_path / "assets", {})
    check_assets(tmp_path / "assets")
