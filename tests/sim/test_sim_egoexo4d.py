"""The tree's other files: keys as documented for Ego-Exo4D v2, and files that agree with each other."""

import csv
import io
import json
from collections import Counter
from typing import Any

import pytest

from exo2ego.sim.egoexo4d import SYNC_START, files
from exo2ego.sim.spec import SCENARIOS, SimSpec
from exo2ego.sim.world import TakePlan

# Documented keys (EGO4D/Ego-Exo4D-docs: docs/data/metadata.md, takes.md).
TAKE_KEYS = {
    *("take_uid", "take_name", "root_dir", "capture_uid", "capture", "duration_sec", "task_start_sec", "task_end_sec"),
    *("task_id", "task_name", "parent_task_id", "parent_task_name", "best_exo", "is_dropped", "validated"),
    *("is_narrated", "university_name", "participant_uid", "physical_setting_uid", "timesync_start_idx"),
    *("timesync_end_idx", "frame_aligned_videos"),
}
CAPTURE_KEYS = {
    *("capture_uid", "capture_name", "root_dir", "university_name", "physical_setting_uid", "ds_recorded"),
    *("has_trajectory", "has_gaze", "cameras", "timesync_validated", "validated"),
}
CAMERA_KEYS = {"cam_id", "is_ego", "device_type", "relative_path", "has_walkaround", "includes_audio"}
STREAM_KEYS = {"cam_id", "stream_id", "readable_stream_id", "clip_uid", "relative_path"}
PARTICIPANT_KEYS = {"participant_uid", "university_name", "collection_date", "metadata"}
PSEUDO = {"collage", "best_exo"}


@pytest.fixture(scope="module")
def tree(plan_spec: SimSpec, plans: list[TakePlan]) -> dict[str, str]:
    """Path in the tree -> text, of sixty takes."""
    return files(plan_spec, plans)


@pytest.fixture(scope="module")
def takes(tree: dict[str, str]) -> list[dict[str, Any]]:
    """The rows of takes.json."""
    rows: list[dict[str, Any]] = json.loads(tree["takes.json"])
    return rows


def test_all_files_of_the_release_are_there(tree: dict[str, str], plans: list[TakePlan]) -> None:
    """And no other; what is json is json."""
    tables = [name for name in tree if name.startswith("captures/")]
    assert tables == [f"captures/{plan.capture_name}/timesync.csv" for plan in plans]
    assert set(tree) - set(tables) == {
        *("takes.json", "captures.json", "participants.json", "physical_setting.json", "visual_objects.json"),
        *("metadata.json", "annotations/splits.json"),
        *("annotations/atomic_descriptions_train.json", "annotations/atomic_descriptions_val.json"),
    }
    for name, text in tree.items():
        assert name.endswith(".csv") or json.loads(text) is not None, name


def test_takes_have_the_documented_keys_and_names_of_their_own(
    takes: list[dict[str, Any]], plans: list[TakePlan]
) -> None:
    """Every number and name that other files refer to is the plan's."""
    for take, plan in zip(takes, plans, strict=True):
        assert set(take) >= TAKE_KEYS
        assert (take["take_uid"], take["take_name"]) == (plan.take_uid, plan.take_name)
        assert take["root_dir"] == f"takes/{plan.take_name}"
        assert (take["is_dropped"], take["validated"]) == (False, True)
        assert take["duration_sec"] == plan.frames / plan.fps
        parent, place, _ = SCENARIOS[plan.scenario]
        assert (take["parent_task_id"], take["parent_task_name"]) == (parent, plan.scenario)
        assert place in take["task_name"]
    for key in ("take_uid", "take_name", "root_dir", "capture_uid", "take_timing_uid", "timesync_uid"):
        assert len({take[key] for take in takes}) == len(takes), key
    assert {take["parent_task_id"] // 1000 for take in takes} == {1, 4, 5}, "Cooking, Bike Repair, Music"


def test_some_takes_have_no_best_exo_no_task_id_and_no_times(
    takes: list[dict[str, Any]], plans: list[TakePlan]
) -> None:
    """The others have what is right; both times are there or neither."""
    nulls = Counter(key for take in takes for key, value in take.items() if value is None)
    assert set(nulls) == {"best_exo", "task_id", "task_start_sec", "task_end_sec"}
    assert all(0 < count < len(takes) / 4 for count in nulls.values()), nulls
    for take, plan in zip(takes, plans, strict=True):
        assert take["best_exo"] in (plan.best_exo, None)
        assert take["task_id"] is None or take["task_id"] // 1000 == take["parent_task_id"] // 1000
        times = (take["task_start_sec"], take["task_end_sec"])
        assert times in ((None, None), (plan.events[0].start_s, plan.events[-1].end_s))
        assert times == (None, None) or 0 <= times[0] < times[1] <= take["duration_sec"]


def test_streams_are_the_cameras_with_two_that_are_none(takes: list[dict[str, Any]], plans: list[TakePlan]) -> None:
    """`collage` and `best_exo` are no cameras of the capture, and `best_exo` has a null path."""
    clip_uids: list[str] = []
    for take, plan in zip(takes, plans, strict=True):
        videos = take["frame_aligned_videos"]
        cameras = [camera["cam_id"] for camera in take["capture"]["cameras"]]
        assert cameras == ["aria01", *(camera.cam_id for camera in plan.cameras)]
        assert set(videos) == {*cameras, *PSEUDO}
        assert list(videos["aria01"]) == ["slam-left", "slam-right", "et", "rgb"]
        for cam_id in cameras:
            for name, stream in videos[cam_id].items():
                assert set(stream) >= STREAM_KEYS
                assert (stream["cam_id"], stream["readable_stream_id"]) == (cam_id, name)
                tail = f"_{stream['stream_id']}" if cam_id == "aria01" else ""
                assert stream["relative_path"] == f"frame_aligned_videos/{cam_id}{tail}.mp4"
                clip_uids.append(stream["clip_uid"])
            assert cam_id == "aria01" or list(videos[cam_id]) == ["0"]
        assert videos["aria01"]["rgb"]["stream_id"] == "214-1"
        assert videos["collage"]["0"]["relative_path"] == "ego_preview.mp4"
        assert videos["best_exo"]["0"]["relative_path"] is None
    assert len(set(clip_uids)) == len(clip_uids)


def test_captures_are_those_of_the_takes(
    tree: dict[str, str], takes: list[dict[str, Any]], plans: list[TakePlan]
) -> None:
    """One for each take, equal to the one within it; exactly one camera is the head's."""
    captures = json.loads(tree["captures.json"])
    assert captures == [take["capture"] for take in takes]
    for capture, take, plan in zip(captures, takes, plans, strict=True):
        assert set(capture) >= CAPTURE_KEYS
        assert capture["root_dir"] == f"captures/{plan.capture_name}"
        assert f"{capture['root_dir']}/timesync.csv" in tree
        for key in ("capture_uid", "timesync_uid", "university_name", "physical_setting_uid"):
            assert capture[key] == take[key], key
        assert all(set(camera) >= CAMERA_KEYS for camera in capture["cameras"])
        assert [camera["cam_id"] for camera in capture["cameras"] if camera["is_ego"]] == ["aria01"]
        assert {(camera["is_ego"], camera["device_type"]) for camera in capture["cameras"]} == {
            (True, "aria"),
            (False, "hero10"),
        }


def test_every_participant_and_room_of_a_take_is_listed_once(
    tree: dict[str, str], takes: list[dict[str, Any]], plans: list[TakePlan]
) -> None:
    """`metadata` of a participant is a JSON string, as in the real file; metadata.json says what this is."""
    people = json.loads(tree["participants.json"])
    assert all(set(one) >= PARTICIPANT_KEYS for one in people)
    assert [one["participant_uid"] for one in people] == sorted({take["participant_uid"] for take in takes})
    assert len(people) > 10
    assert all(json.loads(one["metadata"]) == {"simulated": True} for one in people)
    rooms = json.loads(tree["physical_setting.json"])
    assert [one["physical_setting_uid"] for one in rooms] == sorted({take["physical_setting_uid"] for take in takes})
    assert [take["physical_setting_uid"] for take in takes] == [plan.room for plan in plans]
    about = json.loads(tree["metadata.json"])
    assert (about["release"], about["takes"]) == ("v2", len(takes))
    assert "simulated" in about["source"]


def test_both_tables_of_splits_say_the_same(tree: dict[str, str], plans: list[TakePlan]) -> None:
    """Each take is in one split, in lower case."""
    splits = json.loads(tree["annotations/splits.json"])
    assert set(splits) == {"take_uid_to_split", "split_to_take_uids"}
    assert splits["take_uid_to_split"] == {plan.take_uid: plan.split for plan in plans}
    assert set(splits["split_to_take_uids"]) == {"train", "val", "test"}
    listed = [(uid, split) for split, uids in splits["split_to_take_uids"].items() for uid in uids]
    assert len(listed) == len(plans)
    assert dict(listed) == splits["take_uid_to_split"]


def test_the_table_of_clocks_has_a_row_for_each_frame(
    tree: dict[str, str], takes: list[dict[str, Any]], plans: list[TakePlan]
) -> None:
    """The take begins after some rows that are not its own; every camera's clock goes on by one frame a row."""
    for take, plan in list(zip(takes, plans, strict=True))[:12]:
        rows = list(csv.DictReader(io.StringIO(tree[f"captures/{plan.capture_name}/timesync.csv"])))
        start, end = take["timesync_start_idx"], take["timesync_end_idx"]
        assert 0 < start == SYNC_START < end == len(rows)
        assert end - start == plan.frames == round(take["duration_sec"] * plan.fps)
        clocks = ["aria01_214-1", *(camera.cam_id for camera in plan.cameras)]
        parts = ("pts", "frame_number", "capture_timestamp_ns")
        assert list(rows[0]) == [f"{clock}_{part}" for clock in clocks for part in parts]
        for clock in clocks:
            assert [int(row[f"{clock}_frame_number"]) for row in rows] == list(range(end))
            assert [float(row[f"{clock}_pts"]) for row in rows] == pytest.approx([n / plan.fps for n in range(end)])
            stamps = [int(row[f"{clock}_capture_timestamp_ns"]) for row in rows]
            assert stamps == [round(n / plan.fps * 1e9) for n in range(end)]


def test_descriptions_name_cameras_of_their_take(tree: dict[str, str], plans: list[TakePlan]) -> None:
    """`take_cam_id_map` lists all of them; a best exo has its number without zeros, as in the real file."""
    cameras = {plan.take_uid: {camera.cam_id for camera in plan.cameras} for plan in plans}
    for split in ("train", "val"):
        content = json.loads(tree[f"annotations/atomic_descriptions_{split}.json"])
        assert set(content) == {"ds", "take_cam_id_map", "annotations"}
        assert {uid: set(known) for uid, known in content["take_cam_id_map"].items()} == {
            plan.take_uid: cameras[plan.take_uid] | {"aria01"} for plan in plans if plan.split == split
        }
        uids = [one["annotation_uid"] for many in content["annotations"].values() for one in many]
        assert len(set(uids)) == len(uids)
        for uid, many in content["annotations"].items():
            for best in (row["best_exo"] for one in many for row in one["descriptions"] if row["best_exo"]):
                assert best["cam_id"] in cameras[uid]
                assert best["raw_cam_id"] == best["cam_id"].removeprefix("cam").lstrip("0")
