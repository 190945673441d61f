"""Many videos looked at by `data check` at the same time, each at its own risk."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from exo2ego.data.guard_pool import GuardPool
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
    with GuardPool(workers, time_limit_s=asked.time_limit_s, memory_limit_bytes=asked.memory_limit_bytes) as guards:
        yield from guards.over(partial(_checked, root, guards, asked), jobs)


def _checked(root: Path, guards: GuardPool, asked: Asked, job: Job) -> Checked:
    facts: VideoFacts | None = None
    reason: str | None = None
    limit_s = asked.time_limit_s + (job.take_s if asked.full else 0.0)
    path = str(root / job.video)
    try:
        facts = guards.call(inspect_video, path, asked.full, time_limit_s=limit_s)
    except InputError as error:
        reason = str(error).removeprefix(f"{path}: ")  # the video is named beside it
    return Checked(
        video=job.video,
        size_bytes=job.size_bytes,
        mtime_ns=job.mtime_ns,
        asked=asked,
        facts=facts,
        reason=reason,
    )
