"""The benchmark folders of the simulated world (test takes only), in the real files' forms."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from exo2ego.sim import bench_charades, bench_egoplan, bench_egotaskqa, bench_qaego4d, bench_vln
from exo2ego.sim.bench_files import (
    INFO_COLUMNS,
    INFO_FILE,
    Pair,
    bench_pairs,
    copy_video,
    epic_file,
    epic_id,
    info,
    video_of,
    write_csv,
    write_json,
)
from exo2ego.sim.bench_questions import BenchQuestion, choose
from exo2ego.sim.encode import cut, write_bytes
from exo2ego.sim.instruct import span
from exo2ego.sim.narrate import text_of
from exo2ego.sim.spec import KINDS, VERBS, SimSpec
from exo2ego.sim.world import Event, TakePlan, uid

_TOLD = {"facet": "action", "told": "told"}


def write_benches(
    spec: SimSpec, plans: list[TakePlan], tree: Path, progress: Callable[[int, int], None] | None = None
) -> None:
    """Write the folders `spec.benches` of `bench/` from the takes under `tree`; videos that are there are kept.

    `progress` is called with (folders done, in all).
    A benchmark that this world has nothing to ask for gets no folder, as readers refuse an empty one.
    """
    pairs, questions = bench_pairs(plans), choose(spec, plans)
    writers: dict[str, Callable[[Path], None]] = {
        "egomcq": partial(_egomcq, spec, pairs, tree),
        "egoschema": partial(_egoschema, spec, questions, tree, True),
        "egoschema_exo": partial(_egoschema, spec, questions, tree, False),
        "epic_mir": partial(_epic_mir, spec, pairs, tree),
        "qaego4d": partial(bench_qaego4d.write, spec, plans, tree),
        "egotaskqa": partial(bench_egotaskqa.write, spec, plans, tree),
        "charades_ego": partial(bench_charades.write, spec, plans, tree),
        "egoplan": partial(bench_egoplan.write, spec, plans, tree),
        "vln_qa": partial(bench_vln.write, spec),
    }
    for done, name in enumerate(spec.benches):
        if progress:
            progress(done, len(spec.benches))
        writers[name](spec.out / "bench" / name)
    if progress:
        progress(len(spec.benches), len(spec.benches))


# EgoMCQ ---------------------------------------------------------------------------------------------------------------


def egomcq(spec: SimSpec, pairs: list[Pair]) -> dict[str, Any]:
    """The content of `egomcq.json`: half inter-video (type 1), half intra-video (type 2), each with one right clip."""
    rng = np.random.default_rng([spec.seed, 5])
    rows: list[dict[str, Any]] = []
    for kind in (1, 2):
        wanted = spec.egomcq_questions // 2 + (spec.egomcq_questions % 2 if kind == 1 else 0)
        queried: set[str] = set()
        # A draw that has no five clips, or whose query was asked, is given up: so many draws find what there is.
        for _ in range(4 * len(pairs)):
            clips = _five_clips(rng, pairs, intra=kind == 2) if wanted else None
            if clips is not None and clips[0][1].event_id not in queried:
                queried.add(clips[0][1].event_id)
                rows.append(_mcq_row(rng, clips, kind))
                wanted -= 1
    return {str(number): row for number, row in enumerate(rows)}


def _five_clips(rng: np.random.Generator, pairs: list[Pair], *, intra: bool) -> list[Pair] | None:
    """Five clips with five narrations, of one take or of five, in an order drawn by lot; the first is asked for."""
    found: list[Pair] = []
    texts: set[str] = set()
    takes: set[str] = set()
    for number in rng.permutation(len(pairs)):
        plan, event = pairs[number]
        fits = not found or (plan.take_uid == found[0][0].take_uid if intra else plan.take_uid not in takes)
        if fits and text_of(event) not in texts:
            found.append((plan, event))
            texts.add(text_of(event))
            takes.add(plan.take_uid)
            if len(found) == 5:
                return [found[place] for place in rng.permutation(5)]
    return None


def _mcq_row(rng: np.random.Generator, clips: list[Pair], kind: int) -> dict[str, Any]:
    order = [int(number) for number in rng.permutation(5)]
    choices = {str(place): _mcq_clip(*clips[number]) for place, number in enumerate(order)}
    return {"answer": order.index(0), "query": _mcq_clip(*clips[0]), "choices": choices, "types": kind}


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
    if not rows:
        return
    write_json(root / "egomcq.json", rows)
    write_json(root / "groups.json", {name: _TOLD for name in rows})
    for plan in {plan.take_uid: plan for plan, _ in pairs}.values():
        copy_video(video_of(tree, plan), root / "videos" / f"{plan.take_uid}.mp4")


# EgoSchema ------------------------------------------------------------------------------------------------------------


def _egoschema(spec: SimSpec, questions: list[BenchQuestion], tree: Path, ego: bool, root: Path) -> None:
    if not questions:
        return
    rows, windows = [], {}
    for one in questions:
        drive = uid(spec.seed, "drive", one.q_uid).replace("-", "")
        options = {f"option {number}": text for number, text in enumerate(one.options)}
        rows.append({"q_uid": one.q_uid, "google_drive_id": drive, "question": one.question, **options})
        start_s, end_s = span(one.plan, one.event)
        windows[one.q_uid] = {"video_uid": one.plan.take_uid, "starting_sec": start_s, "ending_sec": end_s}
    write_json(root / "questions.json", rows)
    write_json(root / "subset_answers.json", {one.q_uid: one.answer for one in questions})
    write_json(root / "uid_to_ego4d.json", windows)
    write_json(root / "groups.json", {one.q_uid: one.labels for one in questions})
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


def mir_rows(spec: SimSpec, pairs: list[Pair]) -> list[dict[str, Any]]:
    """Rows of `EPIC_100_retrieval_test.csv`, whole takes after each other until there are enough clips."""
    rows = []
    for plan, event in pairs[: spec.mir_clips]:
        start_s, stop_s = span(plan, event)
        verb, noun = VERBS[event.verb], event.kind
        values = (
            f"{epic_id(plan)}_{event.index}",
            epic_id(plan).split("_")[0],
            epic_id(plan),
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


def _epic_mir(spec: SimSpec, pairs: list[Pair], tree: Path, root: Path) -> None:
    rows = mir_rows(spec, pairs)
    if not rows:
        return
    first: dict[str, dict[str, Any]] = {}
    for row in rows:
        first.setdefault(row["narration"], {"narration_id": row["narration_id"], "narration": row["narration"]})
    write_csv(root / "EPIC_100_retrieval_test.csv", _CLIP_COLUMNS, rows)
    write_csv(root / "EPIC_100_retrieval_test_sentence.csv", ("narration_id", "narration"), list(first.values()))
    write_json(root / "groups.json", {row["narration_id"]: _TOLD for row in rows})
    shown = list({plan.take_uid: plan for plan, _ in pairs[: spec.mir_clips]}.values())
    for plan in shown:
        copy_video(video_of(tree, plan), root / "videos" / epic_file(plan))
    write_csv(root / INFO_FILE, INFO_COLUMNS, [info(spec, plan) for plan in shown])
