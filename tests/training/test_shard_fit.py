"""Shards with smaller clips than the recipe reads are refused, with the command that builds them anew."""

import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exo2ego.cli import data_clips, data_egoclip, data_instruct
from exo2ego.data.shards import ShardSet
from exo2ego.errors import FormatError, InputError
from exo2ego.training.config import Recipe
from exo2ego.training.recipes import RECIPES
from exo2ego.training.run import train_stage
from exo2ego.training.shard_fit import rebuild_command, require_size


def stored(shards: ShardSet, folder: str = "shards/a", clips: object = None, **settings: Any) -> ShardSet:
    """The shards as if they lay elsewhere and their manifest said so."""
    manifest = shards.manifest | {"settings": settings} | ({"clips": clips} if clips is not None else {})
    return ShardSet(Path(folder), shards._index, manifest)


def test_larger_clips_are_fine_and_smaller_ones_are_refused(pairs: ShardSet, recipe: Recipe) -> None:
    """The fixture's clips are 16 frames of 64 px."""
    require_size([pairs], replace(recipe, num_frames=16, size_px=64))
    require_size([pairs], replace(recipe, num_frames=4, size_px=32))
    found = stored(pairs, kind="pairs", source="world/ego exo4d")
    says = (
        "shards/a: its clips are 16 frames of 64 px, recipe paper reads 16 of 336 px; build them again, with your "
        "other flags: exo2ego data clips --source 'world/ego exo4d' --frames 16 --size 336 --out ANOTHER_FOLDER"
    )
    with pytest.raises(InputError, match=f"^{re.escape(says)}$"):
        require_size([found], RECIPES["paper"]())
    with pytest.raises(InputError, match=re.escape("recipe test reads 17 of 32 px; build")) as caught:
        require_size([pairs], replace(recipe, num_frames=17, size_px=32))
    assert "--frames 17 --size 64" in str(caught.value), "what is large enough stays"


@pytest.mark.parametrize(
    ("settings", "command", "verb"),
    [
        ({"kind": "pairs", "source": "w/ego"}, "clips --source w/ego", data_clips),
        (
            {"kind": "instructions", "source": "a.json", "videos": "v"},
            "instruct --source a.json --videos v",
            data_instruct,
        ),
        ({"kind": "instructions", "source": "ssv2", "root": "data/S"}, "instruct --source ssv2=data/S", data_instruct),
        (
            {"kind": "instructions", "source": "e.csv", "origin": "ego4d", "videos": "v"},
            "egoclip --csv e.csv --videos v",
            data_egoclip,
        ),
    ],
)
def test_the_command_is_the_verb_that_built_them(
    settings: dict[str, str], command: str, verb: Any, pairs: ShardSet
) -> None:
    told = rebuild_command(stored(pairs, **settings))
    assert told == f"exo2ego data {command}"
    verb._parser().parse_args([*shlex.split(told)[3:], "--out", "x"])


def test_a_manifest_that_does_not_say_is_refused(pairs: ShardSet, recipe: Recipe) -> None:
    with pytest.raises(FormatError, match=re.escape("manifest.json: clips: field 'size_px' is \"64\"")):
        require_size([stored(pairs, clips={"num_frames": 16, "size_px": "64"})], recipe)


def test_training_asks_before_it_begins(pairs: ShardSet, recipe: Recipe, start: Path, tmp_path: Path) -> None:
    small = pairs.manifest["clips"] | {"num_frames": 2}
    written = (pairs.folder / "manifest.json").read_text()
    folder = tmp_path / "small"
    folder.mkdir()
    for path in pairs.folder.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    assert written.count('"num_frames": 16') == 1
    (folder / "manifest.json").write_text(written.replace('"num_frames": 16', f'"num_frames": {small["num_frames"]}'))
    with pytest.raises(InputError, match="its clips are 2 frames of 64 px, recipe test reads 4 of 64 px"):
        train_stage(recipe, "teacher", start=start, data=[folder], out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
