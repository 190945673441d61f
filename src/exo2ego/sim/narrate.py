"""Atomic descriptions as Ego-Exo4D writes them: two annotators a take, and the real data's dirt on top."""

from typing import Any

import numpy as np

from exo2ego.sim.spec import VERBS, SimSpec
from exo2ego.sim.world import Event, TakePlan, uid

JITTER_S, MOST_JITTER_S = 0.08, 0.2
DIRT_SHARE = 0.10
_PHRASES: dict[str, tuple[str, ...]] = {
    "lifts": ("lifts the {}", "lifts up the {}"),
    "pushes": ("pushes the {}", "pushes the {} away"),
    "pulls": ("pulls the {}", "pulls the {} closer"),
    "slides": ("slides the {}", "slides the {} over the table"),
    "shakes": ("shakes the {}", "shakes the {} in the air"),
    "turns": ("turns the {}", "turns the {} around"),
    "pours": ("pours the {}", "pours the {} out"),
    "taps": ("taps the {}", "taps on the {}"),
    "stirs": ("stirs the {}", "stirs the {} around"),
    "presses": ("presses the {}", "presses down the {}"),
}
"""Verb -> plain wording first; no wording tells colour, hand, direction, count or neighbours."""

OTHERS = ("O walks by.", "The man X looks at the table.", "Person X moves towards C.", "The woman Y talks to C.")
UNSURE = ("C moves something.", "C does #unsure.", "C adjusts the #unsure.")


def text_of(event: Event, style: int = 0) -> str:
    """A narration; style 0 is the plain wording."""
    return f"C {_PHRASES[event.verb][style].format(event.kind)}."


def gerund(verb: str) -> str:
    """`lifts` -> `lifting`."""
    stem = VERBS[verb].removesuffix("e")
    return f"{stem}{stem[-1] if stem in ('tap', 'stir') else ''}ing"


def narrations(spec: SimSpec, plans: list[TakePlan], split: str) -> dict[str, Any]:
    """The content of `atomic_descriptions_<split>.json`.

    Every event has a good narration by both annotators, except in one take without any; all dirt is added.
    """
    chosen = [plan for plan in plans if plan.split == split]
    annotations: dict[str, list[dict[str, Any]]] = {}
    for number, plan in enumerate(chosen):
        if split == "train" and number == 3 and len(chosen) >= 10:
            annotations[plan.take_uid] = []
            continue
        annotations[plan.take_uid] = _take_annotations(spec, plan)
    if split == "train" and len(chosen) >= 5:
        stray = uid(spec.seed, "stray take")
        annotations[stray] = [_annotation(spec, stray, 0, [_description("C lifts the cup.", 1.0, None, "subject")])]
    cameras = {
        plan.take_uid: {camera.cam_id: camera.cam_id for camera in plan.cameras} | {"aria01": "aria01"}
        for plan in chosen
    }
    return {"ds": "2026-01-01", "take_cam_id_map": cameras, "annotations": annotations}


def _take_annotations(spec: SimSpec, plan: TakePlan) -> list[dict[str, Any]]:
    rng = np.random.default_rng([spec.seed, 3, plan.index])
    result = []
    for annotator in range(2):
        good = [_good(plan, event, annotator, rng) for event in plan.events]
        dirt = [one for one in (_dirt(plan, annotator, rng) for _ in plan.events) if one is not None]
        rows = good + dirt
        # Annotations are not always in order of time.
        rows.sort(key=lambda row: float(row["timestamp"]) if annotator == 0 else float(row["timestamp"]) // 4)
        result.append(_annotation(spec, plan.take_uid, annotator, rows))
    if rng.random() < 0.12:
        rejected = [_description("C stands.", float(rng.uniform(0, plan.duration_s)), plan.best_exo, "subject")]
        result.append(_annotation(spec, plan.take_uid, 2, rejected, reason="low quality: too few descriptions"))
    return result


def _good(plan: TakePlan, event: Event, annotator: int, rng: np.random.Generator) -> dict[str, Any]:
    jitter = float(np.clip(rng.normal(0, JITTER_S), -MOST_JITTER_S, MOST_JITTER_S))
    style = int(rng.random() < 0.35)
    camera = None if rng.random() < 0.1 else plan.best_exo
    key = "subject" if plan.index % 3 else "narration_subject"
    row = _description(text_of(event, style), event.middle_s + jitter, camera, key)
    return _as_strings(row) if annotator == 1 and plan.index % 2 else row


def _dirt(plan: TakePlan, annotator: int, rng: np.random.Generator) -> dict[str, Any] | None:
    """Now and then one description that a careful reader drops."""
    draw, when = rng.random() / DIRT_SHARE, float(rng.uniform(0, plan.duration_s))
    if draw >= 1:
        return None
    key = "subject" if plan.index % 3 else "narration_subject"
    if draw < 0.3:
        row = _description(OTHERS[int(rng.integers(len(OTHERS)))], when, plan.best_exo, key) | {key: "O"}
    elif draw < 0.55:
        row = _description(UNSURE[int(rng.integers(len(UNSURE)))], when, plan.best_exo, key) | {"unsure": True}
    elif draw < 0.75:
        row = _description("C moves his foot.", when, plan.best_exo, key) | {"ego_visible": False}
    elif draw < 0.88:
        row = _description("", when, None, key)
    else:
        row = _description("C steps back.", plan.duration_s + float(rng.uniform(0.6, 1.5)), plan.best_exo, key)
    return _as_strings(row) if annotator == 1 and plan.index % 2 else row


def _description(text: str, timestamp: float, camera: str | None, key: str) -> dict[str, Any]:
    return {
        "text": text,
        "timestamp": round(timestamp, 5),
        key: "C",
        "ego_visible": True,
        "best_exo": None if camera is None else {"raw_cam_id": str(int(camera[3:])), "cam_id": camera},
        "unsure": False,
    }


def _as_strings(row: dict[str, Any]) -> dict[str, Any]:
    """The flags as "0" and "1", as half of the real annotations have them."""
    return row | {name: "1" if row[name] else "0" for name in ("ego_visible", "unsure")}


def _annotation(
    spec: SimSpec, take_uid: str, annotator: int, rows: list[dict[str, Any]], reason: str | None = None
) -> dict[str, Any]:
    return {
        "annotation_uid": uid(spec.seed, "annotation", take_uid, annotator),
        "annotator_id": str(5284063695022975 + 825412001 * annotator),
        "rejected": reason is not None,
        "reject_reason": reason,
        "descriptions": rows,
    }
