"""EgoExoLearn: narrations at their times, hands, and lettered questions whose answers are two times no letters."""

import csv
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from exo2ego.data.sources import SOURCES
from exo2ego.data.sources.reading import SourceRead
from exo2ego.data.sources.source import ReadOptions
from exo2ego.data.sources.templates import load_templates
from exo2ego.errors import FormatError, InputError, MissingFileError
from exo2ego.records import VideoSpan

SOURCE = SOURCES["egoexolearn"]
REAL = Path(__file__).parents[3] / "shared/data/egoexolearn"
HEADER = (
    "video_uid,annotation_uid,subset,view,scene,start_sec,end_sec,"
    "narration_en,narration_en_hand_prompt,narration_en_no_hand_prompt"
)
ROWS = """bee1,a1,train,ego,kitchen,1.5,3.0,Use your right hand to take a knife.,The right hand takes a knife.,Take it.
bee1,a2,val,ego,kitchen,4.0,6.0,Stir the soup.,Stir the soup.,Stir the soup.
bee1,a3,test,ego,kitchen,7.0,8.0,Hidden.,Hidden.,Hidden.
2c23,a4,train,exo,lab,0.0,2.0,Hold the tube.,Both hands hold the tube.,Hold the tube.
"""
META = [{"video_uid": "bee1", "view": "ego"}, {"video_uid": "2c23", "view": "exo"}]


def question(identity: str, value: str, answer: str, video: str = "bee1.mp4") -> dict[str, Any]:
    turns = [{"from": "human", "value": value}, {"from": "gpt", "value": answer}]
    return {"id": identity, "conversations": turns, "image": {"video": video}}


MCQ = (
    "<video>\nWhat does the left hand hold?\n(A) Kitchen knife\n(B) Meat slices\n(C) The right hand\n"
    "Answer with the option's letter from the given choices directly."
)


def write(root: Path, name: str, text: str) -> Path:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)
    return root


def write_questions(root: Path, rows: list[dict[str, Any]], name: str = "x_mcq.jsonl") -> Path:
    write(root, "video_meta_downsampled.json", json.dumps(META))
    return write(root, f"Video_QA/{name}", "".join(json.dumps(row) + "\n" for row in rows))


def read(root: Path, **changes: Any) -> SourceRead:
    return SOURCE.read(root, ReadOptions(templates=load_templates("egoexolearn", SOURCE.kinds), **changes))


def answers(found: SourceRead) -> dict[str, str]:
    return {c.conversation_id: c.turns[0].answer for c in found.conversations}


def test_narrations_of_ego_recordings_but_not_of_the_test(tmp_path: Path) -> None:
    found = read(write(tmp_path, "annotations/fine_annotation_trainval_en.csv", f"{HEADER}\n{ROWS}"))
    assert answers(found) == {
        "bee1/a1/narration": "I use my right hand to take a knife.",
        "bee1/a1/hands": "My right hand takes a knife.",
        "bee1/a1/which_hand": "I use my right hand.",
        "bee1/a2/narration": "I stir the soup.",
    }
    assert found.left_out == {"test annotation": 1, "exo recording": 1}
    assert found.conversations[0].video == VideoSpan(path="videos/bee1.mp4", start_s=1.5, end_s=3.0)


def test_exo_recordings_when_asked_for(tmp_path: Path) -> None:
    root = write(tmp_path, "annotations/fine_annotation_trainval_en.csv", f"{HEADER}\n{ROWS}")
    found = answers(read(root, views=("exo",), skip=frozenset({"narration"})))
    assert found == {"2c23/a4/hands": "Both of my hands hold the tube.", "2c23/a4/which_hand": "I use both hands."}
    with pytest.raises(InputError, match="views top: choose among ego, exo"):
        read(root, views=("top",))


def test_what_the_test_file_lists_is_left_out(tmp_path: Path) -> None:
    root = write(tmp_path, "annotations/fine_annotation_trainval_en.csv", f"{HEADER}\n{ROWS}")
    write(root, "annotations/fine_annotation_test.csv", "video_uid,annotation_id,subset\nbee1,a2,test\n")
    assert read(root).left_out["test annotation"] == 2


def test_the_tables_of_the_association_benchmark_serve_too(tmp_path: Path) -> None:
    folder = "association_benchmark/annotations"
    header = "annotation_id,start_sec,end_sec,narration_ch,narration_en,narration_en_hand_prompt,video_uid"
    write(tmp_path, f"{folder}/ego_train.csv", f'{header}\nx,0,1,切,"Cut, then mix.",,bee1\n')
    write(tmp_path, f"{folder}/exo_train.csv", f"{header}\ny,0,1,切,Cut it.,,2c23\n")
    found = read(tmp_path)
    assert answers(found) == {"bee1/x/narration": "I cut, then mix."}
    assert found.left_out == {"exo recording": 1}


def test_questions_with_letters_and_with_the_two_texts(tmp_path: Path) -> None:
    rows = [
        question("q0", MCQ, "A"),
        question("q1", MCQ, "Meat slices"),
        question("q2", MCQ, "The kitchen knife."),
        question("q3", MCQ, "A fork"),
        question("q4", MCQ, "D"),
        question("q5", MCQ, "A", "2c23.mp4"),
        question("q6", MCQ, "A", "unknown.mp4"),
    ]
    found = read(write_questions(tmp_path, rows))
    assert answers(found) == {"q0/options": "A", "q1/options": "B", "q2/options": "A"}
    asked = found.conversations[0].turns[0].question
    assert "What does my left hand hold?\n(A) Kitchen knife\n(B) Meat slices\n(C) My right hand\n" in asked
    assert "the given choices" not in asked
    assert [bad.row for bad in found.bad_rows] == [3, 4]
    assert "expected a letter of ABC, or the text of one option" in found.bad_rows[0].reason
    assert found.left_out == {"question about an exo recording": 1, "video that no file gives a view": 1}


def test_other_lines_beside_the_data_are_no_questions(tmp_path: Path) -> None:
    """Lengths of videos are remembered in such a file, and people store shards beside their data."""
    root = write_questions(tmp_path, [question("q0", MCQ, "A")])
    write(root, "shards.durations.jsonl", '{"path": "x"}\n')
    found = read(root)
    assert len(found.conversations) == 1
    assert not found.bad_rows


def test_open_questions_are_answered_in_the_first_person(tmp_path: Path) -> None:
    text = "<video>\nWhere did the camera wearer put the knife?"
    found = read(write_questions(tmp_path, [question("q0", text, "on the table")], "y_qa.jsonl"))
    assert answers(found) == {"q0/open": "I put the knife on the table."}
    assert "Where did I put the knife?" in found.conversations[0].turns[0].question


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"conversations": []}, "expected one question (human) and its answer (gpt)"),
        ({"image": {"video": "../x.mp4"}}, "inside the folder of videos"),
        ({"image": "bee1.mp4"}, "field 'image' is \"bee1.mp4\"; expected an object"),
        ({"id": 3}, "field 'id' is 3"),
        (question("q", "<video>\n", "A"), "expected a question"),
        (question("q", "<video>\nWhat?\n(B) x\n(A) y", "A"), "options lettered (A), (B), ... in order"),
        (question("q", "<video>\nWhat?\n(A) x", "A"), "options lettered (A), (B), ... in order"),
        (question("q", MCQ, " "), "field 'value' is \" \"; expected a text"),
    ],
)
def test_bad_questions_are_counted_and_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    found = read(write_questions(tmp_path, [question("q0", MCQ, "A"), question("q1", MCQ, "B") | changes]))
    assert len(found.conversations) == 1
    assert "x_mcq.jsonl: row 1: " in found.bad_rows[0].reason
    assert message in found.bad_rows[0].reason


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("bee1,a,train,ego,kitchen,3.0,3.0,Stir.,,", "field 'end_sec' is \"3.0\"; expected more than start_sec"),
        ("bee1,a,train,top,kitchen,1,2,Stir.,,", "field 'view' is \"top\"; expected one of ego, exo"),
        ("bee1,a,dev,ego,kitchen,1,2,Stir.,,", "field 'subset' is \"dev\"; expected one of train, val, test"),
        ("bee1,a,train,ego,kitchen,1,2,,,", "field 'narration_en' is \"\"; expected a text"),
        ("../x,a,train,ego,kitchen,1,2,Stir.,,", "inside the folder of videos"),
        ("bee1,,train,ego,kitchen,1,2,Stir.,,", "field 'annotation_uid' is \"\""),
    ],
)
def test_bad_narrations_are_counted_and_named(tmp_path: Path, row: str, message: str) -> None:
    found = read(write(tmp_path, "fine_annotation_trainval_en.csv", f"{HEADER}\n{ROWS}{row}\n"))
    assert len(found.conversations) == 4
    assert "fine_annotation_trainval_en.csv: line 6: " in found.bad_rows[0].reason
    assert message in found.bad_rows[0].reason


def test_files_that_are_not_there_or_useless(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="holds no annotations of EgoExoLearn; looked for annotations/fine"):
        read(tmp_path)
    write(tmp_path, "Video_QA/x_mcq.jsonl", "{}\n")
    with pytest.raises(MissingFileError, match=r"video_meta_downsampled\.json: no such file; it says which"):
        read(tmp_path)
    write(tmp_path, "video_meta_downsampled.json", json.dumps([{"video_uid": "a", "view": "side"}]))
    with pytest.raises(FormatError, match="field 'view' is \"side\""):
        read(tmp_path)


@pytest.fixture
def real(tmp_path: Path) -> Path:
    """The real files at their places."""
    if not REAL.is_dir():
        pytest.skip("the files of EgoExoLearn are not beside this checkout (../shared/data/egoexolearn)")
    for name, place in (
        ("association_exo_train.first2500.csv", "association_benchmark/annotations/exo_train.csv"),
        ("vid_vqa_video_tag_egoexolearn_video_mcq.first1500.jsonl", "Video_QA/video_mcq.jsonl"),
        ("video_meta_downsampled.json", "video_meta_downsampled.json"),
        ("fine_annotation_test.csv", "annotations/fine_annotation_test.csv"),
    ):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REAL / name, tmp_path / place)
    return tmp_path


def test_the_real_files(real: Path) -> None:
    found = read(real)
    assert not found.bad_rows
    assert found.left_out == {"exo recording": 2500, "question about an exo recording": 493}
    letters = Counter(answers(found).values())
    assert sum(letters.values()) == 1007
    assert set(letters) <= set("ABCDE")
    both = read(real, views=("ego", "exo"))
    kinds = Counter(c.conversation_id.rpartition("/")[2] for c in both.conversations)
    assert kinds["options"] == 1500
    assert kinds["narration"] == 2500
    assert kinds["which_hand"] > 2000
    asked = [c.turns[0].question for c in both.conversations if c.conversation_id.endswith("options")]
    assert not any("camera wearer" in text for text in asked)


def test_the_real_test_table_alone_is_named_as_what_it_lacks(real: Path) -> None:
    with (real / "annotations/fine_annotation_test.csv").open(newline="") as file:
        assert "narration_en" not in next(csv.reader(file))
    shutil.copy(real / "annotations/fine_annotation_test.csv", real / "annotations/fine_annotation_trainval_en.csv")
    with pytest.raises(FormatError, match="no column 'narration_en' in its first line"):
        read(real)
