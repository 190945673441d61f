"""`exo2ego data mix`: the figures are those of the stream that training would read."""

import json
from pathlib import Path

import numpy as np
import pytest

from exo2ego.cli.__main__ import main
from exo2ego.data.shard_group import ClipFormat
from exo2ego.data.shard_plan import Planned
from exo2ego.data.shard_writer import build_shards
from exo2ego.data.shards import ShardSample
from exo2ego.data.video import write_video


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Three spans; two narrations with two exo views each, that is four pairs."""
    root = tmp_path_factory.mktemp("mix")
    write_video(root / "v.mp4", np.zeros((16, 16, 16, 3), dtype=np.uint8), 8.0)

    def build(name: str, count: int, views: tuple[str, ...]) -> Path:
        planned = [
            Planned(
                sample=ShardSample(
                    key=f"{name}-{number}", split="train", take_uid=f"t{number}", scenario="", text="C waits.",
                    start_s=0.0, end_s=1.0, fps=8.0, views=views, best_exo=None, source="test",
                ),
                videos=tuple((view, str(root / "v.mp4")) for view in views),
            )
            for number in range(count)
        ]  # fmt: skip
        build_shards(root / name, planned, ClipFormat(), settings={}, report={})
        return root / name

    return {"spans": build("spans", 3, ("video",)), "pairs": build("pairs", 2, ("ego", "cam01", "cam02"))}


def test_shares_and_epochs_of_weights(folders: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    sources = [f"--data=a={folders['spans']}:3/4", f"--data=b={folders['pairs']}:0.25"]
    assert main(["data", "mix", *sources, "--samples", "20", "--json", str(tmp_path / "mix.json")]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[1].split() == ["a", "3/4", "3", "15", "75.0%", "5.00"]
    assert shown[2].split() == ["b", "1/4", "4", "5", "25.0%", "1.25"]
    assert shown[3].startswith("warning: source a is seen 5.0 times, more than 4")
    assert len(shown) == 4
    rows = json.loads((tmp_path / "mix.json").read_text())
    assert [(row["examples"], row["samples"], row["epochs"]) for row in rows] == [(3, 15, 5.0), (4, 5, 1.25)]


def test_one_pass_over_folders_without_weights(folders: dict[str, Path], capsys: pytest.CaptureFixture[str]):
    assert main(["data", "mix", "--data", str(folders["spans"]), "--data", str(folders["pairs"])]) == 0
    rows = [line.split()[1:] for line in capsys.readouterr().out.splitlines()[1:]]
    assert rows == [["by", "size", "3", "3", "42.9%", "1.00"], ["by", "size", "4", "4", "57.1%", "1.00"]]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "no data was given"),
        (["--data", "gone"], "gone"),
        (["--data", "a=b:1", "--mix", "m.json"], "give --data or --mix, not both"),
        (["--samples", "0"], "0 is below 1"),
    ],
)
def test_mistakes_are_one_line(words: list[str], says: str, capsys: pytest.CaptureFixture[str]):
    assert main(["data", "mix", *words]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert says in said


def test_help_shows_an_example(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["data", "mix", "--help"])
    assert "exo2ego data mix --data egtea=shards/egtea:0.3" in capsys.readouterr().out
