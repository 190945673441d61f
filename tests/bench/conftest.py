"""Fixtures of the bench tests: benchmark folders with tiny videos, and the fake model."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from bench_fakes import (
    CLIP_HEADER,
    FakeModel,
    mcq_file,
    mir_rows,
    put,
    schema_rows,
    sees_the_kind,
    write_csv,
    write_tiny_mp4,
)
from qa_fakes import write_qa
from small_folders import write_small_folders

from exo2ego.data.video import write_video


@pytest.fixture(scope="session")
def tiny_mp4(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("video") / "tiny.mp4"
    write_tiny_mp4(path)
    return path.read_bytes()


@pytest.fixture
def bench_root(tmp_path: Path, tiny_mp4: bytes) -> Path:
    """One folder for each task, as `--tasks all` looks for it; told and untold groups for EgoSchema."""
    return write_bench(tmp_path / "bench", tiny_mp4)


@pytest.fixture(scope="module")
def shared_bench(tmp_path_factory: pytest.TempPathFactory, tiny_mp4: bytes) -> Path:
    """The same for a whole file of tests that change nothing in it; the video of q2 is missing."""
    root = write_bench(tmp_path_factory.mktemp("shared") / "bench", tiny_mp4)
    (root / "egoschema/videos/q2.mp4").unlink()
    return root


def write_bench(root: Path, tiny_mp4: bytes) -> Path:
    """Small folders of all tasks below `root`."""
    for number in range(5):
        put(root / f"egomcq/videos/vid{number}.mp4", tiny_mp4)
    (root / "egomcq/egomcq.json").write_text(json.dumps(mcq_file()))
    rows = schema_rows()
    for row in rows:
        put(root / f"egoschema/videos/{row['q_uid']}.mp4", tiny_mp4)
    (root / "egoschema/questions.json").write_text(json.dumps(rows))
    answers = {row["q_uid"]: number % 5 for number, row in enumerate(rows[:10])}
    (root / "egoschema/subset_answers.json").write_text(json.dumps(answers))
    groups = {
        row["q_uid"]: {"facet": "colour" if number % 2 else "verb", "told": "untold" if number % 2 else "told"}
        for number, row in enumerate(rows)
    }
    (root / "egoschema/groups.json").write_text(json.dumps(groups))
    for video in (1, 2, 3):
        put(root / f"epic_mir/videos/P01/P01_{video:02d}.MP4", tiny_mp4)
    clips = mir_rows()
    write_csv(root / "epic_mir/EPIC_100_retrieval_test.csv", CLIP_HEADER, clips)
    sentences = {row[8]: row[0] for row in reversed(clips)}
    ordered = sorted(((name, text) for text, name in sentences.items()), key=lambda pair: int(pair[0].split("_")[-1]))
    write_csv(root / "epic_mir/EPIC_100_retrieval_test_sentence.csv", ["narration_id", "narration"], ordered)
    write_small_folders(root, tiny_mp4)
    write_qa(root, tiny_mp4)
    return root


@pytest.fixture
def fake() -> FakeModel:
    return FakeModel(sees_the_kind)


@pytest.fixture(scope="session")
def hf_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """model_type -> folder of a tiny random model of that kind, made at its first use."""
    from hf_tiny import write_tiny  # loads Transformers, which most tests here do without

    made: dict[str, Path] = {}

    def folder(kind: str) -> Path:
        if kind not in made:
            made[kind] = write_tiny(kind, tmp_path_factory.mktemp("hf") / kind)
        return made[kind]

    return folder


@pytest.fixture(scope="session")
def noise_clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two clips of noise, 2 s, 64 x 48 px."""
    folder, rng = tmp_path_factory.mktemp("noise"), np.random.default_rng(0)
    paths = (folder / "a.mp4", folder / "b.mp4")
    for path in paths:
        write_video(path, rng.integers(0, 255, (20, 48, 64, 3), dtype=np.uint8), 10.0)
    return paths
