"""How long whole videos are: measured once, in killable processes, remembered in a file beside the shards.

Something-Something-V2 alone has 168,913 files whose length no annotation says; a build that is run again, or was killed
while it measured, measures none of them twice.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from exo2ego.data.frame_folder import probe_source
from exo2ego.data.guard_pool import GuardPool
from exo2ego.data.lines import LineLog
from exo2ego.data.sources.reading import BadRow
from exo2ego.data.told import Progress
from exo2ego.errors import InputError
from exo2ego.records import Conversation

TIME_LIMIT_S = 30.0
"""For one file; it is opened and one frame is decoded."""
BATCH = 256
"""Files measured between two writes to the disk."""


def with_durations(
    conversations: Sequence[Conversation],
    root: Path,
    memory: Path,
    *,
    workers: int = 1,
    progress: Progress | None = None,
) -> tuple[list[Conversation], list[BadRow]]:
    """Conversations with every end known, and those whose video cannot be measured.

    `memory` is a file of lines that this function keeps. Raises OutputError where it cannot be written.
    """
    paths = list(dict.fromkeys(c.video.path for c in conversations if c.video.end_s is None))
    if not paths:
        return list(conversations), []
    lengths = measured(paths, root, memory, workers=workers, progress=progress or (lambda _done, _total: None))
    good: list[Conversation] = []
    bad: list[BadRow] = []
    for number, conversation in enumerate(conversations):
        video = conversation.video
        length = lengths[video.path] if video.end_s is None else video.end_s
        if isinstance(length, str):
            bad.append(BadRow(row=number, reason=f"{conversation.conversation_id}: {length}"))
            continue
        start_s = 0.0 if video.start_s is None else video.start_s
        good.append(replace(conversation, video=replace(video, start_s=start_s, end_s=length)))
    return good, bad


def measured(
    paths: Sequence[str], root: Path, memory: Path, *, workers: int, progress: Progress
) -> dict[str, float | str]:
    """Path below `root` -> seconds, or why they are not known."""
    marks = {path: _mark(root / path) for path in paths}
    known = {path: length for path, mark, length in _remembered(memory) if marks.get(path) == mark}
    todo = [path for path in paths if path not in known]
    found: dict[str, float | str] = dict(known)
    progress(len(found), len(paths))
    if not todo:
        return found
    with LineLog(memory) as log, GuardPool(workers, time_limit_s=TIME_LIMIT_S) as guards:
        for batch in _batches(guards.over(partial(_measure, root, guards), todo)):
            found.update(batch)
            # What could not be read may be mended or downloaded by the next time: only lengths are remembered.
            lines = [{"path": p, "mark": marks[p], "duration_s": v} for p, v in batch if isinstance(v, float)]
            if lines:
                log.append_records(lines)
            progress(len(found), len(paths))
    return found


def _measure(root: Path, guards: GuardPool, path: str) -> tuple[str, float | str]:
    if not (root / path).exists():
        return path, f"{root / path}: no such file"
    try:
        return path, guards.call(probe_source, root / path).duration_s
    except InputError as error:
        return path, str(error)


def _batches(items: Iterable[tuple[str, float | str]]) -> Iterator[list[tuple[str, float | str]]]:
    batch: list[tuple[str, float | str]] = []
    for item in items:
        batch.append(item)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _mark(path: Path) -> str:
    """What changes when a file is replaced; of a folder, when a file is added to it."""
    try:
        status = path.stat()
    except OSError:
        return "absent"
    return f"{status.st_size}:{status.st_mtime_ns}"


def _remembered(memory: Path) -> Iterator[tuple[str, str, float]]:
    """Lines of an earlier run; a line that is none of ours is measured again."""
    if not memory.is_file():
        return
    with memory.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(row, dict) and isinstance(row.get("duration_s"), float):
                yield str(row.get("path")), str(row.get("mark")), row["duration_s"]
