"""QAEgo4D open: what is asked, the figures of the words, those of judges and sentence models."""

import json
from pathlib import Path
from typing import Any

import pytest
from bench_fakes import FakeModel
from qa_fakes import qaego4d_rows

from exo2ego.bench.items import Item
from exo2ego.bench.judge import Verdict
from exo2ego.bench.tasks.base import Measure, ScoreSettings
from exo2ego.bench.tasks.qaego4d_open import FILES, TASK, load, score
from exo2ego.errors import InputError, MissingFileError
from exo2ego.records import Prediction

YES, NO, UNREAD = (
    Verdict(correct=True, score=5),
    Verdict(correct=False, score=1),
    Verdict(correct=None, score=None),
)


@pytest.fixture
def items(tmp_path: Path) -> list[Item]:
    (tmp_path / FILES[0]).write_text(json.dumps(qaego4d_rows()))
    return load(tmp_path)


def said(items: list[Item], texts: list[str | None]) -> dict[str, Prediction]:
    """One answer an item; None is a video that could not be read."""
    error = "VideoError: no frames"
    return {
        item.item_id: Prediction(item_id=item.item_id, text=text, error=error if text is None else None)
        for item, text in zip(items, texts, strict=True)
    }


def named(measures: list[Measure]) -> dict[str, Measure]:
    return {
        measure.score.name.removeprefix("qaego4d_open "): measure for measure in measures if not measure.score.groups
    }


def test_the_model_is_asked_for_a_few_words_and_never_sees_the_answer(items: list[Item]) -> None:
    model = FakeModel(lambda video, text: 0.0, text=" a cup ")
    prediction = TASK.protocols["open"].ask(model, items[0], "base")
    assert prediction.text == " a cup "
    assert model.asked[0][1].startswith("What did I lift 0?\nAnswer in one word")
    assert "a cup" not in model.asked[0][1]
    assert TASK.protocols["open"].judged


def test_the_older_file_is_read_where_the_unified_one_is_not(tmp_path: Path) -> None:
    keys = ("video_id", "sample_id", "question", "answer", "moment_start_frame", "moment_end_frame")
    old: list[dict[str, Any]] = [{key: row[key] for key in keys} for row in qaego4d_rows()]
    (tmp_path / FILES[1]).write_text(json.dumps(old))
    assert [item.options for item in load(tmp_path)] == [(row["answer"],) for row in old]
    (tmp_path / FILES[1]).rename(tmp_path / "x.json")
    with pytest.raises(MissingFileError) as caught:
        load(tmp_path)
    expected = "neither annotations.QaEgo4D_test.json nor annotations.test.json is there; check --root"
    assert str(caught.value) == f"{tmp_path}: {expected}"


def test_the_figures_of_the_words(items: list[Item]) -> None:
    # Right answers: a cup, a box, a jar, a pan, a book, a cup, a box, a jar
    texts = ["a cup", "The box.", "a red jar", "a hat", "", "...", None, "a jar"]
    measures = named(score(items, said(items, texts), ScoreSettings(protocol="open")))
    values = {name: (m.score.value, m.score.n, m.score.unparsed, m.score.unscored) for name, m in measures.items()}
    assert values["plain accuracy (open)"] == (pytest.approx(2 / 7), 7, 2, 1)
    assert values["exact match (open)"] == (pytest.approx(3 / 7), 7, 2, 1)
    assert values["token F1 (open)"] == (pytest.approx((1 + 1 + 2 / 3 + 1) / 7), 7, 2, 1)
    rouge = (1 + 0.5 + 0.8 + 0.5 + 1) / 7  # "the box" shares one of two words with "a box"
    assert values["ROUGE-L (open)"] == (pytest.approx(rouge), 7, 2, 1)
    bleu = (1 + 1 / 3 + 2 / 3 + 0.5 + 1) / 7  # "The box." is three words
    assert values["BLEU-1 (open)"] == (pytest.approx(bleu), 7, 2, 1)
    assert [name for name, measure in measures.items() if measure.headline] == ["exact match (open)"]
    assert all(measure.score.chance is None for measure in measures.values())


def test_a_judge_takes_the_headline_and_unjudged_is_wrong_and_counted(items: list[Item]) -> None:
    texts = ["a cup", "box", "jar", "hat", "", "mug", None, "a jar"]
    ids = [item.item_id for item in items]
    verdicts = {ids[0]: YES, ids[1]: YES, ids[2]: UNREAD, ids[3]: NO, ids[5]: NO}  # the last one: an outage
    settings = ScoreSettings(protocol="open", verdicts={"big#1": verdicts, "small#1": {ids[0]: NO}})
    measures = named(score(items, said(items, texts), settings))
    accuracy = measures["judge accuracy (open, judge big#1)"].score
    assert accuracy.value == pytest.approx(2 / 6)
    assert (accuracy.n, accuracy.unparsed, accuracy.unjudged, accuracy.unscored) == (6, 1, 1, 2)
    points = measures["judge score of 5 (open, judge big#1)"].score
    assert points.value == pytest.approx((5 + 5 + 0 + 1 + 0 + 1) / 6 / 5)
    assert measures["judge accuracy (open, judge small#1)"].score.n == 2
    heads = [name for name, measure in measures.items() if measure.headline]
    assert heads == ["judge accuracy (open, judge big#1)"]


def test_a_thought_before_the_answer_is_no_part_of_it(items: list[Item]) -> None:
    texts: list[str | None] = ["<think>hat?</think>a cup", "<think>a box", *["x"] * 6]
    measures = named(score(items, said(items, texts), ScoreSettings(protocol="open")))
    assert measures["plain accuracy (open)"].score.value == pytest.approx(1 / 8)
    assert measures["ROUGE-L (open)"].score.value == pytest.approx(1 / 8)
    assert measures["exact match (open)"].score.unparsed == 1


def test_a_judge_that_has_said_nothing_shows_nothing(items: list[Item]) -> None:
    settings = ScoreSettings(protocol="open", verdicts={"big#1": {}}, similarities={"mini#1": {}})
    measures = named(score(items, said(items, ["a cup"] * 8), settings))
    assert not any("judge" in name or "similarity" in name for name in measures)
    assert measures["exact match (open)"].headline


def test_similarity_is_the_mean_cosine_of_what_was_embedded(items: list[Item]) -> None:
    values = {items[0].item_id: 1.0, items[1].item_id: 0.4}
    settings = ScoreSettings(protocol="open", similarities={"mini#1": values})
    found = named(score(items, said(items, ["x"] * 8), settings))["sentence similarity (open, mini#1)"].score
    assert (found.value, found.n, found.unscored) == (pytest.approx(0.7), 2, 6)


def test_told_and_untold_are_reported_apart_with_the_stated_chance(tmp_path: Path) -> None:
    rows = qaego4d_rows()
    (tmp_path / FILES[0]).write_text(json.dumps(rows))
    labels = {
        row["sample_id"]: {"told": "untold" if number % 2 else "told", "chance": "0.2"}
        for number, row in enumerate(rows)
    }
    (tmp_path / "groups.json").write_text(json.dumps(labels))
    items = load(tmp_path)
    texts: list[str | None] = [row["answer"] if number % 2 else "no" for number, row in enumerate(rows)]
    exact = [
        m.score for m in score(items, said(items, texts), ScoreSettings(protocol="open")) if "exact" in m.score.name
    ]
    assert [(s.groups, s.value) for s in exact] == [({}, 0.5), ({"told": "told"}, 0.0), ({"told": "untold"}, 1.0)]
    assert exact[0].chance == pytest.approx(0.2)


def test_nothing_answered_is_an_error_not_a_score(items: list[Item]) -> None:
    with pytest.raises(InputError, match="none of 8 items has an answer"):
        score(items, said(items, [None] * 8), ScoreSettings(protocol="open"))
