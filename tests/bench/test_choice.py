"""The protocols of listed options: one text each, letters read, every option scored."""

import pytest
from bench_fakes import FakeModel, sees_the_kind

from exo2ego.bench.items import Item
from exo2ego.bench.tasks.choice import LETTER_TOKENS, choice_protocols, choose
from exo2ego.errors import FormatError
from exo2ego.records import Prediction, VideoSpan

PROTOCOLS = choice_protocols("egoschema", "What?", ("x", "y", "z"))
ITEM = Item(
    item_id="i", question="What?", videos=(VideoSpan(path="v.mp4"),), options=("a cup", "a box"), answer=1, cluster="v"
)


def test_letters_are_asked_with_the_options_and_read() -> None:
    model = FakeModel(sees_the_kind, text="(B)")
    prediction = PROTOCOLS["letter"].ask(model, ITEM, "first_person")
    assert choose(ITEM, prediction) == 1
    asked = model.asked[0][1]
    assert asked.splitlines()[-3:-1] == ["(A) a cup", "(B) a box"]
    assert "eyes of the camera-wearer" in asked
    assert LETTER_TOKENS >= 2
    assert PROTOCOLS["letter"].needs == {"text"}
    assert PROTOCOLS["letter"].describe.startswith("options listed as (A) to (C)")


def test_unreadable_text_is_no_choice_and_wrong_numbers_of_scores_are_refused() -> None:
    assert choose(ITEM, Prediction(item_id="i", text="neither")) is None
    assert choose(ITEM, Prediction(item_id="i", scores=(-2.0, -1.0))) == 1
    with pytest.raises(FormatError, match="item i: 3 scores for 2 candidates"):
        choose(ITEM, Prediction(item_id="i", scores=(-2.0, -1.0, 0.0)))


def test_the_mean_divides_by_the_tokens_of_each_option() -> None:
    model = FakeModel(lambda video, text: -2.0)
    assert PROTOCOLS["likelihood"].ask(model, ITEM, "base").scores == (-2.0, -2.0)
    assert PROTOCOLS["likelihood_mean"].ask(model, ITEM, "base").scores == (-1.0, -1.0)
