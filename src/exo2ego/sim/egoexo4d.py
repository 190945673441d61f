"""The json and csv files of the Ego-Exo4D v2 layout for planned takes (`takes.json` and friends)."""

import json
from typing import Any

from exo2ego.records import SPLITS
from exo2ego.sim.narrate import narrations
from exo2ego.sim.spec import SCENARIOS, SimSpec
from exo2ego.sim.world import TakePlan, uid

EGO_CAMERA = "aria01"
EGO_FILE = "frame_aligned_videos/aria01_214-1.mp4"
_ARIA = (("slam-left", "1201-1"), ("slam-right", "1201-2"), ("et", "211-1"), ("rgb", "214-1"))
SYNC_START = 30
"""Row of `timesync.csv` at which the take starts."""


def exo_file(cam_id: str) -> str:
    """A fixed camera's video relative to the take's folder."""
    return f"frame_aligned_videos/{cam_id}.mp4"


def files(spec: SimSpec, plans: list[TakePlan]) -> dict[str, str]:
    """Path relative to the Ego-Exo4D root -> text, of everything but the videos."""
    result = {
        "takes.json": _dump([_take(spec, plan) for plan in plans]),
        "captures.json": _dump([_capture(spec, plan) for plan in plans]),
        "participants.json": _dump(_participants(plans)),
        "physical_setting.json": _dump([_setting(room) for room in sorted({plan.room for plan in plans})]),
        "visual_objects.json": _dump([]),
        "metadata.json": _dump(
            {"release": "v2", "source": "exo2ego simulated world", "seed": spec.seed, "takes": len(plans)}
        ),
        "annotations/splits.json": _dump(_splits(plans)),
    }
    for split in ("train", "val"):
        result[f"annotations/atomic_descriptions_{split}.json"] = _dump(narrations(spec, plans, split))
    for plan in plans:
        result[f"captures/{plan.capture_name}/timesync.csv"] = _timesync(plan)
    return result


def _dump(content: Any) -> str:
    return json.dumps(content, indent=1) + "\n"


def _take(spec: SimSpec, plan: TakePlan) -> dict[str, Any]:
    parent, place, _ = SCENARIOS[plan.scenario]
    return {
        "root_dir": f"takes/{plan.take_name}",
        "take_name": plan.take_name,
        "take_uid": plan.take_uid,
        "take_idx": 1,
        "take_timing_uid": uid(spec.seed, "timing", plan.index),
        "timesync_uid": uid(spec.seed, "timesync", plan.index),
        "capture_uid": uid(spec.seed, "capture", plan.index),
        "participant_uid": plan.actor.participant,
        "physical_setting_uid": plan.room,
        "university_name": "sim",
        "is_dropped": False,
        "is_narrated": False,
        "validated": True,
        "objects": [],
        "best_exo": None if plan.index % 11 == 5 else plan.best_exo,
        "task_id": None if plan.index % 7 == 3 else parent + 1,
        "task_name": f"Handle things on the {place} table",
        "parent_task_id": parent,
        "parent_task_name": plan.scenario,
        "task_start_sec": None if plan.index % 7 == 2 else plan.events[0].start_s,
        "task_end_sec": None if plan.index % 7 == 2 else plan.events[-1].end_s,
        "duration_sec": plan.duration_s,
        "timesync_start_idx": SYNC_START,
        "timesync_end_idx": SYNC_START + plan.frames,
        "frame_aligned_videos": _videos(spec, plan),
        "capture": _capture(spec, plan),
    }


def _stream(spec: SimSpec, plan: TakePlan, cam_id: str, stream: str, name: str, path: str) -> dict[str, Any]:
    return {
        "cam_id": cam_id,
        "stream_id": stream,
        "readable_stream_id": name,
        "clip_uid": uid(spec.seed, "clip", plan.index, cam_id, stream),
        "relative_path": path,
    }


def _videos(spec: SimSpec, plan: TakePlan) -> dict[str, Any]:
    """The streams, with the ones a reader must skip: slam and eye cameras (no file here), a collage, a null path."""
    aria = {
        name: _stream(spec, plan, EGO_CAMERA, stream, name, f"frame_aligned_videos/aria01_{stream}.mp4")
        for name, stream in _ARIA
    }
    exos = {c.cam_id: {"0": _stream(spec, plan, c.cam_id, "0", "0", exo_file(c.cam_id))} for c in plan.cameras}
    pseudo = {"stream_id": "0", "readable_stream_id": "0"}
    collage = {"clip_uid": uid(spec.seed, "collage", plan.index), **pseudo, "relative_path": "ego_preview.mp4"}
    best = {"clip_uid": None, **pseudo, "relative_path": None}
    return {EGO_CAMERA: aria, **exos, "collage": {"0": collage}, "best_exo": {"0": best}}


def _camera(spec: SimSpec, plan: TakePlan, cam_id: str, is_ego: bool) -> dict[str, Any]:
    return {
        "cam_id": cam_id,
        "is_ego": is_ego,
        "has_walkaround": is_ego,
        "includes_audio": False,
        "device_type": "aria" if is_ego else "hero10",
        "relative_path": f"videos/{cam_id}.{'vrs' if is_ego else 'mp4'}",
        "video_artifact_uid": uid(spec.seed, "artifact", plan.index, cam_id),
    }


def _capture(spec: SimSpec, plan: TakePlan) -> dict[str, Any]:
    exos = [_camera(spec, plan, camera.cam_id, False) for camera in plan.cameras]
    return {
        "root_dir": f"captures/{plan.capture_name}",
        "capture_name": plan.capture_name,
        "capture_uid": uid(spec.seed, "capture", plan.index),
        "timesync_uid": uid(spec.seed, "timesync", plan.index),
        "university_name": "sim",
        "physical_setting_uid": plan.room,
        "ds_recorded": "2026-01-01",
        "has_trajectory": False,
        "has_gaze": False,
        "has_postsurvey": False,
        "cameras": [_camera(spec, plan, EGO_CAMERA, True), *exos],
        "timesync_validated": True,
        "validated": True,
    }


def _participants(plans: list[TakePlan]) -> list[dict[str, Any]]:
    """`metadata` is a JSON string, as in the real file."""
    people = sorted({plan.actor.participant for plan in plans})
    metadata = json.dumps({"simulated": True})
    return [
        {"participant_uid": one, "university_name": "sim", "collection_date": "2026-01-01", "metadata": metadata}
        for one in people
    ]


def _setting(room: int) -> dict[str, Any]:
    return {"physical_setting_uid": room, "university_name": "sim", "setting_name": f"room {room}"}


def _splits(plans: list[TakePlan]) -> dict[str, Any]:
    by_take = {plan.take_uid: plan.split for plan in plans}
    by_split = {split: [plan.take_uid for plan in plans if plan.split == split] for split in SPLITS}
    return {"take_uid_to_split": by_take, "split_to_take_uids": by_split}


def _timesync(plan: TakePlan) -> str:
    """One row per 1/fps; the take covers rows SYNC_START to SYNC_START + frames."""
    names = [EGO_CAMERA + "_214-1", *(camera.cam_id for camera in plan.cameras)]
    columns = [f"{name}_{part}" for name in names for part in ("pts", "frame_number", "capture_timestamp_ns")]
    lines = [",".join(columns)]
    for row in range(SYNC_START + plan.frames):
        time_s = row / plan.fps
        cells = [f"{time_s:.6f},{row},{round(time_s * 1e9)}"] * len(names)
        lines.append(",".join(cells))
    return "\n".join(lines) + "\n"
