"""EgoTaskQA of the simulated world: what was done, in which order, why and what if; asked directly and by relation.

As in the real files `direct/` holds all questions (a random split of them there) and `indirect/` those that refer to
actions and objects by relation ("the object that the person used first").
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from exo2ego.sim.bench_egoplan import goal_text
from exo2ego.sim.bench_files import bench_takes, copy_video, video_of, write_json
from exo2ego.sim.bench_layers import ORDINALS, Asked, Candidate, deal, labels
from exo2ego.sim.encode import cut, write_bytes
from exo2ego.sim.spec import COLOURS, HANDS, KINDS, VERBS, SimSpec
from exo2ego.sim.world import Event, TakePlan

TOLD = ("what", "cause")
"""What was done to what is in the narrations, and which verbs move things; the rest is not."""
ING = {
    **{verb: f"{lemma.removesuffix('e')}ing" for verb, lemma in VERBS.items()},
    **{"taps": "tapping", "stirs": "stirring"},
}
ACTIONS = {verb: f"{lemma.capitalize()} something" for verb, lemma in VERBS.items()}
"""Verb -> the action as an answer; what it is done with stays `something`, as in most real ones."""
MOVERS = ("pushes", "pulls", "slides")
COMPLETE = {
    # Nobody does the same twice in a row, so the action that the question names is not the answer.
    "after action": len(VERBS) - 1,
    "after object": len(KINDS),
    "action": len(VERBS),
    "object": len(KINDS),
    "colour": len(COLOURS),
    "hand": len(HANDS),
}
"""Open facet -> how many answers there are, each asked for equally often. The others are yes or no (`next`: by goal).

Which action follows which, or is done first, is not drawn evenly: these have a layer a wording, which only large worlds
can fill; small ones ask for yes and no instead.
"""

# facet -> type, category, semantic, structural; `reasoning_type` is these and the reference, joined by $
_TYPES: dict[str, tuple[list[str], list[str], str, str]] = {
    "what": (["descriptive"], ["world"], "action", "verify"),
    "after": (["descriptive"], ["world"], "action", "verify"),
    "after action": (["descriptive"], ["world"], "action", "query"),
    "after object": (["descriptive"], ["world"], "object", "query"),
    "when": (["descriptive"], ["world"], "action", "verify"),
    "order": (["descriptive"], ["world"], "action", "verify"),
    "action": (["descriptive"], ["world"], "action", "query"),
    "object": (["descriptive"], ["world"], "object", "query"),
    "colour": (["descriptive"], ["world"], "state", "query"),
    "hand": (["descriptive"], ["world"], "state", "query"),
    "same hand": (["descriptive"], ["world"], "state", "verify"),
    "same object": (["descriptive"], ["world"], "object", "verify"),
    "cause": (["explanatory"], ["world"], "change", "verify"),
    "what if": (["counterfactual"], ["world"], "change", "verify"),
    "next": (["predictive"], ["intent"], "action", "query"),
}


def _one(
    plan: TakePlan,
    facet: str,
    group: str,
    question: str,
    answer: str | bool,
    program: str,
    *,
    indirect: bool = False,
    until_s: float | None = None,
) -> Candidate:
    text = answer if isinstance(answer, str) else "yes" if answer else "no"
    end_s = plan.duration_s if until_s is None else until_s
    extra = {"program": program, "reference": "indirect" if indirect else "direct"}
    return Candidate(
        plan=plan, facet=facet, group=group, question=question, answer=text, start_s=0.0, end_s=end_s, extra=extra
    )


def _moved_otherwise(plan: TakePlan, event: Event) -> bool:
    """Whether another event moves the object of this one."""
    return any(one.verb in MOVERS and one.item == event.item and one is not event for one in plan.events)


def _direct(plan: TakePlan) -> Iterator[Candidate]:
    """Questions that name actions and objects."""
    first = {verb: next((event for event in plan.events if event.verb == verb), None) for verb in VERBS}
    for verb, event in first.items():
        if event is None:
            continue
        lemma, ing = VERBS[verb], ING[verb]
        times = sum(one.verb == verb for one in plan.events)
        after = plan.events[event.index + 1 : event.index + 2]
        if times == 1 and after:
            yield from _after(plan, verb, after[0], [other for other in first if other != verb and first[other]])
        question = f"Which hand did the person use when {ing} something for the first time?"
        yield _one(plan, "hand", "", question, event.hand, f"query([hand], localize([action@'{lemma} something']))")
        for kind in {item.kind: None for item in plan.items}:
            done = any(one.verb == verb and one.kind == kind for one in plan.events)
            question, program = f"Did the person {lemma} the {kind}?", f"verify(exists([hoi@'{lemma} {kind}']))"
            yield _one(plan, "what", f"{verb} {kind}", question, done, program)
        if verb in MOVERS and times == 1:
            question = f"If the person did not {lemma} something, will that object change its position?"
            program = f"counterfactual([change, position], [action@'{lemma} something'])"
            yield _one(plan, "what if", verb, question, _moved_otherwise(plan, event), program)
        for other, second in first.items():
            if second is not None and other != verb:
                question = f"Did the person first {lemma} something before {ING[other]} something?"
                program = f"verify(before([action@'{lemma} something'], [action@'{VERBS[other]} something']))"
                yield _one(plan, "order", f"{verb} {other}", question, event.index < second.index, program)
    for item in plan.items:
        question = f"What is the colour of {item.kind}?"
        yield _one(plan, "colour", "kinds", question, item.colour, f"query([colour], [obj@'{item.kind}'])")


def _after(plan: TakePlan, verb: str, after: Event, others: list[str]) -> Iterator[Candidate]:
    """What came right after the only action of this verb; `others` are the verbs that the take shows besides."""
    place = f"localize(after, [action@'{VERBS[verb]} something'])"
    question = f"What did the person do right after {ING[verb]} something?"
    yield _one(plan, "after action", verb, question, ACTIONS[after.verb], f"query([action], {place})")
    question = f"Which object did the person use right after {ING[verb]} something?"
    yield _one(plan, "after object", "", question, after.kind, f"query([obj], {place})")
    for other in others:
        question = f"Did the person {VERBS[other]} something right after {ING[verb]} something?"
        program = f"verify(equal([action@'{VERBS[other]} something'], {place}))"
        yield _one(plan, "after", f"{verb} {other}", question, after.verb == other, program)


def _indirect(plan: TakePlan) -> Iterator[Candidate]:
    """Questions that refer to actions and objects by relation."""
    named = {**dict(zip(ORDINALS[:3], plan.events, strict=False)), "last": plan.events[-1]}
    for name, event in named.items():
        action = f"the {name} action in the video"
        program = f"nth([action], {name})"
        question = f"What is {action} that the person did?"
        yield _one(plan, "action", name, question, ACTIONS[event.verb], f"query([hoi], {program})", indirect=True)
        for verb in {one.verb: None for one in plan.events}:
            question, check = (
                f"Did the person {VERBS[verb]} something in {action}?",
                f"equal([action@'{VERBS[verb]}'], {program})",
            )
            yield _one(plan, "when", f"{name} {verb}", question, event.verb == verb, f"verify({check})", indirect=True)
        question = f"Which object did the person use in {action}?"
        yield _one(plan, "object", "", question, event.kind, f"query([obj], {program})", indirect=True)
        question = f"What is the colour of the object that the person used in {action}?"
        yield _one(plan, "colour", "actions", question, event.colour, f"query([colour], {program})", indirect=True)
        question = f"Did the position of the object change because of {action}?"
        change = f"verify([change, position], {program})"
        yield _one(plan, "cause", name, question, event.verb in MOVERS, change, indirect=True)
        question = f"If the person did not do {action}, will the object of it change its position?"
        change = f"counterfactual([change, position], {program})"
        yield _one(plan, "what if", name, question, _moved_otherwise(plan, event), change, indirect=True)
    pairs = [(one, two) for number, one in enumerate(named) for two in list(named)[number + 1 :]]
    for one, two in pairs:
        both = f"the {one} action and for the {two} action in the video"
        question, same = f"Did the person use the same hand for {both}?", named[one].hand == named[two].hand
        program = f"verify(equal([{{what}}], nth([action], {one}), nth([action], {two})))"
        yield _one(plan, "same hand", f"{one} {two}", question, same, program.format(what="hand"), indirect=True)
        question, same = f"Did the person use the same object for {both}?", named[one].item == named[two].item
        yield _one(plan, "same object", f"{one} {two}", question, same, program.format(what="obj"), indirect=True)


def _predictive(plan: TakePlan) -> Iterator[Candidate]:
    """What follows the end of the video, which stops within a goal: each step but the first, with equal words."""
    if plan.goal is None or not plan.goal.complete:
        return
    text = goal_text(plan)
    question = f"If the person wants to {text}, what will he/she do next after the video?"
    for number in plan.goal.events[1:]:
        event = plan.events[number]
        program = "query([action], predict(goal))"
        yield _one(plan, "next", plan.take_uid, question, ACTIONS[event.verb], program, until_s=event.start_s)


def questions(spec: SimSpec, plans: list[TakePlan]) -> list[Asked]:
    """All questions, by take."""
    parts = (_direct, _indirect, _predictive)
    found = [one for plan in bench_takes(plans) for part in parts for one in part(plan)]
    asked = deal(np.random.default_rng([spec.seed, 9]), found, spec.egotaskqa_questions, complete=COMPLETE)
    return sorted(asked, key=lambda one: (one.candidate.plan.index, one.candidate.end_s, one.candidate.question))


def _frames(one: Candidate) -> int:
    return int(one.end_s * one.plan.fps) if one.end_s < one.plan.duration_s else one.plan.frames


def interval(one: Candidate) -> str:
    """`<take>|P1|<first frame>|<last frame>`: P1 wears the camera."""
    return f"{one.plan.take_name}|P1|0|{_frames(one)}"


def rows(asked: list[Asked]) -> list[dict[str, Any]]:
    """Rows of `*_qas.json`."""
    videos = list(dict.fromkeys(interval(one.candidate) for one in asked))
    found = []
    for number, one in enumerate(asked):
        candidate = one.candidate
        types, category, semantic, structural = _TYPES[candidate.facet]
        reference = candidate.extra["reference"]
        found.append(
            {
                "question": candidate.question,
                "answer": candidate.answer,
                "interval": interval(candidate),
                "program": candidate.extra["program"],
                "type": types,
                "category": category,
                "semantic": semantic,
                "structural": structural,
                "reference": reference,
                "reasoning_type": "$".join([*types, *category, semantic, structural, reference]),
                "video_id": videos.index(interval(candidate)),
                "question_id": number,
            }
        )
    return found


def answer_set(listed: list[dict[str, Any]]) -> str:
    """`answer_set.txt`: two place holders, then the answers in lower case, the most common first."""
    counted = Counter(str(row["answer"]).lower() for row in listed)
    return "".join(f"{line}\n" for line in ("<UNK0>", "<UNK1>", *(answer for answer, _ in counted.most_common())))


def write(spec: SimSpec, plans: list[TakePlan], tree: Path, root: Path) -> None:
    """`{direct,indirect}/` with `test_qas.json`, `answer_set.txt`, `vid_intervals.json`; `qa_videos/<interval>.mp4`."""
    asked = questions(spec, plans)
    listed = rows(asked)
    if not listed:
        return
    for split in ("direct", "indirect"):
        members = [row for row in listed if split in ("direct", row["reference"])]
        write_json(root / split / "test_qas.json", members)
        write_json(root / split / "vid_intervals.json", sorted({row["interval"] for row in members}))
        write_bytes(root / split / "answer_set.txt", answer_set(listed).encode())
    pairs = zip(listed, asked, strict=True)
    groups = {str(row["question_id"]): labels(one.candidate.facet, TOLD, one.chance) for row, one in pairs}
    write_json(root / "groups.json", groups)
    _write_videos(spec, asked, tree, root / "qa_videos")


def _write_videos(spec: SimSpec, asked: list[Asked], tree: Path, folder: Path) -> None:
    """Whole takes are copied, beginnings of takes are cut."""
    missing: dict[str, dict[str, Candidate]] = {}
    for one in (each.candidate for each in asked):
        target = folder / f"{interval(one)}.mp4"
        if _frames(one) == one.plan.frames:
            copy_video(video_of(tree, one.plan), target)
        elif not target.exists():
            missing.setdefault(one.plan.take_uid, {})[interval(one)] = one
    for ones in missing.values():
        parts = list(ones.values())
        spans = [(0.0, _frames(one) / spec.fps) for one in parts]
        for name, clip in zip(ones, cut(video_of(tree, parts[0].plan), spans, spec.fps), strict=True):
            write_bytes(folder / f"{name}.mp4", clip)
