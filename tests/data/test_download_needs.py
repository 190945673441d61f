"""What is needed of a download: the same narrations and cameras as `data clips` would use, counted without a video."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_tree import CAMERAS, SPLITS, TAKES, Tree, annotation, description, take_row

from exo2ego.data.clips import ClipRule
from exo2ego.data.download_needs import TakeNeed, needs, savings, totals, unneeded_files
from exo2ego.data.download_sizes import Size, Sizes
from exo2ego.data.egoexo4d import EgoExo4D, read_root
from exo2ego.data.pairs import FilterRule, assume_present, make_clips
from exo2ego.data.subset import Subset

SIZES = Sizes(Path("nowhere"), 10.0)
"""Each video of six seconds: 60 bytes, estimated."""


@pytest.fixture
def bare(tmp_path: Path) -> Tree:
    """The tiny download's texts without one video."""
    train = {
        "uid-a": [annotation("ann-1", [description("C lifts.", 1.0), description("C drops.", 3.0)])],
        "uid-b": [annotation("ann-2", [description("C turns.", 2.0, unsure=True)])],
    }
    rows = [take_row(uid, name) for uid, name in TAKES.items()]
    val = {"uid-v": [annotation("ann-3", [description("C sits.", 2.0)])]}
    return Tree(root=tmp_path / "bare", takes=rows, train=train, val=val, splits=dict(SPLITS))


def test_a_take_of_use_and_all_that_is_not(bare: Tree) -> None:
    dataset = read_root(bare.save())
    found, dropped = needs(dataset, FilterRule(), SIZES)
    (one,) = found
    assert (one.take.take_uid, one.narrations, one.pairs) == ("uid-a", 2, 4)
    folder = "takes/kitchen_1/frame_aligned_videos/downscaled/448"
    assert one.ego.path == f"{folder}/aria01_214-1.mp4"
    assert [exo.path for exo in one.exos] == [f"{folder}/cam01.mp4", f"{folder}/cam02.mp4"]
    assert (one.kept, one.fetched) == (Size(180, 180), Size(180, 180))
    assert {reason: count for reason, count in dropped.items() if count} == {"other split": 1, "unsure": 1}
    rows = {saving.what: saving for saving in savings(dataset, FilterRule(), found, SIZES)}
    assert {what: (row.takes, row.videos) for what, row in rows.items()} == {
        "takes of the test split": (1, 3),
        "takes of other splits": (1, 3),
        "takes without a usable narration": (1, 3),
        "grey, eye and preview videos": (1, 2),
    }
    assert rows["takes of the test split"].size == Size(180, 180)
    assert rows["takes of the test split"].hours == pytest.approx(3 * 6 / 3600)


def test_exo_cameras_that_no_clip_shows_can_go(bare: Tree) -> None:
    dataset = read_root(bare.save())
    found, _ = needs(dataset, FilterRule(views="best"), SIZES)
    assert [[exo.cam_id for exo in one.exos] for one in found] == [["cam02"]]
    assert (found[0].kept.total, found[0].fetched.total) == (120, 180)
    rows = {saving.what: saving for saving in savings(dataset, FilterRule(views="best"), found, SIZES)}
    assert rows["exo cameras that no clip shows"].videos == 1
    folder = "takes/kitchen_1/frame_aligned_videos/downscaled/448"
    names = ("aria01_211-1.mp4", "cam01.mp4", "collage.mp4")
    assert unneeded_files(dataset, found) == [f"{folder}/{name}" for name in names]


def test_dropped_unlisted_and_splitless_takes_are_told_apart(bare: Tree) -> None:
    bare.takes[1]["is_dropped"] = True
    del bare.splits["uid-v"]
    bare.train["uid-t"] = [annotation("ann-9", [description("C runs.", 1.0)])]
    bare.splits["uid-t"] = "train"
    dataset = read_root(bare.save())
    subset = Subset(takes=frozenset({"uid-a"}))
    found, dropped = needs(dataset, FilterRule(), SIZES, subset)
    rows = {saving.what: saving.takes for saving in savings(dataset, FilterRule(), found, SIZES, subset)}
    assert rows["takes marked as dropped"] == 1
    assert rows["takes without a split, or with a bad row"] == 1
    assert rows["takes not listed"] == 1
    assert dropped["other take"] == 1


def test_files_that_are_there_count_with_their_size_and_streams_of_the_take_come_along(bare: Tree) -> None:
    dataset = read_root(bare.save())
    for path, size in {"cam01.mp4": 11, "aria01_211-1.mp4": 5}.items():
        file = bare.root / "takes/kitchen_1/frame_aligned_videos/downscaled/448" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x" * size)
    sizes = Sizes(bare.root, 10.0)
    found, _ = needs(dataset, FilterRule(), sizes)
    assert (found[0].kept, found[0].fetched) == (Size(131, 120), Size(136, 120))
    teacher = totals(found, ("exo",), sizes)
    assert (teacher.takes, teacher.ego_videos, teacher.exo_videos) == (1, 0, 2)
    assert (teacher.size, teacher.hours) == (Size(71, 60), pytest.approx(12 / 3600))
    assert totals(found, ("ego", "exo"), sizes).ego_videos == 1


flags = st.fixed_dictionaries(
    {
        "timestamp": st.floats(-1, 7),
        "subject": st.sampled_from("CO"),
        "ego_visible": st.booleans(),
        "unsure": st.booleans(),
        "text": st.sampled_from(["C nods.", " ", "#C "]),
        "best_exo": st.sampled_from([None, {"cam_id": "cam01"}, {"cam_id": "cam09"}]),
    }
)
rows_of_takes = st.dictionaries(
    st.sampled_from(["uid-a", "uid-b", "uid-v"]), st.lists(st.tuples(st.booleans(), flags), max_size=6)
)


@given(rows=rows_of_takes, views=st.sampled_from(["all", "best", 1, 2]), keep=st.booleans())
def test_a_literal_count_of_the_files_gives_the_same(
    folder: Path, rows: dict[str, list[tuple[bool, dict[str, Any]]]], views: Any, keep: bool
) -> None:
    """Against loops over the JSON itself, and against the clips that would be cut."""
    notes = {
        uid: [annotation(f"{uid}-{n}", [row], rejected) for n, (rejected, row) in enumerate(entries)]
        for uid, entries in rows.items()
    }
    (folder / "annotations/atomic_descriptions_train.json").write_text(json.dumps({"annotations": notes}))
    dataset = read_root(folder)
    rule = FilterRule(views=views, keep_unsure=keep)
    found, dropped = needs(dataset, rule, SIZES)
    assert {one.take.take_uid: (one.narrations, one.pairs) for one in found} == literal(rows, views, keep)
    assert sum(dropped.values()) + sum(one.narrations for one in found) == sum(map(len, rows.values()))
    agree_with_clips(dataset, rule, found)


def literal(rows: dict[str, list[tuple[bool, dict[str, Any]]]], views: Any, keep: bool) -> dict[str, tuple[int, int]]:
    counts: dict[str, tuple[int, int]] = {}
    for uid, entries in rows.items():
        for rejected, row in entries:
            usable = row["text"] == "C nods." and row["subject"] == "C" and row["ego_visible"] and not rejected
            usable = usable and 0 <= row["timestamp"] <= 6 and (keep or not row["unsure"]) and SPLITS[uid] != "Val"
            best = row["best_exo"]["cam_id"] if row["best_exo"] else "cam02"
            cameras = {"all": 2, "best": int(best != "cam09"), 1: 1, 2: 2}[views]
            if usable and cameras:
                narrations, pairs = counts.get(uid, (0, 0))
                counts[uid] = (narrations + 1, pairs + cameras)
    return counts


def agree_with_clips(dataset: EgoExo4D, rule: FilterRule, found: list[TakeNeed]) -> None:
    clips, report = make_clips(dataset, ClipRule(alpha=1.0), rule, present=assume_present)
    assert report.kept == sum(one.narrations for one in found)
    shown = {one.take.take_uid: {exo.path for exo in one.exos} for one in found}
    for uid, paths in shown.items():
        assert paths == {exo.path for clip in clips if clip.take_uid == uid for exo in clip.exos}
    hours = math.fsum(one.take.duration_s * (1 + len(one.exos)) for one in found) / 3600
    assert hours == pytest.approx(report.video_hours)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Texts only; the descriptions are written by the test."""
    rows = [take_row(uid, name) for uid, name in TAKES.items()]
    assert [camera["cam_id"] for camera in rows[0]["capture"]["cameras"]] == list(CAMERAS)
    return Tree(root=tmp_path_factory.mktemp("texts"), takes=rows, train={}, val={}, splits=dict(SPLITS)).save()


def test_needs_do_not_depend_on_the_order_of_rows(bare: Tree) -> None:
    dataset = read_root(bare.save())
    turned = replace(dataset, narrations=dataset.narrations[::-1])
    assert needs(turned, FilterRule(splits=("train", "val")), SIZES) == needs(
        dataset, FilterRule(splits=("train", "val")), SIZES
    )
