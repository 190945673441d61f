"""The simulated Ego-Exo4D tree, read as a download is: what was put in comes out, and every bit of dirt is counted."""

import json
import os
import re
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exo2ego.cli.__main__ import main
from exo2ego.data.clips import ClipRule
from exo2ego.data.egoexo4d import read_root
from exo2ego.data.pairs import FilterRule, make_clips
from exo2ego.data.shards import open_shards
from exo2ego.records import Clip, Stream
from exo2ego.sim.egoexo4d import EGO_FILE, exo_file, files
from exo2ego.sim.export import truth
from exo2ego.sim.narrate import MOST_JITTER_S, OTHERS, UNSURE
from exo2ego.sim.spec import SimSpec
from exo2ego.sim.world import TakePlan, plan_takes

REASONS = {
    **dict.fromkeys(OTHERS, "other subject"),
    **dict.fromkeys(UNSURE, "unsure"),
    "C moves his foot.": "not ego-visible",
    "": "empty",
    "C steps back.": "outside the take",
    "C stands.": "rejected",
}
"""Dirt by its words, which no reader looks at -> why it is to be left out, by flags and times."""
EDGE_S = 1e-5
"""Timestamps have five decimals."""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory, plan_spec: SimSpec, plans: list[TakePlan]) -> Path:
    """The tree of sixty takes; its videos are there and empty, as filters do not look into them."""
    root = tmp_path_factory.mktemp("planned") / "ego_exo4d"
    for name, text in files(plan_spec, plans).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for plan in plans:
        for video in (EGO_FILE, *(exo_file(camera.cam_id) for camera in plan.cameras)):
            (root / "takes" / plan.take_name / video).parent.mkdir(parents=True, exist_ok=True)
            (root / "takes" / plan.take_name / video).touch()
    return root


def written(root: Path, split: str) -> dict[str, list[str]]:
    """The texts of all descriptions of a split's file by take uid."""
    content: dict[str, Any] = json.loads((root / f"annotations/atomic_descriptions_{split}.json").read_text())
    return {
        uid: [row["text"] for annotation in annotations for row in annotation["descriptions"]]
        for uid, annotations in content["annotations"].items()
    }


def put_in(root: Path, splits: tuple[str, ...], known: set[str]) -> Counter[str]:
    """How many descriptions of known takes are to be left out, by reason, as their words tell."""
    texts = [text for split in splits for uid, said in written(root, split).items() if uid in known for text in said]
    return Counter(REASONS[text] for text in texts if text in REASONS)


def events_of(truths: str, *splits: str) -> list[dict[str, Any]]:
    """The events of some splits, as `truth.jsonl` has them."""
    events = [json.loads(line) for line in truths.splitlines()]
    return [event for event in events if event["split"] in splits]


def check_told(clips: list[Clip], events: list[dict[str, Any]]) -> None:
    """Every clip tells an event of its take: its verb and kind, about its middle; both annotators tell each once."""
    told: Counter[str] = Counter()
    for clip in clips:
        then = [
            event
            for event in events
            if event["take_uid"] == clip.take_uid
            and abs(event["middle_s"] - clip.timestamp_s) <= MOST_JITTER_S + EDGE_S
        ]
        assert len(then) == 1, (clip.clip_id, clip.text)
        assert re.fullmatch(rf"C {then[0]['verb']} .*the {then[0]['kind']}\b.*\.", clip.text), (clip.text, then[0])
        assert 0 <= clip.start_s <= clip.timestamp_s <= clip.end_s
        told[then[0]["event_id"]] += 1
    assert set(told.values()) == {2}


@pytest.mark.parametrize("splits", [("train",), ("val",), ("train", "val")])
def test_every_kind_of_dirt_is_counted_as_often_as_it_was_put_in(
    tree: Path, plans: list[TakePlan], splits: tuple[str, ...]
) -> None:
    """By reason; the others are all kept, and tell what happens."""
    known = {plan.take_uid for plan in plans}
    dataset = read_root(tree)
    clips, report = make_clips(dataset, ClipRule(), FilterRule(splits=splits))
    expected = put_in(tree, splits, known)
    if "train" in splits:
        assert set(expected) == set(REASONS.values()), "the world shows every kind of dirt"
    unasked = {"train", "val"} - set(splits)
    expected["other split"] = sum(
        len(said) for split in unasked for u, said in written(tree, split).items() if u in known
    )
    assert {reason: count for reason, count in report.dropped.items() if count} == dict(+expected)
    assert report.total == sum(
        len(said) for s in ("train", "val") for u, said in written(tree, s).items() if u in known
    )
    bare = {uid for split in splits for uid, said in written(tree, split).items() if not said}
    assert report.takes_without_narrations == len(bare) == ("train" in splits)
    events = [event for event in events_of(truth(plans), *splits) if event["take_uid"] not in bare]
    assert report.kept == 2 * len(events)
    check_told(clips, events)
    assert {clip.take_uid for clip in clips} == {event["take_uid"] for event in events}


def test_takes_cameras_and_what_is_no_camera_are_sorted_out(tree: Path, plans: list[TakePlan]) -> None:
    """The take that takes.json lacks is named; streams without a file are no views; the table of clocks is found."""
    dataset = read_root(tree)
    strays = [uid for uid in written(tree, "train") if uid not in {plan.take_uid for plan in plans}]
    assert [(problem.kind, problem.take) for problem in dataset.problems] == [("unknown take", uid) for uid in strays]
    assert len(strays) == 1
    assert set(dataset.takes) == {plan.take_uid for plan in plans}
    for plan in plans:
        take, beside = dataset.takes[plan.take_uid], dataset.files[plan.take_uid]
        folder = f"takes/{plan.take_name}"
        assert take.ego is not None
        assert (take.ego.cam_id, take.ego.path) == ("aria01", f"{folder}/{EGO_FILE}")
        assert [(exo.cam_id, exo.path) for exo in take.exos] == [
            (camera.cam_id, f"{folder}/{exo_file(camera.cam_id)}") for camera in plan.cameras
        ]
        assert (take.split, take.scenario, take.duration_s) == (plan.split, plan.scenario, plan.duration_s)
        assert take.best_exo in (plan.best_exo, None)
        # Two grey cameras, the eye cameras and the collage; not the null path.
        assert [Path(other).name for other in beside.others] == [
            *("aria01_1201-1.mp4", "aria01_1201-2.mp4", "aria01_211-1.mp4", "ego_preview.mp4")
        ]
        assert beside.timesync is not None
        assert (tree / beside.timesync).is_file()
        assert beside.timesync_rows is not None
        assert beside.timesync_rows[1] - beside.timesync_rows[0] == plan.frames


def test_videos_that_are_not_there_are_counted(tree: Path, plans: list[TakePlan], tmp_path: Path) -> None:
    """Of one take the head's, of another all fixed cameras', of a third the first fixed one's."""
    root = tmp_path / "ego_exo4d"
    shutil.copytree(tree, root)
    headless, blind, partly = [plan for plan in plans if plan.split == "train"][:3]
    (root / "takes" / headless.take_name / EGO_FILE).unlink()
    for plan, cameras in ((blind, blind.cameras), (partly, partly.cameras[:1])):
        for camera in cameras:
            (root / "takes" / plan.take_name / exo_file(camera.cam_id)).unlink()
    clips, report = make_clips(read_root(root), ClipRule(), FilterRule())
    whole, _ = make_clips(read_root(tree), ClipRule(), FilterRule())
    assert report.dropped["missing video"] == 2 * len(headless.events)
    assert report.dropped["missing exo"] == 2 * len(blind.events)
    assert report.missing_exo_videos == 2 * len(partly.events)
    gone = {headless.take_uid, blind.take_uid}
    expected = [
        replace(clip, exos=clip.exos[1:]) if clip.take_uid == partly.take_uid else clip
        for clip in whole
        if clip.take_uid not in gone
    ]
    assert clips == expected


def test_the_best_camera_is_the_narrations_own_or_the_takes(tree: Path, plans: list[TakePlan]) -> None:
    """It is annotated in both places, in one of them, or in neither; never another camera."""
    best = {plan.take_uid: plan.best_exo for plan in plans}
    clips, report = make_clips(read_root(tree), ClipRule(), FilterRule(splits=("train", "val")))
    assert all(clip.best_exo in (best[clip.take_uid], None) for clip in clips)
    assert 0 < report.without_best_exo == sum(clip.best_exo is None for clip in clips) < 0.05 * len(clips)


@pytest.mark.gl
def test_the_rendered_world_becomes_shards(
    tiny_spec: SimSpec, tiny_world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`data clips` on a small world: its counts are those of the files, and both splits' clips tell the truth."""
    root, plans = tiny_world / "ego_exo4d", plan_takes(tiny_spec)
    known = {plan.take_uid for plan in plans}
    clips, report = make_clips(read_root(root), ClipRule(), FilterRule(splits=("train", "val")))
    expected = put_in(root, ("train", "val"), known)
    assert {reason: count for reason, count in report.dropped.items() if count} == dict(expected)
    check_told(clips, events_of((tiny_world / "truth.jsonl").read_text(), "train", "val"))
    out = tmp_path / "shards"
    command = ["data", "clips", "--source", str(root), "--out", str(out), "--frames", "2", "--size", "32"]
    assert main([*command, "--workers", "1"]) == 0
    said = capsys.readouterr().out
    kept = [clip for clip in clips if clip.split == "train"]
    assert f"narrations: {report.total}, kept: {len(kept)} (" in said
    for reason, count in put_in(root, ("train",), known).items():
        assert f"left out, {reason}: {count}\n" in said
    assert f"left out, other split: {sum(map(len, written(root, 'val').values()))}\n" in said
    shards = open_shards(out)
    assert [(one.text, one.views) for one in shards.samples] == [
        (clip.text, ("ego", *(exo.cam_id for exo in clip.exos))) for clip in kept
    ]


@pytest.fixture
def small_only(tiny_world: Path, tmp_path: Path) -> Path:
    """The rendered tree with every video under `downscaled/448` alone, as Ego-Exo4D's downloader brings it."""
    whole, root = tiny_world / "ego_exo4d", tmp_path / "ego_exo4d"
    shutil.copytree(whole, root, copy_function=os.link)
    for video in sorted((root / "takes").glob("*/frame_aligned_videos/*.mp4")):
        small = video.parent / "downscaled" / "448" / video.name
        small.parent.mkdir(parents=True, exist_ok=True)
        video.rename(small)
    return root


def under_448(clip: Clip) -> Clip:
    """The clip with its videos there."""

    def moved(stream: Stream) -> Stream:
        folder, _, name = stream.path.rpartition("/")
        return replace(stream, path=f"{folder}/downscaled/448/{name}")

    return replace(clip, ego=moved(clip.ego), exos=tuple(map(moved, clip.exos)))


@pytest.mark.gl
def test_a_tree_with_downscaled_videos_only_gives_the_same_clips(
    tiny_world: Path, small_only: Path, tmp_path: Path
) -> None:
    """Nothing else differs but where the videos lie, down to the bytes of the shards; the full ones are not there."""
    whole = make_clips(read_root(tiny_world / "ego_exo4d"), ClipRule(), FilterRule(splits=("train", "val")))
    for downscaled in (None, True):
        found = make_clips(read_root(small_only, downscaled), ClipRule(), FilterRule(splits=("train", "val")))
        assert found == ([under_448(clip) for clip in whole[0]], whole[1])
    none, report = make_clips(read_root(small_only, False), ClipRule(), FilterRule(splits=("train", "val")))
    assert (none, report.dropped["missing video"]) == ([], whole[1].kept)
    for source, out in ((tiny_world / "ego_exo4d", "full"), (small_only, "small")):
        command = ["data", "clips", "--source", str(source), "--out", str(tmp_path / out), "--workers", "1"]
        assert main([*command, "--frames", "2", "--size", "32"]) == 0
    full = {path.name: path.read_bytes() for path in (tmp_path / "full").glob("*.tar")}
    assert full
    assert full == {path.name: path.read_bytes() for path in (tmp_path / "small").glob("*.tar")}


@pytest.mark.gl
def test_the_check_of_downloads_finds_no_fault(
    tiny_world: Path, small_only: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every needed video opens and is as long as its take says, in seconds and in rows of clocks, in both layouts."""
    for number, root in enumerate((tiny_world / "ego_exo4d", small_only)):
        command = ["data", "check", str(root), "--out", str(tmp_path / f"check{number}"), "--splits", "train", "val"]
        assert main(command) == 0, capsys.readouterr().out
        said = capsys.readouterr().out
        assert "needed: 6 videos of 2 takes; there: 6, readable: 6 " in said
        assert "bad: 0, missing: 0" in said
        assert "clock tables there: 2\n" in said
        assert "fault" not in said
        assert "timesync.csv" not in said, "a note that the table lacks rows"
