"""Files beside a run: what is put to a judge, and which replies still hold."""

import json
from pathlib import Path

from exo2ego.bench.items import Item
from exo2ego.bench.judge import read_prompt
from exo2ego.bench.judgements import (
    JUDGEMENTS_FILE,
    JUDGES_FILE,
    SIMILARITY_FILE,
    read_replies,
    read_similarities,
    read_verdicts,
    requests,
)
from exo2ego.records import Prediction, VideoSpan


def item(name: str, answer: str = "cup") -> Item:
    video = (VideoSpan(path="v"),)
    return Item(item_id=name, question=f"{name}?", videos=video, options=(answer,), answer=0, cluster="v")


ITEMS = [item("a"), item("b"), item("c"), item("d")]
SAID = {
    "a": Prediction(item_id="a", text="a cup"),
    "b": Prediction(item_id="b", text=" ?! "),
    "c": Prediction(item_id="c", error="VideoError: x"),
}


def test_only_words_are_put_to_a_judge() -> None:
    ((name, request),) = requests(ITEMS, SAID, read_prompt())
    thought = {"a": Prediction(item_id="a", text="<think>a hat? no</think>a cup")}
    assert next(iter(requests(ITEMS, thought, read_prompt())))[1].digest == request.digest
    assert (name, request.question, request.answer, request.predicted) == ("a", "a?", "cup", "a cup")


def test_the_hash_of_a_request_is_that_of_its_three_texts() -> None:
    ((_, one),) = requests(ITEMS, SAID, read_prompt())
    ((_, other),) = requests([item("a", "cups")], SAID, read_prompt())
    assert one.digest != other.digest
    assert one.digest == next(iter(requests(ITEMS, SAID, read_prompt())))[1].digest


def test_no_files_no_verdicts(tmp_path: Path) -> None:
    assert read_verdicts(tmp_path, ITEMS, SAID) == {}
    assert read_similarities(tmp_path, ITEMS, SAID) == {}
    assert read_replies(tmp_path) == {}


def test_the_last_reply_counts_and_the_order_of_judges_is_that_of_asking(tmp_path: Path) -> None:
    prompt = read_prompt()
    ((_, request),) = requests(ITEMS, SAID, prompt)
    pinned = {"system": prompt.system, "user": prompt.user}
    (tmp_path / JUDGES_FILE).write_text(json.dumps({"z#1": pinned, "a#1": pinned}))
    replies = ['{"pred": "no", "score": 0}', '{"pred": "yes", "score": 5}']
    lines = [{"judge": "a#1", "item_id": "a", "asked": request.digest, "reply": reply} for reply in replies]
    (tmp_path / JUDGEMENTS_FILE).write_text("".join(json.dumps(line) + "\n" for line in lines))
    verdicts = read_verdicts(tmp_path, ITEMS, SAID)
    assert list(verdicts) == ["z#1", "a#1"]
    assert verdicts["z#1"] == {}
    assert verdicts["a#1"]["a"].correct is True


def test_cosines_of_other_words_are_left_out(tmp_path: Path) -> None:
    ((_, request),) = requests(ITEMS, SAID, read_prompt())
    values = {"m#1": {"a": [request.digest, 0.5], "b": ["other", 0.9]}, "m#2": {"a": ["other", 0.1]}}
    (tmp_path / SIMILARITY_FILE).write_text(json.dumps(values))
    assert read_similarities(tmp_path, ITEMS, SAID) == {"m#1": {"a": 0.5}, "m#2": {}}
