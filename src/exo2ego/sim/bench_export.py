"""The benchmark folders of the simulated world (test takes only), in the real files' forms."""

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from exo2ego.sim.bench_questions import BenchQuestion, choose
from exo2ego.sim.egoexo4d import EGO_FILE, exo_file
from exo2ego.sim.encode import cut, write_bytes
from exo2ego.sim.instruct import span
from exo2ego.sim.narrate import text_of
from exo2ego.sim.spec import KINDS, VERBS, SimSpec
from exo2ego.sim.world import Event, TakePlan, uid

Pair = tuple[TakePlan, Event]
_TOLD = {"facet": "action", "told": "told"}


def write_benches(spec: SimSpec, plans: list[TakePlan], tree: Path) -> None:
    """Write `bench/` from the rendered takes under `tree`; videos that are there already are kept."""
    root = spec.out / "bench"
    pairs = [(plan, event) for plan in plans if plan.split == "test" for event in plan.events]
    _egomcq(spec, pairs, tree, root / "egomcq")
    questions = choose(spec, plans)
    for folder, ego in (("egoschema", True), ("egoschema_exo", False)):
        _egoschema(spec, questions, tree, root / folder, ego=ego)
    _epic_mir(spec, pairs, tree, root / "epic_mir")


def _json(path: Path, content: Any) -> None:
    write_bytes(path, (json.dumps(content, indent=1) + "\n").encode())


def _copy(source: Path, target: Path) -> None:
    if not target.exists():
        write_bytes(target, source.read_bytes())


def video_of(tree: Path, plan: TakePlan, *, ego: bool = True) -> Path:
    """A take's ego video, or that of its best fixed camera."""
    return tree / "takes" / plan.take_name / (EGO_FILE if ego else exo_file(plan.best_exo))


# EgoMCQ ---------------------------------------------------------------------------------------------------------------


def egomcq(spec: SimSpec, pairs: list[Pair]) -> dict[str, Any]:
    """The content of `egomcq.json`: half inter-video (type 1), half intra-video (type 2), each with one right clip."""
    rng = np.random.default_rng([spec.seed, 5])
    rows: list[dict[str, Any]] = []
    for kind in (1, 2):
        wanted = spec.egomcq_questions // 2 + (spec.egomcq_questions % 2 if kind == 1 else 0)
        order = rng.permutation(len(pairs))
        for number in order:
            if wanted == 0:
                break
            wrong = _wrong_clips(rng, pairs, pairs[number], intra=kind == 2)
            if wrong is not None:
                rows.append(_mcq_row(rng, pairs[number], wrong, kind))
                wanted -= 1
    return {str(number): row for number, row in enumerate(rows)}


def _wrong_clips(rng: np.random.Generator, pairs: list[Pair], right: Pair, *, intra: bool) -> list[Pair] | None:
    """Four clips that the narration does not fit: of the same take, or each of another take (also of each other)."""
    plan, event = right
    found: list[Pair] = []
    takes = {plan.take_uid}
    for number in rng.permutation(len(pairs)):
        other_plan, other = pairs[number]
        if (other.verb, other.kind) == (event.verb, event.kind):
            continue
        if intra == (other.take_uid == plan.take_uid) and (intra or other.take_uid not in takes):
            found.append((other_plan, other))
            takes.add(other.take_uid)
            if len(found) == 4:
                return found
    return None


def _mcq_row(rng: np.random.Generator, right: Pair, wrong: list[Pair], kind: int) -> dict[str, Any]:
    clips = [right, *wrong]
    order = [int(number) for number in rng.permutation(5)]
    choices = {str(place): _mcq_clip(*clips[number]) for place, number in enumerate(order)}
    return {"answer": order.index(0), "query": _mcq_clip(*right), "choices": choices, "types": kind}


def _mcq_clip(plan: TakePlan, event: Event) -> dict[str, Any]:
    start_s, end_s = span(plan, event)
    return {
        "video_uid": plan.take_uid,
        "video_dur": plan.duration_s,
        "narration_source": "narration_pass_1",
        "narration_ind": event.index,
        "narration_time": round(event.middle_s, 4),
        "clip_start": start_s,
        "clip_end": end_s,
        "clip_text": f"#C {text_of(event).rstrip('.')}",
        "tag_verb": str([list(VERBS).index(event.verb)]),
        "tag_noun": str([KINDS.index(event.kind)]),
    }


def _egomcq(spec: SimSpec, pairs: list[Pair], tree: Path, root: Path) -> None:
    rows = egomcq(spec, pairs)
    _json(root / "egomcq.json", rows)
    _json(root / "groups.json", {name: _TOLD for name in rows})
    for plan in {plan.take_uid: plan for plan, _ in pairs}.values():
        _copy(video_of(tree, plan), root / "videos" / f"{plan.take_uid}.mp4")


# EgoSchema ------------------------------------------------------------------------------------------------------------


def _egoschema(spec: SimSpec, questions: list[BenchQuestion], tree: Path, root: Path, *, ego: bool) -> None:
    rows, windows = [], {}
    for one in questions:
        drive = uid(spec.seed, "drive", one.q_uid).replace("-", "")
        options = {f"option {number}": text for number, text in enumerate(one.options)}
        rows.append({"q_uid": one.q_uid, "google_drive_id": drive, "question": one.question, **options})
        start_s, end_s = span(one.plan, one.event)
        windows[one.q_uid] = {"video_uid": one.plan.take_uid, "starting_sec": start_s, "ending_sec": end_s}
    _json(root / "questions.json", rows)
    _json(root / "subset_answers.json", {one.q_uid: one.answer for one in questions})
    _json(root / "uid_to_ego4d.json", windows)
    _json(root / "groups.json", {one.q_uid: one.labels for one in questions})
    by_take: dict[str, list[BenchQuestion]] = {}
    for one in questions:
        if not (root / "videos" / f"{one.q_uid}.mp4").exists():
            by_take.setdefault(one.plan.take_uid, []).append(one)
    for group in by_take.values():
        source = video_of(tree, group[0].plan, ego=ego)
        clips = cut(source, [span(one.plan, one.event) for one in group], spec.fps)
        for one, clip in zip(group, clips, strict=True):
            write_bytes(root / "videos" / f"{one.q_uid}.mp4", clip)


# EPIC-KITCHENS-100 multi-instance retrieval ---------------------------------------------------------------------------

_CLIP_COLUMNS = (
    *("narration_id", "participant_id", "video_id", "narration_timestamp", "start_timestamp", "stop_timestamp"),
    *("start_frame", "stop_frame", "narration", "verb", "verb_class", "noun", "noun_class"),
    *("all_nouns", "all_noun_classes"),
)


def _stamp(seconds: float, digits: int = 2) -> str:
    """HH:MM:SS.ss"""
    ticks = round(seconds * 10**digits)
    whole, part = divmod(ticks, 10**digits)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{part:0{digits}d}"


def video_id(plan: TakePlan) -> str:
    """An EPIC-KITCHENS-like id: who, and a number of the recording."""
    return f"P{plan.actor.participant:02d}_{plan.index + 1:02d}"


def mir_rows(spec: SimSpec, pairs: list[Pair]) -> list[dict[str, Any]]:
    """Rows of `EPIC_100_retrieval_test.csv`, whole takes after each other until there are enough clips."""
    rows = []
    for plan, event in pairs[: spec.mir_clips]:
        start_s, stop_s = span(plan, event)
        verb, noun = VERBS[event.verb], event.kind
        values = (
            f"{video_id(plan)}_{event.index}",
            video_id(plan).split("_")[0],
            video_id(plan),
            _stamp(event.middle_s, 3),
            _stamp(start_s),
            _stamp(stop_s),
            int(start_s * spec.fps) + 1,
            int(stop_s * spec.fps) + 1,
            f"{verb} {noun}",
            verb,
            list(VERBS).index(event.verb),
            noun,
            KINDS.index(noun),
            str([noun]),
            str([KINDS.index(noun)]),
        )
        rows.append(dict(zip(_CLIP_COLUMNS, values, strict=True)))
    return rows


def _csv(path: Path, columns: Iterable[str], rows: list[dict[str, Any]]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_bytes(path, text.getvalue().encode())


def _epic_mir(spec: SimSpec, pairs: list[Pair], tree: Path, root: Path) -> None:
    rows = mir_rows(spec, pairs)
    first: dict[str, dict[str, Any]] = {}
    for row in rows:
        first.setdefault(row["narration"], {"narration_id": row["narration_id"], "narration": row["narration"]})
    _csv(root / "EPIC_100_retrieval_test.csv", _CLIP_COLUMNS, rows)
    _csv(root / "EPIC_100_retrieval_test_sentence.csv", ("narration_id", "narration"), list(first.values()))
    _json(root / "groups.json", {row["narration_id"]: _TOLD for row in rows})
    videos = []
    for plan in {plan.take_uid: plan for plan, _ in pairs[: spec.mir_clips]}.values():
        name = video_id(plan)
        size = f"{spec.size_px}x{spec.size_px}"
        videos.append({"video_id": name, "duration": f"{plan.duration_s:.6f}", "fps": spec.fps, "resolution": size})
        _copy(video_of(tree, plan), root / "videos" / name.split("_")[0] / f"{name}.MP4")
    _csv(root / "EPIC_100_video_info.csv", ("video_id", "duration", "fps", "resolution"), videos)
