"""A model from nothing: same seed same weights, knows its corpus, loads like any exported model."""

from exo2ego.models.weights import load_model_folder
from exo2ego.training.fresh import fresh_model
from exo2ego.training.recipes.tiny import tiny


def test_same_seed_same_weights(tmp_path):
    texts = [" What colour is the object?", " red"] * 3
    folders = [fresh_model(tiny(), texts, tmp_path / str(i), seed=s) for i, s in enumerate((0, 0, 1))]
    a, b, c = ((f / "model.safetensors").read_bytes() for f in folders)
    assert a == b != c
    loaded = load_model_folder(folders[0])
    assert loaded.processor.video_tokens == loaded.model.model.token_grid().tokens == 64
    assert len(loaded.processor.tokenizer.encode(" red", add_special_tokens=False)) == 1
