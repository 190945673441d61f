"""EgoTimeQA of the simulated world (and QaEgo4D's train file, of the same questions): whole takes in first person.

    annotations.EgoTimeQA.json, annotations.QaEgo4D_train.json, videos/<clip_uid>.mp4

Quirks of the real files: `sample_id` repeats `video_id`, moments are seconds times 30 whatever the rate of the file,
neither question nor answers hold a comma.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from exo2ego.sim.bench_files import Pair
from exo2ego.sim.bench_qaego4d import MOMENT_FPS, PAST, clip_uid
from exo2ego.sim.source_files import SourceFiles, json_text, train_pairs, train_takes, whole
from exo2ego.sim.spec import COLOURS, HANDS, KINDS, VERBS, SimSpec
from exo2ego.sim.world import Event, TakePlan, uid

WRONG = 3


def asked(spec: SimSpec, event: Event) -> Iterator[tuple[str, str, list[str]]]:
    """(question, answer, everything that could be a wrong answer) about an event."""
    done = [f"{PAST[verb]} it" for verb in VERBS]
    yield f"What did I do with the {event.kind}?", f"{PAST[event.verb]} it", done
    yield f"What did I {VERBS[event.verb]}?", f"the {event.kind}", [f"the {kind}" for kind in KINDS]
    if spec.source_facts == "all":
        yield f"What colour was the {event.kind} that I {PAST[event.verb]}?", event.colour, list(COLOURS)
        hands = [f"the {hand} hand" for hand in HANDS] + ["both hands", "no hand"]
        yield f"Which hand did I use when I {PAST[event.verb]} the {event.kind}?", f"the {event.hand} hand", hands


def rows(spec: SimSpec, pairs: list[Pair]) -> list[dict[str, Any]]:
    """Rows of `annotations.EgoTimeQA.json`."""
    rng = np.random.default_rng([spec.seed, 8])
    found = []
    for plan, event in pairs:
        for question, answer, answers in asked(spec, event):
            others = [one for one in answers if one != answer]
            found.append(
                {
                    "video_id": clip_uid(spec, plan),
                    "sample_id": clip_uid(spec, plan),
                    "answer": answer,
                    "question": question,
                    "moment_start_frame": event.act_start_s * MOMENT_FPS,
                    "moment_end_frame": event.act_end_s * MOMENT_FPS,
                    "wrong_answers": [others[number] for number in rng.permutation(len(others))[:WRONG]],
                }
            )
    return found


def _qaego4d(spec: SimSpec, plans: list[TakePlan], listed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same questions as QaEgo4D's train file has them: with the video of the clip, and ids that differ."""
    takes = {clip_uid(spec, plan): plan for plan in train_takes(plans)}
    return [
        {
            "video_uid": takes[row["video_id"]].take_uid,
            "video_start_sec": 0.0,
            "video_end_sec": takes[row["video_id"]].duration_s,
            **row,
            "sample_id": f"{uid(spec.seed, 'egotimeqa', takes[row['video_id']].index)}_{number}",
        }
        for number, row in enumerate(listed)
    ]


def files(spec: SimSpec, plans: list[TakePlan]) -> SourceFiles:
    """Both annotation files, and each train take as a clip, at the rate it was rendered with."""
    listed = rows(spec, train_pairs(plans))
    texts = {
        "annotations.EgoTimeQA.json": json_text(listed),
        "annotations.QaEgo4D_train.json": json_text(_qaego4d(spec, plans, listed)),
    }
    pieces = [whole(f"videos/{clip_uid(spec, plan)}.mp4", plan, None) for plan in train_takes(plans)]
    return SourceFiles(texts=texts, pieces=tuple(pieces))
