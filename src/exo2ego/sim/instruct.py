"""Instruction files in LLaVA / VideoLLaMA2 form on train takes: third person on exo, first person on ego videos."""

from typing import Any

from exo2ego.sim.egoexo4d import EGO_FILE, exo_file
from exo2ego.sim.questions import FIRST_PERSON, QUESTIONS, answers, first_person_answers, wording
from exo2ego.sim.world import Event, TakePlan

HALF_SPAN_S = 0.8
"""A clip about an event is the middle of its act plus and minus this."""


def span(plan: TakePlan, event: Event) -> tuple[float, float]:
    """The seconds of the video that show an event."""
    start, end = event.middle_s - HALF_SPAN_S, event.middle_s + HALF_SPAN_S
    return round(max(start, 0.0), 4), round(min(end, plan.duration_s), 4)


def exo_entries(plans: list[TakePlan]) -> list[dict[str, Any]]:
    """One entry per train event, exo camera and question: told and untold facts."""
    entries = []
    for plan, event in _train_events(plans):
        for camera in plan.cameras:
            video = f"takes/{plan.take_name}/{exo_file(camera.cam_id)}"
            key = f"{event.event_id}_{camera.cam_id}"
            entries += _entries(plan, event, key, video, QUESTIONS, answers(event))
    return entries


def ego_entries(plans: list[TakePlan]) -> list[dict[str, Any]]:
    """One entry per train event and question: told facts only."""
    entries = []
    for plan, event in _train_events(plans):
        video = f"takes/{plan.take_name}/{EGO_FILE}"
        entries += _entries(plan, event, f"{event.event_id}_ego", video, FIRST_PERSON, first_person_answers(event))
    return entries


def _train_events(plans: list[TakePlan]) -> list[tuple[TakePlan, Event]]:
    return [(plan, event) for plan in plans if plan.split == "train" for event in plan.events]


def _entries(
    plan: TakePlan,
    event: Event,
    key: str,
    video: str,
    table: dict[str, tuple[str, ...]],
    facts: dict[str, tuple[str, ...]],
) -> list[dict[str, Any]]:
    start_s, end_s = span(plan, event)
    entries = []
    for facet, texts in facts.items():
        for number, text in enumerate(texts):
            name = f"{key}_{facet}{number if len(texts) > 1 else ''}"
            question = {"from": "human", "value": f"<video>\n{wording(table, facet, name)}"}
            turns = [question, {"from": "gpt", "value": text}]
            entries.append({"id": name, "video": video, "start_s": start_s, "end_s": end_s, "conversations": turns})
    return entries
