"""EgoTaskQA as multiple choice: EgoThinker's own file, what it gives away, every broken row named."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from qa_fakes import egotaskqa_mcq_rows

from exo2ego.bench.tasks.base import ScoreSettings
from exo2ego.bench.tasks.egotaskqa_mcq import FILE, TASK, load
from exo2ego.errors import FormatError
from exo2ego.records import Prediction

REAL = Path(__file__).parents[3] / "shared/data/egothinker/egotaskqa_mcq.first1500.json"


def write(root: Path, rows: object) -> Path:
    (root / FILE).write_text(json.dumps(rows))
    return root


def test_letters_are_scored_over_all_open_and_binary(tmp_path: Path) -> None:
    items = load(write(tmp_path, egotaskqa_mcq_rows()))
    said = {i.item_id: Prediction(item_id=i.item_id, text=f"({'ABCDE'[i.answer or 0]})") for i in items}
    said["1"] = Prediction(item_id="1", text="?")
    measures = TASK.score(items, said, ScoreSettings(protocol="letter"))
    found = {m.score.name: (m.score.value, m.score.n, m.score.unparsed) for m in measures}
    assert found["egotaskqa_mcq accuracy (letter)"] == (pytest.approx(5 / 6), 6, 1)
    assert found["egotaskqa_mcq/open accuracy (letter)"][1] + found["egotaskqa_mcq/binary accuracy (letter)"][1] == 6
    assert TASK.apart  # never part of EgoBench's average


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[1].pop("q"), "row 2: q = None must be a text"),
        (lambda rows: rows[1].update(a="F"), "row 2: a = 'F' must be a letter from A to E"),
        (lambda rows: rows[1].update(a=0), "row 2: a = 0 must be a letter from A to E"),
        (lambda rows: rows[1]["option"].pop("C"), "must hold the options A to E"),
        (lambda rows: rows[1]["option"].update(C=3), "must be five texts"),
        (lambda rows: rows[1]["option"].update(C=" Yes", A="yes"), "repeats an option, so the question has no single"),
        (
            lambda rows: rows[1].update(video_path="a/b.mp4"),
            "row 2: video_path = 'a/b.mp4' must be the name of an interv",
        ),
        (lambda rows: rows.append(dict(rows[1])), "row 7: q = 'What happens in 1?' repeats row 2; keep one of them"),
        (lambda rows: rows.__setitem__(1, []), "row 2: row = [] must be an object"),
    ],
)
def test_a_broken_row_is_named(tmp_path: Path, change: Callable[[list[dict[str, Any]]], object], message: str) -> None:
    rows = egotaskqa_mcq_rows()
    change(rows)
    with pytest.raises(FormatError) as caught:
        load(write(tmp_path, rows))
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path / FILE}: row ")


@pytest.mark.skipif(not REAL.is_file(), reason="the real file is not beside this checkout (../shared/data)")
def test_the_real_rows_load_and_most_binary_ones_need_no_video_for_a_half(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(REAL.read_bytes())
    items = load(tmp_path)
    assert (len(items), len({item.videos[0].path for item in items})) == (1500, 963)
    assert items[0].videos[0].path == "qa_videos/27k-22-11-2|P1|4546|4986.mp4"
    binary = [item for item in items if item.groups["kind"] == "binary"]
    assert len(binary) == 1336
    assert all({"yes", "no"} < {option.casefold() for option in item.options} for item in binary)
