"""QAEgo4D's files: the real row, moments at 30 frames a second, every broken row named."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from qa_fakes import qaego4d_rows

from exo2ego.bench.tasks.qaego4d_rows import read_rows
from exo2ego.errors import FormatError, MissingFileError

REAL = Path(__file__).parents[3] / "shared/data"


def broken(tmp_path: Path, change: Callable[[list[dict[str, Any]]], object]) -> str:
    rows = qaego4d_rows()
    change(rows)
    path = tmp_path / "a.json"
    path.write_text(json.dumps(rows))
    with pytest.raises(FormatError) as caught:
        read_rows(path)
    return str(caught.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda rows: rows[2].update(sample_id=rows[0]["sample_id"]),
            "row 3: sample_id = '0139f386-0_0' occurs twice; keep one of the two rows",
        ),
        (lambda rows: rows[1].pop("question"), "row 2: question = None must be a text"),
        (lambda rows: rows[1].update(answer=7), "row 2: answer = 7 must be a text"),
        (lambda rows: rows[1].update(answer=" "), "row 2: answer = ' ' must be a text"),
        (lambda rows: rows[1].update(video_id="../x"), "row 2: video_id = '../x' must be the name of a clip"),
        (lambda rows: rows[1].update(video_uid=3), "row 2: video_uid = 3 must be the name of a recording"),
        (lambda rows: rows[1].update(wrong_answers="no"), "row 2: wrong_answers = 'no' must be a list of texts"),
        (
            lambda rows: rows[1].update(wrong_answers=["x", ""]),
            "row 2: wrong_answers = ['x', ''] must be a list of texts",
        ),
        (
            lambda rows: rows[1].update(moment_end_frame="9"),
            "row 2: moment_end_frame = '9' must be a number of frames at 30 a second, from 0 on",
        ),
        (
            lambda rows: rows[1].update(moment_start_frame=-1),
            "row 2: moment_start_frame = -1 must be a number of frames at 30 a second, from 0 on",
        ),
        (lambda rows: rows.__setitem__(1, "row"), "row 2: row = 'row' must be an object"),
        (lambda rows: rows.clear(), "holds no question; use a complete download, or simulate more takes"),
    ],
)
def test_a_broken_row_is_named(tmp_path: Path, change: Callable[[list[dict[str, Any]]], object], message: str) -> None:
    assert broken(tmp_path, change) == message


def test_moments_are_seconds_whatever_the_file_and_may_be_absent(tmp_path: Path) -> None:
    rows = qaego4d_rows(2)
    del rows[1]["moment_end_frame"]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    first, second = read_rows(tmp_path / "a.json")
    assert first.moment_s == pytest.approx((14.7813, 57.66328))
    assert second.moment_s is None


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"a\.json is not there"):
        read_rows(tmp_path / "a.json")


@pytest.mark.skipif(not REAL.is_dir(), reason="the real annotation files are not beside this checkout (../shared/data)")
def test_real_rows_of_both_forms_are_read() -> None:
    (row,) = read_rows(REAL / "qaego4d/annotations.QaEgo4D_test_close.sample1.json")
    assert (row.answer, row.wrong) == ("seven", ("three", "five", "nine"))
    assert row.clip_uid == "9ab5fd9f-77e4-4438-a546-a4b6ed889f1a"
    assert row.recording == "53da674a-089d-428a-a719-e322b2de002b"
    assert row.moment_s == pytest.approx((14.7813, 57.66328))
    (other,) = read_rows(REAL / "egotimeqa/annotations.EgoTimeQA.sample1.json")  # names no recording
    assert other.recording == other.clip_uid
