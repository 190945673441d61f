"""All clips of one video, cut in one pass forward and encoded; in a process that can be killed where limits are set."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np

from exo2ego.data.frame_folder import decode_squares
from exo2ego.data.guard import MEMORY_LIMIT_BYTES, Guard
from exo2ego.data.video import Frame, sample_times, write_video
from exo2ego.errors import FormatError, InputError, VideoError

LENGTH_UNIT_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one video may take before its clips go to the quarantine."""

    time_limit_s: float = 600.0
    """For each ten minutes of video begun: up to real time, where decoding takes a twentieth of it."""
    memory_limit_bytes: int = MEMORY_LIMIT_BYTES

    def __post_init__(self) -> None:
        if not self.time_limit_s > 0 or self.memory_limit_bytes <= 0:
            raise FormatError(f"limits of {self.time_limit_s} s, {self.memory_limit_bytes} bytes; give more than 0")

    def guard(self) -> Guard:
        """The process in which videos are decoded; starts at once."""
        guard = Guard(time_limit_s=self.time_limit_s, memory_limit_bytes=self.memory_limit_bytes)
        guard.start()
        return guard

    def of_video(self, length_s: float) -> float:
        """Seconds that a video read up to `length_s` may take."""
        return self.time_limit_s * max(1.0, length_s / LENGTH_UNIT_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """One clip of a video."""

    start_s: float
    end_s: float
    fps: float
    """Of the stored clip."""


def guarded(limits: Limits | None) -> AbstractContextManager[Guard | None]:
    """A guard for the videos of one shard; none without limits."""
    return nullcontext() if limits is None else limits.guard()


def cut_video(
    guard: Guard | None, limits: Limits | None, path: str, cuts: Sequence[Cut], num_frames: int, size_px: int
) -> list[bytes | str]:
    """As `encode_clips`, within the limits: a video that hangs, crashes or floods the memory loses all its clips."""
    if guard is None or limits is None:
        return encode_clips(path, cuts, num_frames, size_px)
    time_limit_s = limits.of_video(max(cut.end_s for cut in cuts))
    try:
        return guard.call(encode_clips, path, cuts, num_frames, size_px, name=path, time_limit_s=time_limit_s)
    except VideoError as error:
        return [str(error)] * len(cuts)


def encode_clips(path: str, cuts: Sequence[Cut], num_frames: int, size_px: int) -> list[bytes | str]:
    """For each clip its mp4, or the reason why there is none. A clip's frames are dropped as soon as it is encoded."""
    times = np.concatenate([sample_times(cut.start_s, cut.end_s, num_frames) for cut in cuts])
    waiting: dict[int, list[Frame | None]] = {}
    failed: dict[int, str] = {}
    left = {number: num_frames for number in range(len(cuts))}
    done: dict[int, bytes | str] = {}
    try:
        for position, picture in decode_squares(path, times, size_px):
            number = position // num_frames
            left[number] -= 1
            if isinstance(picture, VideoError):
                failed.setdefault(number, str(picture))
            else:
                waiting.setdefault(number, [None] * num_frames)[position % num_frames] = picture
            if left[number] == 0:
                del left[number]
                frames = waiting.pop(number, [])
                done[number] = failed.get(number) or _encode(frames, cuts[number].fps)
    except InputError as error:
        # The file as a whole cannot be used: every clip that is not finished is lost with it, and says so.
        done |= dict.fromkeys(left, str(error))
    return [done[number] for number in range(len(cuts))]


def _encode(frames: Sequence[Frame | None], fps: float) -> bytes:
    return write_video(None, np.stack([frame for frame in frames if frame is not None]), fps)
