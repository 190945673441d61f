"""VLN-QA of the simulated world: MVBench's form, four answers behind equal words, videos that end in time."""

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from exo2ego.sim.bench_vln import frames, rows, walks, write
from exo2ego.sim.encode import decode
from exo2ego.sim.spec import SimSpec
from exo2ego.sim.walks import FOLDERS, MOVES

REAL = Path(__file__).parents[3] / "shared" / "data" / "egothinker" / "vlnqa.json"


def test_equal_words_have_four_different_answers(plan_spec: SimSpec) -> None:
    """Each walk is asked about four times; options are in any order."""
    listed = rows(plan_spec)
    assert len(listed) == plan_spec.vln_questions
    by_question: dict[str, list[str]] = {}
    for row in listed:
        by_question.setdefault(row["question"], []).append(row["answer"])
        assert sorted(row["candidates"]) == sorted(MOVES)
    for answers in by_question.values():
        assert sorted(answers) == sorted(MOVES)
    assert max(Counter(row["candidates"].index(row["answer"]) for row in listed).values()) < 0.45 * len(listed)


def test_only_the_path_names_the_answer(plan_spec: SimSpec) -> None:
    """As in the real folder; the question itself does not hold the path."""
    for row in rows(plan_spec):
        assert row["video"].split("/")[0] == FOLDERS[row["answer"]]
        assert row["video"] not in row["question"]
    assert len({row["video"] for row in rows(plan_spec)}) == plan_spec.vln_questions


@pytest.mark.skipif(not REAL.exists(), reason="no ../shared/data/egothinker")
def test_questions_and_options_are_worded_as_the_real_ones(plan_spec: SimSpec) -> None:
    """The instruction aside, the same words; the same four options; names of the same form."""
    real = json.loads(REAL.read_text())

    def frame(text: str) -> str:
        return re.sub(r'".*"', '"..."', text, flags=re.DOTALL)  # one instruction quotes a word itself

    theirs = {frame(re.search(r"Question: (.*)\nOption", row["text"], re.DOTALL)[1]) for row in real}
    assert {frame(row["question"]) for row in rows(plan_spec)} == theirs
    options = {option for row in real for option in re.findall(r"^[A-D]: (.*)$", row["text"], re.MULTILINE)}
    assert options == set(MOVES)
    form = re.compile(r"(left|right|forward|stop)/\d+_frame\d+\.mp4")
    assert all(form.fullmatch(row["video_path"]) for row in real)
    assert all(form.fullmatch(row["video"]) for row in rows(plan_spec))


@pytest.mark.gl
def test_videos_are_the_beginnings_of_one_walk(tmp_path: Path) -> None:
    """As many frames as the name says, the same pictures as far as they go, each move's last picture another one."""
    spec = replace(SimSpec(out=tmp_path, size_px=64, fps=5), vln_questions=8)
    write(spec, tmp_path / "vln_qa")
    for walk in walks(spec):
        lasts = []
        for move, count in frames(spec, walk).items():
            name = f"{FOLDERS[move]}/{walk.number:04d}_frame{count}.mp4"
            pictures = list(decode(tmp_path / "vln_qa" / "vlnqa" / name))
            assert len(pictures) == count
            lasts.append(pictures[-1].astype(float))
        for number, one in enumerate(lasts):
            assert all(abs(one - other).mean() > 3 for other in lasts[:number])
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.mp4")}
    write(spec, tmp_path / "vln_qa")
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.mp4")} == kept
