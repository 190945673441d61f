"""The Ego-Exo4D v2 layout: takes, cameras, atomic descriptions, splits. The only reader of it.

Sources: EGO4D/Ego-Exo4D-docs `docs/data/{metadata,takes}.md`, `docs/annotations/atomic_descriptions.md`.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from exo2ego.data.jsonfile import Fields, load_json
from exo2ego.errors import FormatError, MissingFileError
from exo2ego.records import SPLITS, Narration, Stream, Take

EGO_STREAM = "rgb"
"""`readable_stream_id` of the colour camera of the glasses; the others are grey tracking cameras."""
ANNOTATED_SPLITS = ("train", "val")
"""Atomic descriptions of the test takes are withheld by Ego-Exo4D."""
DOWNSCALED = "downscaled/448"

PROBLEMS = {
    "dropped take": "the data set marks the take as dropped; left out",
    "take without split": "annotations/splits.json does not name the take; left out, since it might be a test take",
    "unknown take": "annotations name a take that takes.json does not hold; its descriptions are left out",
    "second ego camera": "the take has several ego colour cameras; the first is used",
}
"""What may be wrong with a download without making it useless: kind -> what is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something irregular that was counted and worked around as `PROBLEMS` says."""

    kind: str
    take: str
    """uid of the take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EgoExo4D:
    """A download, read."""

    root: Path
    takes: Mapping[str, Take]
    """By take uid; dropped takes and takes without a split are not in it."""
    narrations: tuple[Narration, ...]
    """In file order, unfiltered, of takes in `takes` only."""
    problems: tuple[Problem, ...]

    def problem_counts(self) -> dict[str, int]:
        """How often each kind of problem occurs."""
        return dict(Counter(problem.kind for problem in self.problems))


def read_root(root: str | Path, downscaled: bool | None = None) -> EgoExo4D:
    """Reads a download folder.

    `downscaled`: take the videos under `downscaled/448` (True), the full ones (False), or for each video the full one
    unless only the downscaled one is there (None).
    Raises MissingFileError for absent files, FormatError naming file, row, field and value.
    """
    root = Path(root)
    if not root.is_dir():
        raise MissingFileError(f"{root}: no such folder; give the folder that holds takes.json")
    problems: list[Problem] = []
    splits = _read_splits(root / "annotations" / "splits.json")
    known, takes = _read_takes(root, splits, downscaled, problems)
    narrations: list[Narration] = []
    files = [root / "annotations" / f"atomic_descriptions_{split}.json" for split in ANNOTATED_SPLITS]
    if not any(path.is_file() for path in files):
        raise MissingFileError(f"{files[0]}: no such file, nor is there one for val; download --parts annotations")
    for path in files:
        if path.is_file():
            for uid, narration in _read_descriptions(path, known, problems):
                if uid in takes:
                    narrations.append(narration)
    return EgoExo4D(root=root, takes=takes, narrations=tuple(narrations), problems=tuple(problems))


def _read_splits(path: Path) -> dict[str, str]:
    table = Fields(load_json(path), str(path)).table("take_uid_to_split")
    splits: dict[str, str] = {}
    for uid, name in table.items():
        split = name.lower() if isinstance(name, str) else ""
        if split not in SPLITS:
            raise Fields(table, f"{path}: take_uid_to_split").fail(uid, f"one of {', '.join(SPLITS)}")
        splits[uid] = split
    return splits


def _read_takes(
    root: Path, splits: Mapping[str, str], downscaled: bool | None, problems: list[Problem]
) -> tuple[set[str], dict[str, Take]]:
    """All uids that takes.json names, and the takes that can be used."""
    path = root / "takes.json"
    rows = load_json(path)
    if not isinstance(rows, list):
        raise FormatError(f"{path}: expected a list of takes, found {type(rows).__name__}")
    known: set[str] = set()
    takes: dict[str, Take] = {}
    for number, data in enumerate(rows):
        row = Fields(data, f"{path}: row {number}")
        uid = row.text("take_uid")
        row = Fields(data, f"{path}: row {number} (take {uid})")
        if uid in known:
            raise row.fail("take_uid", "a uid that no earlier row has")
        known.add(uid)
        if row.flag("is_dropped", default=False):
            problems.append(Problem(kind="dropped take", take=uid))
        elif uid not in splits:
            problems.append(Problem(kind="take without split", take=uid))
        else:
            takes[uid] = _take(root, row, splits[uid], downscaled, problems)
    return known, takes


def _take(root: Path, row: Fields, split: str, downscaled: bool | None, problems: list[Problem]) -> Take:
    name = row.text("take_name")
    duration = row.number("duration_sec")
    if duration <= 0:
        raise row.fail("duration_sec", "more than 0")
    egos, exos = _streams(root, row, row.text("root_dir", default=f"takes/{name}"), downscaled)
    if len(egos) > 1:
        problems.append(Problem(kind="second ego camera", take=row.text("take_uid")))
    return Take(
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


def _streams(root: Path, row: Fields, folder: str, downscaled: bool | None) -> tuple[list[Stream], list[Stream]]:
    """Ego colour streams and exo streams; what is no camera of the capture (`collage`, `best_exo`) is no stream."""
    capture = Fields(row.table("capture"), f"{row.where}: capture")
    is_ego: dict[str, bool] = {}
    for number, camera in enumerate(capture.items("cameras")):
        fields = Fields(camera, f"{capture.where}.cameras[{number}]")
        is_ego[fields.text("cam_id")] = fields.flag("is_ego")
    videos = row.table("frame_aligned_videos")
    egos: list[Stream] = []
    exos: list[Stream] = []
    for camera_id in videos:
        if camera_id not in is_ego:
            continue
        streams = Fields(videos, f"{row.where}: frame_aligned_videos").table(camera_id)
        for stream_id, data in streams.items():
            fields = Fields(data, f"{row.where}: frame_aligned_videos.{camera_id}.{stream_id}")
            ego = is_ego[camera_id]
            if fields.data.get("relative_path") is None or (ego and _readable(fields, stream_id) != EGO_STREAM):
                continue
            path = _video_path(root, fields, folder, downscaled)
            (egos if ego else exos).append(Stream(cam_id=camera_id, is_ego=ego, path=path))
            if not ego:
                break  # an exo camera has one stream, "0"
    return egos, exos


def _readable(fields: Fields, stream_id: str) -> str:
    return fields.text("readable_stream_id", default=stream_id)


def _video_path(root: Path, fields: Fields, folder: str, downscaled: bool | None) -> str:
    """Path of a video relative to the root: the full one, or the one of the same name under `downscaled/448`."""
    full = PurePosixPath(folder) / fields.text("relative_path")
    if full.is_absolute() or ".." in full.parts:
        raise fields.fail("relative_path", "a path inside the download folder")
    small = full.parent / DOWNSCALED / full.name
    if downscaled is None:
        downscaled = not (root / full).is_file() and (root / small).is_file()
    return str(small if downscaled else full)


def _read_descriptions(path: Path, known: set[str], problems: list[Problem]) -> Iterator[tuple[str, Narration]]:
    table = Fields(load_json(path), str(path)).table("annotations")
    for uid in table:
        if uid not in known:
            problems.append(Problem(kind="unknown take", take=uid))
            continue
        for number, annotation in enumerate(Fields(table, f"{path}: annotations").items(uid)):
            fields = Fields(annotation, f"{path}: take {uid} annotation {number}")
            for index, description in enumerate(fields.items("descriptions")):
                row = Fields(description, f"{fields.where} description {index}")
                yield uid, _narration(uid, fields, index, row)


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
