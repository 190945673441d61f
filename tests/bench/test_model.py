"""Naming models, telling checkpoints apart, and what models that see nothing answer."""

from pathlib import Path

import pytest
from bench_fakes import FakeModel, sees_the_kind

from exo2ego.bench.baselines import BlindModel, RandomModel
from exo2ego.bench.model import load_model, model_fingerprint
from exo2ego.errors import InputError, MissingFileError
from exo2ego.records import VideoSpan

CLIP = VideoSpan(path="a/b.mp4", start_s=1.0, end_s=2.0)


def test_unknown_models_and_folders_without_a_model_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown kind 'gpt'"):
        load_model("gpt:x", 0)
    with pytest.raises(InputError, match="takes no folder"):
        load_model("random:x", 0)
    with pytest.raises(MissingFileError, match="is not there"):
        load_model("exo2ego:", 0)
    with pytest.raises(MissingFileError, match=r"no config\.json"):
        load_model(f"exo2ego:{tmp_path}", 0)


def test_checkpoints_of_one_name_have_different_fingerprints(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"1" * 100)
    first = model_fingerprint(f"exo2ego:{tmp_path}")
    assert first == model_fingerprint(f"exo2ego:{tmp_path}")
    assert first != model_fingerprint(f"blind:{tmp_path}")
    (tmp_path / "model.safetensors").write_bytes(b"1" * 99 + b"2")
    assert first != model_fingerprint(f"exo2ego:{tmp_path}")


def test_the_lot_depends_on_seed_and_item_and_not_on_order_or_folder() -> None:
    model = RandomModel(0)
    first = model.option_logprobs(CLIP, "q", ["x", "y"])
    model.option_logprobs(None, "q", ["x"])
    assert model.option_logprobs(VideoSpan(path="c/b.mp4", start_s=1.0, end_s=2.0), "q", ["x", "y"]) == first
    assert model.option_logprobs(VideoSpan(path="a/b.mp4", start_s=1.0, end_s=3.0), "q", ["x", "y"]) != first
    assert RandomModel(1).option_logprobs(CLIP, "q", ["x", "y"]) != first


def test_the_lot_draws_only_letters_that_are_listed() -> None:
    question = "Which?\n(A) x\n(B) y"
    drawn = {RandomModel(seed).generate(CLIP, question) for seed in range(40)}
    assert drawn == {"A", "B"}


def test_the_blind_model_never_passes_the_video_on() -> None:
    seeing = FakeModel(sees_the_kind)
    BlindModel(seeing).option_logprobs(CLIP, "q", ["x"])
    BlindModel(seeing).generate(CLIP, "q")
    assert [video for video, _, _ in seeing.asked] == [None, None]


def test_vectors_by_lot_belong_to_the_clip_and_the_text() -> None:
    model = RandomModel(0)
    assert (model.embed_video(CLIP) == model.embed_video(VideoSpan(path="c/b.mp4", start_s=1.0, end_s=2.0))).all()
    assert (model.embed_video(CLIP) != model.embed_video(VideoSpan(path="a/b.mp4", start_s=1.0, end_s=3.0))).any()
    first, second, third = model.embed_text(["x", "y", "x"])
    assert (first == third).all()
    assert (first != second).any()
    assert "embeddings" not in BlindModel(model).capabilities
