"""Sources cut from videos with burned-in frame numbers: what a file shows at a time can be compared with the truth."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from coded_video import make_video, number_of, steady
from numpy.typing import NDArray

from exo2ego.data.frame_folder import decode_squares, probe_source
from exo2ego.data.video import read_frames, sample_times
from exo2ego.records import VideoSpan
from exo2ego.sim.egoexo4d import EGO_FILE, exo_file
from exo2ego.sim.source_export import FOLDER, write_sources
from exo2ego.sim.spec import SimSpec
from exo2ego.sim.world import Event, TakePlan, plan_takes

FRAMES = 9
"""Frames of a span that are looked at."""


class CodedSources:
    """All sources of a spec; only train takes have videos, so that any other take would be missed at once."""

    def __init__(self, spec: SimSpec) -> None:
        self.spec = spec
        self.root = spec.out / FOLDER
        self.plans = plan_takes(spec)
        self.takes = [plan for plan in self.plans if plan.split == "train"]
        self.tree = spec.out / "ego_exo4d"
        self._first: dict[tuple[int, str], int] = {}
        number = 0
        for plan in self.takes:
            for name in (EGO_FILE, exo_file(plan.best_exo)):
                self._first[plan.index, name] = number
                video = self.tree / "takes" / plan.take_name / name
                video.parent.mkdir(parents=True, exist_ok=True)
                times_s = steady(plan.frames, spec.fps)
                video.write_bytes(make_video(times_s, width=64, height=64, first_number=number))
                number += plan.frames
        assert number < 4096, "more frames than twelve blocks can number"
        write_sources(spec, self.plans, self.tree)

    def expected(self, plan: TakePlan, time_s: float, *, exo: bool = False) -> int:
        """The number of the frame that a take shows at a time."""
        first = self._first[plan.index, exo_file(plan.best_exo) if exo else EGO_FILE]
        return first + min(int(time_s * self.spec.fps + 1e-6), plan.frames - 1)

    def taken(self, number: int) -> tuple[TakePlan, float]:
        """The take whose frame has a number, and when that frame begins."""
        for plan in self.takes:
            for name in (EGO_FILE, exo_file(plan.best_exo)):
                frame = number - self._first[plan.index, name]
                if 0 <= frame < plan.frames:
                    return plan, frame / self.spec.fps
        raise AssertionError(f"no take has frame {number}")

    def shown(self, video: Path, times_s: Sequence[float]) -> list[int]:
        """The numbers that a file of the sources shows at times, as the project's reader finds them."""
        return [number_of(picture) for picture in read_frames(video, list(times_s))]

    def event_at(self, plan: TakePlan, start_s: float, end_s: float) -> Event:
        """The event whose act holds a span; there is exactly one."""
        found = [one for one in plan.events if one.act_start_s - 2e-3 <= start_s < end_s <= one.act_end_s + 2e-3]
        assert len(found) == 1, (plan.take_name, start_s, end_s)
        return found[0]

    def events_shown(self, video: VideoSpan, root: Path) -> list[Event]:
        """The events in whose steps frames of a span lie, told by the numbers in the frames."""
        path = root / video.path
        duration_s = probe_source(path).duration_s
        start_s, end_s = video.start_s or 0.0, duration_s if video.end_s is None else video.end_s
        assert 0 <= start_s < end_s <= duration_s + 0.05, video
        pictures = dict(decode_squares(str(path), sample_times(start_s, end_s, FRAMES), self.spec.size_px))
        return self.events_of([np.asarray(pictures[number]) for number in range(FRAMES)])

    def events_of(self, pictures: Iterable[NDArray[np.uint8]]) -> list[Event]:
        """The events in whose steps pictures lie that follow each other in one take."""
        numbers = [number_of(picture) for picture in pictures]
        assert numbers == sorted(numbers)
        places = [self.taken(number) for number in numbers]
        assert len({plan.index for plan, _ in places}) == 1, "frames of two takes"
        found = [event for plan, at_s in places for event in plan.events if event.start_s - 0.1 <= at_s < event.end_s]
        return list(dict.fromkeys(found))

    def near(self, seen: Sequence[int], wanted: Sequence[int], most: int = 1) -> bool:
        """Whether frames are those wanted, within `most` frames of the take (files of other rates show some longer)."""
        return all(abs(one - other) <= most for one, other in zip(seen, wanted, strict=True))
