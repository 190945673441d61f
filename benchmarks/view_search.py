"""`exo2ego data view` at the size of Ego-ExoClip: time to start, memory, and how long each kind of search takes.

    python benchmarks/view_search.py --samples 261000

Writes a real index of invented narrations to a temporary folder (no videos: none is read), opens and indexes it as the
command does, and asks for a page of 50 with its counts. Prints JSON: seconds to start (index_cpu_s: what it takes on an
idle core), MiB, milliseconds by query.
"""

import argparse
import json
import os
import resource
import statistics
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from exo2ego.data.jsonfile import write_json
from exo2ego.data.shard_index import INDEX_FILES, IndexWriter
from exo2ego.data.shards import (
    LAYOUT_VERSION,
    MANIFEST,
    ShardSample,
    open_shards,
    sample_to_json,
    sha256_of,
    shard_name,
)
from exo2ego.data.view_flags import FlagFile
from exo2ego.data.view_search import Query, SampleIndex
from exo2ego.data.view_site import Site

TAKES, VIEWS = 5035, ("ego", "cam01", "cam02", "cam03", "cam04")
SCENARIOS = ("Cooking", "Bike Repair", "Health", "Music", "Basketball", "Rock Climbing", "Soccer", "Dance")
VERBS = ("lifts", "drops", "turns", "holds", "cuts", "pours", "wipes", "places", "opens", "passes", "kicks", "tightens")
PLACES = (
    "on the table",
    "with his left hand",
    "with both hands",
    "from the drawer",
    "into the pan",
    "to the other man",
)
NOUNS = 2000

QUERIES = {
    "everything": Query(),
    "a word in a twelfth of all": Query(text="lifts"),
    "a word in all": Query(text="C"),
    "two letters": Query(text="no"),
    "three words": Query(text="lifts noun17 drawer"),
    "a phrase": Query(text='"with his left hand"'),
    "a phrase without a word": Query(text='"from the drawer" -lifts'),
    "a rare word": Query(text='"noun1234"'),
    "a word and four filters": Query(
        text="turns", filed={"scenario": "Dance", "split": "train", "take": "take_01"}, has_best_exo=True, max_s=1.0
    ),
    "longest first": Query(text="pours", order="longest"),
}


def write_index(folder: Path, count: int) -> None:
    """Narrations of about nine words, in the order of their takes."""
    rng = np.random.default_rng(0)
    nouns = np.minimum(rng.zipf(1.3, (count, 2)), NOUNS)
    verbs, places = rng.integers(0, len(VERBS), count), rng.integers(0, len(PLACES), count)
    widths = rng.gamma(4.0, 0.17, count) + 0.1
    with IndexWriter(folder) as index:
        for number in range(count):
            take = number * TAKES // count
            objects = " and ".join(f"the noun{noun}" for noun in nouns[number])
            text = f"C {VERBS[verbs[number]]} {objects} {PLACES[places[number]]}."
            start_s = float(number % 50) * 3
            sample = ShardSample(
                key=f"take_{take:04d}-{number:07d}",
                split="val" if take % 10 == 0 else "train",
                take_uid=f"take_{take:04d}",
                scenario=SCENARIOS[take % len(SCENARIOS)],
                text=text,
                start_s=start_s,
                end_s=start_s + float(widths[number]),
                fps=16 / float(widths[number]),
                views=VIEWS,
                best_exo="cam02" if number % 3 else None,
                source="benchmark",
            )
            record = json.dumps(sample_to_json(sample)).encode()
            members = [(0, 0, zlib.crc32(b""))] * (1 + len(VIEWS))
            index.add(sample.key, record, members, 0, len(VIEWS) - 1)
        index.finish()
    files = {name: sha256_of(folder / name) for name in INDEX_FILES} | {shard_name(0): ""}
    write_json(
        folder / MANIFEST, {"version": LAYOUT_VERSION, "files": files, "report": {}, "counts": {"quarantined": 0}}
    )


def resident_mib() -> float:
    """What this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def timed(call: Callable[[], object], repeats: int) -> dict[str, float]:
    """Milliseconds: median and worst by the clock, median of this process's own (both the same on an idle core)."""
    taken, own = [], []
    for _ in range(repeats):
        start, cpu = time.perf_counter(), time.process_time()
        call()
        taken.append(1000 * (time.perf_counter() - start))
        own.append(1000 * (time.process_time() - cpu))
    median, worst, cpu_median = statistics.median(taken), max(taken), statistics.median(own)
    return {"median_ms": round(median, 1), "worst_ms": round(worst, 1), "cpu_ms": round(cpu_median, 1)}


def measure(folder: Path, repeats: int) -> dict[str, object]:
    """Opens, indexes, asks."""
    before = resident_mib()
    start = time.perf_counter()
    shards = open_shards(folder)
    opened = time.perf_counter() - start
    cpu = time.process_time()
    index = SampleIndex({"pairs": shards})
    cpu = time.process_time() - cpu
    indexed = time.perf_counter() - start - opened
    site = Site({"pairs": shards}, index, FlagFile(folder / "flags.jsonl"))
    searches = {
        name: {"found": len(index.search(query).ids)} | timed(lambda q=query: site.page(q, False, 0, 50), repeats)
        for name, query in QUERIES.items()
    }
    last = len(index) - 50
    return {
        "samples": len(index),
        "open_s": round(opened, 2),
        "index_s": round(indexed, 2),
        "index_cpu_s": round(cpu, 2),
        "index_mib": round(resident_mib() - before),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "pages": searches,
        "the last page of everything": timed(lambda: site.page(Query(), False, last, 50), repeats),
        "one sample by its key": timed(lambda: site.sample("pairs", index.sample(len(index) // 2)[1].key), repeats),
    }


def main() -> None:
    """Parses flags, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=261_000)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "pairs"
        folder.mkdir()
        write_index(folder, options.samples)
        print(json.dumps(measure(folder, options.repeats), indent=1))


if __name__ == "__main__":
    main()
