"""Naming models, telling two of them apart, and which settings a run may go on with."""

from collections.abc import Callable
from pathlib import Path

import pytest

from exo2ego.bench import frames
from exo2ego.bench.baselines import BlindModel
from exo2ego.bench.models import load_model, model_fingerprint
from exo2ego.bench.models_openai import ServerModel
from exo2ego.errors import InputError, MissingFileError, VideoError
from exo2ego.records import VideoSpan

SERVER = "openai:http://127.0.0.1:9/v1#m"


def test_unknown_models_and_folders_without_a_model_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"unknown kind 'gpt'; use exo2ego:DIR, hf:ID or hf:DIR, openai:URL#MODEL"):
        load_model("gpt:x", 0)
    for constant in ("random", "majority"):
        for asked in (lambda spec: load_model(spec, 0), model_fingerprint):
            with pytest.raises(InputError, match="takes no folder"):
                asked(f"{constant}:x")
    with pytest.raises(MissingFileError, match="is not there"):
        load_model("exo2ego:", 0)
    with pytest.raises(MissingFileError, match="is not there"):
        load_model("blind:nowhere", 0)
    for kind in ("exo2ego", "hf"):
        with pytest.raises(MissingFileError, match=r"no config\.json"):
            load_model(f"{kind}:{tmp_path}", 0)


def test_checkpoints_of_one_name_have_different_fingerprints(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"1" * 100)
    specs = [f"exo2ego:{tmp_path}", f"hf:{tmp_path}", f"blind:{tmp_path}", f"blind:hf:{tmp_path}", "random", "majority"]
    first = [model_fingerprint(spec) for spec in specs]
    assert len(set(first)) == len(specs)
    assert first == [model_fingerprint(spec) for spec in specs]
    assert first[2] == model_fingerprint(f"blind:exo2ego:{tmp_path}")
    (tmp_path / "model.safetensors").write_bytes(b"1" * 99 + b"2")
    second = [model_fingerprint(spec) for spec in specs]
    assert [a != b for a, b in zip(first, second, strict=True)] == [True] * 4 + [False] * 2


def test_settings_count_where_they_change_answers(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"1")
    for plain, same, others in (
        (f"hf:{tmp_path}", ["device=cpu", "frames=16"], ["frames=8", "dtype=bfloat16"]),
        (SERVER, ["concurrency=9,timeout_s=3,attempts=2,price_in=1"], ["frames=8", "size_px=64", "send=video"]),
    ):
        assert {model_fingerprint(f"{plain},{more}") for more in same} == {model_fingerprint(plain)}
        assert len({model_fingerprint(spec) for spec in [plain, *(f"{plain},{more}" for more in others)]}) == 1 + len(
            others
        )
    assert model_fingerprint(SERVER) != model_fingerprint(SERVER + "2")
    assert model_fingerprint(SERVER) != model_fingerprint("openai:http://127.0.0.1:8/v1#m")


def test_every_kind_can_be_blinded() -> None:
    model = load_model(f"blind:{SERVER},concurrency=7", 0)
    assert isinstance(model, BlindModel)
    assert model.name == "blind:m"
    assert model.capabilities == {"text"}
    assert model.concurrency == 7
    assert isinstance(load_model(SERVER, 0), ServerModel)
    with pytest.raises(InputError, match="no such setting"):
        load_model(f"{SERVER},colour=red", 0)


@pytest.mark.parametrize("kind", ["exo2ego", "hf", "openai"])
def test_a_video_that_hangs_the_decoder_is_given_up_by_every_kind(
    kind: str, hf_folder: Callable[[str], Path], noise_clips: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from exo2ego.models.weights import START  # loads torch, which the others here do without

    monkeypatch.setattr(frames, "READ_LIMIT_S", 1e-6)
    specs = {
        "exo2ego": f"exo2ego:{START}",
        "hf": f"hf:{hf_folder('smolvlm')}" if kind == "hf" else "",
        "openai": SERVER,
    }
    model, clip = load_model(specs[kind], 0), VideoSpan(path=str(noise_clips[0]))
    for ask in (lambda: model.generate(clip, "What?"), lambda: model.frame_times(clip)):
        with pytest.raises(VideoError, match=r"a\.mp4: took longer than 1e-06 s and was stopped"):
            ask()


def test_a_model_of_ours_is_loaded_without_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    """Between the bars of a run there is no other library's."""
    from transformers.utils import logging

    from exo2ego.models.weights import START

    logging.enable_progress_bar()
    load_model(f"exo2ego:{START}", 0)
    assert "".join(capsys.readouterr()) == ""
