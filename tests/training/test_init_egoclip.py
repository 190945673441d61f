"""The stage Init is trained on EgoClip's shards, as its own command builds them."""

from pathlib import Path

import pytest
from training_fixtures import COLOURS

from exo2ego.cli.__main__ import main
from exo2ego.data.shards import open_shards
from exo2ego.data.sources.egoclip import COLUMNS
from exo2ego.errors import FormatError
from exo2ego.training.config import Recipe
from exo2ego.training.run import train_stage


@pytest.fixture
def egoclip(videos: Path, tmp_path: Path) -> Path:
    """Shards of twelve clips."""
    rows = [
        [
            n,
            f"{n}-ego",
            2.0,
            "narration_pass_1",
            0,
            1.0,
            0.2,
            1.8,
            f"#C C lifts the {tuple(COLOURS)[n % 3]} cup",
            [1],
            [2],
        ]
        for n in range(12)
    ]
    table = tmp_path / "egoclip.csv"
    table.write_text("\n".join("\t".join(map(str, row)) for row in [COLUMNS, *rows]))
    out = tmp_path / "shards"
    clips = ["--csv", str(table), "--videos", str(videos), "--out", str(out), "--frames", "4"]
    assert main(["data", "egoclip", *clips]) == 0
    assert len(open_shards(out)) == 12
    return out


def test_init_trains_on_egoclip(egoclip: Path, recipe: Recipe, start: Path, tmp_path: Path) -> None:
    losses: list[float] = []
    run = train_stage(
        recipe,
        "initial",
        start=start,
        data=[egoclip],
        out=tmp_path / "run",
        report=lambda row: losses.append(row.loss),
    )
    assert len(losses) == recipe.stages["initial"].optim.steps
    assert losses[-1] < losses[0]
    assert (run.model / "config.json").is_file()


def test_what_learns_from_groups_of_questions_only_says_that_there_are_none(
    egoclip: Path, recipe: Recipe, start: Path, tmp_path: Path
) -> None:
    with pytest.raises(FormatError, match="and this batch has none; train the stage initial"):
        train_stage(recipe, "vision", start=start, data=[egoclip], out=tmp_path / "run")
