"""Items and answers on disk: whatever they hold comes back as it was; every change of a question changes the hash."""

import json
import math
import re
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exo2ego.bench.items import (
    Item,
    chance_of,
    dump_items,
    items_hash,
    missing_videos,
    pick,
    read_groups,
    read_items,
    require_videos,
    right_answer,
)
from exo2ego.bench.predictions import PredictionLog, forget_errors, read_predictions
from exo2ego.errors import FormatError, InputError, MissingFileError
from exo2ego.records import Prediction, Usage, VideoSpan, Vote

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SECONDS = st.none() | st.floats(0, 1e5)
SPANS = st.builds(VideoSpan, path=TEXT, start_s=SECONDS, end_s=SECONDS)
LABELS = st.dictionaries(TEXT, TEXT, max_size=3)
PLAIN = st.none() | st.booleans() | st.integers(-9, 9) | TEXT
META = st.dictionaries(TEXT, PLAIN | st.lists(PLAIN, max_size=3), max_size=3)


@st.composite
def items(draw: st.DrawFn) -> Item:
    options = tuple(draw(st.lists(TEXT, min_size=1, max_size=5)))
    return Item(
        item_id=draw(TEXT),
        question=draw(TEXT),
        videos=tuple(draw(st.lists(SPANS, max_size=3))),
        options=options,
        answer=draw(st.none() | st.integers(0, len(options) - 1)),
        cluster=draw(TEXT),
        chance=draw(st.none() | st.floats(0, 1)),
        groups=draw(LABELS),
        meta=draw(META),
    )


few = settings(max_examples=15)
LISTS = st.lists(items(), max_size=4, unique_by=lambda item: item.item_id)


@few
@given(LISTS)
def test_items_come_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, listed: list[Item]) -> None:
    """Whatever texts hold: line breaks of all kinds, quotes, other scripts."""
    path = tmp_path_factory.mktemp("items") / "items.jsonl"
    path.write_text("".join(line + "\n" for line in dump_items(listed)), encoding="utf-8", newline="")
    back = read_items(path)
    assert back == listed
    assert items_hash(back) == items_hash(listed)


def test_options_that_items_share_are_written_once_and_shared_again(tmp_path: Path) -> None:
    """3,842 sentences of EPIC's retrieval for each of 9,668 clips would be gigabytes."""
    shared, own = ("a cup", "a pan"), ("a cup", "a box")
    made = [item(name, options=shared) for name in ("a", "b")] + [item("c", options=own), item("d", options=shared)]
    lines = list(dump_items(made))
    assert [json.loads(line)["options"] for line in lines] == [
        list(shared), {"same_as": "a"}, list(own), {"same_as": "a"},
    ]  # fmt: skip
    (tmp_path / "items.jsonl").write_text("\n".join(lines) + "\n")
    back = read_items(tmp_path / "items.jsonl")
    assert back == made
    assert back[3].options is back[0].options


def item(item_id: str = "q1", **changes: object) -> Item:
    base = Item(
        item_id=item_id,
        question="What is it?",
        videos=(VideoSpan(path="a.mp4", start_s=1.0, end_s=2.0),),
        options=("a cup", "a pan"),
        answer=1,
        cluster="a",
        chance=0.5,
        groups={"told": "told"},
        meta={"k": 1},
    )
    return replace(base, **changes)  # type: ignore[arg-type]


CHANGES: dict[str, object] = {
    "item_id": "q2",
    "question": "What is that?",
    "videos": (VideoSpan(path="a.mp4", start_s=1.0, end_s=2.5),),
    "options": ("a pan", "a cup"),
    "answer": 0,
    "cluster": "b",
    "chance": 0.25,
    "groups": {"told": "untold"},
    "meta": {"k": 2},
}


def test_the_hash_is_of_everything_that_is_asked_and_scored() -> None:
    assert set(CHANGES) == {field.name for field in fields(Item)}
    hashes = {name: items_hash([item(**{name: value})]) for name, value in CHANGES.items()}
    assert len({items_hash([item()]), *hashes.values()}) == len(CHANGES) + 1
    assert items_hash([item("a"), item("b")]) != items_hash([item("b"), item("a")])


@given(st.integers(1, 60), st.none() | st.integers(1, 80), st.integers(0, 99))
def test_a_limit_takes_so_many_in_the_order_of_the_file(count: int, limit: int | None, seed: int) -> None:
    ids = [str(number) for number in range(count)]
    found = pick(ids, limit, seed)
    assert len(found) == min(count, limit or count)
    assert found == sorted(set(found))
    assert set(found) <= set(range(count))
    assert pick(ids, limit, seed) == found


def test_the_draw_of_a_limit_depends_on_the_seed() -> None:
    ids = [str(number) for number in range(50)]
    assert len({tuple(pick(ids, 5, seed)) for seed in range(8)}) > 1


def test_the_right_answer_is_a_text_or_the_right_option() -> None:
    assert right_answer(item()) == "a pan"
    assert right_answer(item(meta={"answer": "the blue pan"})) == "the blue pan"
    with pytest.raises(InputError, match="item q1: has no right answer"):
        right_answer(item(answer=None))
    with pytest.raises(FormatError, match=r"item q1: answer 2 is not one of 0\.\.1"):
        item(answer=2)


def test_missing_videos_are_named_once_and_a_few_of_them(tmp_path: Path) -> None:
    made = [item(f"q{n}", videos=(VideoSpan(path=f"{n % 7}.mp4"),)) for n in range(20)]
    (tmp_path / "3.mp4").touch()
    assert missing_videos(made, tmp_path) == [f"{n}.mp4" for n in (0, 1, 2, 4, 5, 6)]
    with pytest.raises(
        MissingFileError, match=re.escape("6 videos are not there (0.mp4, 1.mp4, 2.mp4, 4.mp4, 5.mp4, ...)")
    ):
        require_videos(made, tmp_path)
    require_videos(made[3:4], tmp_path)
    assert made[3].rooted(tmp_path).videos[0].path == str(tmp_path / "3.mp4")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ([], "top level: type = 'list' must be an object: item id -> labels"),
        ({"q1": "told"}, "item q1: labels = 'told' must be an object of strings"),
        ({"q1": {"told": 1}}, "item q1: labels = {'told': 1} must be an object of strings"),
    ],
)
def test_labels_in_another_form_are_named(content: object, says: str, tmp_path: Path) -> None:
    assert read_groups(tmp_path) == {}
    (tmp_path / "groups.json").write_text(json.dumps(content))
    with pytest.raises(FormatError, match=re.escape(says)):
        read_groups(tmp_path)


def test_chance_is_as_stated_else_one_in_so_many() -> None:
    assert chance_of({}, 5) == pytest.approx(0.2)
    assert chance_of({"chance": "0.3400"}, 5) == pytest.approx(0.34)
    for stated in ("often", "-0.1", "1.1", "nan"):
        with pytest.raises(FormatError, match=re.escape("is not a number from 0 to 1; write it like '0.2'")):
            chance_of({"chance": stated}, 5)


USAGE = tuple(field.name for field in fields(Usage))
SCORES = st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=4).map(tuple)
USAGES = st.builds(Usage, requests=st.integers(0, 9), prompt_tokens=st.integers(0, 999), cost=st.floats(0, 9))


@st.composite
def predictions(draw: st.DrawFn) -> Prediction:
    orders = draw(st.lists(st.permutations(range(3)), max_size=2))
    votes = tuple(Vote(order=tuple(order), scores=draw(SCORES), text=draw(st.none() | TEXT)) for order in orders)
    return Prediction(
        item_id=draw(TEXT),
        scores=draw(SCORES),
        text=draw(st.none() | TEXT),
        error=draw(st.none() | TEXT),
        votes=votes,
        usage=draw(st.none() | USAGES),
    )


@few
@given(st.lists(predictions(), min_size=1, max_size=4, unique_by=lambda one: one.item_id))
def test_answers_come_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, made: list[Prediction]) -> None:
    """Also from the open log, which a run goes on with; and forgetting errors forgets nothing else."""
    path = tmp_path_factory.mktemp("answers") / "predictions.jsonl"
    with PredictionLog(path) as log:
        log.append(made)
        assert list(log.done.values()) == made
    assert list(read_predictions(path).values()) == made
    lost = sum(one.error is not None for one in made)
    assert forget_errors(path) == lost
    assert list(read_predictions(path).values()) == [one for one in made if one.error is None]


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ({"item_id": 3}, "item_id = 3 must be a text"),
        ({"item_id": "a", "error": 5}, "error = 5 must be a text or null"),
        ({"item_id": "a", "text": ["A"]}, "text = ['A'] must be a text or null"),
        ({"item_id": "a", "scores": "high"}, "scores = 'high' must be a list of finite numbers"),
        ({"item_id": "a", "scores": [0.1, None]}, "scores = [0.1, None] must be a list of finite numbers"),
        ({"item_id": "a", "usage": dict.fromkeys(USAGE, 10**400)}, "must be an object of numbers: requests"),
        ({"item_id": "a", "scores": [10**400]}, "must be a list of finite numbers"),
        ({"item_id": "a", "scores": [math.nan]}, "scores = [nan] must be a list of finite numbers"),
        ({"item_id": "a", "votes": [{"order": [0, 0]}]}, "vote 1: order = [0, 0] must hold every position once"),
        ({"item_id": "a", "votes": [3]}, "votes = [3] must be a list of objects"),
        ({"item_id": "a", "usage": {"requests": 1}}, "must be an object of numbers: requests, prompt_tokens"),
    ],
)
def test_a_damaged_answer_is_named_with_its_row_and_field(record: dict[str, object], says: str, tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    path.write_text('{"item_id": "first", "text": "A"}\n' + json.dumps(record) + "\n")
    with pytest.raises(FormatError, match=re.escape(f"{path}: row 2")) as caught:
        read_predictions(path)
    assert says in str(caught.value)
