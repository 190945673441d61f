"""QaEgo4D of the simulated world: episodic questions over whole test takes, in the closed and the open set's files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from exo2ego.sim.bench_files import bench_takes, copy_video, video_of, write_json
from exo2ego.sim.bench_layers import NUMBERS, ORDINALS, Asked, Candidate, deal, labels
from exo2ego.sim.spec import VERBS, SimSpec
from exo2ego.sim.world import Event, TakePlan, uid

TOLD = ("object",)
"""Which object was used by a verb is in the narrations; order, numbers, hands, sides and colours are not."""
OPTIONS = 4
MOMENT_FPS = 30
"""Moments are seconds times 30, whatever the video's frame rate."""
PAST = {
    "lifts": "lifted",
    "pushes": "pushed",
    "pulls": "pulled",
    "slides": "slid",
    "shakes": "shook",
    "turns": "turned",
    "pours": "poured",
    "taps": "tapped",
    "stirs": "stirred",
    "presses": "pressed",
}


def _about(plan: TakePlan, facet: str, group: str, question: str, answer: str, events: list[Event]) -> Candidate:
    start_s, end_s = min(event.start_s for event in events), max(event.end_s for event in events)
    return Candidate(
        plan=plan, facet=facet, group=group, question=question, answer=answer, start_s=start_s, end_s=end_s
    )


def _by_verb(plan: TakePlan) -> Iterator[Candidate]:
    """Questions that name a verb: grouped by it, as its objects, colours and successors depend on it."""
    for verb, lemma in VERBS.items():
        done = [event for event in plan.events if event.verb == verb]
        if not done:
            continue
        if len({event.kind for event in done}) == 1:
            yield _about(plan, "object", verb, f"Which object did I {lemma}?", done[0].kind, done[:1])
        colour = f"What colour is the object that I {PAST[verb]} first?"
        yield _about(plan, "colour", verb, colour, done[0].colour, done[:1])
        after = plan.events[done[0].index + 1 : done[0].index + 2]
        if after and len(done) == 1:
            question, answer = (
                f"What did I do right after I {PAST[verb]} something?",
                f"{PAST[after[0].verb]} something",
            )
            yield _about(plan, "next", verb, question, answer, [done[0], after[0]])


def _by_order(plan: TakePlan) -> Iterator[Candidate]:
    """Questions about when and how often: grouped by wording."""
    events = list(plan.events)
    for event, ordinal in zip(events, ORDINALS, strict=False):
        question = f"Which object did I use in my {ordinal} action?"
        yield _about(plan, "order", ordinal, question, event.kind, [event])
    for item in plan.items:
        done = [event for event in events if event.kind == item.kind]
        if done and len(done) <= len(NUMBERS):
            question = f"In how many of my actions did I use the {item.kind}?"
            yield _about(plan, "often", item.kind, question, NUMBERS[len(done) - 1], done)


def _by_hand(plan: TakePlan) -> Iterator[Candidate]:
    """Hands and sides are drawn by lot for every event, whatever else it is: all wordings are one group."""
    for number, (one, two) in enumerate(zip(plan.events, plan.events[1:], strict=False)):
        if number + 1 < len(ORDINALS):
            which = f"in my {ORDINALS[number]} action and which in my {ORDINALS[number + 1]} action"
            yield _about(plan, "hand", "", f"Which hand did I use {which}?", f"{one.hand} then {two.hand}", [one, two])
    slid = [event for event in plan.events if event.direction is not None]
    if slid:
        question, answer = "With which hand and to which side did I first slide something?", slid[0]
        yield _about(plan, "direction", "", question, f"{answer.hand} hand and to the {answer.direction}", [answer])


def questions(spec: SimSpec, plans: list[TakePlan]) -> list[Asked]:
    """The questions of both sets, by take."""
    takes = bench_takes(plans)
    found = [one for plan in takes for part in (_by_verb, _by_order, _by_hand) for one in part(plan)]
    asked = deal(np.random.default_rng([spec.seed, 7]), found, spec.qaego4d_questions, options=OPTIONS)
    return sorted(asked, key=lambda one: (one.candidate.plan.index, one.candidate.start_s, one.candidate.question))


def rows(spec: SimSpec, asked: list[Asked]) -> list[dict[str, Any]]:
    """Rows of `annotations.QaEgo4D_test.json`; commas never occur, as the real ones are stripped of them."""
    numbers: dict[str, int] = {}
    found = []
    for one in asked:
        plan, candidate = one.candidate.plan, one.candidate
        number = numbers.get(plan.take_uid, 0)
        numbers[plan.take_uid] = number + 1
        found.append(
            {
                "video_uid": plan.take_uid,
                "video_start_sec": 0.0,
                "video_end_sec": plan.duration_s,
                "video_id": clip_uid(spec, plan),
                "sample_id": f"{uid(spec.seed, 'qaego4d', plan.index)}_{number}",
                "answer": candidate.answer,
                "question": candidate.question,
                "moment_start_frame": candidate.start_s * MOMENT_FPS,
                "moment_end_frame": min(candidate.end_s, plan.duration_s) * MOMENT_FPS,
                "wrong_answers": list(one.wrong),
            }
        )
    return found


def clip_uid(spec: SimSpec, plan: TakePlan) -> str:
    """The canonical clip that is a take's whole video."""
    return uid(spec.seed, "canonical clip", plan.index)


def write(spec: SimSpec, plans: list[TakePlan], tree: Path, root: Path) -> None:
    """`annotations.QaEgo4D_test{,_close}.json` with the same questions, `videos/<video_id>.mp4`, `groups.json`."""
    asked = questions(spec, plans)
    listed = rows(spec, asked)
    if not listed:
        return
    for name in ("test", "test_close"):
        write_json(root / f"annotations.QaEgo4D_{name}.json", listed)
    groups = {row["sample_id"]: labels(one.candidate.facet, TOLD) for row, one in zip(listed, asked, strict=True)}
    write_json(root / "groups.json", groups)
    for plan in {one.candidate.plan.index: one.candidate.plan for one in asked}.values():
        copy_video(video_of(tree, plan), root / "videos" / f"{clip_uid(spec, plan)}.mp4")
