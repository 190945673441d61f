"""Mixtures as users write them: on the command line, in a file, and every mistake in one line."""

import json
from fractions import Fraction
from pathlib import Path

import pytest

from exo2ego.data.mixture import Mixture, Source, by_size, parse_mixture, read_mixture
from exo2ego.data.mixture_order import Concatenated, Weighted
from exo2ego.errors import Exo2EgoError, FormatError, MissingFileError


def test_plain_folders_follow_their_sizes():
    mixture = parse_mixture(["shards/a", "runs/seed=1/b"])
    assert mixture == by_size([Path("shards/a"), Path("runs/seed=1/b")])
    assert not mixture.weighted
    assert mixture.shares() == {}
    assert isinstance(mixture.order([3, 4], 0), Concatenated)


def test_weights_are_exact_ratios():
    mixture = parse_mixture(["ego=s/ego:0.1", "exo=s/a:b=c:2/3"])
    assert [(s.name, s.folders, s.weight) for s in mixture.sources] == [
        ("ego", (Path("s/ego"),), Fraction(1, 10)),
        ("exo", (Path("s/a:b=c"),), Fraction(2, 3)),
    ]
    assert mixture.shares() == {"ego": "1/10", "exo": "2/3"}
    assert isinstance(mixture.order([3, 4], 0), Weighted)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (["a=x:0.5", "y"], "--data y: has no weight but others have; write each as NAME=FOLDER:WEIGHT"),
        (["a=x:0"], "weight '0' is no number above 0"),
        (["a=x:-1"], "weight '-1' is no number above 0"),
        (["a=x:nan"], "weight 'nan' is no number above 0"),
        (["a=x:1e9"], "weight '1e9' is no number above 0"),
        (["a=x:1/0"], "weight '1/0' is no number above 0"),
        (["a=x:1", "a=y:1"], "name 'a' stands twice"),
        (["a=x:1", "b=./x:1"], "stands twice among the sources"),
        (["x", "x"], "stands twice among the sources"),
    ],
)
def test_mistakes_on_the_command_line_are_named(values, says):
    with pytest.raises(Exo2EgoError) as raised:
        parse_mixture(values)
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


def write(path: Path, content) -> Path:
    path.write_text(json.dumps(content))
    return path


def test_a_file_names_folders_beside_it(tmp_path):
    rows = [
        {"name": "egotimeqa", "shards": "egotimeqa", "weight": 0.4},
        {"name": "ssv2", "shards": ["ssv2-a", "/data/ssv2-b"], "weight": "3/5"},
        {"name": "openeqa", "shards": "openeqa", "weight": 2},
    ]
    mixture = read_mixture(write(tmp_path / "mix.json", {"sources": rows}))
    assert [s.weight for s in mixture.sources] == [Fraction(2, 5), Fraction(3, 5), Fraction(2)]
    assert mixture.sources[1].folders == (tmp_path / "ssv2-a", Path("/data/ssv2-b"))
    assert mixture.folders[0] == tmp_path / "egotimeqa"


ROW = {"name": "a", "shards": "x", "weight": 1}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ([], "expected an object"),
        ({}, "field 'sources' is missing"),
        ({"sources": []}, "at least one source"),
        ({"sources": [ROW], "seed": 1}, "one field 'sources'"),
        ({"sources": [ROW, 3]}, "source 2: expected an object"),
        ({"sources": [ROW | {"wieght": 1}]}, "source 1: unknown field 'wieght'"),
        ({"sources": [ROW | {"name": "a b"}]}, "field 'name' is \"a b\""),
        ({"sources": [ROW | {"shards": []}]}, "field 'shards' is []"),
        ({"sources": [ROW | {"shards": [3]}]}, "field 'shards' is [3]"),
        ({"sources": [ROW | {"weight": True}]}, "field 'weight' is true"),
        ({"sources": [{"name": "a", "shards": "x"}]}, "field 'weight' is missing"),
        ({"sources": [ROW | {"weight": 0}]}, "weight '0' is no number above 0"),
        ({"sources": [ROW | {"weight": 1e-12}]}, "is no number above 0"),
        ({"sources": [ROW, ROW]}, "name 'a' stands twice"),
    ],
)
def test_mistakes_in_a_file_are_named(tmp_path, content, says):
    path = write(tmp_path / "mix.json", content)
    with pytest.raises(Exo2EgoError) as raised:
        read_mixture(path)
    assert says in str(raised.value)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_files_that_are_no_mixture(tmp_path):
    with pytest.raises(MissingFileError):
        read_mixture(tmp_path / "gone.json")
    (tmp_path / "cut.json").write_text('{"sources": [')
    with pytest.raises(FormatError, match="not valid JSON"):
        read_mixture(tmp_path / "cut.json")


def test_impossible_sources():
    with pytest.raises(ValueError, match="no shard folder"):
        Source(name="a", folders=())
    with pytest.raises(ValueError, match="weight 0"):
        Source(name="a", folders=(Path("x"),), weight=Fraction(0))
    with pytest.raises(ValueError, match="has no weight but others have"):
        Mixture(
            sources=(
                Source(name="a", folders=(Path("x"),)),
                Source(name="b", folders=(Path("y"),), weight=Fraction(1)),
            )
        )
