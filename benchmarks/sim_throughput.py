"""How fast is the simulated world? Renders and encodes takes, writes benchmarks and sources, prints figures as JSON.

python benchmarks/sim_throughput.py --takes 8 --workers 2
"""

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from exo2ego.sim.bench_export import write_benches
from exo2ego.sim.export import TREE, simulate
from exo2ego.sim.source_export import FOLDER, write_sources
from exo2ego.sim.spec import BENCHES, SOURCES, SimSpec
from exo2ego.sim.world import plan_takes


def main() -> None:
    """Simulate into a temporary folder: everything that `exo2ego sim` does, start of the processes included."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--takes", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--size-px", type=int, default=128)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        spec = SimSpec(
            out=Path(folder) / "world",
            takes=options.takes,
            workers=options.workers,
            size_px=options.size_px,
            exo_cameras=(2, 2),
            benches=(),
        )
        done = simulate(spec)
        benches = {}
        for name in BENCHES:
            began = time.monotonic()
            write_benches(replace(spec, benches=(name,)), plan_takes(spec), spec.out / TREE)
            benches[name] = round(time.monotonic() - began, 2)
        sources = {}
        for name in SOURCES:
            began, cpu = time.monotonic(), time.process_time()
            made = write_sources(replace(spec, sources=(name,)), plan_takes(spec), spec.out / TREE)
            size = sum(path.stat().st_size for path in (spec.out / FOLDER / name).rglob("*") if path.is_file())
            sources[name] = {
                "media_files": made,
                "megabytes": round(size / 1e6, 1),
                "seconds": round(time.monotonic() - began, 1),
                # Of this process alone: all of it with --workers 1.
                "cpu_seconds": round(time.process_time() - cpu, 1),
            }
    rate = done.rendered_frames / done.seconds_s
    figures = {
        "takes": done.takes,
        "workers": options.workers,
        "size_px": options.size_px,
        "bench_seconds": benches,
        "sources": sources,
        "seconds": round(done.seconds_s, 1),
        "frames_per_s": round(rate, 1),
        "three_camera_sets_per_s": round(rate / 3, 1),
        "ego_exo_clips_per_s": round(done.events / done.seconds_s, 2),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
