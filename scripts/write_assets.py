"""Put a trained start into the package: the model, where it came from, and the checksums it is loaded with.

    exo2ego sim --out W --takes 1200 --seed 1000 --steps 3 4 --exo-cameras 4 4 --split 0.95 0 0.05
    exo2ego data instruct --source W/instruct/exo.json --videos W/ego_exo4d --out S
    torchrun --nproc-per-node 2 -m exo2ego train --recipe tiny --stage vision --data S --out R/vision
    torchrun --nproc-per-node 2 -m exo2ego train --recipe tiny --stage initial --data S \
        --init-from R/vision/final --out R/initial
    python scripts/write_assets.py R/vision R/initial --shards S

What it can is measured once it is in its place (benchmarks/compare_arms.py, arm `start`); the same command with
--metrics FILE, a JSON object, then adds it to the provenance.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from exo2ego.models.weights import ASSETS

LIMIT_BYTES = 12_000_000


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def stage_record(folder: Path) -> dict[str, Any]:
    """What a finished stage says of itself: steps, clips, processor time, first and last losses."""
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    recipe = json.loads((folder / "recipe.json").read_text())
    batch = recipe["stages"][folder.name]["optim"]["batch_size"]
    last = rows[-50:]
    return {
        "settings": json.loads((folder / "settings.json").read_text())["settings"],
        "steps": len(rows),
        "clips": len(rows) * batch,
        "hours": round(len(rows) * batch / rows[-1]["clips_per_s"] / 3600, 3),
        "loss_first": round(rows[0]["loss"], 4),
        "loss_last_50": round(sum(row["loss"] for row in last) / len(last), 4),
    }


def commit() -> str:
    """What the code is; make sure that it is, or will be, part of the published history."""
    return subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()


def provenance(stages: list[Path], shards: Path, size: int, metrics: dict[str, Any]) -> dict[str, Any]:
    """Where the model of the last stage came from, and what it can where that is known."""
    files = json.loads((shards / "manifest.json").read_text())["files"]
    lines = (line for line in (__doc__ or "").splitlines() if line.startswith("    "))
    return {
        "recipe": "tiny",
        "seed": 0,
        "commit": commit(),
        "commands": [" ".join(line.split()) for line in lines],
        "data_sha256": hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest(),
        "data": "simulated exocentric video only: 1140 training takes of 3 or 4 steps, seed 1000, four cameras each",
        "stages": {folder.name: stage_record(folder) for folder in stages},
        "bytes": size,
        **({"metrics": metrics} if metrics else {}),
    }


def write(stages: list[Path], shards: Path, assets: Path, metrics: dict[str, Any]) -> None:
    """Replace the start in `assets` by the last stage's model. Raises SystemExit when it is too large to ship."""
    model, start = stages[-1] / "model", assets / "start"
    size = sum(p.stat().st_size for p in model.iterdir() if p.is_file())
    if size > LIMIT_BYTES:
        raise SystemExit(f"{model} has {size} bytes; the package ships at most {LIMIT_BYTES}")
    record = json.dumps(provenance(stages, shards, size, metrics), indent=1)
    shutil.rmtree(start, ignore_errors=True)
    shutil.copytree(model, start)
    (start / "PROVENANCE.json").write_text(record + "\n")
    checksums = {str(p.relative_to(assets)): sha256(p) for p in sorted(start.iterdir())}
    (assets / "manifest.json").write_text(json.dumps(checksums, indent=1) + "\n")
    print(record)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("stages", type=Path, nargs="+", help="finished stage folders, in order")
    parser.add_argument("--shards", type=Path, required=True, help="the shards they were trained on")
    parser.add_argument("--metrics", type=Path, help="a JSON object of what the model can")
    arguments = parser.parse_args()
    metrics = json.loads(arguments.metrics.read_text()) if arguments.metrics else {}
    write(arguments.stages, arguments.shards, ASSETS, metrics)


if __name__ == "__main__":
    main()
