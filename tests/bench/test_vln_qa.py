"""VLN-QA: both published forms, strict and MVBench's reading, and what is wrong with a file in one line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bench_fakes import FakeModel, sees_the_kind
from hypothesis import given
from hypothesis import strategies as st
from small_folders import ACTIONS, egothinker_row, json_file, mvbench_rows

from exo2ego.bench.items import missing_videos
from exo2ego.bench.tasks import vln_qa
from exo2ego.bench.tasks.base import ScoreSettings
from exo2ego.errors import FormatError, MissingFileError
from exo2ego.records import Prediction, VideoSpan

REAL = Path(__file__).parents[3] / "shared/data/egothinker/vlnqa.json"


def test_mvbench_rows_become_items_about_walks(bench_root: Path) -> None:
    root = bench_root / "vln_qa"
    items = vln_qa.load(root)
    assert [item.answer for item in items] == [number % 3 for number in range(8)]
    assert items[5].videos == (VideoSpan(path="vlnqa/2_frame5.mp4"),)
    assert items[5].cluster == items[4].cluster == "2"
    assert items[5].chance == 0.25
    assert not missing_videos(items, root)
    (root / "vlnqa").rename(root / "videos")
    assert vln_qa.load(root)[5].videos == (VideoSpan(path="videos/2_frame5.mp4"),)
    assert not missing_videos(vln_qa.load(root), root)
    (root / "videos/2_frame5.mp4").unlink()
    assert missing_videos(vln_qa.load(root), root) == ["videos/2_frame5.mp4"]


def test_egothinkers_file_is_read_and_its_folders_stay_untold(tmp_path: Path) -> None:
    json_file(tmp_path / "vlnqa.json", [egothinker_row(number) for number in range(3)])
    item = vln_qa.load(tmp_path)[1]
    assert item.question == "Go 1. What is next?"
    assert item.options == ACTIONS
    assert item.options[item.answer or 0] == "Turn left and move forward"
    assert item.videos[0].path == "videos/left/1_frame9.mp4"
    model = FakeModel(sees_the_kind)
    for name, protocol in vln_qa.PROTOCOLS.items():
        protocol.ask(model, item, "first_person")
        words = model.asked[-1][1] + "".join(model.asked[-1][2])
        assert "frame9" not in words, name


def test_the_real_file_of_egothinker_loads(tmp_path: Path) -> None:
    if not REAL.is_file():
        pytest.skip("EgoThinker's vlnqa.json is not beside this checkout (../shared/data/egothinker)")
    (tmp_path / "vlnqa.json").write_bytes(REAL.read_bytes())
    items = vln_qa.load(tmp_path)
    assert len(items) == 200
    assert all(set(item.options) == set(ACTIONS) for item in items)
    # The folder is the gold direction: options and answer were read in the right order.
    told = {"left": ACTIONS[1], "right": ACTIONS[2], "forward": ACTIONS[0], "stop": ACTIONS[3]}
    for item in items:
        assert item.options[item.answer or 0] == told[item.videos[0].path.split("/")[1]]
        assert item.question.startswith("This is a navigation video of an agent")


def broken(change: Callable[[dict[str, Any]], None]) -> list[dict[str, Any]]:
    rows = mvbench_rows()
    change(rows[2])
    return rows


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda row: row.update(answer="Fly"), "row 3: answer = 'Fly' must be one of the candidates"),
        (lambda row: row.update(candidates=["Stop", "Stop"], answer="Stop"), "none of them twice"),
        (lambda row: row.update(candidates="Stop"), "candidates = 'Stop' must be a list of texts"),
        (lambda row: row.update(video="../../x.mp4"), "inside the folder of videos"),
        (lambda row: row.pop("question"), "row 3: question = None must be a text"),
        (lambda row: row.update(mvbench_rows()[1]), "is asked in row 2 too"),
    ],
)
def test_a_broken_mvbench_row_is_named(tmp_path: Path, change: Callable[[dict[str, Any]], None], message: str) -> None:
    json_file(tmp_path / "egocentric_navigation.json", broken(change))
    with pytest.raises(FormatError, match=r"egocentric_navigation\.json") as caught:
        vln_qa.load(tmp_path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gt": "E"}, "gt = 'E' must be one of the letters A, B, C, D"),
        ({"gt": 1}, "gt = 1 must be a text"),
        ({"text": "Turn left?"}, "must hold 'Question: ...'"),
        ({"text": "Question: q\nOption:\nA: x\nC: y\n"}, "must list its options as A, B, C"),
        ({"text": "Question: q\nOption:\nA: x\nB: x\n"}, "none of them twice"),
        ({"video_path": "/etc/passwd"}, "inside the folder of videos"),
    ],
)
def test_a_broken_egothinker_row_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    json_file(tmp_path / "vlnqa.json", [egothinker_row(0), {**egothinker_row(1), **change}])
    with pytest.raises(FormatError, match=r"vlnqa\.json: row 2") as caught:
        vln_qa.load(tmp_path)
    assert message in str(caught.value)


def test_no_file_two_files_and_no_list_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="neither egocentric_navigation"):
        vln_qa.load(tmp_path)
    json_file(tmp_path / "vlnqa.json", {})
    with pytest.raises(FormatError, match="must be a list"):
        vln_qa.load(tmp_path)
    json_file(tmp_path / "egocentric_navigation.json", mvbench_rows())
    with pytest.raises(FormatError, match="two orders of the options; keep one"):
        vln_qa.load(tmp_path)


def literal_check(reply: str, gold: str) -> bool:
    """MVBench's rule as published, step by step: `reply` the model's text, `gold` the option as `(B) text`."""
    words = reply.lower().split(" ")
    gold_words = gold.lower().split(" ")
    flag = False
    if words[0].replace(".", "") in gold_words[0] or gold_words[0] in words[0]:
        flag = True
    return flag


@given(st.text(alphabet="(ABCDabcd).: \nstop", max_size=8), st.integers(0, 3))
def test_mvbenchs_check_is_reproduced_with_its_faults(reply: str, answer: int) -> None:
    first_line = reply.split("\n")[0]
    gold = f"({'ABCD'[answer]}) {ACTIONS[answer]}"
    assert vln_qa.right_for_mvbench(reply, answer) is literal_check(first_line, gold)


def test_an_empty_answer_is_wrong_and_only_mvbenchs_check_calls_it_right(bench_root: Path) -> None:
    items = vln_qa.load(bench_root / "vln_qa")
    silent = {item.item_id: Prediction(item_id=item.item_id, text="") for item in items}
    (strict,) = vln_qa.score(items, silent, ScoreSettings(protocol="letter"))
    assert (strict.score.value, strict.score.unparsed) == (0.0, 8)
    (lenient,) = vln_qa.score(items, silent, ScoreSettings(protocol="mvbench_compat"))
    assert (lenient.score.name, lenient.score.value) == ("vln_qa accuracy (mvbench_compat)", 1.0)


def test_letters_are_scored(bench_root: Path) -> None:
    items = vln_qa.load(bench_root / "vln_qa")
    told = {i.item_id: Prediction(item_id=i.item_id, text=f"({'ABCD'[i.answer or 0]})") for i in items}
    told["0"] = Prediction(item_id="0", text="(D)")
    for protocol in ("letter", "mvbench_compat"):
        (measure,) = vln_qa.score(items, told, ScoreSettings(protocol=protocol))
        assert measure.score.value == 7 / 8
    assert json.loads((bench_root / "vln_qa/egocentric_navigation.json").read_text())[0]["answer"] == ACTIONS[0]
