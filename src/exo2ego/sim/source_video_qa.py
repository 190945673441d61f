"""The questions about whole videos of EgoExoLearn: lettered options in one file, open answers in the other.

Quirks of the real files: four options, seldom five; two answers of the whole file are texts where a letter should be
(here the first of them is one of its options, the second is none).
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from exo2ego.sim.source_files import PARTICIPLES
from exo2ego.sim.spec import HANDS, KINDS, VERBS, SimSpec
from exo2ego.sim.world import TakePlan

LETTERS = "ABCDE"
FIFTH_SHARE = 0.06
ORDER = "Answer with the option's letter from the given choices directly."

Videos = Sequence[tuple[str, TakePlan]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question about a video, its answer, and what is not the answer."""

    video_uid: str
    text: str
    answer: str
    wrong: tuple[str, ...]


def questions(spec: SimSpec, videos: Videos) -> list[Question]:
    """What was done to a thing that one thing was done to, and which thing it was that a verb was done to once."""
    return [question for video_uid, plan in videos for question in _about(spec, video_uid, plan)]


def _about(spec: SimSpec, video_uid: str, plan: TakePlan) -> Iterator[Question]:
    for kind in dict.fromkeys(event.kind for event in plan.events):
        done = {event.verb for event in plan.events if event.kind == kind}
        if len(done) == 1:
            texts = {verb: f"The hand {verb} the {kind}." for verb in VERBS}
            wrong = tuple(text for verb, text in texts.items() if verb not in done)
            question = f"What action is performed on the {kind} in the video?"
            yield Question(video_uid=video_uid, text=question, answer=texts[done.pop()], wrong=wrong)
    for verb in dict.fromkeys(event.verb for event in plan.events):
        events = [event for event in plan.events if event.verb == verb]
        used = {event.kind for event in events}
        if len(used) == 1:
            wrong = tuple(f"The {kind}" for kind in KINDS if kind not in used)
            question = f"Which object is {PARTICIPLES[verb]} in the video?"
            yield Question(video_uid=video_uid, text=question, answer=f"The {used.pop()}", wrong=wrong)
        if spec.source_facts == "all" and len(events) == 1:
            hands = tuple(f"The {hand} hand" for hand in HANDS if hand != events[0].hand)
            question = f"Which hand is used when something is {PARTICIPLES[verb]} in the video?"
            wrong = (*hands, "Both hands", "Neither hand")
            yield Question(video_uid=video_uid, text=question, answer=f"The {events[0].hand} hand", wrong=wrong)


def mcq_lines(spec: SimSpec, videos: Videos) -> str:
    """`*_mcq.jsonl`."""
    rng = np.random.default_rng([spec.seed, 9])
    asked = questions(spec, videos)
    last = [(number, one) for number, one in enumerate(asked) if one.text.startswith("Which object")][-2:]
    free = {number: one.answer for number, one in last[:1]}
    free |= {number: f"{one.answer.removeprefix('The ').capitalize()} on the table" for number, one in last[1:]}
    texts = []
    for number, one in enumerate(asked):
        wrong = [one.wrong[place] for place in rng.permutation(len(one.wrong))]
        options = [one.answer, *wrong[: 4 if len(wrong) > 3 and rng.random() < FIFTH_SHARE else 3]]
        options = [options[place] for place in rng.permutation(len(options))]
        shown = "\n".join(f"({letter}) {option}" for letter, option in zip(LETTERS, options, strict=False))
        letter = LETTERS[options.index(one.answer)]
        answer = free.get(number, letter)
        texts.append((f"{one.text}\n{shown}\n{ORDER}", answer))
    return _lines(asked, texts)


def qa_lines(spec: SimSpec, videos: Videos) -> str:
    """`*_qa.jsonl`."""
    asked = questions(spec, videos)
    return _lines(asked, [(one.text, one.answer) for one in asked])


def _lines(asked: Sequence[Question], texts: Sequence[tuple[str, str]]) -> str:
    numbers: dict[str, int] = {}
    lines = []
    for one, (question, answer) in zip(asked, texts, strict=True):
        number = numbers.get(one.video_uid, 0)
        numbers[one.video_uid] = number + 1
        turns = [{"from": "human", "value": f"<video>\n{question}"}, {"from": "gpt", "value": answer}]
        video = {"video": f"{one.video_uid}.mp4"}
        row = {"id": f"{one.video_uid}_{number}", "conversations": turns, "image": video}
        lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    return "".join(lines)
