"""QAEgo4D closed: the order of the options, what is refused, accuracy; the real row."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from bench_fakes import FakeModel
from hypothesis import given
from hypothesis import strategies as st
from qa_fakes import qaego4d_rows

from exo2ego.bench.tasks import qaego4d_closed
from exo2ego.bench.tasks.base import ScoreSettings
from exo2ego.bench.tasks.qaego4d_closed import FILE, TASK, load, option_order
from exo2ego.errors import FormatError
from exo2ego.records import Prediction

REPEATS = "repeats an option, so there is no single answer"
REAL = Path(__file__).parents[3] / "shared/data/qaego4d/annotations.QaEgo4D_test_close.sample1.json"


def write(root: Path, rows: list[dict[str, Any]]) -> Path:
    (root / FILE).write_text(json.dumps(rows))
    return root


@given(st.text(max_size=40), st.integers(1, 9))
def test_an_order_is_a_shuffle_that_depends_on_the_id_only(sample_id: str, options: int) -> None:
    order = option_order(sample_id, options)
    assert sorted(order) == list(range(options))
    assert order == option_order(sample_id, options)


def test_the_right_answer_stands_everywhere_equally_often() -> None:
    places = Counter(option_order(f"sample_{number}", 4).index(0) for number in range(4000))
    assert all(900 < count < 1100 for count in places.values()), places


def test_orders_of_ids_never_change() -> None:
    """Golden: a change here would make old and new runs different benchmarks."""
    assert [option_order(f"0139f386-{number}_0", 4) for number in range(3)] == [
        [1, 0, 3, 2],
        [2, 0, 3, 1],
        [2, 3, 0, 1],
    ]


def test_neither_the_other_rows_nor_the_seed_change_a_question(tmp_path: Path) -> None:
    rows = qaego4d_rows()
    whole = {item.item_id: item for item in load(write(tmp_path, rows), seed=1)}
    part = load(write(tmp_path, rows[::-2]), seed=2)
    assert [whole[item.item_id] for item in part] == part
    assert all(item.options[item.answer or 0] == rows[i]["answer"] for i, item in enumerate(whole.values()))
    assert {item.answer for item in whole.values()} > {0}
    assert len(load(write(tmp_path, rows), limit=3)) == 3


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["x", "y"], "row 2: wrong_answers = ['x', 'y'] must be 3 texts; use " + FILE),
        (None, "row 2: wrong_answers = [] must be 3 texts; use " + FILE),
        (
            ["A  Box", "y", "z"],
            f"row 2: answer, wrong_answers = ('a box', 'A  Box', 'y', 'z') {REPEATS}",
        ),
        (
            ["x", "y", "x "],
            f"row 2: answer, wrong_answers = ('a box', 'x', 'y', 'x') {REPEATS}",
        ),
    ],
)
def test_options_that_are_no_choice_are_refused(tmp_path: Path, wrong: list[str] | None, message: str) -> None:
    rows = qaego4d_rows()
    rows[1]["wrong_answers"] = wrong
    with pytest.raises(FormatError) as caught:
        load(write(tmp_path, rows))
    assert str(caught.value) == f"{tmp_path / FILE}: {message}"


def test_accuracy_of_letters_counts_what_cannot_be_read(tmp_path: Path) -> None:
    items = load(write(tmp_path, qaego4d_rows()))
    said = {i.item_id: Prediction(item_id=i.item_id, text=f"({'ABCD'[i.answer or 0]})") for i in items}
    said[items[0].item_id] = Prediction(item_id=items[0].item_id, text="(E)")
    said[items[1].item_id] = Prediction(item_id=items[1].item_id, error="VideoError: no frames")
    (measure,) = qaego4d_closed.score(items, said, ScoreSettings(protocol="letter"))
    score = measure.score
    assert (score.name, score.n, score.unparsed, score.unscored) == ("qaego4d_closed accuracy (letter)", 7, 1, 1)
    assert score.value == pytest.approx(6 / 7)
    assert score.chance == 0.25
    assert measure.headline


def test_clips_of_one_recording_are_one_cluster_and_the_video_is_the_clip(tmp_path: Path) -> None:
    items = load(write(tmp_path, qaego4d_rows()))
    assert [item.cluster for item in items] == ["recording0"] * 4 + ["recording1"] * 4
    assert items[3].videos[0].path == "videos/clip1.mp4"
    assert items[3].videos[0].start_s is None  # the whole clip is shown, not the moment of the answer
    assert items[3].meta["moment_s"] == pytest.approx([14.7813, 57.66328])


def test_the_answer_is_not_among_what_a_model_is_asked_in_letters(tmp_path: Path) -> None:
    item = load(write(tmp_path, qaego4d_rows()))[0]
    model = FakeModel(lambda video, text: 0.0)
    TASK.protocols["letter"].ask(model, item, "base")
    assert all(option in model.asked[0][1] for option in item.options)
    assert "moment" not in model.asked[0][1]


@pytest.mark.skipif(not REAL.is_file(), reason="the real row is not beside this checkout (../shared/data)")
def test_the_real_row_is_a_question(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(REAL.read_bytes())
    (item,) = load(tmp_path)
    assert sorted(item.options) == ["five", "nine", "seven", "three"]
    assert item.options[item.answer or 0] == "seven"
    assert item.question == "How many oven trays did I put in the trolley from the cupboard?"
