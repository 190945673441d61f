"""Put a trained start into the package: the model, where it came from, and the checksums it is loaded with.

    exo2ego sim --out W --takes 1200 --seed 1000 --steps 3 4 --exo-cameras 4 4 --split 0.95 0 0.05
    exo2ego data instruct --source W/instruct/exo.json --videos W/ego_exo4d --out S
    torchrun --nproc-per-node 2 -m exo2ego train --recipe tiny --stage vision --data S --out R/vision
    torchrun --nproc-per-node 2 -m exo2ego train --recipe tiny --stage initial --data S \
        --init-from R/vision/final --out R/initial
    python scripts/write_assets.py R/vision R/initial --shards S
"""

import argparse
import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from exo2ego.models.weights import ASSETS, START

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


def write(stages: list[Path], shards: Path) -> None:
    """Replace the shipped start by the last stage's model. Raises SystemExit when it is too large to ship."""
    model = stages[-1] / "model"
    files = sorted(p for p in model.iterdir() if p.is_file())
    size = sum(p.stat().st_size for p in files)
    if size > LIMIT_BYTES:
        raise SystemExit(f"{model} has {size} bytes; the package ships at most {LIMIT_BYTES}")
    shutil.rmtree(START, ignore_errors=True)
    shutil.copytree(model, START)
    manifest = json.loads((shards / "manifest.json").read_text())
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    provenance = {
        "recipe": "tiny",
        "seed": 0,
        "commit": commit,
        "commands": [line.strip() for line in (__doc__ or "").splitlines() if line.startswith("    ")],
        "data_sha256": hashlib.sha256(json.dumps(manifest["files"], sort_keys=True).encode()).hexdigest(),
        "data": "simulated exocentric video only: 1140 training takes of 3 or 4 steps, seed 1000, four cameras each",
        "stages": {folder.name: stage_record(folder) for folder in stages},
        "bytes": size,
    }
    (START / "PROVENANCE.json").write_text(json.dumps(provenance, indent=1))
    checksums = {str(p.relative_to(ASSETS)): sha256(p) for p in sorted(START.iterdir())}
    (ASSETS / "manifest.json").write_text(json.dumps(checksums, indent=1) + "\n")
    print(json.dumps(provenance, indent=1))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("stages", type=Path, nargs="+", help="finished stage folders, in order")
    parser.add_argument("--shards", type=Path, required=True, help="the shards they were trained on")
    arguments = parser.parse_args()
    write(arguments.stages, arguments.shards)


if __name__ == "__main__":
    main()
