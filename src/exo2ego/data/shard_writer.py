"""Shard directories, written: in parallel, resumable by shard, complete only when the manifest is there.

The first file written is `build.json`, the settings with a digest of everything to be stored; a directory with other
settings is refused. A killed build leaves finished shards and `*.tmp` files; running it again removes the latter and
builds what is missing. Bytes do not depend on the number of workers or on interruptions.
"""

import json
import os
import signal
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict
from hashlib import sha256
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for_input
from pathlib import Path
from typing import Any

from exo2ego.data.atomic import TMP_SUFFIX, held, make_folder, remove_leftovers, write_atomic
from exo2ego.data.jsonfile import load_json, write_json
from exo2ego.data.pairs import FilterReport
from exo2ego.data.shard_group import PARTS, ClipFormat, Group, Planned, build_group
from exo2ego.data.shards import (
    EGO,
    INDEX,
    LAYOUT_VERSION,
    MANIFEST,
    QUARANTINE,
    VIDEO,
    ShardSample,
    ShardSet,
    open_shards,
    sha256_of,
)
from exo2ego.errors import FormatError, OutputError
from exo2ego.records import Clip, Conversation

BUILD = "build.json"
LOCK = "build.lock"
SAMPLES_PER_SHARD = 32
"""A shard is closed at the first change of take from this on."""

Progress = Callable[[int, int], None]
"""Called with (samples done, samples in all)."""


def plan_pairs(clips: Iterable[Clip], root: Path, clip_format: ClipFormat) -> list[Planned]:
    """Pair samples: the ego clip and all exo clips of each narration."""
    planned = []
    for clip in clips:
        videos = ((EGO, clip.ego.path), *((stream.cam_id, stream.path) for stream in clip.exos))
        sample = ShardSample(
            key=clip.clip_id,
            split=clip.split,
            take_uid=clip.take_uid,
            scenario=clip.scenario,
            text=clip.text,
            start_s=clip.start_s,
            end_s=clip.end_s,
            fps=clip_format.num_frames / (clip.end_s - clip.start_s),
            views=tuple(view for view, _ in videos),
            best_exo=clip.best_exo,
            source="ego_exo4d",
        )
        planned.append(Planned(sample=sample, videos=tuple((view, str(root / path)) for view, path in videos)))
    return planned


def plan_instructions(
    spans: Mapping[tuple[str, float, float], Sequence[Conversation]], root: Path, source: str, clip_format: ClipFormat
) -> list[Planned]:
    """Instruction samples: one per span of a video, with all conversations about it. Split: `train`."""
    planned = []
    for number, ((video, start_s, end_s), conversations) in enumerate(sorted(spans.items())):
        parts = Path(video).parts
        take = parts[parts.index("takes") + 1] if "takes" in parts[:-2] else video
        sample = ShardSample(
            key=f"span-{number:07d}",
            split="train",
            take_uid=take,
            scenario="",
            text="",
            start_s=start_s,
            end_s=end_s,
            fps=clip_format.num_frames / (end_s - start_s),
            views=(VIDEO,),
            best_exo=None,
            conversations=tuple(conversation.turns for conversation in conversations),
            source=source,
        )
        planned.append(Planned(sample=sample, videos=((VIDEO, str(root / video)),)))
    return planned


def build_shards(
    out: Path,
    planned: Sequence[Planned],
    clip_format: ClipFormat,
    *,
    settings: Mapping[str, Any],
    report: FilterReport | Mapping[str, Any],
    workers: int = 1,
    progress: Progress | None = None,
    samples_per_shard: int = SAMPLES_PER_SHARD,
) -> ShardSet:
    """Builds a shard directory, or finishes or opens one that was begun with the same settings and input.

    `settings` and `report` go to the manifest. Raises OutputError for an unwritable place, one that holds something
    else, or another build in it at this moment; FormatError when there is nothing to store.
    """
    if clip_format.size_px % 2 or clip_format.size_px < 16:
        raise FormatError(f"clips of {clip_format.size_px} px cannot be stored; choose an even size from 16 on")
    if not planned:
        raise FormatError("there is nothing to store: every narration or conversation was left out (see the report)")
    make_folder(out)
    with held(out, LOCK):
        _claim(out, planned, clip_format, settings, samples_per_shard)
        if not (out / MANIFEST).is_file():
            make_folder(out / PARTS)
            groups = _groups(out, planned, clip_format, samples_per_shard)
            todo = [group for group in groups if not _is_done(group)]
            done = len(planned) - sum(len(group.planned) for group in todo)
            _run(todo, workers, done, len(planned), progress or (lambda _done, _total: None))
            _finish(out, groups, clip_format, settings, report)
    return open_shards(out)


def _claim(
    out: Path, planned: Sequence[Planned], clip_format: ClipFormat, settings: Mapping[str, Any], per_shard: int
) -> None:
    """Makes `out` this build's, or finds that it is; removes leftovers of a killed one."""
    digest = sha256()
    for item in planned:
        digest.update(json.dumps(asdict(item), sort_keys=True).encode())
    mine = {
        "version": LAYOUT_VERSION,
        "settings": dict(settings),
        "clips": asdict(clip_format),
        "samples_per_shard": per_shard,
        "input": digest.hexdigest(),
    }
    mine = json.loads(json.dumps(mine))
    if (out / BUILD).is_file():
        theirs = load_json(out / BUILD)
        if theirs != mine:
            changed = [name for name in mine if not isinstance(theirs, dict) or theirs.get(name) != mine[name]]
            raise OutputError(
                f"{out}: holds shards of another build ({', '.join(changed)} differ); choose another --out"
            )
    else:
        others = [path.name for path in out.iterdir() if path.name != LOCK and not path.name.endswith(TMP_SUFFIX)]
        if others:
            raise OutputError(f"{out}: not empty ('{sorted(others)[0]}') and no shard directory; choose another --out")
        write_json(out / BUILD, mine)
    for folder in (out, out / PARTS):
        remove_leftovers(folder)


def _groups(out: Path, planned: Sequence[Planned], clip_format: ClipFormat, per_shard: int) -> list[Group]:
    """Consecutive samples of whole takes, so that no video is decoded for two shards."""
    batches: list[list[Planned]] = [[]]
    for item in planned:
        last = batches[-1]
        if last and len(last) >= per_shard and last[-1].sample.take_uid != item.sample.take_uid:
            batches.append([])
        batches[-1].append(item)
    return [
        Group(name=f"shard-{number:05d}", planned=tuple(batch), folder=out, clips=clip_format)
        for number, batch in enumerate(batches)
    ]


def _is_done(group: Group) -> bool:
    return (group.folder / PARTS / f"{group.name}.json").is_file() and (group.folder / f"{group.name}.tar").is_file()


def _run(todo: Sequence[Group], workers: int, done: int, total: int, progress: Progress) -> None:
    progress(done, total)
    if workers <= 1 or len(todo) <= 1:
        for group in todo:
            build_group(group)
            done += len(group.planned)
            progress(done, total)
        return
    # Not forked: the caller may hold threads (progress display, torch) that would not survive.
    context = get_context("spawn")
    lifeline, held = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(
        min(workers, len(todo)), mp_context=context, initializer=_leave_with_parent, initargs=(lifeline,)
    )
    running: dict[Future[int], Group] = {pool.submit(build_group, group): group for group in todo}
    try:
        while running:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                future.result()
                done += len(running.pop(future).planned)
                progress(done, total)
    except BrokenProcessPool:
        message = f"{todo[0].folder}: a worker was killed (out of memory?); run again, with fewer --workers"
        raise OutputError(message) from None
    finally:
        if running:
            held.close()  # after Ctrl-C or an error: what is half done is thrown away
        pool.shutdown(wait=True, cancel_futures=True)
        held.close()
        lifeline.close()


def _leave_with_parent(lifeline: Connection) -> None:
    """Initializer of a worker: Ctrl-C is the parent's business; a parent that stops or dies takes the worker along.

    The parent holds the only other end of the pipe, which ends with it, however it ends. No lock is shared: one held by
    a killed process would never be released.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        wait_for_input([lifeline])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _finish(
    out: Path,
    groups: Sequence[Group],
    clip_format: ClipFormat,
    settings: Mapping[str, Any],
    report: FilterReport | Mapping[str, Any],
) -> None:
    """Index, quarantine, and last of all the manifest."""
    parts = [load_json(out / PARTS / f"{group.name}.json") for group in groups]
    rows = [row for part in parts for row in part["samples"]]
    quarantine = [entry for part in parts for entry in part["quarantine"]]
    write_json(out / INDEX, {"samples": rows}, indent=None)
    lines = [json.dumps(entry, ensure_ascii=False) + "\n" for entry in quarantine]
    write_atomic(out / QUARANTINE, "".join(lines).encode())
    files = {name: sha256_of(out / name) for name in (INDEX, QUARANTINE)}
    files |= {part["shard"]: part["sha256"] for part in parts}
    manifest = {
        "version": LAYOUT_VERSION,
        "settings": dict(settings),
        "clips": asdict(clip_format),
        "counts": {
            "samples": len(rows),
            "clips": sum(len(row["sample"]["views"]) for row in rows),
            "quarantined": len(quarantine),
            "shards": len(parts),
        },
        "report": asdict(report) if isinstance(report, FilterReport) else dict(report),
        "files": files,
    }
    write_json(out / MANIFEST, manifest)
