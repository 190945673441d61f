"""EgoPlan-Bench of the simulated world: the goal and its steps are told, what was done of them is in the video.

A finished goal gives four questions with the same words and choices and four different answers: after one, two, three
and four of its five steps. Whoever does not see how far the take got can only draw.
"""

from pathlib import Path
from typing import Any

import numpy as np

from exo2ego.sim.bench_files import (
    INFO_COLUMNS,
    INFO_FILE,
    bench_takes,
    copy_video,
    epic_file,
    epic_id,
    info,
    video_of,
    write_csv,
    write_json,
)
from exo2ego.sim.bench_layers import labels
from exo2ego.sim.goals import step_text
from exo2ego.sim.spec import SimSpec
from exo2ego.sim.world import Event, TakePlan, uid

LETTERS = "ABCD"
EGO4D_FPS = 30
"""Frames of Ego4D are counted at 30 a second, whatever the video's own rate."""
_ASK = (
    "Considering the progress shown in the video and my current observation in the last frame, "
    "what action should I take next in order to {goal}?"
)


def is_epic(plan: TakePlan) -> bool:
    """Every third take plays EPIC-KITCHENS (frames counted from 1 at its own rate), the others Ego4D (from 0)."""
    return plan.index % 3 == 0


def video_id(spec: SimSpec, plan: TakePlan) -> str:
    """`P01_13` or a uuid."""
    return epic_id(plan) if is_epic(plan) else uid(spec.seed, "ego4d", plan.index)


def video_file(spec: SimSpec, plan: TakePlan) -> str:
    """Below `videos/`: `P01/P01_13.MP4` or `<uuid>.mp4`."""
    return epic_file(plan) if is_epic(plan) else f"{video_id(spec, plan)}.mp4"


def _frame(plan: TakePlan, time_s: float) -> int:
    """The number of the frame at a time, as the video's source counts."""
    last_s = (plan.frames - 1) / plan.fps
    return int(min(time_s, last_s) * (plan.fps if is_epic(plan) else EGO4D_FPS)) + is_epic(plan)


def goal_text(plan: TakePlan) -> str:
    """The goal and its steps: `make a drink: lift cup, pour pan, stir cup, tap ball and turn cup`."""
    assert plan.goal is not None
    steps = [step_text(verb, plan.items[number].kind) for verb, number in plan.goal.steps]
    return f"{plan.goal.name}: {', '.join(steps[:-1])} and {steps[-1]}"


def rows(spec: SimSpec, plans: list[TakePlan]) -> list[dict[str, Any]]:
    """Rows of `EgoPlan_validation.json`, all of a goal's or none."""
    rng = np.random.default_rng([spec.seed, 8])
    found: list[dict[str, Any]] = []
    for plan in bench_takes(plans):
        if plan.goal is None or not plan.goal.complete or len(found) + len(LETTERS) > spec.egoplan_questions:
            continue
        events = [plan.events[number] for number in plan.goal.events]
        for done in range(1, len(events)):
            found.append(_row(rng, spec, plan, events, done, len(found)))
    return found


def _row(
    rng: np.random.Generator, spec: SimSpec, plan: TakePlan, events: list[Event], done: int, number: int
) -> dict[str, Any]:
    texts = [step_text(event.verb, event.kind) for event in events]
    choices = [texts[1:][place] for place in rng.permutation(len(LETTERS))]
    progress = [
        {
            "narration_text": step_text(event.verb, event.kind),
            "start_frame": _frame(plan, event.start_s),
            "stop_frame": _frame(plan, event.end_s),
        }
        for event in events[:done]
    ]
    goal = goal_text(plan)
    return {
        "sample_id": number,
        "video_source": "EpicKitchens" if is_epic(plan) else "Ego4D",
        "video_id": video_id(spec, plan),
        "task_goal": goal,
        "question": _ASK.format(goal=goal),
        **{f"choice_{letter.lower()}": text for letter, text in zip(LETTERS, choices, strict=True)},
        "golden_choice_idx": LETTERS[choices.index(texts[done])],
        "answer": texts[done],
        # Free steps may lie between: the last frame is the one before the next step of the goal.
        "current_observation_frame": _frame(plan, events[done].start_s),
        "task_progress_metadata": progress,
    }


def write(spec: SimSpec, plans: list[TakePlan], tree: Path, root: Path) -> None:
    """`EgoPlan_validation.json`, `EPIC_100_video_info.csv`, `videos/P01/P01_13.MP4` and `videos/<uid>.mp4`, labels."""
    listed = rows(spec, plans)
    if not listed:
        return
    write_json(root / "EgoPlan_validation.json", listed)
    entry = labels("plan", (), 1 / len(LETTERS))
    write_json(root / "groups.json", {str(row["sample_id"]): entry for row in listed})
    wanted = {row["video_id"] for row in listed}
    shown = [plan for plan in bench_takes(plans) if video_id(spec, plan) in wanted]
    write_csv(root / INFO_FILE, INFO_COLUMNS, [info(spec, plan) for plan in shown if is_epic(plan)])
    for plan in shown:
        copy_video(video_of(tree, plan), root / "videos" / video_file(spec, plan))
