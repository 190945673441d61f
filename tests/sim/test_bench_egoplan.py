"""EgoPlan of the simulated world: the real row's form, four answers behind equal words, frames of the right event."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from exo2ego.sim.bench_egoplan import EGO4D_FPS, LETTERS, is_epic, rows, video_id
from exo2ego.sim.goals import step_text
from exo2ego.sim.spec import SimSpec
from exo2ego.sim.world import TakePlan, plan_takes

REAL = Path(__file__).parents[3] / "shared" / "data" / "egoplan" / "EgoPlan_validation.sample1.json"


@pytest.fixture(scope="module")
def takes(exam_spec: SimSpec) -> dict[str, TakePlan]:
    """Video id -> take."""
    return {video_id(exam_spec, plan): plan for plan in plan_takes(exam_spec)}


@pytest.fixture(scope="module")
def listed(exam_spec: SimSpec) -> list[dict[str, Any]]:
    """All rows of a world of test takes."""
    return rows(exam_spec, plan_takes(exam_spec))


def test_equal_words_have_four_different_answers(listed: list[dict[str, Any]]) -> None:
    """So that neither the question nor its choices say which is right."""
    by_goal: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in listed:
        by_goal.setdefault((row["video_id"], row["question"]), []).append(row)
    for members in by_goal.values():
        choices = [tuple(sorted(row[f"choice_{letter.lower()}"] for letter in LETTERS)) for row in members]
        assert len(set(choices)) == 1
        assert sorted(row["answer"] for row in members) == list(choices[0])
    assert max(Counter(row["golden_choice_idx"] for row in listed).values()) < 0.35 * len(listed)


def test_the_answer_is_what_comes_next(listed: list[dict[str, Any]], takes: dict[str, TakePlan]) -> None:
    """The progress is what was done of the goal by then; the next step of the goal begins at the last frame."""
    for row in listed:
        plan = takes[row["video_id"]]
        assert plan.goal is not None
        steps = [step_text(verb, plan.items[number].kind) for verb, number in plan.goal.steps]
        done = [clip["narration_text"] for clip in row["task_progress_metadata"]]
        assert steps[: len(done) + 1] == [*done, row["answer"]]
        assert row[f"choice_{row['golden_choice_idx'].lower()}"] == row["answer"]
        assert all(step in row["task_goal"] for step in steps)
        assert row["task_goal"] in row["question"]
        following = plan.events[plan.goal.events[len(done)]]
        rate, first = (plan.fps, 1) if is_epic(plan) else (EGO4D_FPS, 0)
        last_s = (row["current_observation_frame"] - first) / rate
        assert 0 <= following.start_s - last_s < 1 / rate + 1e-9
        for clip in row["task_progress_metadata"]:
            assert first <= clip["start_frame"] < clip["stop_frame"] <= row["current_observation_frame"]


def test_both_sources_occur(listed: list[dict[str, Any]]) -> None:
    """Readers must tell frames counted from 1 from those counted from 0."""
    for row in listed:
        epic = row["video_source"] == "EpicKitchens"
        assert epic == row["video_id"].startswith("P")
    assert {row["video_source"] for row in listed} == {"EpicKitchens", "Ego4D"}
    assert [row["sample_id"] for row in listed] == list(range(len(listed)))


@pytest.mark.skipif(not REAL.exists(), reason="no ../shared/data/egoplan")
def test_rows_have_the_real_keys_and_types(listed: list[dict[str, Any]]) -> None:
    """Against the one real record at hand."""
    real = json.loads(REAL.read_text())[0]
    for row in listed:
        assert list(row) == list(real)
        assert {key: type(value) for key, value in row.items()} == {key: type(value) for key, value in real.items()}
        for clip in row["task_progress_metadata"]:
            assert list(clip) == list(real["task_progress_metadata"][0])
        ours, theirs = (one["question"].replace(one["task_goal"], "...") for one in (row, real))
        assert ours == theirs
