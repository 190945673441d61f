"""What models that know nothing or see nothing answer, and that none of them gives single answers away."""

from pathlib import Path

import pytest
from bench_fakes import FakeModel, sees_the_kind

from exo2ego.bench.baselines import BlindModel, MajorityModel, RandomModel
from exo2ego.bench.items import Item
from exo2ego.bench.run import RunSettings, run
from exo2ego.bench.score import score_folder
from exo2ego.bench.tasks import TASKS
from exo2ego.errors import InputError
from exo2ego.records import VideoSpan

CLIP = VideoSpan(path="a/b.mp4", start_s=1.0, end_s=2.0)


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


def asked(name: str, options: tuple[str, ...], answer: int | None, videos: int = 1, stated: str = "") -> Item:
    meta = {"answer": stated} if stated else {}
    return Item(
        item_id=name, question="?", videos=(CLIP,) * videos, options=options, answer=answer, cluster="v", meta=meta
    )


def listed(options: tuple[str, ...]) -> str:
    return "\n".join(["?", *(f"({letter}) {text}" for letter, text in zip("ABCDE", options, strict=False))])


def best_option(model: MajorityModel, options: tuple[str, ...]) -> int:
    scores = [score.logprob for score in model.option_logprobs(CLIP, "?", options)]
    assert sorted(scores) == [-1.0] * (len(options) - 1) + [0.0]
    return scores.index(0.0)


def test_the_majority_is_the_most_frequent_words_else_the_most_frequent_place() -> None:
    model = MajorityModel()
    with pytest.raises(InputError, match="shown the items"):
        model.generate(CLIP, "?")
    with pytest.raises(InputError, match="shown the items"):
        model.option_logprobs(CLIP, "?", ["x"])
    model.see([asked("1", ("a", "b", "c"), 2), asked("2", ("d", "e", "f"), 2), asked("3", ("g", "h"), 1)])
    assert best_option(model, ("x", "y", "z")) == 2
    assert best_option(model, ("x", "y")) == 1
    assert model.generate(CLIP, listed(("x", "y", "z"))) == "(C)"
    assert model.generate(CLIP, "In a few words?") == ""
    closed = [asked(str(n), ("Red.", "blue", "green"), answer) for n, answer in enumerate((1, 0, 1, 0, 0))]
    model.see(closed)
    assert best_option(model, ("blue", "green", "red")) == 2
    assert model.generate(CLIP, listed(("blue", "red"))) == "(B)"
    assert model.generate(CLIP, "In a few words?") == "red"
    model.see([asked(word, (), None, stated=word) for word in ("Yes", "no", "yes")])
    assert model.generate(CLIP, "Is it?") == "yes"


def test_the_majority_gives_no_single_answer_away() -> None:
    """All answers differ: knowing them must not help."""
    model = MajorityModel()
    model.see([asked(str(n), (f"right {n}", f"wrong {n}", "x", "y"), 0) for n in range(5)])
    assert best_option(model, ("x", "right 3", "y", "wrong 3")) == 0
    model.see([asked(str(n), (f"text {n}",), n % 5, videos=5) for n in range(5)])
    assert (
        model.option_logprobs(CLIP, "?", ["text 3"])[0].logprob == model.option_logprobs(CLIP, "?", ["no"])[0].logprob
    )


def test_a_run_shows_its_items_to_the_majority_only(bench_root: Path, tmp_path: Path) -> None:
    task, root = TASKS["egoschema"], bench_root / "egoschema"
    items = task.load(root)
    settings = RunSettings(task=task.name, protocol="likelihood", model="majority")
    run(MajorityModel(), task, items, root, tmp_path / "run", settings)
    found = score_folder(tmp_path / "run").measures[0].score.value
    answers = [item.answer for item in items]
    assert found == max(answers.count(place) for place in range(5)) / len(items)
