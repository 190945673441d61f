"""The Ego-Exo4D v2 layout: takes, cameras, atomic descriptions, splits. The only reader of it.

Sources: EGO4D/Ego-Exo4D-docs `docs/data/{metadata,takes}.md`, `docs/annotations/atomic_descriptions.md`.
"""

import contextlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from exo2ego.data.inner_paths import leads_inside
from exo2ego.data.jsonfile import Fields, load_json
from exo2ego.data.take_splits import TakeSplits, read_splits
from exo2ego.data.told import Progress
from exo2ego.errors import FormatError, MissingFileError
from exo2ego.records import Narration, Stream, Take

EGO_STREAM = "rgb"
"""`readable_stream_id` of the colour camera of the glasses; the others are grey tracking cameras."""
ANNOTATED_SPLITS = ("train", "val")
"""Atomic descriptions of the test takes are withheld by Ego-Exo4D."""
VIDEOS = "frame_aligned_videos"
DOWNSCALED = "downscaled/448"

TOLD_EVERY = 100
"""Takes between two calls of `progress`."""

PROBLEMS = {
    "bad take": "a row of takes.json is not as it should be; left out",
    "dropped take": "the data set marks the take as dropped; left out",
    "take without split": "annotations/splits.json does not name the take; left out, since it might be a test take",
    "split in doubt": "the two tables of annotations/splits.json differ on the take; left out, since it might be a "
    "test take",
    "unknown take": "annotations name a take that takes.json does not hold; its descriptions are left out",
    "foreign description": "a take is described in another split's file; the split of annotations/splits.json holds",
    "bad description": "a description is not as it should be; left out",
    "second ego camera": "the take has several ego colour cameras; the first is used",
}
"""What may be wrong with a download without making it useless: kind -> what is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something irregular that was counted and worked around as `PROBLEMS` says."""

    kind: str
    take: str
    """uid of the take; empty where a row gives none."""
    detail: str = ""
    """File, row, field and value, where the kind alone does not say it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeFiles:
    """What `takes.json` says of a take's files beyond the streams that clips are cut from."""

    others: tuple[str, ...]
    """Videos of grey and eye cameras and previews, relative to the root: downloaded along, needed by nothing here."""
    timesync: str | None
    """Table of the capture's clocks, relative to the root."""
    timesync_rows: tuple[int, int] | None
    """Rows of that table that the take covers, the second one excluded: one for each frame of its videos."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EgoExo4D:
    """A download, read."""

    root: Path
    takes: Mapping[str, Take]
    """By take uid; dropped takes and takes without a split are not in it."""
    files: Mapping[str, TakeFiles]
    """By take uid, of the same takes."""
    narrations: tuple[Narration, ...]
    """In file order, unfiltered, of takes in `takes` only."""
    problems: tuple[Problem, ...]

    def problem_counts(self) -> dict[str, int]:
        """How often each kind of problem occurs."""
        return dict(Counter(problem.kind for problem in self.problems))


class _Reading:
    """Tells how many bytes of the annotation files are done, as their rows are gone through."""

    def __init__(self, paths: Iterable[Path], progress: Progress | None) -> None:
        self._sizes = {path: path.stat().st_size for path in paths if path.is_file()}
        self._progress = progress or (lambda done, total: None)
        self._done = 0

    def rows(self, path: Path, rows: Collection[Any]) -> Iterator[Any]:
        """The rows of one file."""
        size = self._sizes[path]
        self._tell(0)
        for number, row in enumerate(rows, 1):
            yield row
            if not number % TOLD_EVERY:
                self._tell(size * number // len(rows))
        self._done += size
        self._tell(0)

    def _tell(self, more: int) -> None:
        self._progress(self._done + more, sum(self._sizes.values()))


def read_root(root: str | Path, downscaled: bool | None = None, progress: Progress | None = None) -> EgoExo4D:
    """Reads a download folder. `progress` is told (bytes of annotations read, in all) now and then.

    `downscaled`: take the videos under `downscaled/448` (True), the full ones (False), or for each video the full one
    where it is there and else the downscaled one (None). Whether that is there is not asked.
    A bad row is left out and named in `problems`. Raises MissingFileError for absent files; FormatError, naming file,
    row, field and value, for files that are not what they should be: no row of theirs can be used.
    """
    root = Path(root)
    if not root.is_dir():
        raise MissingFileError(f"{root}: no such folder; give the folder that holds takes.json")
    problems: list[Problem] = []
    paths = {split: root / "annotations" / f"atomic_descriptions_{split}.json" for split in ANNOTATED_SPLITS}
    reading = _Reading([root / "takes.json", *paths.values()], progress)
    splits = read_splits(root)
    known, takes, files = _read_takes(root, splits, downscaled, problems, reading)
    narrations: list[Narration] = []
    if not any(path.is_file() for path in paths.values()):
        raise MissingFileError(
            f"{paths['train']}: no such file, nor is there one for val; download --parts annotations"
        )
    for split, path in paths.items():
        if path.is_file():
            for uid, narration in _read_descriptions(path, split, splits.named, known, problems, reading):
                if uid in takes:
                    narrations.append(narration)
    return EgoExo4D(root=root, takes=takes, files=files, narrations=tuple(narrations), problems=tuple(problems))


def _read_takes(
    root: Path, splits: TakeSplits, downscaled: bool | None, problems: list[Problem], reading: _Reading
) -> tuple[set[str], dict[str, Take], dict[str, TakeFiles]]:
    """All uids that takes.json names, and the takes that can be used."""
    path = root / "takes.json"
    rows = _take_rows(path)
    known: set[str] = set()
    takes: dict[str, Take] = {}
    files: dict[str, TakeFiles] = {}
    first_bad: FormatError | None = None
    usable_rows = 0
    for number, data in enumerate(reading.rows(path, rows)):
        uid = ""
        try:
            row = Fields(data, f"{path}: row {number}")
            uid = row.text("take_uid")
            if uid.split() != [uid]:
                raise row.fail("take_uid", "a uid without blanks")  # lists of takes have one a line
            row = Fields(data, f"{path}: row {number} (take {uid})")
            if uid in known:
                raise row.fail("take_uid", "a uid that no earlier row has")
            known.add(uid)
            if row.flag("is_dropped", default=False):
                problems.append(Problem(kind="dropped take", take=uid))
            elif uid in splits.doubts:
                problems.append(Problem(kind="split in doubt", take=uid, detail=splits.doubts[uid]))
            elif uid not in splits.named:
                problems.append(Problem(kind="take without split", take=uid))
            else:
                takes[uid], files[uid] = _take(root, row, splits.named[uid], downscaled, problems)
            usable_rows += 1
        except FormatError as error:
            first_bad = first_bad or error
            problems.append(Problem(kind="bad take", take=uid, detail=str(error)))
    if first_bad is not None and not usable_rows:
        raise first_bad
    return known, takes, files


def _take_rows(path: Path) -> list[Any]:
    rows = load_json(path)
    if not isinstance(rows, list):
        raise FormatError(f"{path}: expected a list of takes, found {type(rows).__name__}")
    return rows


def _take_folder(row: Fields) -> str:
    """Where a take's files are, relative to the root."""
    return row.text("root_dir", default=f"takes/{row.text('take_name')}")


def _take(
    root: Path, row: Fields, split: str, downscaled: bool | None, problems: list[Problem]
) -> tuple[Take, TakeFiles]:
    name = row.text("take_name")
    duration = row.number("duration_sec")
    if duration <= 0:
        raise row.fail("duration_sec", "more than 0")
    egos, exos, others = _streams(root, row, _take_folder(row), downscaled)
    if len(egos) > 1:
        problems.append(Problem(kind="second ego camera", take=row.text("take_uid")))
    take = Take(
        take_uid=row.text("take_uid"),
        take_name=name,
        duration_s=duration,
        scenario=row.text("parent_task_name", default="unknown"),
        university=row.text("university_name", default="unknown"),
        split=split,
        ego=egos[0] if egos else None,
        exos=tuple(exos),
        best_exo=row.text("best_exo", default="") or None,
    )
    unused = (*(stream.path for stream in egos[1:]), *others)
    return take, TakeFiles(others=unused, timesync=_timesync(row), timesync_rows=_timesync_rows(row))


def _timesync(row: Fields) -> str | None:
    """Path of the capture's table of clocks; None where the row names no folder of the capture."""
    folder = Fields(row.table("capture"), f"{row.where}: capture").text("root_dir", default="")
    if not folder:
        return None
    return str(_inside(row, "capture", PurePosixPath(folder) / "timesync.csv"))


def _timesync_rows(row: Fields) -> tuple[int, int] | None:
    names = ("timesync_start_idx", "timesync_end_idx")
    if any(row.data.get(name) is None for name in names):
        return None
    start, end = (int(row.number(name)) for name in names)
    if not 0 <= start < end:
        raise row.fail(names[1], f"more than timesync_start_idx ({start}), both from 0 on")
    return start, end


def _streams(
    root: Path, row: Fields, folder: str, downscaled: bool | None
) -> tuple[list[Stream], list[Stream], list[str]]:
    """Ego colour streams, exo streams, and the videos of all others: grey and eye cameras, and what is no camera of
    the capture (`collage`, `best_exo`)."""
    capture = Fields(row.table("capture"), f"{row.where}: capture")
    is_ego: dict[str, bool] = {}
    for number, camera in enumerate(capture.items("cameras")):
        fields = Fields(camera, f"{capture.where}.cameras[{number}]")
        is_ego[fields.text("cam_id")] = fields.flag("is_ego")
    videos = row.table("frame_aligned_videos")
    egos: list[Stream] = []
    exos: list[Stream] = []
    others: list[str] = []
    for camera_id in videos:
        if camera_id not in is_ego and not isinstance(videos[camera_id], Mapping):
            continue
        streams = Fields(videos, f"{row.where}: frame_aligned_videos").table(camera_id)
        has_exo = False  # an exo camera has one stream, "0"
        for stream_id, data in streams.items():
            fields = Fields(data, f"{row.where}: frame_aligned_videos.{camera_id}.{stream_id}")
            if fields.data.get("relative_path") is None:
                continue
            path = _video_path(root, fields, folder, downscaled)
            ego = is_ego.get(camera_id)
            if ego is None or (ego and _readable(fields, stream_id) != EGO_STREAM) or has_exo:
                others.append(path)
                continue
            (egos if ego else exos).append(Stream(cam_id=camera_id, is_ego=ego, path=path))
            has_exo = not ego
    return egos, exos, others


def _readable(fields: Fields, stream_id: str) -> str:
    return fields.text("readable_stream_id", default=stream_id)


def _video_path(root: Path, fields: Fields, folder: str, downscaled: bool | None) -> str:
    """Path of a video relative to the root: the full one, or the one of the same name under `downscaled/448`."""
    full = _inside(fields, "relative_path", PurePosixPath(folder) / fields.text("relative_path"))
    videos = full.parent if full.parent.name == VIDEOS else full.parent / VIDEOS  # previews lie beside the videos
    small = videos / DOWNSCALED / full.name
    if downscaled is None:
        downscaled = not (root / full).is_file()
    return str(small if downscaled else full)


def _inside(fields: Fields, field: str, path: PurePosixPath) -> PurePosixPath:
    if not leads_inside(path):
        raise fields.fail(field, "a path inside the download folder, no part of it longer than a file's name can be")
    return path


def _read_descriptions(
    path: Path, split: str, splits: Mapping[str, str], known: set[str], problems: list[Problem], reading: _Reading
) -> Iterator[tuple[str, Narration]]:
    table = Fields(load_json(path), str(path)).table("annotations")
    usable_rows = 0
    first_bad: FormatError | None = None
    for uid in reading.rows(path, table):
        if uid not in known:
            problems.append(Problem(kind="unknown take", take=uid))
            continue
        if splits.get(uid, split) != split:
            detail = f"{path}: take {uid} is of the {splits[uid]} split"
            problems.append(Problem(kind="foreign description", take=uid, detail=detail))
        for outcome in _take_descriptions(path, table, uid):
            if isinstance(outcome, FormatError):
                first_bad = first_bad or outcome
                problems.append(Problem(kind="bad description", take=uid, detail=str(outcome)))
            else:
                usable_rows += 1
                yield uid, outcome
    if first_bad is not None and not usable_rows:
        raise first_bad


def _take_descriptions(path: Path, table: Mapping[str, Any], uid: str) -> Iterator[Narration | FormatError]:
    """The descriptions of a take; for one, or an annotation, that is not as it should be: why."""
    try:
        annotations = Fields(table, f"{path}: annotations").items(uid)
    except FormatError as error:
        yield error
        return
    for number, annotation in enumerate(annotations):
        try:
            fields = Fields(annotation, f"{path}: take {uid} annotation {number}")
            descriptions = fields.items("descriptions")
        except FormatError as error:
            yield error
            continue
        for index, description in enumerate(descriptions):
            try:
                yield _narration(uid, fields, index, Fields(description, f"{fields.where} description {index}"))
            except FormatError as error:
                yield error


def _narration(uid: str, annotation: Fields, index: int, row: Fields) -> Narration:
    # The documentation's sample says `narration_subject`, its prose and the released files say `subject`.
    key = "subject" if row.data.get("subject") is not None else "narration_subject"
    return Narration(
        take_uid=uid,
        annotation_uid=annotation.text("annotation_uid"),
        annotator_id=str(annotation.data.get("annotator_id", "")),
        index=index,
        text=row.text("text", default=""),
        timestamp_s=row.number("timestamp"),
        subject=row.text(key),
        ego_visible=row.flag("ego_visible"),
        unsure=row.flag("unsure", default=False),
        rejected=annotation.flag("rejected", default=False),
        best_exo=_best_exo(row),
    )


def _best_exo(row: Fields) -> str | None:
    value: Any = row.data.get("best_exo")
    if value is None or value == "":
        return None
    return Fields(value, f"{row.where}: best_exo").text("cam_id", default="") or None


def read_take_names(path: Path) -> dict[str, str]:
    """Take uid -> take name of a `takes.json`, whatever the takes' splits; raises FormatError naming row and field."""
    fields = [Fields(data, f"{path}: row {number}") for number, data in enumerate(_take_rows(path))]
    return {row.text("take_uid"): row.text("take_name") for row in fields}


def read_take_folders(path: Path) -> dict[str, str]:
    """Folder of a take, relative to the root -> its uid, of the rows of a `takes.json` that say so; FormatError for a
    file that is no list."""
    folders: dict[str, str] = {}
    for data in _take_rows(path):
        with contextlib.suppress(FormatError):  # `read_root` names such rows
            row = Fields(data, str(path))
            folders[_take_folder(row)] = row.text("take_uid")
    return folders
