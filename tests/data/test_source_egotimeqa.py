"""EgoTimeQA: moments at 30 frames a second, one open question and one with options a row, orders by id."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from exo2ego.data.sources import SOURCES
from exo2ego.data.sources.reading import SourceRead
from exo2ego.data.sources.source import ReadOptions
from exo2ego.data.sources.templates import load_templates
from exo2ego.errors import InputError, MissingFileError
from exo2ego.records import VideoSpan

EGOTIMEQA = SOURCES["egotimeqa"]
REAL = Path(__file__).parents[3] / "shared/data/egotimeqa/annotations.EgoTimeQA.sample1.json"
ROW = {
    "video_id": "16fc2d81",
    "sample_id": "16fc2d81",
    "question": "What did I put in the box?",
    "answer": "the cup",
    "moment_start_frame": 45.0,
    "moment_end_frame": 90,
    "wrong_answers": ["the pan", "the pot", "the lid"],
}


def root_with(folder: Path, rows: list[Any], name: str = "annotations.EgoTimeQA.json") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows))
    return folder


def read(root: Path, **changes: Any) -> SourceRead:
    return EGOTIMEQA.read(root, ReadOptions(templates=load_templates("egotimeqa", EGOTIMEQA.kinds), **changes))


def test_a_row_is_an_open_question_and_one_with_options(tmp_path: Path) -> None:
    openly, choosing = read(root_with(tmp_path, [ROW])).conversations
    assert openly.video == choosing.video == VideoSpan(path="videos/16fc2d81.mp4", start_s=1.5, end_s=3.0)
    assert openly.turns[0].answer == "I put the cup in the box."
    assert "What did I put in the box?" in openly.turns[0].question
    asked, letter = choosing.turns[0].question, choosing.turns[0].answer
    assert re.findall(r"^\(([A-D])\) (.+)$", asked, re.MULTILINE)[ord(letter) - ord("A")] == (letter, "the cup")
    assert sorted(re.findall(r"^\([A-D]\) (.+)$", asked, re.MULTILINE)) == ["the cup", "the lid", "the pan", "the pot"]


def test_the_right_letter_is_even_over_many_rows_and_fixed_for_each(tmp_path: Path) -> None:
    root = root_with(tmp_path, [ROW] * 800)
    letters = [c.turns[0].answer for c in read(root, skip=frozenset({"open"})).conversations]
    assert letters == [c.turns[0].answer for c in read(root, skip=frozenset({"open"})).conversations]
    assert set(letters) == set("ABCD")
    assert min(Counter(letters).values()) > 150


def test_ids_differ_where_sample_ids_do_not(tmp_path: Path) -> None:
    ids = [c.conversation_id for c in read(root_with(tmp_path, [ROW, ROW])).conversations]
    assert len(set(ids)) == 4


def test_options_that_say_the_same_are_not_asked(tmp_path: Path) -> None:
    found = read(root_with(tmp_path, [ROW | {"wrong_answers": ["The cup.", "the pot", "the lid"]}, ROW]))
    assert len(found.conversations) == 3
    assert found.left_out == {"question with options: two options say the same": 1}


def test_windows_places_and_persons(tmp_path: Path) -> None:
    root = root_with(tmp_path, [ROW], "data/unified/annotations.EgoTimeQA.json")
    (root / "v2/clips").mkdir(parents=True)
    found = read(root, window="clip", first_person=False)
    assert found.conversations[0].video == VideoSpan(path="v2/clips/16fc2d81.mp4")
    assert found.conversations[0].turns[0].answer == "The cup."
    with pytest.raises(InputError, match="window 'all': choose moment or clip"):
        read(root, window="all")
    with pytest.raises(MissingFileError, match=r"looked for annotations\.EgoTimeQA\.json, data/unified"):
        read(tmp_path / "v2")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"question": ""}, "field 'question' is \"\"; expected a text"),
        ({"answer": None}, "field 'answer' is null"),
        ({"video_id": "../x"}, "inside the folder of videos"),
        ({"moment_start_frame": "45"}, "field 'moment_start_frame' is \"45\"; expected a finite number"),
        ({"moment_start_frame": -30}, "field 'moment_start_frame' is -30; expected 0 or more"),
        ({"moment_end_frame": 45}, "field 'moment_end_frame' is 45; expected more than moment_start_frame"),
        ({"wrong_answers": ["a", "b"]}, "expected a list of 3 texts"),
        ({"wrong_answers": None}, "expected a list"),
    ],
)
def test_bad_rows_are_counted_and_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    found = read(root_with(tmp_path, [ROW | changes, 7, ROW]))
    assert len(found.conversations) == 2
    assert [bad.row for bad in found.bad_rows] == [0, 1]
    assert "annotations.EgoTimeQA.json: row 0: " in found.bad_rows[0].reason
    assert message in found.bad_rows[0].reason


@pytest.mark.skipif(not REAL.is_file(), reason="the real row of EgoTimeQA is not beside this checkout (../shared/data)")
def test_the_real_row(tmp_path: Path) -> None:
    found = read(root_with(tmp_path, json.loads(REAL.read_text())))
    assert not found.bad_rows
    openly = found.conversations[0]
    assert openly.turns[0].answer == "I gave it to Person B."
    assert openly.video.start_s == pytest.approx(3601.4243 / 30)
    assert openly.video.end_s == pytest.approx(3857.5757 / 30)
