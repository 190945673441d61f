"""Fixtures: the tiny download with numbered frames."""

import shutil
from pathlib import Path

import pytest
from coded_video import make_video, steady
from tiny_tree import CAMERAS, SPLITS, TAKES, Tree, annotation, description, take_row


@pytest.fixture(scope="session")
def numbered() -> dict[str, bytes]:
    """Six seconds at 10 frames a second for each camera; frame i shows i + 100 x the camera's position."""
    return {cam: make_video(steady(60), width=48, first_number=100 * n) for n, cam in enumerate(CAMERAS)}


@pytest.fixture
def tree(tmp_path: Path, numbered: dict[str, bytes]) -> Tree:
    """Four takes, five usable training narrations, saved."""
    train = {
        "uid-a": [
            annotation("ann-1", [description("C lifts the cup.", 1.0), description("C drops the cup.", 3.0)]),
            annotation("ann-2", [description("C holds a <b>cup</b>.", 2.0, best_exo={"cam_id": "cam01"})]),
        ],
        "uid-b": [annotation("ann-3", [description("C turns the bolt.", 2.0), description("C taps it.", 4.0)])],
    }
    val = {"uid-v": [annotation("ann-4", [description("C writes.", 2.0), description("C stops.", 5.0)])]}
    rows = [take_row(uid, name) for uid, name in TAKES.items()]
    made = Tree(root=tmp_path / "ego_exo4d", takes=rows, train=train, val=val, splits=dict(SPLITS))
    made.write_videos(numbered)
    made.save()
    return made


REAL = Path(__file__).parents[3] / "shared" / "data" / "ego_exo4d"


@pytest.fixture
def docsample(tmp_path: Path) -> Path:
    """A root with the documentation's one take; the descriptions, which are another take's, are lent its uid."""
    if not REAL.is_dir():
        pytest.skip("the documentation's samples (../shared/data/ego_exo4d) are not here")
    root = tmp_path / "docsample"
    (root / "annotations").mkdir(parents=True)
    shutil.copy(REAL / "takes.docsample.json", root / "takes.json")
    shutil.copy(REAL / "splits.schema.json", root / "annotations" / "splits.json")
    sample = (REAL / "atomic_descriptions.docsample.json").read_text()
    lent = sample.replace("3c489f86-8896-4c86-8a5a-929999799d36", "13f01c79-5bfd-42f5-90ce-ee350aa1c3ad")
    (root / "annotations" / "atomic_descriptions_train.json").write_text(lent)
    return root
