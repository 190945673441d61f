"""Simulate: plan the takes, render them in parallel, and write everything under one folder. Resumable by take."""

import dataclasses
import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from exo2ego.errors import OutputError
from exo2ego.sim import egoexo4d, instruct
from exo2ego.sim.bench_export import write_benches
from exo2ego.sim.encode import Encoder, write_bytes
from exo2ego.sim.pool import spread
from exo2ego.sim.render import Stage
from exo2ego.sim.scene import Scene, views
from exo2ego.sim.source_export import claim_facts, write_sources
from exo2ego.sim.spec import SimSpec, SimSummary
from exo2ego.sim.world import WORLD_VERSION, TakePlan, plan_takes

TREE = "ego_exo4d"
BATCH_TAKES = 4
"""Takes that a worker renders with one renderer before it reports."""

Progress = Callable[[str, int, int], None]
"""Told now and then: (what is being made, done, in all)."""
RENDERING, ASKING, CUTTING = "rendering takes", "writing benchmarks", "videos of sources"


def simulate(spec: SimSpec, progress: Progress | None = None) -> SimSummary:
    """Write the world of `spec` under `spec.out`; takes that are there already are kept.

    Args:
        spec: what to simulate.
        progress: called with `RENDERING` and takes, then `ASKING` and folders of `bench/`, then, where
            `spec.sources` names any, `CUTTING` and media files.

    Raises:
        OutputError: the folder holds the world of another spec, or cannot be written.
        EnvironmentUnfitError: no off-screen OpenGL.
    """
    began = time.monotonic()
    plans = plan_takes(spec)
    try:
        _claim(spec)
        claim_facts(spec)
        missing = [plan for plan in plans if not _take_dir(spec, plan).is_dir()]
        told = progress or (lambda what, done, total: None)
        _render_all(spec, missing, len(plans), partial(told, RENDERING))
        _write_texts(spec, plans, partial(told, ASKING))
        source_files = write_sources(spec, plans, spec.out / TREE, partial(told, CUTTING))
    except OSError as error:
        raise OutputError(
            f"cannot write {error.filename or spec.out}: {error.strerror}; free space or choose another --out"
        ) from error
    return SimSummary(
        out=spec.out,
        takes=len(plans),
        events=sum(len(plan.events) for plan in plans),
        videos=sum(1 + len(plan.cameras) for plan in plans),
        frames=sum(plan.frames * (1 + len(plan.cameras)) for plan in plans),
        rendered_frames=sum(plan.frames * (1 + len(plan.cameras)) for plan in missing),
        seconds_s=time.monotonic() - began,
        splits=dict(Counter(plan.split for plan in plans)),
        source_files=source_files,
    )


def _claim(spec: SimSpec) -> None:
    """Note the spec in the folder; refuse a folder that holds another world.

    Sources change nothing else of a world and may be added to it later; `source_export` notes what they tell.
    """
    content = dataclasses.asdict(spec)
    for name in ("out", "workers", "sources", "source_facts"):
        del content[name]
    content["world_version"] = WORLD_VERSION
    text = json.dumps(content, indent=1) + "\n"
    note = spec.out / "sim.json"
    if note.exists():
        if note.read_text() != text:
            raise OutputError(
                f"{note} names other settings than asked for; use another --out or the same settings to resume"
            )
        return
    if spec.out.exists() and any(spec.out.iterdir()):
        raise OutputError(f"{spec.out} is not empty and holds no simulated world; use another --out")
    write_bytes(note, text.encode())


def _take_dir(spec: SimSpec, plan: TakePlan) -> Path:
    return spec.out / TREE / "takes" / plan.take_name


def _render_all(spec: SimSpec, plans: list[TakePlan], total: int, progress: Callable[[int, int], None]) -> None:
    done = total - len(plans)
    progress(done, total)
    for number in _rendered(spec, plans):
        done += number
        progress(done, total)


def _rendered(spec: SimSpec, plans: list[TakePlan]) -> Iterator[int]:
    """Render all; yields how many takes each finished batch had."""
    size = max(1, min(BATCH_TAKES, len(plans) // spec.workers))
    batches = [(spec, plans[at : at + size]) for at in range(0, len(plans), size)]
    yield from spread(render_batch, batches, workers=spec.workers, broken=f"{spec.out}: a rendering")


def render_batch(spec: SimSpec, plans: list[TakePlan]) -> int:
    """Render a few takes with one renderer; each take's folder appears when complete."""
    with Stage(spec.size_px, Scene.SHAPES) as stage:
        for plan in plans:
            _render_take(spec, plan, stage)
    return len(plans)


def _render_take(spec: SimSpec, plan: TakePlan, stage: Stage) -> None:
    scene = Scene(plan)
    stage.dress(scene.types, scene.rgba, np.array(plan.sun), plan.brightness)
    names = [egoexo4d.EGO_FILE, *(egoexo4d.exo_file(camera.cam_id) for camera in plan.cameras)]
    encoders = [Encoder(spec.size_px, spec.fps) for _ in names]
    for frame in range(plan.frames):
        t_s = frame / spec.fps
        stage.pose(*scene.pose(t_s))
        for encoder, view in zip(encoders, views(plan, t_s), strict=True):
            encoder.add(stage.shoot(*view))
    target = _take_dir(spec, plan)
    aside = target.with_name(f".{target.name}.{os.getpid()}.part")
    for name, encoder in zip(names, encoders, strict=True):
        write_bytes(aside / name, encoder.finish())
    try:
        os.rename(aside, target)
    except FileExistsError:
        shutil.rmtree(aside)


def _write_texts(spec: SimSpec, plans: list[TakePlan], progress: Callable[[int, int], None]) -> None:
    tree = spec.out / TREE
    for left in (tree / "takes").glob(".*.part"):
        shutil.rmtree(left)
    for name, text in egoexo4d.files(spec, plans).items():
        write_bytes(tree / name, text.encode())
    for view, entries in (("exo", instruct.exo_entries(plans)), ("ego", instruct.ego_entries(plans))):
        write_bytes(spec.out / "instruct" / f"{view}.json", (json.dumps(entries, indent=0) + "\n").encode())
    write_benches(spec, plans, tree, progress)
    write_bytes(spec.out / "truth.jsonl", truth(plans).encode())


def truth(plans: list[TakePlan]) -> str:
    """The event list, one JSON object a line."""
    lines = []
    for plan in plans:
        facts = {"take_name": plan.take_name, "split": plan.split, "scenario": plan.scenario, "room": plan.room}
        for event in plan.events:
            lines.append(
                json.dumps(
                    {"event_id": event.event_id, **facts, **dataclasses.asdict(event), "middle_s": event.middle_s}
                )
            )
    return "\n".join(lines) + "\n"
