"""Is a download whole? Every video that is needed: there, readable, as long as its take, in step with the ego video.

What is needed is what `data plan` asks for with the same flags. Each file is opened once, in a process that can be
killed, and its outcome kept (`tree_check_log.py`); comparing the outcomes costs nothing and is done anew every time.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from exo2ego.data.annotation_check import annotation_findings
from exo2ego.data.atomic import make_folder
from exo2ego.data.download_needs import TakeNeed
from exo2ego.data.egoexo4d import DOWNSCALED, EgoExo4D
from exo2ego.data.tree_check_log import Asked, Checked, CheckLog
from exo2ego.data.tree_check_pool import Job, look_at
from exo2ego.data.tree_findings import Finding
from exo2ego.records import Stream, Take

SMALL_SIDE_PX = 448
RATE_TOLERANCE = 2e-3
"""Frame rates that differ by less are the same: 30 and 29.97."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """What still counts as equal."""

    duration_s: float = 0.5
    """Of a video against `duration_sec` of its take."""
    frames: int = 0
    """Of an exo video against the ego video of its take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeCheck:
    """The outcome."""

    root: Path
    takes: int
    """Needed."""
    videos: Mapping[str, Checked]
    """Path -> outcome, of needed videos that are there."""
    take_of: Mapping[str, Take]
    """Path -> take, of all needed videos."""
    opened: int
    """Videos looked at in this run; the others were known."""
    clocks: int
    """Tables of clocks that are there."""
    findings: tuple[Finding, ...]

    @property
    def is_whole(self) -> bool:
        """Whether nothing that is needed is missing or bad."""
        return not any(finding.is_fault for finding in self.findings)

    @property
    def bad(self) -> list[Checked]:
        """Videos that cannot be used, ordered by path."""
        return [self.videos[path] for path in sorted(self.videos) if self.videos[path].reason is not None]


Progress = Callable[[int, int, int], None]
"""Called with (videos done, videos in all, bad ones)."""


def check_tree(
    dataset: EgoExo4D,
    found: Sequence[TakeNeed],
    out: Path,
    asked: Asked,
    tolerance: Tolerance,
    *,
    workers: int = 1,
    retry_bad: bool = False,
    progress: Progress | None = None,
) -> TreeCheck:
    """Looks at the videos of `found`; the log of outcomes is in `out`, and a run that was stopped goes on from there.

    Raises OutputError for a folder that cannot be used, EnvironmentUnfitError when no decoding process starts.
    """
    needed = {stream.path: need.take for need in found for stream in (need.ego, *need.exos)}
    jobs = [job for path, take in needed.items() if (job := _job(dataset.root, path, take)) is not None]
    make_folder(out)
    with CheckLog(out, dataset.root) as log:
        known = {
            job.video: before
            for job in jobs
            if (before := log.known.get(job.video)) is not None
            and before.holds_for(job.size_bytes, job.mtime_ns, asked, retry_bad)
        }
        todo = [job for job in jobs if job.video not in known]
        report = progress or (lambda _done, _total, _bad: None)
        bad = sum(checked.reason is not None for checked in known.values())
        report(len(known), len(jobs), bad)
        for checked in look_at(dataset.root, todo, asked, workers):
            log.add(checked)
            known[checked.video] = checked
            bad += checked.reason is not None
            report(len(known), len(jobs), bad)
    clocks, clock_findings = _clocks(dataset, found, known)
    findings = [
        *annotation_findings(dataset),
        *_missing(dataset.root, needed, known),
        *(finding for need in found for finding in take_findings(need, known, tolerance)),
        *clock_findings,
    ]
    return TreeCheck(
        root=dataset.root,
        takes=len(found),
        videos=known,
        take_of=needed,
        opened=len(todo),
        clocks=clocks,
        findings=tuple(findings),
    )


def _job(root: Path, video: str, take: Take) -> Job | None:
    """None where there is no such file."""
    try:
        status = (root / video).stat()
    except OSError:
        return None
    return Job(video=video, size_bytes=status.st_size, mtime_ns=status.st_mtime_ns, take_s=take.duration_s)


def _missing(root: Path, needed: Mapping[str, Take], known: Mapping[str, Checked]) -> list[Finding]:
    return [
        Finding(kind="missing video", take=take.take_name, video=path, detail=_absence(root, path))
        for path, take in needed.items()
        if path not in known
    ]


def _absence(root: Path, path: str) -> str:
    full = path.replace(f"/{DOWNSCALED}/", "/")
    if full == path:
        return "no such file"
    return f"no such file, {'but the full-size one is there' if (root / full).is_file() else 'nor the full-size one'}"


def take_findings(need: TakeNeed, known: Mapping[str, Checked], tolerance: Tolerance) -> Iterable[Finding]:
    """Each video by itself, then the exo videos against the ego video."""
    name = need.take.take_name
    for stream in (need.ego, *need.exos):
        checked = known.get(stream.path)
        if checked is not None:
            yield from _video_findings(need.take, stream, checked, tolerance)
    ego = known.get(need.ego.path)
    if ego is None or ego.facts is None:
        return
    for exo in need.exos:
        facts = known[exo.path].facts if exo.path in known else None
        if facts is None:
            continue
        if abs(facts.frames - ego.facts.frames) > tolerance.frames:
            detail = f"{facts.frames} frames, the ego video has {ego.facts.frames}"
            yield Finding(kind="frames differ", take=name, video=exo.path, detail=detail)
        if abs(facts.fps - ego.facts.fps) > RATE_TOLERANCE * ego.facts.fps + 1e-9:
            detail = f"{facts.fps:.3f} frames a second, the ego video has {ego.facts.fps:.3f}"
            yield Finding(kind="rates differ", take=name, video=exo.path, detail=detail)


def _video_findings(take: Take, stream: Stream, checked: Checked, tolerance: Tolerance) -> Iterable[Finding]:
    facts = checked.facts
    if facts is None:
        yield Finding(kind="bad video", take=take.take_name, video=stream.path, detail=checked.reason or "")
        return
    if abs(facts.duration_s - take.duration_s) > tolerance.duration_s:
        detail = f"{facts.duration_s:.3f} s, takes.json says {take.duration_s:.3f} s"
        yield Finding(kind="wrong length", take=take.take_name, video=stream.path, detail=detail)
    if f"/{DOWNSCALED}/" in stream.path and min(facts.width_px, facts.height_px) != SMALL_SIDE_PX:
        detail = f"{facts.width_px} x {facts.height_px} px"
        yield Finding(kind="not 448 px", take=take.take_name, video=stream.path, detail=detail)


def _clocks(dataset: EgoExo4D, found: Sequence[TakeNeed], known: Mapping[str, Checked]) -> tuple[int, list[Finding]]:
    """How many tables of clocks are there, and those that do not have a row for each frame of a take."""
    rows: dict[str, int | None] = {}
    findings = []
    for need in found:
        files = dataset.files[need.take.take_uid]
        if files.timesync is None or files.timesync_rows is None:
            continue
        if files.timesync not in rows:
            rows[files.timesync] = _count_rows(dataset.root / files.timesync)
        count = rows[files.timesync]
        start, end = files.timesync_rows
        ego = known.get(need.ego.path)
        frames = ego.facts.frames if ego is not None and ego.facts is not None else None
        detail = ""
        if count is not None and count < end:
            detail = f"{files.timesync} has {count} rows, takes.json names rows {start} to {end}"
        elif count is not None and frames is not None and frames != end - start:
            detail = f"{files.timesync}: rows {start} to {end} for {frames} frames of the ego video"
        if detail:
            findings.append(Finding(kind="clock table", take=need.take.take_name, detail=detail))
    return sum(count is not None for count in rows.values()), findings


def _count_rows(path: Path) -> int | None:
    """Lines below the header; None where there is no file."""
    try:
        with path.open("rb") as file:
            ends, last = 0, b"\n"
            while block := file.read(1 << 20):
                ends += block.count(b"\n")
                last = block[-1:]
    except OSError:
        return None
    return max(0, ends + (last != b"\n") - 1)
