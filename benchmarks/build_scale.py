"""What many samples cost in memory and time: planning, finishing and opening a shard directory of any size.

    python benchmarks/build_scale.py                      65,325 and 261,300 samples of 5.29 views (Ego-ExoClip's size)

No video is decoded: samples are planned, and the parts that workers would leave are written as a build writes them.
Each measurement has a process of its own; prints JSON: seconds, and the peak of resident memory above the interpreter
with the package loaded.
"""

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from exo2ego.data.shard_finish import finish
from exo2ego.data.shard_group import PARTS, ClipFormat, part_path
from exo2ego.data.shard_plan import Planned, spool
from exo2ego.data.shards import ShardSample, open_shards, sample_to_json

PER_TAKE = 89
"""261.3K narrations of 2,925 takes."""
SAMPLES = 261_300


def resident_kb() -> int:
    """Now, of private memory and of mapped files."""
    text = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmRSS"))


def planned(count: int) -> Iterator[Planned]:
    """Narrations with 4 or 5 exo views, 4.29 on average."""
    for number in range(count):
        take, place = divmod(number, PER_TAKE)
        views = ("ego", *(f"cam0{n + 1}" for n in range(4 if number % 100 < 71 else 5)))
        sample = ShardSample(
            key=f"university_scenario_{take:05d}-c0ffee00-0000-0000-0000-{number:012d}-{place:04d}",
            split="train",
            take_uid=f"c0ffee00-0000-0000-0000-{take:012d}",
            scenario="Cooking an omelet",
            text="C picks up the spatula from the countertop with the right hand.",
            start_s=place * 1.6,
            end_s=place * 1.6 + 0.68,
            fps=23.5,
            views=views,
            best_exo="cam01",
            source="ego_exo4d",
        )
        folder = f"ego_exo4d/takes/university_scenario_{take:05d}/frame_aligned_videos/downscaled/448"
        yield Planned(sample=sample, videos=tuple((view, f"{folder}/{view}.mp4") for view in views))


def write_parts(folder: Path, count: int) -> int:
    """What workers leave, without the clips."""
    (folder / PARTS).mkdir(parents=True, exist_ok=True)
    batch: list[Planned] = []
    shards = 0
    for item in planned(count):
        if batch and item.sample.take_uid != batch[-1].sample.take_uid:
            _write_part(folder, shards, batch)
            shards, batch = shards + 1, []
        batch.append(item)
    _write_part(folder, shards, batch)
    return shards + 1


def _write_part(folder: Path, number: int, batch: list[Planned]) -> None:
    rows = []
    for place, item in enumerate(batch):
        members = [[place * 1_000_000 + n * 100_000 + 512, 99_000, n] for n in range(len(item.sample.views) + 1)]
        rows.append({"sample": sample_to_json(item.sample), "members": members})
    part_path(folder, number).write_text(json.dumps({"sha256": "0" * 64, "samples": rows, "quarantine": []}))


def planning(folder: Path, count: int) -> dict[str, float]:
    """The plan of all samples to disk, as the parent of a build does it."""
    return {"samples": spool(folder / "plan.jsonl", planned(count), 32).total}


def finishing(folder: Path, count: int) -> dict[str, float]:
    """Parts to index and manifest."""
    finish(folder, len(list((folder / PARTS).iterdir())), ClipFormat(), {}, {})
    return {"index_mb": sum(path.stat().st_size for path in folder.glob("index*")) / 2**20}


def opening(folder: Path, count: int) -> dict[str, float]:
    """Open, with the checksums of the index."""
    return {"samples": len(open_shards(folder))}


def random_samples(folder: Path, count: int) -> dict[str, float]:
    """Open, then 20,000 samples at random places."""
    shards = open_shards(folder)
    start = time.perf_counter()
    places = np.random.default_rng(0).integers(0, len(shards), 20_000)
    views = sum(len(shards.samples[int(place)].views) for place in places)
    return {"samples_per_s": 20_000 / (time.perf_counter() - start), "views": views}


def iterating(folder: Path, count: int) -> dict[str, float]:
    """Open, then every pair once."""
    shards = open_shards(folder)
    start = time.perf_counter()
    pairs = sum(1 for _ in shards.pairs)
    return {"pairs": pairs, "pass_s": time.perf_counter() - start}


STEPS: dict[str, Callable[[Path, int], dict[str, float]]] = {
    "plan": planning,
    "finish": finishing,
    "open": opening,
    "open_and_read_20000": random_samples,
    "open_and_iterate": iterating,
}


def measured(step: str, folder: Path, count: int) -> dict[str, Any]:
    """One step; runs in a fresh process."""
    before = resident_kb()
    start = time.perf_counter()
    found = STEPS[step](folder, count)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figures = {"seconds": time.perf_counter() - start, "peak_mb_above_start": (peak - before) / 1024}
    return {name: round(value, 2) for name, value in (figures | found).items()}


def main() -> None:
    """Parses flags, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=SAMPLES, help="the larger number; the smaller is a quarter")
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    for count in (options.samples // 4, options.samples):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_parts(folder, count)
            for step in STEPS:
                with context.Pool(1) as pool:
                    found = pool.apply(measured, (step, folder, count))
                print(json.dumps({"samples": count, "step": step} | found), flush=True)


if __name__ == "__main__":
    main()
