"""Weights on disk: roles survive, exports hold the student only, and what does not fit is refused in one line."""

import json
import re

import pytest
import torch
from safetensors.torch import load_file, save_file

from exo2ego.errors import CheckpointError, ChecksumError, InputError, MissingFileError
from exo2ego.models.roles import MappingSpec, Roles
from exo2ego.models.weights import START, check_assets, export, load_model_folder, load_roles, save_roles

MAPPING = MappingSpec(width=16, blocks=1)


@pytest.fixture
def roles(small_start):
    out = Roles(small_start, MAPPING)
    with torch.no_grad():
        for parameter in out.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.01)
    return out


def frames():
    return torch.randint(0, 255, (1, 4, 32, 32, 3), dtype=torch.uint8)


def test_roles_survive_a_save(roles, start_processor, tmp_path):
    save_roles(tmp_path, roles, start_processor, MAPPING)
    loaded, processor = load_roles(tmp_path, MAPPING)
    for name, value in roles.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value, atol=0, rtol=0)
    assert processor.num_frames == 4


def test_exported_student_has_no_exo_side_and_reads_the_same(roles, start_processor, tmp_path):
    export(tmp_path, roles, start_processor, MAPPING, student=True)
    loaded = load_model_folder(tmp_path)
    names = set(loaded.model.state_dict())
    assert not any("exo_to_ego" in name or ".exo." in name for name in names)
    video = frames()
    there = loaded.model.get_video_features(roles.pixels(video)).pooler_output
    torch.testing.assert_close(there, roles.student_tokens(video)[2])
    assert loaded.processor.video_tokens == there.shape[1]


def test_exported_teacher_reads_exo_tokens_alone(roles, start_processor, tmp_path):
    export(tmp_path, roles, start_processor, MAPPING, student=False)
    loaded = load_model_folder(tmp_path)
    video = frames()
    there = loaded.model.get_video_features(roles.pixels(video)).pooler_output
    torch.testing.assert_close(there, roles.exo_tokens(video))


def test_roles_start_from_an_exported_model(roles, start_processor, tmp_path):
    export(tmp_path, roles, start_processor, MAPPING, student=False)
    started, _ = load_roles(tmp_path, MAPPING)
    video = frames()
    torch.testing.assert_close(started.ego_tokens(video), roles.exo_tokens(video))


def test_another_mapping_is_refused(roles, start_processor, tmp_path):
    save_roles(tmp_path, roles, start_processor, MAPPING)
    with pytest.raises(CheckpointError, match="was trained with"):
        load_roles(tmp_path, MappingSpec(width=8, blocks=1))


def test_truncated_weights_are_refused(roles, start_processor, tmp_path):
    export(tmp_path, roles, start_processor, MAPPING, student=True)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="cannot be loaded"):
        load_model_folder(tmp_path)


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(MissingFileError, match=str(tmp_path)):
        load_model_folder(tmp_path)


def test_assets_are_compared_with_their_checksums(tmp_path):
    import hashlib

    (tmp_path / "a.bin").write_bytes(b"abc")
    (tmp_path / "manifest.json").write_text(json.dumps({"a.bin": hashlib.sha256(b"abc").hexdigest()}))
    check_assets(tmp_path)
    (tmp_path / "a.bin").write_bytes(b"abd")
    with pytest.raises(ChecksumError, match=r"a\.bin"):
        check_assets(tmp_path)
    (tmp_path / "a.bin").unlink()
    with pytest.raises(MissingFileError, match=r"a\.bin"):
        check_assets(tmp_path)
    for content in ("{", "[]", "3"):
        (tmp_path / "manifest.json").write_text(content)
        with pytest.raises(ChecksumError, match="damaged"):
            check_assets(tmp_path)
    (tmp_path / "manifest.json").unlink()
    with pytest.raises(MissingFileError, match=r"manifest\.json is missing: the shipped weights are not installed"):
        check_assets(tmp_path)


def test_the_shipped_start_is_small_and_says_where_it_came_from():
    """What stands in the package: at most 12 MB, and a provenance that is about these very files."""
    sizes = {path.name: path.stat().st_size for path in START.rglob("*") if path.is_file()}
    assert 1_000_000 < sum(sizes.values()) <= 12_000_000
    found = json.loads((START / "PROVENANCE.json").read_text())
    assert found["bytes"] == sum(sizes.values()) - sizes["PROVENANCE.json"]
    assert {"recipe", "seed", "commit", "nearest_commit", "data_sha256", "commands", "stages", "metrics"} <= set(found)
    assert all(stage["hours"] > 0 for stage in found["stages"].values())


def test_weights_of_another_size_are_refused_in_one_line(roles, start_processor, tmp_path, capfd):
    export(tmp_path, roles, start_processor, MAPPING, student=True)
    tensors = load_file(tmp_path / "model.safetensors")
    name = next(n for n, value in tensors.items() if value.ndim == 4)
    other = tensors | {name: tensors[name][:, 1:].contiguous()}
    save_file(other, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(CheckpointError, match=rf"1 weights do not fit .*{re.escape(name)}; .*another version"):
        load_model_folder(tmp_path)
    assert "MISMATCH" not in "".join(capfd.readouterr())


def test_a_part_that_our_models_cannot_be_made_of_is_told_with_the_folder(roles, start_processor, tmp_path):
    export(tmp_path / "m", roles, start_processor, MAPPING, student=False)
    save_roles(tmp_path / "r", roles, start_processor, MAPPING)
    for folder in (tmp_path / "m", tmp_path / "r"):
        config = json.loads((folder / "config.json").read_text())
        config["text_config"] = {"model_type": "bloom", "hidden_size": 32, "n_layer": 1, "n_head": 2, "vocab_size": 40}
        (folder / "config.json").write_text(json.dumps(config))
        with pytest.raises(
            InputError, match=rf"^{re.escape(str(folder))}: a language model of type 'bloom'.*position_ids"
        ):
            load_roles(folder, MAPPING)
