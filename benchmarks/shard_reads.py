"""Random reads from shards into decoded, resized tensors, against decoding the same clips from the source videos.

    python benchmarks/shard_reads.py                      448 px sources, key frames every 30 and every 250 frames

One process, one thread; both ways read the same clips in turns. Prints JSON: samples per CPU second (a sample is one
clip, uint8[16, S, S, 3]), their ratio, and reads per second of the stored bytes alone. Needs no data.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from build_sources import VIEWS, Source, plan, write_source

from exo2ego.data.shard_group import ClipFormat
from exo2ego.data.shard_writer import build_shards
from exo2ego.data.shards import ShardSet
from exo2ego.data.video import read_clip

FRAMES = 16


def compare(shards: ShardSet, source: Path, size_px: int, count: int, repeats: int) -> dict[str, float]:
    """Clips at random places, from the shards and from the source in turns."""
    rng = np.random.default_rng(1)
    picks = [
        (shards.samples[int(place)], VIEWS[int(view)])
        for place, view in rng.integers(0, (len(shards), len(VIEWS)), (count, 2))
    ]
    stored: list[float] = []
    decoded: list[float] = []
    for _ in range(repeats):
        start = time.process_time()
        for sample, view in picks:
            read_clip(shards.read(sample, view), None, None, FRAMES, size_px)
        middle = time.process_time()
        for sample, _ in picks:
            read_clip(source, sample.start_s, sample.end_s, FRAMES, size_px)
        stored.append(middle - start)
        decoded.append(time.process_time() - middle)
    start = time.perf_counter()
    sizes = [len(shards.read(*pick)) for pick in picks]
    bytes_s = time.perf_counter() - start
    return {
        "from_shards_per_cpu_s": round(count / statistics.median(stored), 1),
        "from_sources_per_cpu_s": round(count / statistics.median(decoded), 1),
        "times_sources": round(statistics.median(decoded) / statistics.median(stored), 2),
        "reads_of_bytes_per_s": round(count / bytes_s),
        "mean_clip_bytes": round(float(np.mean(sizes))),
    }


def main() -> None:
    """Parses flags, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the source video")
    parser.add_argument("--every", type=float, default=1.62, help="seconds between narrations, mean")
    parser.add_argument("--source-px", type=int, default=448)
    parser.add_argument("--size", type=int, default=224, help="of stored clips and of tensors")
    parser.add_argument("--reads", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    for gop in (30, 250):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            px = options.source_px
            path = folder / "take.mp4"
            write_source(path, Source(width_px=px, height_px=px, seconds=options.seconds, gop=gop))
            for view in VIEWS:
                path.with_suffix(f".{view}.mp4").symlink_to(path)
            planned = plan([path], options.seconds, options.every, FRAMES)
            clips = ClipFormat(num_frames=FRAMES, size_px=options.size)
            shards = build_shards(folder / "out", planned, clips, settings={}, report={})
            figures = compare(shards, path, options.size, options.reads, options.repeats)
            print(json.dumps({"source": f"{px} px, key frame every {gop}"} | figures), flush=True)


if __name__ == "__main__":
    main()
