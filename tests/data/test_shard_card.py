"""The card beside the manifest: figures, settings, the command, and the licence of whose recordings they are."""

import re
from pathlib import Path

import pytest
from test_data_cli import clips
from tiny_tree import Tree

from exo2ego.cli.__main__ import main
from exo2ego.data.shard_card import LICENCES, UNKNOWN, licence_of, shown_command
from exo2ego.data.shards import verify_shards


def card_of(tree: Tree, out: Path, *more: str) -> str:
    assert main(clips(tree, out, *more)) == 0
    return (out / "README.md").read_text(encoding="utf-8")


def test_the_card_says_what_is_there_how_it_came_and_whose_it_is(tree: Tree, tmp_path: Path) -> None:
    for take in tree.takes:
        take["university_name"] = "cmu"
    tree.save()
    text = card_of(tree, tmp_path / "out", "--rewrite-subject")
    header, body = text.removeprefix("---\n").split("\n---\n", 1)
    assert dict(line.split(": ") for line in header.splitlines() if ": " in line) == {
        "license": "other",
        "license_name": "ego-exo4d-license-agreement",
        "pretty_name": "Ego-exo clip pairs",
    }
    assert "- n<1K" in header
    assert "The agreement forbids redistribution" in body
    assert re.search(r"^\| pairs \| 10 \|$", body, re.MULTILINE)
    assert re.search(r"^\| left out: other split \| 2 \|$", body, re.MULTILINE)
    assert '"rewrite_subject": true' in body
    assert "exo2ego data clips --source .../ego_exo4d --out .../out" in body
    assert str(tmp_path) not in text
    assert verify_shards(tmp_path / "out") == 20


def test_simulated_takes_are_free_and_a_stated_licence_goes_first(tree: Tree, tmp_path: Path) -> None:
    assert "license: apache-2.0" in card_of(tree, tmp_path / "out")
    stated = card_of(tree, tmp_path / "out", "--licence", "ours alone")
    assert "license: other" in stated
    assert "ours alone" in stated


def test_licences_by_kind_of_source() -> None:
    assert licence_of("ego_exo4d", None) is LICENCES["ego_exo4d"]
    assert licence_of("somebody's", None) is UNKNOWN
    assert licence_of("ego_exo4d", "as agreed").text == "as agreed"


@pytest.mark.parametrize(
    ("words", "shown"),
    [(("a", "/x/y z"), 'a ".../y z"'), (("a", "rel/path", "--n", "3"), "a rel/path --n 3")],
)
def test_commands_say_nothing_of_the_machine(words: tuple[str, ...], shown: str) -> None:
    assert shown_command(words) == shown
