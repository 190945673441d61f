"""Irregular texts of a download: every kind is counted and each case named; the simulated dirt is all found."""

import json
from collections import Counter

from tiny_tree import Tree, annotation, description

from exo2ego.data.annotation_check import annotation_findings
from exo2ego.data.egoexo4d import PROBLEMS, read_root
from exo2ego.data.tree_findings import FAULTS, NOTES


def found(tree: Tree) -> dict[str, list[str]]:
    """Kind -> take and detail of each finding."""
    told: dict[str, list[str]] = {}
    for finding in annotation_findings(read_root(tree.root)):
        told.setdefault(finding.kind, []).append(f"{finding.take}: {finding.detail}")
    return told


def test_clean_texts_have_no_findings(tree: Tree) -> None:
    assert found(tree) == {}


def test_every_kind_is_named_with_its_take(tree: Tree) -> None:
    tree.takes[0]["best_exo"] = "cam07"
    tree.takes[1]["duration_sec"] = 3.5
    tree.takes[3]["is_dropped"] = True
    tree.train["uid-nowhere"] = []
    tree.train["uid-b"].append(annotation("late", [description("C x.", 3.6), description("C y.", "soon")]))
    camera = {"best_exo": {"cam_id": "aria01"}}
    tree.train["uid-a"].append(
        annotation("ann-1", [description("C z.", 1.0, **camera), description("C.", 2, **camera)])
    )
    tree.train["uid-v"] = tree.val.pop("uid-v")
    tree.splits |= {"uid-gone": "test"}
    tree.save()
    splits = tree.root / "annotations" / "splits.json"
    content = json.loads(splits.read_text())
    content["split_to_take_uids"] = {"train": ["uid-a", "uid-b", "uid-v"], "val": [], "test": ["uid-t", "uid-new"]}
    splits.write_text(json.dumps(content))
    told = found(tree)
    assert {kind: len(cases) for kind, cases in told.items()} == {
        "dropped take": 1,
        "unknown take": 1,
        "foreign description": 1,
        "bad description": 1,
        "split of an unknown take": 1,
        "split in doubt": 2,
        "best exo is no camera": 2,
        "annotation uid twice": 1,
        "description outside its take": 2,
    }
    assert told["best exo is no camera"] == [
        "kitchen_1: best_exo of the take is cam07; it has cam01, cam02",
        "kitchen_1: best_exo of 2 descriptions is aria01; it has cam01, cam02",
    ]
    assert told["annotation uid twice"][0].startswith("kitchen_1: annotation ann-1 occurs twice")
    outside = "annotation late description 0 is at 3.600 s of a take of 3.500 s"
    assert f"bench_2: {outside}" in told["description outside its take"]
    assert "description 1: field 'timestamp' is \"soon\"" in told["bad description"][0]
    assert any("uid-v" in case and "says train" in case and "says val" in case for case in told["split in doubt"])


def test_kinds_of_the_reader_are_all_known_and_none_is_both() -> None:
    assert set(PROBLEMS) <= set(FAULTS) | set(NOTES)
    assert not set(FAULTS) & set(NOTES)


def test_counts_are_those_of_a_literal_look_at_the_json(tree: Tree) -> None:
    tree.train["uid-a"].append(annotation("x", [description("C.", t) for t in (-1.0, 0.0, 6.0, 6.01, 99.0)]))
    tree.save()
    literal = Counter(
        uid
        for part in (tree.train, tree.val)
        for uid, annotations in part.items()
        for one in annotations
        for row in one["descriptions"]
        if not 0 <= row["timestamp"] <= 6.0
    )
    assert len(found(tree)["description outside its take"]) == literal.total() == 3
