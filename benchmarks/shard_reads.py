"""How fast shards are built and read: clips/s stored, random reads/s of bytes, clips/s decoded.

    python benchmarks/shard_reads.py --takes 6 --workers 2

Writes numbered noise videos in Ego-Exo4D's layout to a temporary folder, so that it needs no data; prints JSON.
"""

import argparse
import json
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from exo2ego.data.shard_group import ClipFormat
from exo2ego.data.shard_plan import Planned
from exo2ego.data.shard_writer import build_shards
from exo2ego.data.shards import ShardSample, ShardSet
from exo2ego.data.video import read_clip, write_video

SECONDS, FPS, NARRATIONS, VIEWS = 60, 10, 40, ("ego", "cam01", "cam02", "cam03")


def make_videos(folder: Path, takes: int, size_px: int) -> None:
    """Smooth moving noise: neither trivial nor impossible to compress."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (SECONDS * FPS // 10 + 2, 8, 8, 3)).astype(np.float32)
    steps = np.linspace(0, len(coarse) - 1.001, SECONDS * FPS)
    low = steps.astype(int)
    mix = (steps - low)[:, None, None, None]
    small = (coarse[low] * (1 - mix) + coarse[low + 1] * mix).astype(np.uint8)
    frames = small.repeat(size_px // 8, axis=1).repeat(size_px // 8, axis=2)
    content = write_video(None, frames, FPS)
    for take in range(takes):
        for view in VIEWS:
            (folder / f"{take}_{view}.mp4").write_bytes(content)


def plan(folder: Path, takes: int, clip_format: ClipFormat) -> list[Planned]:
    """Clips of 0.68 s, the paper's mean."""
    planned = []
    for take in range(takes):
        for number in range(NARRATIONS):
            start = (number + 0.5) * SECONDS / (NARRATIONS + 1)
            sample = ShardSample(
                key=f"t{take}-{number:03d}",
                split="train",
                take_uid=str(take),
                scenario="noise",
                text="C waits.",
                start_s=start,
                end_s=start + 0.68,
                fps=clip_format.num_frames / 0.68,
                views=VIEWS,
                best_exo="cam01",
                source="benchmark",
            )
            videos = tuple((view, str(folder / f"{take}_{view}.mp4")) for view in VIEWS)
            planned.append(Planned(sample=sample, videos=videos))
    return planned


def measure(shards: ShardSet, clip_format: ClipFormat, reads: int) -> dict[str, float]:
    """Random access through the public door, checksums included."""
    rng = np.random.default_rng(1)
    chosen = rng.integers(0, (len(shards), len(VIEWS)), (reads, 2))
    picks = [(shards.samples[sample], VIEWS[view]) for sample, view in chosen]
    start = time.perf_counter()
    sizes = [len(shards.read(*pick)) for pick in picks]
    one = time.perf_counter() - start
    start = time.perf_counter()
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda pick: shards.read(*pick), picks))
    four = time.perf_counter() - start
    decoded = picks[: max(1, reads // 50)]
    start = time.perf_counter()
    for pick in decoded:
        read_clip(shards.read(*pick), None, None, clip_format.num_frames, clip_format.size_px)
    return {
        "reads_per_s": reads / one,
        "reads_per_s_4_threads": reads / four,
        "decoded_clips_per_s": len(decoded) / (time.perf_counter() - start),
        "mean_clip_bytes": float(np.mean(sizes)),
    }


def main() -> None:
    """Parses flags, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--takes", type=int, default=6)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--source-px", type=int, default=128)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--reads", type=int, default=20000)
    options = parser.parse_args()
    clip_format = ClipFormat(size_px=options.size)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_videos(folder, options.takes, options.source_px)
        planned = plan(folder, options.takes, clip_format)
        start = time.perf_counter()
        how = {"settings": {"kind": "benchmark"}, "workers": options.workers, "samples_per_shard": NARRATIONS}
        shards = build_shards(folder / "out", planned, clip_format, report={}, **how)
        seconds = time.perf_counter() - start
        figures = {"stored_clips_per_s": len(planned) * len(VIEWS) / seconds, "cpus": os.cpu_count() or 0}
        print(json.dumps(figures | measure(shards, clip_format, options.reads), indent=1))


if __name__ == "__main__":
    main()
