"""Shard directories, written: in parallel, resumable by shard, complete only when the manifest is there.

The first file written is `build.json`, the settings with a digest of everything to be stored; a directory with other
settings is refused. A killed build leaves finished shards with their parts, and `*.tmp` files; running it again removes
the latter and builds what is missing. Bytes do not depend on the number of workers or on interruptions.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from exo2ego.data.atomic import TMP_SUFFIX, held, make_folder, remove, remove_leftovers
from exo2ego.data.jsonfile import load_json, write_json
from exo2ego.data.pairs import FilterReport
from exo2ego.data.shard_clips import Limits
from exo2ego.data.shard_finish import finish
from exo2ego.data.shard_group import PARTS, ClipFormat, Group, is_built
from exo2ego.data.shard_local import run_here
from exo2ego.data.shard_plan import Planned, SpooledPlan, spool
from exo2ego.data.shards import EGO, LAYOUT_VERSION, MANIFEST, VIDEO, ShardSample, ShardSet, open_shards
from exo2ego.data.told import Progress
from exo2ego.errors import FormatError, OutputError
from exo2ego.records import Clip, Conversation

BUILD = "build.json"
LOCK = "build.lock"
SAMPLES_PER_SHARD = 32
"""A shard is closed at the first change of take from this on."""

PLAN = f"plan.jsonl{TMP_SUFFIX}"

Run = Callable[[Iterator[Group], int], Iterator[Group]]
"""Builds the groups given, so many of them, wherever; yields each when it is done."""


def plan_pairs(clips: Iterable[Clip], root: Path, clip_format: ClipFormat) -> Iterator[Planned]:
    """Pair samples: the ego clip and all exo clips of each narration."""
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
        yield Planned(sample=sample, videos=tuple((view, str(root / path)) for view, path in videos))


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
    planned: Iterable[Planned],
    clip_format: ClipFormat,
    *,
    settings: Mapping[str, Any],
    report: FilterReport | Mapping[str, Any],
    workers: int = 1,
    limits: Limits | None = None,
    run: Run | None = None,
    progress: Progress | None = None,
    samples_per_shard: int = SAMPLES_PER_SHARD,
) -> ShardSet:
    """Builds a shard directory, or finishes or opens one that was begun with the same settings and input.

    `planned` is read once and never held in memory. `settings` and `report` go to the manifest; `limits` of a video are
    not kept without (then it is decoded in the process itself); `run` builds the groups elsewhere than in `workers`
    processes of this machine. Raises OutputError for an unwritable place, one that holds
    something else, or another build in it at this moment; FormatError when there is nothing to store.
    """
    if clip_format.size_px % 2 or clip_format.size_px < 16:
        raise FormatError(f"clips of {clip_format.size_px} px cannot be stored; choose an even size from 16 on")
    items = iter(planned)
    first = next(items, None)
    if first is None:
        raise FormatError("there is nothing to store: every narration or conversation was left out (see the report)")
    make_folder(out)
    with held(out, LOCK):
        _refuse_foreign(out)
        remove_leftovers(out)
        try:
            plan = spool(out / PLAN, chain([first], items), samples_per_shard)
            _claim(out, plan, clip_format, settings, samples_per_shard)
            if not (out / MANIFEST).is_file():
                _build(out, plan, clip_format, limits, run or partial(run_here, workers=workers), progress)
                remove_leftovers(out)  # of workers that died
                finish(out, len(plan.counts), clip_format, settings, report)
            remove(out / PARTS)
        finally:
            remove(out / PLAN)
    return open_shards(out)


def _refuse_foreign(out: Path) -> None:
    """OutputError for a folder that holds something else than a build."""
    if not (out / BUILD).is_file():
        others = [path.name for path in out.iterdir() if path.name != LOCK and not path.name.endswith(TMP_SUFFIX)]
        if others:
            raise OutputError(f"{out}: not empty ('{sorted(others)[0]}') and no shard directory; choose another --out")


def _claim(out: Path, plan: SpooledPlan, clip_format: ClipFormat, settings: Mapping[str, Any], per_shard: int) -> None:
    """Makes `out` this build's, or finds that it is."""
    mine = {
        "version": LAYOUT_VERSION,
        "settings": dict(settings),
        "clips": asdict(clip_format),
        "samples_per_shard": per_shard,
        "input": plan.digest,
    }
    mine = json.loads(json.dumps(mine))
    if not (out / BUILD).is_file():
        write_json(out / BUILD, mine)
        return
    theirs = load_json(out / BUILD)
    if theirs != mine:
        changed = [name for name in mine if not isinstance(theirs, dict) or theirs.get(name) != mine[name]]
        raise OutputError(f"{out}: holds shards of another build ({', '.join(changed)} differ); choose another --out")


def _build(
    out: Path,
    plan: SpooledPlan,
    clip_format: ClipFormat,
    limits: Limits | None,
    run: Run,
    progress: Progress | None,
) -> None:
    """Builds the groups that are not there yet."""
    make_folder(out / PARTS)
    remove_leftovers(out / PARTS)
    todo = [number for number in range(len(plan.counts)) if not is_built(out, number)]
    show = progress or (lambda _done, _total: None)
    total = plan.total
    done = total - sum(plan.counts[number] for number in todo)
    show(done, total)
    groups = (
        Group(number=number, planned=plan.group(number), folder=out, clips=clip_format, limits=limits)
        for number in todo
    )
    for group in run(groups, len(todo)):
        done += len(group.planned)
        show(done, total)
