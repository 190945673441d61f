"""EgoTaskQA's files: layouts, the vocabulary with its place holders, every broken row named."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bench_fakes import put
from qa_fakes import egotaskqa_rows

from exo2ego.bench.tasks.egotaskqa_rows import read_answer_set, read_rows, recording_of
from exo2ego.errors import FormatError, MissingFileError


def write(root: Path, rows: object, folder: str = "direct") -> Path:
    put(root / folder / "test_qas.json", json.dumps(rows).encode())
    return root


@pytest.mark.parametrize("layout", ["direct", "qa/direct", "data/qa/direct"])
def test_every_layout_of_the_releases_is_found(tmp_path: Path, layout: str) -> None:
    write(tmp_path, egotaskqa_rows(), layout)
    put(tmp_path / layout / "answer_set.txt", b"<UNK0>\n<UNK1>\nyes\nno\n\n")
    assert len(read_rows(tmp_path, "direct")) == 8
    assert read_answer_set(tmp_path, "direct") == ("yes", "no")


def test_a_vocabulary_above_the_splits_serves_both_and_may_be_absent(tmp_path: Path) -> None:
    write(tmp_path, egotaskqa_rows())
    assert read_answer_set(tmp_path, "direct") is None
    (tmp_path / "answer_set.txt").write_text("yes\nno\nclean")
    assert read_answer_set(tmp_path, "direct") == read_answer_set(tmp_path, "indirect") == ("yes", "no", "clean")


def test_reasoning_is_every_token_once(tmp_path: Path) -> None:
    rows = egotaskqa_rows()
    rows[0]["reasoning_type"] = "descriptive$world$state$ $state"
    rows[1]["question_id"] = "17a"
    first, second, *_ = read_rows(write(tmp_path, rows), "direct")
    assert first.reasoning == ("descriptive", "world", "state")
    assert second.question_id == "17a"
    assert recording_of("27k-22-11-2|P1|4546|4986") == "27k-22-11-2"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda rows: rows[1].update(question_id=100),
            "row 2: question_id = '100' occurs twice; keep one of the two rows",
        ),
        (lambda rows: rows[1].update(question_id=None), "row 2: question_id = None must be a number"),
        (lambda rows: rows[1].update(question_id=True), "row 2: question_id = True must be a number"),
        (lambda rows: rows[1].pop("answer"), "row 2: answer = None must be a text"),
        (lambda rows: rows[1].update(question=""), "row 2: question = '' must be a text"),
        (
            lambda rows: rows[1].update(interval="x/../../y"),
            "row 2: interval = 'x/../../y' must be the name of an interval, such as 27k-22-11-2|P1|4546|4986",
        ),
        (
            lambda rows: rows[1].update(reasoning_type=["state"]),
            "row 2: reasoning_type = ['state'] must be a text, kinds joined by $",
        ),
        (lambda rows: rows.__setitem__(1, 7), "row 2: row = 7 must be an object"),
        (lambda rows: rows.clear(), "holds no question; use a complete download, or simulate more takes"),
    ],
)
def test_a_broken_row_is_named(tmp_path: Path, change: Callable[[list[dict[str, Any]]], object], message: str) -> None:
    rows = egotaskqa_rows()
    change(rows)
    with pytest.raises(FormatError) as caught:
        read_rows(write(tmp_path, rows), "direct")
    assert str(caught.value) == f"{tmp_path / 'direct/test_qas.json'}: {message}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("yes\nno\nyes\n", "line 3: answer = 'yes' occurs twice (line 1); keep one"),
        ("<UNK0>\n<UNK1>\nyes\n", "file: answers = 1 must be two or more, one a line"),
        ("", "file: answers = 0 must be two or more, one a line"),
    ],
)
def test_a_broken_vocabulary_is_named(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "answer_set.txt").write_text(content)
    with pytest.raises(FormatError) as caught:
        read_answer_set(tmp_path, "direct")
    assert str(caught.value) == f"{tmp_path / 'answer_set.txt'}: {message}"


def test_a_missing_split_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError) as caught:
        read_rows(write(tmp_path, egotaskqa_rows()), "indirect")
    expected = f"{tmp_path}: no indirect/test_qas.json here, nor below qa/ or data/qa/; check --root"
    assert str(caught.value) == expected
