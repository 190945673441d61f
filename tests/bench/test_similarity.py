"""Sentence similarity with a tiny encoder made here: no network, cosines as numpy computes them, clear refusals."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from bench_fakes import FakeModel

from exo2ego.bench import similarity
from exo2ego.bench.run import RunSettings, run
from exo2ego.bench.score import score_folder
from exo2ego.bench.similarity import cosines, similarity_run
from exo2ego.bench.tasks import TASKS
from exo2ego.cli.bench import main
from exo2ego.errors import InputError, MissingFileError

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "cup", "box", "hat", "in", "the", "sink"]


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT of 12 words as Transformers saves it, not a folder of sentence-transformers."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizer

    folder = tmp_path_factory.mktemp("models") / "tiny-encoder"
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    BertModel(BertConfig(vocab_size=len(WORDS), max_position_embeddings=32, **sizes)).save_pretrained(folder)
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


def by_hand(one: str, two: str, encoder: Path) -> float:
    """Mean of the word vectors of each text, then their cosine."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(encoder), AutoModel.from_pretrained(encoder)
    with torch.inference_mode():
        words = [model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0] for text in (one, two)]
    a, b = (vectors.numpy().mean(axis=0) for vectors in words)
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_cosines_are_those_of_mean_word_vectors(encoder: Path) -> None:
    pairs = [("a cup", "a cup"), ("a cup", "in the sink"), ("hat", "a box in the sink")]
    found = cosines(pairs, encoder)
    assert found == pytest.approx([by_hand(*pair, encoder) for pair in pairs], abs=1e-5)
    assert found[0] == pytest.approx(1.0)
    assert cosines([], encoder) == []


def test_a_run_gets_its_figure(bench_root: Path, tmp_path: Path, encoder: Path) -> None:
    task, root = TASKS["qaego4d_open"], bench_root / "qaego4d"
    settings = RunSettings(task=task.name, protocol="open", model="fake")
    model = FakeModel(lambda video, text: 0.0, text="a cup")
    run(model, task, task.load(root), root, tmp_path / "run", settings)
    name, count = similarity_run(tmp_path / "run", encoder)
    assert count == 8
    assert name.startswith("tiny-encoder#")
    score = next(m.score for m in score_folder(tmp_path / "run").measures if "similarity" in m.score.name)
    expected = cosines([("a cup", item.options[0]) for item in task.load(root)], encoder)
    assert score.value == pytest.approx(sum(expected) / 8, abs=1e-5)
    assert score.name == f"qaego4d_open sentence similarity (open, {name})"


def test_texts_are_embedded_in_parts_under_a_bar(
    bench_root: Path,
    tmp_path: Path,
    encoder: Path,
    monkeypatch: pytest.MonkeyPatch,
    bars: Callable[[], dict[str, str]],
) -> None:
    pairs = [("a cup", "hat"), ("in the sink", "hat"), ("a cup", "a box in the sink")]
    whole, told = cosines(pairs, encoder), []
    monkeypatch.setattr(similarity, "TEXTS_AT_ONCE", 3)
    assert cosines(pairs, encoder, lambda *at: told.append(at)) == pytest.approx(whole, abs=1e-6)
    assert told == [(3, 4), (4, 4)]
    task, root = TASKS["qaego4d_open"], bench_root / "qaego4d"
    settings = RunSettings(task=task.name, protocol="open", model="fake")
    run(FakeModel(lambda video, text: 0.0, text="a cup"), task, task.load(root), root, tmp_path / "run", settings)
    assert main(["judge", str(tmp_path / "run"), "--similarity", str(encoder)]) == 0
    texts = len({"a cup", *(item.options[0] for item in task.load(root))})
    assert bars() == {"run: comparing": f"{texts}/{texts}", "scoring": "8/8"}


def test_folders_that_hold_no_safe_model_are_one_line(tmp_path: Path, encoder: Path) -> None:
    with pytest.raises(MissingFileError, match="no sentence model there"):
        cosines([("a", "b")], tmp_path)
    (tmp_path / "config.json").write_text((encoder / "config.json").read_text())
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04pickle")
    with pytest.raises(InputError) as caught:
        cosines([("a", "b")], tmp_path)
    assert "cannot be loaded" in str(caught.value)
    assert "\n" not in str(caught.value)
