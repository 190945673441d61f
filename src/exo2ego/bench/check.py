"""Is a task's folder complete? What is missing, where to get it, under which licence, how large; no model is needed."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from exo2ego.bench.items import GROUPS_FILE, items_hash, missing_videos
from exo2ego.bench.sources import SOURCES, Source
from exo2ego.bench.tasks.base import Task
from exo2ego.errors import InputError

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One source, as it lies in the folder."""

    source: Source
    name: str | None
    """Which of its names is there; None: none."""
    size_bytes: int | None
    """Of the file; None for folders and for what is not there."""

    @property
    def differs(self) -> bool:
        """Whether the file has another size than the published one."""
        return None not in (self.size_bytes, self.source.size_bytes) and self.size_bytes != self.source.size_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCheck:
    """What `bench check` found of one task."""

    task: str
    title: str
    root: str
    found: tuple[Found, ...]
    items: int | None
    """None where the files cannot be read."""
    item_hash: str | None
    problem: str | None
    """The one line that `bench run` would stop with; None where the files are whole."""
    videos: int
    video_bytes: int
    """Of the videos that are there."""
    missing: tuple[str, ...]
    """Videos that are not there, relative to the root."""
    simulated: bool

    @property
    def complete(self) -> bool:
        """Whether the task can be run with every one of its videos."""
        return self.problem is None and not self.missing


def check_task(task: Task, root: Path) -> TaskCheck:
    """Read a task's files as `bench run` does and look for every video."""
    problem, items = None, None
    try:
        items = task.load(root, full=True)
    except InputError as error:
        problem = str(error)
    videos = sorted({video.path for item in items or () for video in item.videos})
    missing = missing_videos(items or (), root)
    lost = set(missing)
    return TaskCheck(
        task=task.name,
        title=task.title,
        root=str(root),
        found=tuple(_look(source, root) for source in SOURCES[task.name]),
        items=None if items is None else len(items),
        item_hash=None if items is None else items_hash(items),
        problem=problem,
        videos=len(videos),
        video_bytes=sum((root / name).stat().st_size for name in videos if name not in lost),
        missing=tuple(missing),
        simulated=(root / GROUPS_FILE).exists(),
    )


def _look(source: Source, root: Path) -> Found:
    for name in source.names:
        path = root / name
        if path.exists():
            return Found(source=source, name=name, size_bytes=path.stat().st_size if path.is_file() else None)
    return Found(source=source, name=None, size_bytes=None)


def as_lines(found: TaskCheck, most: int = 20) -> list[str]:
    """The result in words: a line of counts, then one for each thing to mend. At most `most` videos are named."""
    counts = (
        f"{found.items} items, {found.videos} videos ({found.video_bytes:,} bytes), {len(found.missing)} missing, "
        f"hash {found.item_hash}"
    )
    lines = [f"{found.title}: {'complete' if found.complete else 'NOT complete'}, {counts}"]
    if found.problem is not None:
        lines = [f"{found.title}: NOT complete: {found.problem}"]
    for one in found.found:
        if one.name is None and (one.source.required or not found.complete):
            lines.append(f"  {'missing' if one.source.required else 'optional'}: {source_line(one.source)}")
        elif one.differs and not found.simulated:
            lines.append(
                f"  note: {one.name} has {one.size_bytes:,} bytes, the published one {one.source.size_bytes:,}; "
                f"from {one.source.where}"
            )
        elif one.name is not None and one.name.endswith("/") and found.missing:
            lines.append(f"  videos: {source_line(one.source)}")
    lines += [f"  missing: {name}" for name in found.missing[:most]]
    if len(found.missing) > most:
        lines.append(f"  ... and {len(found.missing) - most} more; --json names all")
    return lines


def source_line(source: Source) -> str:
    """Name, place, licence and size of one source; what is not known is called unknown."""
    size = UNKNOWN if source.size_bytes is None else f"{source.size_bytes:,}"
    note = f" ({source.note})" if source.note else ""
    return f"{' or '.join(source.names)}: from {source.where}; licence {source.licence or UNKNOWN}; bytes {size}{note}"


def as_record(found: TaskCheck) -> dict[str, Any]:
    """The result for `--json`: plain values, unknown ones null."""
    return {**asdict(found), "complete": found.complete}
