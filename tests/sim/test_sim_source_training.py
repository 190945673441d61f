"""From nothing to a student that practises on all five sources of EgoIT, by the commands that users type."""

import json
import math
from pathlib import Path

import pytest

from exo2ego.cli.__main__ import main
from exo2ego.data.shards import open_shards
from exo2ego.data.sources import SOURCES

pytestmark = pytest.mark.gl
SMALL = ["--takes", "2", "--workers", "1", "--size-px", "32", "--fps", "5", "--exo-cameras", "1", "1"]
WORLD = [*SMALL, "--steps", "3", "3", "--split", "1", "0", "0", "--benches", "egomcq"]


def test_sim_data_instruct_and_train_go_hand_in_hand(tmp_path: Path) -> None:
    """Every source gives stored clips, none is lost, and two steps of practice on the mixture have a finite loss."""
    world, shards, run = tmp_path / "world", tmp_path / "shards", tmp_path / "run"
    assert main(["sim", "--out", str(world), *WORLD, "--sources", *SOURCES]) == 0
    given = [word for name in SOURCES for word in ("--source", f"{name}={world / 'sources' / name}")]
    assert main(["data", "instruct", *given, "--out", str(shards), "--limit", "12"]) == 0
    for name in SOURCES:
        stored = open_shards(shards / name)
        assert len(stored) > 0
        assert stored.manifest["counts"]["quarantined"] == 0
        assert sum(len(sample.conversations) for sample in stored.samples) == 12
    folders = [word for name in SOURCES for word in ("--data", str(shards / name))]
    short = ["--steps", "2", "--batch-size", "2", "--device", "cpu"]
    assert main(["train", "--stage", "practice", *folders, "--out", str(run), *short]) == 0
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines if "loss" in line]
    assert len(losses) == 2
    assert all(math.isfinite(loss) for loss in losses)
