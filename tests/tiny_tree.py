"""A tiny download in Ego-Exo4D's layout, as content that tests may spoil before it is saved."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CAMERAS = ("aria01", "cam01", "cam02")
TAKES = {"uid-a": "kitchen_1", "uid-b": "bench_2", "uid-v": "desk_3", "uid-t": "desk_4"}
SPLITS = {"uid-a": "TRAIN", "uid-b": "train", "uid-v": "Val", "uid-t": "test"}


def take_row(uid: str, name: str) -> dict[str, Any]:
    """A row of takes.json, with two pseudo cameras."""
    files = {"aria01": "aria01_214-1", "cam01": "cam01", "cam02": "cam02"}
    videos: dict[str, Any] = {
        cam: {
            "rgb" if cam == "aria01" else "0": {
                "cam_id": cam,
                "readable_stream_id": "rgb" if cam == "aria01" else "0",
                "relative_path": f"frame_aligned_videos/{file}.mp4",
            }
        }
        for cam, file in files.items()
    }
    videos["aria01"]["et"] = {"readable_stream_id": "et", "relative_path": "frame_aligned_videos/aria01_211-1.mp4"}
    videos["collage"] = {"0": {"readable_stream_id": "0", "relative_path": "collage.mp4"}}
    videos["best_exo"] = {"0": {"readable_stream_id": "0", "relative_path": None}}
    return {
        "take_uid": uid,
        "take_name": name,
        "root_dir": f"takes/{name}",
        "duration_sec": 6.0,
        "parent_task_name": "Cooking",
        "university_name": "sim",
        "best_exo": "cam02",
        "is_dropped": False,
        "capture": {"cameras": [{"cam_id": cam, "is_ego": cam == "aria01"} for cam in CAMERAS]},
        "frame_aligned_videos": videos,
    }


def description(text: str, timestamp: float, **changes: Any) -> dict[str, Any]:
    row = {"text": text, "timestamp": timestamp, "subject": "C", "ego_visible": True, "unsure": False, "best_exo": None}
    return row | changes


def annotation(uid: str, descriptions: list[dict[str, Any]], rejected: bool = False) -> dict[str, Any]:
    return {"annotation_uid": uid, "annotator_id": "1", "rejected": rejected, "descriptions": descriptions}


@dataclass
class Tree:
    """The download and the content of its files; `save` writes the latter."""

    root: Path
    takes: list[dict[str, Any]]
    train: dict[str, Any]
    val: dict[str, Any]
    splits: dict[str, str]

    def save(self) -> Path:
        notes = self.root / "annotations"
        notes.mkdir(parents=True, exist_ok=True)
        (self.root / "takes.json").write_text(json.dumps(self.takes))
        (notes / "splits.json").write_text(json.dumps({"take_uid_to_split": self.splits}))
        (notes / "atomic_descriptions_train.json").write_text(json.dumps({"annotations": self.train}))
        (notes / "atomic_descriptions_val.json").write_text(json.dumps({"annotations": self.val}))
        return self.root

    def video(self, uid: str, camera: str) -> Path:
        name = "aria01_214-1" if camera == "aria01" else camera
        return self.root / "takes" / TAKES[uid] / "frame_aligned_videos" / f"{name}.mp4"

    def write_videos(self, content: Mapping[str, bytes]) -> None:
        """Every take's video of each camera: `content` by camera."""
        for uid in TAKES:
            for camera in CAMERAS:
                path = self.video(uid, camera)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content[camera])
