"""How long `data plan` and the reading part of `data check` take at the size of the whole Ego-Exo4D release, and in
how much memory.

    python benchmarks/plan_scale.py

Writes made-up texts of the release's size to a temporary folder (5,035 takes, 432,467 descriptions, 221 ego-hours; rows
with the fields of the documentation's sample), so that it needs no data. Each command runs as a process of its own;
prints JSON: seconds, peak resident memory, and what was chosen for some budgets.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

TAKES, DESCRIPTIONS, EGO_HOURS = 5035, 432_467, 221.26
SPLITS = {"train": 3072, "val": 842, "test": 1121}
SCENARIOS = ("Cooking", "Health", "Bike Repair", "Music", "Basketball", "Rock Climbing", "Soccer", "Dance")
ARIA = (("slam-left", "1201-1"), ("slam-right", "1201-2"), ("et", "211-1"), ("rgb", "214-1"))
BUDGETS = ("5GB", "50GB", "200GB")


def uid(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128)))


def stream(rng: random.Random, camera: str, stream_id: str, name: str, file: str) -> dict[str, Any]:
    path = f"frame_aligned_videos/{file}.mp4"
    ids = {"cam_id": camera, "stream_id": stream_id, "readable_stream_id": name}
    return {**ids, "clip_uid": uid(rng), "relative_path": path}


def take(rng: random.Random, number: int, duration_s: float) -> dict[str, Any]:
    university = f"university{number % 12}"
    cameras = [f"cam{n:02d}" for n in range(1, rng.choice((5, 6)))]
    videos: dict[str, Any] = {
        "aria01": {name: stream(rng, "aria01", code, name, f"aria01_{code}") for name, code in ARIA}
    }
    videos |= {camera: {"0": stream(rng, camera, "0", "0", camera)} for camera in cameras}
    pseudo = {"stream_id": "0", "readable_stream_id": "0"}
    videos["collage"] = {"0": {"clip_uid": uid(rng), **pseudo, "relative_path": "ego_preview.mp4"}}
    videos["best_exo"] = {"0": {"clip_uid": None, **pseudo, "relative_path": None}}
    start = rng.randrange(10_000)
    scenario = rng.choices(range(8), weights=(9, 5, 4, 4, 3, 3, 2, 3))[0]
    return {
        "root_dir": f"takes/take_{number}",
        "take_name": f"take_{number}",
        "take_uid": uid(rng),
        "is_dropped": False,
        "objects": [],
        "best_exo": rng.choice(cameras) if rng.random() < 0.9 else None,
        "task_name": "Do it",
        "parent_task_id": 1000 * scenario,
        "parent_task_name": SCENARIOS[scenario],
        "duration_sec": duration_s,
        "timesync_start_idx": start,
        "timesync_end_idx": start + round(30 * duration_s),
        "frame_aligned_videos": videos,
        "university_name": university,
        "capture_uid": uid(rng),
        "capture": {
            "root_dir": f"captures/capture_{number // 4}",
            "university_name": university,
            "cameras": [
                {"cam_id": camera, "is_ego": camera == "aria01", "device_type": "hero10", "relative_path": "x"}
                for camera in ("aria01", *cameras)
            ],
        },
    }


def description(rng: random.Random, cameras: list[str], duration_s: float) -> dict[str, Any]:
    camera = rng.choice(cameras)
    return {
        "text": "C picks up the measuring cup from the countertop with his right hand.",
        "timestamp": rng.uniform(0, duration_s * 1.001),
        "subject": "C" if rng.random() < 0.85 else "O",
        "ego_visible": rng.random() < 0.8,
        "best_exo": {"raw_cam_id": camera[-1], "cam_id": camera},
        "unsure": rng.random() < 0.03,
    }


def write_texts(root: Path, seed: int) -> None:
    """A tree without videos."""
    rng = random.Random(seed)
    lengths = [rng.lognormvariate(0, 0.9) for _ in range(TAKES)]
    scale = EGO_HOURS * 3600 / sum(lengths)
    takes = [take(rng, number, length * scale) for number, length in enumerate(lengths)]
    names = [split for split, count in SPLITS.items() for _ in range(count)]
    rng.shuffle(names)
    splits = {row["take_uid"]: split for row, split in zip(takes, names, strict=True)}
    (root / "annotations").mkdir(parents=True)
    (root / "takes.json").write_text(json.dumps(takes))
    (root / "annotations" / "splits.json").write_text(json.dumps({"take_uid_to_split": splits}))
    described = [row for row in takes if splits[row["take_uid"]] != "test"]
    hours = sum(row["duration_sec"] for row in described)
    for split in ("train", "val"):
        notes = {}
        for row in described:
            if splits[row["take_uid"]] == split:
                cameras = [name for name in row["frame_aligned_videos"] if name.startswith("cam")]
                count = round(DESCRIPTIONS * row["duration_sec"] / hours / 2)
                notes[row["take_uid"]] = [annotation(rng, cameras, row["duration_sec"], count) for _ in range(2)]
        path = root / "annotations" / f"atomic_descriptions_{split}.json"
        path.write_text(json.dumps({"annotations": notes}))


def annotation(rng: random.Random, cameras: list[str], duration_s: float, count: int) -> dict[str, Any]:
    rows = [description(rng, cameras, duration_s) for _ in range(count)]
    return {
        "annotation_uid": uid(rng),
        "annotator_id": "1",
        "rejected": rng.random() < 0.05,
        "reject_reason": None,
        "descriptions": rows,
    }


def measured(command: list[str]) -> dict[str, Any]:
    """Seconds and peak memory of a process. Its output goes nowhere."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return {
        "exit_code": process.returncode,
        "seconds": round(time.monotonic() - began, 2),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
        "peak_mib": round(usage.ru_maxrss / 1024),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "egoexo4d"
        write_texts(root, options.seed)
        sizes = {path.name: round(path.stat().st_size / 1e6, 1) for path in root.rglob("*.json")}
        results: dict[str, Any] = {"text_megabytes": sizes}
        base = [sys.executable, "-m", "exo2ego", "data"]
        results["plan"] = measured([*base, "plan", str(root)])
        for budget in BUDGETS:
            out = Path(folder) / f"{budget}.json"
            figures = measured([*base, "plan", str(root), "--budget", budget, "--json", str(out)])
            plan = json.loads(out.read_text())
            used = plan["fetched"]["total"]
            assert used <= plan["settings"]["budget_bytes"]
            figures |= {
                "takes": len(plan["takes"]),
                "of_takes": plan["needed"]["takes"],
                "used_gb": round(used / 1e9, 3),
                "narrations": sum(row["narrations"] for row in plan["scenarios"]),
                "of_narrations": plan["needed"]["narrations"],
                "gb_by_scenario": {row["scenario"]: round(row["size"]["total"] / 1e9, 2) for row in plan["scenarios"]},
            }
            results[f"plan for {budget}"] = figures
        check = [*base, "check", str(root), "--out", str(Path(folder) / "out"), "--json", f"{folder}/check.json"]
        results["check, all videos missing"] = measured(check)
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
