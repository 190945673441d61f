"""The folders of `sources/`: texts at once, media files in parallel; what is there is kept."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from os import getpid
from pathlib import Path

from exo2ego.errors import OutputError
from exo2ego.sim import source_egoclip, source_egoexolearn, source_egotimeqa, source_egtea, source_openeqa, source_ssv2
from exo2ego.sim.encode import Frame, at_rate, decode, encode, png, write_bytes
from exo2ego.sim.pool import spread
from exo2ego.sim.source_files import FRAMES, Part, Piece, SourceFiles, json_text
from exo2ego.sim.spec import SimSpec
from exo2ego.sim.world import TakePlan

WRITERS: dict[str, Callable[[SimSpec, list[TakePlan]], SourceFiles]] = {
    "egtea": source_egtea.files,
    "ssv2": source_ssv2.files,
    "egotimeqa": source_egotimeqa.files,
    "openeqa": source_openeqa.files,
    "egoexolearn": source_egoexolearn.files,
    "egoclip": source_egoclip.files,
}
FOLDER = "sources"
BATCH_PIECES = 24
"""Media files that a worker makes before it reports."""

Job = tuple[Path, Piece]
"""The source's folder and a media file in it."""


def claim_facts(spec: SimSpec) -> None:
    """Note what the sources tell; refuse a folder whose sources tell something else."""
    if not spec.sources:
        return
    note, text = spec.out / FOLDER / "sim.json", json_text({"facts": spec.source_facts})
    if note.exists() and note.read_text() != text:
        raise OutputError(
            f"{note} names other facts than {spec.source_facts}; use another --out or the same --source-facts to resume"
        )
    write_bytes(note, text.encode())


def write_sources(
    spec: SimSpec, plans: list[TakePlan], tree: Path, progress: Callable[[int, int], None] | None = None
) -> int:
    """Write the folders `spec.sources` from the train takes under `tree`; returns how many media files were made.

    Args:
        progress: called with (media files done, in all).

    Raises:
        OutputError: the world has no train take.
    """
    if spec.sources and not any(plan.split == "train" for plan in plans):
        raise OutputError(f"{spec.out}: sources are made of train takes and this world has none; change --split")
    jobs: list[Job] = []
    for name in spec.sources:
        root, made = spec.out / FOLDER / name, WRITERS[name](spec, plans)
        for left in root.rglob(".*.part"):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        for target, text in made.texts.items():
            write_bytes(root / target, text.encode())
        jobs += [(root, piece) for piece in made.pieces]
    missing = [job for job in jobs if not (job[0] / job[1].target).exists()]
    done = len(jobs) - len(missing)
    for number in _made(spec, missing, tree):
        done += number
        if progress:
            progress(done, len(jobs))
    return len(missing)


def _made(spec: SimSpec, jobs: list[Job], tree: Path) -> Iterator[int]:
    # Files of one take stand together, so that its video is decoded once for them.
    order = sorted(jobs, key=lambda job: job[1].parts[0].video)
    batches = [(spec.fps, tree, order[at : at + BATCH_PIECES]) for at in range(0, len(order), BATCH_PIECES)]
    yield from spread(make_pieces, batches, workers=spec.workers, broken=f"{spec.out / FOLDER}: a cutting")


def make_pieces(fps: int, tree: Path, jobs: Sequence[Job]) -> int:
    """Make media files of videos of `fps` frames a second; each appears when complete."""
    videos = _Videos(tree)
    for root, piece in jobs:
        target = root / piece.target
        if piece.fps is None:
            write_bytes(target, (tree / piece.parts[0].video).read_bytes())
        elif piece.form == FRAMES:
            _write_frames(target, _frames(videos, fps, piece.parts, piece.fps))
        else:
            write_bytes(target, encode(_frames(videos, fps, piece.parts, piece.fps), piece.fps, piece.form))
    return len(jobs)


class _Videos:
    """Decoded videos; the last one is kept."""

    def __init__(self, tree: Path) -> None:
        self._tree = tree
        self._name = ""
        self._frames: list[Frame] = []

    def frames(self, name: str) -> list[Frame]:
        if name != self._name:
            self._name, self._frames = name, list(decode(self._tree / name))
        return self._frames


def _frames(videos: _Videos, fps: int, parts: Sequence[Part], new_fps: int) -> Iterator[Frame]:
    for part in parts:
        yield from at_rate(videos.frames(part.video), fps, part.start_s, part.end_s, new_fps)


def _write_frames(target: Path, frames: Iterator[Frame]) -> None:
    aside = target.with_name(f".{target.name}.{getpid()}.part")
    for number, frame in enumerate(frames):
        write_bytes(aside / f"{number:05d}-rgb.png", png(frame))
    if target.exists():
        shutil.rmtree(aside)
    else:
        aside.rename(target)
