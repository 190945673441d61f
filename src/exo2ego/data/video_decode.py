"""Frames of an open video at asked times: exact after every seek, and what damage touches is named, not shown.

After a seek, decoding begins at a packet marked as a key, and what is displayed before that frame is dropped: it refers
to frames that were not decoded. After damage, frames count again from the next key frame on.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import av
import numpy as np
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from exo2ego.data import video_rules as rules
from exo2ego.data.video_open import ADVICE, Opened, packets_of, rewind
from exo2ego.data.video_picture import Frame, naming
from exo2ego.errors import VideoError

_STEPS_BACK_S = (0.0, 2.0, 10.0, 60.0)
_CAREFUL = {"h264", "hevc"}
"""Their decoders show nothing before the first frame that can be decoded whole."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A decoded frame in the order of display."""

    time_s: float
    frame: VideoFrame
    is_intact: bool
    follows_loss: bool
    """Something between the frame before and this one could not be decoded."""


def decode_times(
    video: Opened,
    times_s: NDArray[np.float64],
    tolerance_s: float | None,
    convert: Callable[[VideoFrame], Frame],
) -> Iterator[tuple[int, Frame | VideoError]]:
    """Yields (position in `times_s`, picture or reason), one pass forward for each run of times near each other."""
    order = np.argsort(times_s, kind="stable")
    # Without display times, a frame is known by its count from the start only.
    runs = [order] if video.is_counted else np.split(order, _worth_a_seek(video, times_s[order]))
    for run in runs:
        if run.size:
            yield from _decode_run(video, [(int(i), float(times_s[i])) for i in run], tolerance_s, convert)


def _worth_a_seek(video: Opened, ordered_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """int64[n]: positions of ordered times that are reached sooner by a seek than by decoding on from the one before.

    By the container's index: where the last key frame before a time lies well behind the time before it. A seek to a
    key frame before that would decode frames again. Without an index, by the distance alone.
    """
    gaps_s = np.diff(ordered_s)
    keys_s = _key_frames_s(video) if bool((gaps_s > rules.SKIP_S).any()) else np.zeros(0)
    if not keys_s.size:
        return np.flatnonzero(gaps_s > rules.RESEEK_S) + 1
    last = np.searchsorted(keys_s, ordered_s[1:] - 2 / video.fps, side="right") - 1
    gained_s = np.where(last >= 0, keys_s[last], -np.inf) - ordered_s[:-1]
    return np.flatnonzero(gained_s > rules.SKIP_S) + 1


def _key_frames_s(video: Opened) -> NDArray[np.float64]:
    """float64[n]: times of the key frames that the container's index names, in order."""
    stamps = [entry.timestamp for entry in video.stream.index_entries if entry.is_keyframe]
    times: NDArray[np.float64] = np.sort(np.array(stamps, dtype=np.float64)) * float(video.base_s) - video.start_s
    return times


def shown_from(video: Opened, time_s: float) -> Iterator[Shown]:
    """Frames from the last one at or before a time on; from the first one there is where none is."""
    if not video.is_counted:
        # One and a half frames earlier, so that the frame before the time is there to be compared.
        for back in _STEPS_BACK_S:
            target_s = time_s - 1.5 / video.fps - back
            if target_s <= 0:
                break
            frames = _after_seek(video, target_s)
            first = next(frames, None)
            if first is not None and first.time_s <= time_s:
                yield first
                yield from frames
                return
    yield from _after_seek(video, None)


def _after_seek(video: Opened, target_s: float | None) -> Iterator[Shown]:
    """Frames from the key frame before a time on; None: from the very beginning."""
    try:
        if target_s is None:
            rewind(video.container, video.stream)
        else:
            ticks = math.floor((target_s + video.start_s) / video.base_s)
            video.container.seek(ticks, stream=video.stream, backward=True)
    except av.error.FFmpegError:
        # A file cut short may have no index. From where it stands now (at the start, if it was not read yet) frames
        # still come with their own times.
        if target_s is not None or video.is_counted:
            return
    yield from _Display(video, from_key=target_s is not None).frames()


class _Display:
    """Packets in, frames in display order with their times out."""

    def __init__(self, video: Opened, from_key: bool) -> None:
        self._video, self._from_key = video, from_key
        self._begun = False
        self._earliest_s = -math.inf
        """Display before the first key frame is not to be trusted."""
        self._is_broken = self._has_loss = False
        self._mended_s = math.inf
        self._last_s = -math.inf
        self._slots: deque[float] = deque()
        self._latency: int | None = None

    def frames(self) -> Iterator[Shown]:
        for packet in self._packets():
            frames: Sequence[VideoFrame] = ()
            try:
                frames = packet.decode()
            except MemoryError:
                raise VideoError(f"{self._video.name}: needs more memory than there is") from None
            except av.error.EOFError:
                return
            except av.error.FFmpegError:
                self._damage()
            for frame in frames:
                shown = self._show(frame)
                if shown is not None:
                    yield shown

    def _packets(self) -> Iterator["Packet[VideoStream]"]:
        """From the first key packet on; ends where the container cannot be read further."""
        try:
            for packet in packets_of(self._video.container, self._video.stream):
                if packet.size == 0 and packet.dts is not None:
                    continue  # avi: the frame before is to stay; to the decoder it would mean the end
                if packet.size and not self._take(packet):
                    continue
                yield packet
        except MemoryError:
            raise VideoError(f"{self._video.name}: needs more memory than there is") from None
        except av.error.FFmpegError:
            return

    def _take(self, packet: "Packet[VideoStream]") -> bool:
        """Notes what a packet tells; False: not to be decoded."""
        time = self._seconds(packet.dts if packet.pts is None else packet.pts)
        if not self._begun:
            if self._from_key and not packet.is_keyframe:
                return False
            self._begun = True
            if packet.is_keyframe and time is not None and not self._video.is_counted:
                self._earliest_s = time - rules.EPSILON_S if self._from_key else -math.inf
            if not packet.is_keyframe and self._video.stream.codec_context.codec.canonical_name not in _CAREFUL:
                self._damage()
        if packet.is_keyframe and self._is_broken and time is not None:
            self._mended_s = min(self._mended_s, time)
        if packet.is_corrupt:
            self._damage()
        if self._video.is_counted and packet.dts is not None:
            self._slots.append(self._seconds(packet.dts) or 0.0)
        return True

    def _damage(self) -> None:
        self._is_broken, self._has_loss, self._mended_s = True, True, math.inf

    def _show(self, frame: VideoFrame) -> Shown | None:
        """The frame with its time; None where it is not to be displayed."""
        time_s = self._time_of(frame)
        if time_s < self._earliest_s:
            return None
        if time_s < self._last_s - rules.EPSILON_S:
            self._has_loss = True  # out of order: whoever asks for its time is told that there is nothing
            return None
        if frame.is_corrupt:
            self._damage()
        elif self._is_broken and time_s >= self._mended_s - rules.EPSILON_S:
            self._is_broken = False
        has_loss, self._has_loss = self._has_loss or self._is_broken, False
        self._last_s = time_s
        return Shown(time_s, frame, not self._is_broken, has_loss)

    def _time_of(self, frame: VideoFrame) -> float:
        if self._video.is_counted:
            return self._next_slot()
        time = self._seconds(frame.pts)
        if time is None:
            raise VideoError(f"{self._video.name}: its frames carry no timestamps; {ADVICE}")
        return time

    def _next_slot(self) -> float:
        """Frames come in the order of display, one for each packet: the n-th frame has the n-th packet's place."""
        if self._latency is None:
            self._latency = len(self._slots)
        if not self._slots or len(self._slots) > self._latency:
            raise VideoError(
                f"{self._video.name}: a damaged frame after {self._last_s:.3f} s, and the file stores no display times "
                f"by which to find the ones after it; {ADVICE}"
            )
        return self._slots.popleft()

    def _seconds(self, ticks: int | None) -> float | None:
        return None if ticks is None else float(ticks * self._video.base_s) - self._video.start_s


def _decode_run(
    video: Opened, wanted: list[tuple[int, float]], tolerance_s: float | None, convert: Callable[[VideoFrame], Frame]
) -> Iterator[tuple[int, Frame | VideoError]]:
    """One seek, then forward; `wanted` is ordered by time."""
    frames = shown_from(video, wanted[0][1])
    previous: Shown | None = next(frames, None)
    following = next(frames, None)
    done: tuple[VideoFrame, Frame] | None = None
    for position, time_s in wanted:
        while following is not None and following.time_s <= time_s:
            previous, following = following, next(frames, None)
        chosen = _choose(video, time_s, previous, following, tolerance_s)
        if isinstance(chosen, VideoError):
            yield position, chosen
            continue
        if done is None or done[0] is not chosen:
            with naming(video.name):
                done = (chosen, convert(chosen))
        yield position, done[1]


def _choose(
    video: Opened, time_s: float, before: Shown | None, after: Shown | None, tolerance_s: float | None
) -> VideoFrame | VideoError:
    """The nearer of the frames on both sides of a time, if it is near enough and whole."""
    sides = [side for side in (before, after) if side is not None]
    if not sides:
        return VideoError(
            f"{video.name}: no frame near {time_s:.3f} s can be decoded; the file is damaged or cut short"
        )
    nearest = min(sides, key=lambda side: abs(side.time_s - time_s) - (rules.EPSILON_S if side is before else 0.0))
    allowed = _allowed_s(video, time_s, before, after) if tolerance_s is None else tolerance_s
    if abs(nearest.time_s - time_s) > allowed + rules.EPSILON_S:
        return VideoError(
            f"{video.name}: no frame at {time_s:.3f} s; the nearest is at {nearest.time_s:.3f} s "
            f"(allowed distance {allowed:.3f} s); the video is cut short or the time is outside it"
        )
    if not nearest.is_intact:
        return VideoError(
            f"{video.name}: the frame at {nearest.time_s:.3f} s is damaged or cut short; {ADVICE} or leave it out"
        )
    return nearest.frame


def _allowed_s(video: Opened, time_s: float, before: Shown | None, after: Shown | None) -> float:
    """Half of the time for which the frames around a time are on display."""
    interval = 1 / video.fps
    if before is not None and after is not None:
        pause = after.time_s - before.time_s
        if pause <= rules.MAX_GAP_S and not after.follows_loss:
            interval = max(interval, pause)
    elif before is not None and time_s >= before.time_s and before.time_s + 1.5 * interval >= video.duration_s:
        # The last frame stays on display for one whole interval. Where the file says that more were to come, they are
        # missing, and it is not the last.
        interval *= 2
    return interval / 2
