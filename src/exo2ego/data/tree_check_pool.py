"""Many videos looked at by several threads, each with a guarded process of its own that a bad file can cost."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from exo2ego.data.guard import Guard
from exo2ego.data.tree_check_log import Asked, Checked
from exo2ego.data.tree_check_video import VideoFacts, inspect_video
from exo2ego.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A video to be looked at."""

    video: str
    """Relative to the root."""
    size_bytes: int
    mtime_ns: int
    take_s: float
    """Length of its take."""


def look_at(root: Path, jobs: Sequence[Job], asked: Asked, workers: int) -> Iterator[Checked]:
    """Outcomes in the order in which they come. A file that hangs, crashes or floods the decoder is an outcome too.

    Raises EnvironmentUnfitError when no decoding process can be started. Closing the iterator stops all work.
    """
    if not jobs:
        return
    count = min(workers, len(jobs))
    guards = [Guard(time_limit_s=asked.time_limit_s, memory_limit_bytes=asked.memory_limit_bytes) for _ in range(count)]
    free: SimpleQueue[Guard] = SimpleQueue()
    for guard in guards:
        free.put(guard)
    pool = ThreadPoolExecutor(count)
    try:
        for future in as_completed([pool.submit(_checked, root, free, job, asked) for job in jobs]):
            yield future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for guard in guards:
            guard.close()  # ends what is still being looked at
        pool.shutdown(wait=True)
        for guard in guards:
            guard.close()


def _checked(root: Path, free: "SimpleQueue[Guard]", job: Job, asked: Asked) -> Checked:
    guard = free.get()
    facts: VideoFacts | None = None
    reason: str | None = None
    limit_s = asked.time_limit_s + (job.take_s if asked.full else 0.0)
    path = str(root / job.video)
    try:
        facts = guard.call(inspect_video, path, asked.full, time_limit_s=limit_s)
    except InputError as error:
        reason = str(error).removeprefix(f"{path}: ")  # the video is named beside it
    finally:
        free.put(guard)
    return Checked(
        video=job.video,
        size_bytes=job.size_bytes,
        mtime_ns=job.mtime_ns,
        asked=asked,
        facts=facts,
        reason=reason,
    )
