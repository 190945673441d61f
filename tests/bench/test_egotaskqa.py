"""EgoTaskQA: exact match, likelihood over the vocabulary, judges; over open, binary, all and each kind of reasoning."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from bench_fakes import FakeModel
from hypothesis import given
from hypothesis import strategies as st
from qa_fakes import STATES, write_qa

from exo2ego.bench.answers import normal_answer
from exo2ego.bench.items import Item
from exo2ego.bench.judge import Verdict
from exo2ego.bench.tasks.base import Measure, ScoreSettings
from exo2ego.bench.tasks.egotaskqa import DIRECT, INDIRECT
from exo2ego.errors import FormatError, InputError
from exo2ego.records import Prediction, VideoSpan


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_qa(tmp_path, b"video")
    return tmp_path / "egotaskqa"


@pytest.fixture
def items(root: Path) -> list[Item]:
    return DIRECT.load(root)


def said(items: Sequence[Item], texts: Sequence[str]) -> dict[str, Prediction]:
    return {i.item_id: Prediction(item_id=i.item_id, text=text) for i, text in zip(items, texts, strict=True)}


def values(measures: Sequence[Measure], start: str = "") -> dict[str, tuple[float, int, int]]:
    chosen = [m.score for m in measures if m.score.name.startswith(start)]
    return {"|".join(s.groups.values()) or "all": (round(s.value, 6), s.n, s.unparsed) for s in chosen}


def test_both_splits_are_tasks_of_one_folder(root: Path, items: list[Item]) -> None:
    assert (DIRECT.directory, INDIRECT.directory) == ("egotaskqa", "egotaskqa")
    assert len(INDIRECT.load(root)) == len(items) == 8
    first = items[0]
    assert first.videos[0].path == "qa_videos/27k-0|P1|0|90.mp4"
    assert (first.cluster, first.groups["kind"], first.chance) == ("27k-0", "open", pytest.approx(1 / 7))
    assert first.options == (*STATES, "put something")  # no place holders
    assert items[6].options[items[6].answer or 0] == "put something"  # the file has "Put something"


def test_exact_match_of_words_and_of_yes_and_no(items: list[Item]) -> None:
    # Right: on the table, in the sink, in the pan, yes, no, clean, Put something, no
    texts = ["On table.", "the sink", "in the pan", "Yes, it is.", "I think no", "clean", "put something", "no"]
    measures = DIRECT.score(items, said(items, texts), ScoreSettings(protocol="exact"))
    found = values(measures)
    assert found["all"] == (pytest.approx(6 / 8), 8, 1)
    assert found["open"] == (pytest.approx(4 / 5), 5, 0)
    assert found["binary"] == (pytest.approx(2 / 3), 3, 1)
    assert found["state"] == found["all"]
    assert found["spatial"] == (pytest.approx(3 / 4), 4, 0)  # rows 1, 3, 5, 7 count under both kinds
    assert [m.score.name for m in measures if m.headline] == ["egotaskqa_direct accuracy (exact)"]
    assert measures[0].score.chance is None


def literal_accuracy(items: Sequence[Item], texts: Sequence[str], wanted: str | None) -> float | None:
    """The definition, word by word: share of equal answers; under a reasoning type if it is among the tokens."""
    right = total = 0
    for item, text in zip(items, texts, strict=True):
        binary = item.meta["answer"] in ("yes", "no")
        kind = "binary" if binary else "open"
        if wanted is not None and wanted not in (kind, *item.meta["reasoning"]):
            continue
        total += 1
        words = normal_answer(text).split()
        if binary:
            other = "no" if item.meta["answer"] == "yes" else "yes"
            right += bool(words) and words[0] == item.meta["answer"] and other not in words
        else:
            right += bool(words) and words == normal_answer(item.meta["answer"]).split()
    return right / total if total else None


@given(
    st.lists(st.sampled_from(["on the table", "yes", "no", "Yes no", "", "in sink", "clean"]), min_size=8, max_size=8)
)
def test_every_part_is_the_literal_definition(texts: list[str]) -> None:
    items = [
        Item(
            item_id=str(number),
            question="?",
            videos=(VideoSpan(path="v"),),
            options=(),
            cluster="v",
            groups={"kind": "binary" if answer in ("yes", "no") else "open"},
            meta={"answer": answer, "reasoning": reasoning, "stated_chance": False},
        )
        for number, (answer, reasoning) in enumerate(
            zip(
                (*STATES, "yes", "in the sink"),
                [["a"], ["a", "b"], [], ["b"], ["c", "a"], ["c"], [], ["b"]],
                strict=True,
            )
        )
    ]
    measures = DIRECT.score(items, said(items, texts), ScoreSettings(protocol="exact"))
    found = values(measures)
    for wanted in (None, "open", "binary", "a", "b", "c"):
        expected = literal_accuracy(items, texts, wanted)
        assert expected is not None
        assert found[wanted or "all"][0] == pytest.approx(expected, abs=1e-6)


def test_likelihood_takes_the_likeliest_answer_of_the_vocabulary(items: list[Item]) -> None:
    model = FakeModel(lambda video, text: 0.0 if text == "yes" else -float(len(text.split())))
    predictions = {i.item_id: DIRECT.protocols["likelihood"].ask(model, i, "base") for i in items}
    assert model.asked[0][1] == items[0].question  # verbatim
    measures = DIRECT.score(items, predictions, ScoreSettings(protocol="likelihood"))
    assert values(measures)["all"][0] == pytest.approx(1 / 8)
    assert measures[0].score.chance == pytest.approx(1 / 7)
    mean = DIRECT.protocols["likelihood_mean"].ask(FakeModel(lambda video, text: -6.0), items[0], "base")
    assert mean.scores[:4] == (-2.0, -2.0, -2.0, -6.0)


def test_an_answer_outside_of_the_vocabulary_is_asked_and_cannot_be_right(root: Path) -> None:
    (root / "direct/answer_set.txt").write_text("yes\nno\n")
    items = DIRECT.load(root)
    assert [item.answer for item in items] == [None, None, None, 0, 1, None, None, 1]
    predictions = {i.item_id: Prediction(item_id=i.item_id, scores=(0.0, -1.0)) for i in items}
    found = values(DIRECT.score(items, predictions, ScoreSettings(protocol="likelihood")))
    assert (found["all"], found["open"]) == ((pytest.approx(1 / 8), 8, 0), (0.0, 5, 0))
    exact = said(items, [str(item.meta["answer"]) for item in items])
    assert values(DIRECT.score(items, exact, ScoreSettings(protocol="exact")))["all"][0] == 1.0


def test_a_vocabulary_of_other_files_is_refused(root: Path) -> None:
    (root / "direct/answer_set.txt").write_text("left\nright\n")
    with pytest.raises(FormatError) as caught:
        DIRECT.load(root)
    expected = f"{root}: answer_set.txt has no answer of direct/test_qas.json; use files of one release"
    assert str(caught.value) == expected


def test_without_a_vocabulary_words_can_be_asked_and_likelihood_says_why_not(root: Path) -> None:
    (root / "direct/answer_set.txt").unlink()
    item = DIRECT.load(root)[0]
    model = FakeModel(lambda video, text: 0.0, text="on the table")
    prediction = DIRECT.protocols["exact"].ask(model, item, "base")
    assert model.asked[0][1].endswith("Answer yes or no, or in a few words, without a sentence around them.")
    measures = DIRECT.score([item], {item.item_id: prediction}, ScoreSettings(protocol="exact"))
    assert measures[0].score.value == 1.0
    with pytest.raises(InputError) as caught:
        DIRECT.protocols["likelihood"].ask(model, item, "base")
    expected = "likelihood needs answer_set.txt below --root; add it or choose --protocol exact"
    assert str(caught.value) == f"egotaskqa_direct: {expected}"


def test_a_judge_is_reported_over_the_same_parts(items: list[Item]) -> None:
    yes, no = Verdict(correct=True, score=4), Verdict(correct=False, score=0)
    verdicts = {i.item_id: yes if i.groups["kind"] == "open" else no for i in items}
    settings = ScoreSettings(protocol="exact", verdicts={"big#1": verdicts})
    measures = DIRECT.score(items, said(items, ["x"] * 8), settings)
    found = values(measures, "egotaskqa_direct judge accuracy (exact, judge big#1)")
    assert (found["all"][0], found["open"][0], found["binary"][0]) == (pytest.approx(5 / 8), 1.0, 0.0)
    assert "spatial" in found
    points = values(measures, "egotaskqa_direct judge score of 5")
    assert points == {"all": (pytest.approx(0.5), 8, 0)}
    assert [m.score.name for m in measures if m.headline] == ["egotaskqa_direct accuracy (exact)"]


def test_no_path_reaches_the_model(items: list[Item]) -> None:
    model = FakeModel(lambda video, text: 0.0, text="x")
    for name in ("exact", "likelihood"):
        DIRECT.protocols[name].ask(model, items[0], "first_person")
    assert not any("27k" in question or "P1" in question for _, question, _ in model.asked)
