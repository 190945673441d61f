"""Benchmark content: one right answer each, no position or constant pays, test takes only."""

import csv
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exo2ego.sim.bench_export import egomcq, mir_rows, write_benches
from exo2ego.sim.bench_questions import FACETS, BenchQuestion, chance, choose
from exo2ego.sim.questions import QUESTIONS, UNTOLD_FACETS, answers
from exo2ego.sim.spec import BENCHES, KINDS, MOST, VERBS, SimSpec
from exo2ego.sim.world import Event, TakePlan, plan_takes

REAL = Path(__file__).parents[3] / "shared" / "data"
Pairs = list[tuple[TakePlan, Event]]


@pytest.fixture(scope="module")
def pairs(plans: list[TakePlan]) -> Pairs:
    """All test events."""
    return [(plan, event) for plan in plans if plan.split == "test" for event in plan.events]


@pytest.fixture(scope="module")
def questions(plan_spec: SimSpec, plans: list[TakePlan]) -> list[BenchQuestion]:
    """All EgoSchema-style questions."""
    return choose(plan_spec, plans)


def test_each_question_has_exactly_one_right_option(questions: list[BenchQuestion]) -> None:
    """Checked against the event: no other option is true of it."""
    for one in questions:
        right = answers(one.event)[one.facet]
        assert len(set(one.options)) == 5
        assert [text in right for text in one.options].index(True) == one.answer
        assert sum(text in right for text in one.options) == 1
        assert one.plan.split == "test"
        assert one.question == QUESTIONS[one.facet][0]
        if one.facet == "neighbour":
            assert one.event.kind not in one.options


def test_facets_take_turns_and_no_constant_answer_pays(questions: list[BenchQuestion]) -> None:
    """Every facet is asked; within one, answers are balanced; positions are not far from uniform."""
    by_facet = Counter(one.facet for one in questions)
    assert set(by_facet) == set(FACETS)
    assert max(Counter(one.event.event_id for one in questions).values()) <= 2
    for facet in ("hand", "direction", "count"):
        given = Counter(one.options[one.answer] for one in questions if one.facet == facet)
        assert max(given.values()) - min(given.values()) <= 1
    positions = Counter(one.answer for one in questions)
    assert max(positions.values()) < 0.35 * len(questions)


def test_labels_state_told_untold_and_the_honest_chance(questions: list[BenchQuestion]) -> None:
    """Fillers that are never right do not lower chance."""
    assert (chance("hand"), chance("direction"), chance("colour")) == (0.5, 0.5, 0.2)
    assert chance("count") == pytest.approx(1 / 3)
    for one in questions:
        assert one.labels["told"] == ("untold" if one.facet in UNTOLD_FACETS else "told")


def test_caps_are_kept(plan_spec: SimSpec, plans: list[TakePlan], pairs: Pairs) -> None:
    """The number of questions and clips is what the spec allows at most."""
    small = SimSpec(out=plan_spec.out, takes=60, seed=7, bench_questions=10, egomcq_questions=5, mir_clips=4)
    assert len(choose(small, plans)) == 10
    assert [row["types"] for row in egomcq(small, pairs).values()] == [1, 1, 1, 2, 2]
    assert len(mir_rows(small, pairs)) == 4


def test_egomcq_has_one_fitting_clip(plan_spec: SimSpec, pairs: Pairs) -> None:
    """Intra: five clips of one video; inter: five videos; only the answer's text is the query's."""
    rows = egomcq(plan_spec, pairs)
    assert Counter(row["types"] for row in rows.values()) == {1: 75, 2: 75}
    for row in rows.values():
        clips = [row["choices"][str(number)] for number in range(5)]
        fits = [clip["clip_text"] == row["query"]["clip_text"] for clip in clips]
        assert fits.count(True) == 1
        assert len({clip["clip_text"] for clip in clips}) == 5, "asked in reverse, no option may repeat"
        assert fits.index(True) == row["answer"]
        assert len({clip["video_uid"] for clip in clips}) == (1 if row["types"] == 2 else 5)
        assert row["query"]["clip_text"].startswith("#C C ")
    positions = Counter(row["answer"] for row in rows.values())
    assert max(positions.values()) < 0.35 * len(rows)


def test_mir_rows_have_the_real_columns_and_classes(plan_spec: SimSpec, pairs: Pairs) -> None:
    """Classes are positions in the vocabulary; timestamps are HH:MM:SS.ss and lie within the video."""
    rows = mir_rows(plan_spec, pairs)
    assert len({row["narration_id"] for row in rows}) == len(rows)
    for row in rows:
        assert row["narration"] == f"{row['verb']} {row['noun']}"
        assert list(VERBS.values())[row["verb_class"]] == row["verb"]
        assert row["all_noun_classes"] == f"[{KINDS.index(row['noun'])}]"
        assert row["start_timestamp"] < row["narration_timestamp"] < row["stop_timestamp"]
        assert len(row["start_timestamp"]) == len("00:00:00.00")


def shape(value: Any) -> Any:
    """Keys and types, all the way down."""
    if isinstance(value, Mapping):
        return {key: shape(inner) for key, inner in value.items()}
    return type(value)


@pytest.mark.gl
@pytest.mark.skipif(not (REAL / "epic_kitchens_mir").exists(), reason="no ../shared/data/epic_kitchens_mir")
def test_epic_csvs_have_the_real_columns(tiny_world: Path) -> None:
    """Three files, header for header; a real and a simulated row hold the same types of cells."""
    for name in ("EPIC_100_retrieval_test", "EPIC_100_retrieval_test_sentence", "EPIC_100_video_info"):
        headers, cells = [], []
        for folder in (REAL / "epic_kitchens_mir", tiny_world / "bench" / "epic_mir"):
            with (folder / f"{name}.csv").open(newline="") as file:
                lines = csv.reader(file)
                headers.append(next(lines))
                first = next(lines)
                cells.append([(cell.isdigit(), cell.startswith("["), cell.count(":")) for cell in first])
        assert headers[0] == headers[1]
        assert [cell[1:] for cell in cells[0]] == [cell[1:] for cell in cells[1]]


@pytest.mark.gl
@pytest.mark.skipif(not (REAL / "egoschema").exists(), reason="no ../shared/data/egoschema")
@pytest.mark.parametrize("folder", ["egoschema", "egoschema_exo"])
def test_egoschema_files_have_the_real_shapes(tiny_world: Path, folder: str) -> None:
    """Answers are numbers by uid; windows have the same keys; questions the keys of the release."""
    bench = tiny_world / "bench" / folder
    answers = json.loads((bench / "subset_answers.json").read_text())
    assert answers
    assert {type(answer) for answer in answers.values()} == {int}
    windows = json.loads((bench / "uid_to_ego4d.json").read_text())
    real = next(iter(json.loads((REAL / "egoschema" / "uid_to_ego4d.json").read_text()).values()))
    assert all(list(window) == list(real) for window in windows.values())
    for row in json.loads((bench / "questions.json").read_text()):
        assert list(row) == ["q_uid", "google_drive_id", "question", *(f"option {number}" for number in range(5))]
        assert row["q_uid"] in answers


@pytest.mark.skipif(not (REAL / "egoclip_egomcq").exists(), reason="no ../shared/data/egoclip_egomcq")
def test_egomcq_clips_have_egoclips_columns(plan_spec: SimSpec, pairs: Pairs) -> None:
    """Query and choices carry the columns of EgoClip, less the index."""
    header = (REAL / "egoclip_egomcq" / "egoclip.sample1.tsv").read_text().splitlines()[0].split("\t")
    for row in egomcq(plan_spec, pairs).values():
        for clip in (row["query"], *row["choices"].values()):
            assert list(clip) == header[1:]


VIDEOS = {
    "egomcq": "videos/*.mp4",
    "egoschema": "videos/*.mp4",
    "egoschema_exo": "videos/*.mp4",
    "epic_mir": "videos/P*/P*_*.MP4",
    "qaego4d": "videos/*.mp4",
    "egotaskqa": "qa_videos/*|P1|0|*.mp4",
    "charades_ego": "CharadesEgo_v1_480/*EGO.mp4",
    "egoplan": "videos/**/*.[mM][pP]4",
    "vln_qa": "vlnqa/*/*_frame*.mp4",
}


@pytest.mark.gl
def test_every_folder_has_its_videos_and_labels(bench_world: Path) -> None:
    """Nine benchmarks and the third-person twin; each item has a label with facet and told or untold."""
    assert sorted(path.name for path in (bench_world / "bench").iterdir()) == sorted(BENCHES) == sorted(VIDEOS)
    for name, pattern in VIDEOS.items():
        folder = bench_world / "bench" / name
        assert list(folder.glob(pattern)), name
        groups = json.loads((folder / "groups.json").read_text())
        assert groups, name
        for labels in groups.values():
            assert labels["told"] in ("told", "untold")
            assert labels["facet"]
            assert 0 < float(labels.get("chance", "0.5")) < 1
        assert not list(folder.rglob("*.part"))


@pytest.mark.gl
def test_only_the_benches_asked_for_are_written(bench_spec: SimSpec, bench_world: Path, tmp_path: Path) -> None:
    """Same bytes as in a world that has all."""
    some = replace(bench_spec, out=tmp_path, benches=("egoplan", "charades_ego"))
    write_benches(some, plan_takes(some), bench_world / "ego_exo4d")
    assert sorted(path.name for path in (tmp_path / "bench").iterdir()) == ["charades_ego", "egoplan"]
    for path in (tmp_path / "bench").rglob("*.*"):
        assert path.read_bytes() == (bench_world / path.relative_to(tmp_path)).read_bytes(), path


@pytest.mark.gl
def test_a_lost_video_comes_back_as_it_was(bench_spec: SimSpec, bench_world: Path) -> None:
    """Writing again renews what is missing and leaves the rest alone."""
    folder = bench_world / "bench"
    lost = [next(iter(sorted((folder / name).glob(pattern)))) for name, pattern in VIDEOS.items()]
    before = {path: path.read_bytes() for path in lost}
    kept = {path: path.stat().st_mtime_ns for path in folder.rglob("*.mp4") if path not in before}
    for path in lost:
        path.unlink()
    write_benches(bench_spec, plan_takes(bench_spec), bench_world / "ego_exo4d")
    assert {path: path.read_bytes() for path in lost} == before
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


@pytest.mark.gl
def test_a_world_with_nothing_to_ask_writes_no_folder(bench_spec: SimSpec, bench_world: Path, tmp_path: Path) -> None:
    """Readers refuse an empty file, so `--tasks all` must not find one: three walks' questions are no whole walk."""
    few = replace(bench_spec, out=tmp_path, **dict.fromkeys(MOST, 0) | {"vln_questions": 3, "mir_clips": 2})
    write_benches(few, plan_takes(few), bench_world / "ego_exo4d")
    assert [path.name for path in (tmp_path / "bench").iterdir()] == ["epic_mir"]
