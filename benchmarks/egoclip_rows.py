"""EgoClip's table at its full size: rows a second, and memory, of reading, of choosing and of planning the clips.

python benchmarks/egoclip_rows.py                      # 3,847,723 rows, as the official table has: about 700 MB on disk
python benchmarks/egoclip_rows.py --rows 200000

Writes a synthetic table (a row in a thousand is malformed) and the names of its videos into a temporary folder. Each
phase runs in a process of its own and prints one JSON line: rows, CPU seconds, rows a CPU second, peak memory in MB.

    plain     `csv.reader` and `ast.literal_eval` on the same file, the usual way: for comparison
    read      every row parsed and checked, malformed ones named
    select    the same, and every row judged: videos there, clips within them, order by video
    limit     as select with --limit 100000
    plan      the chosen rows (all of them) read again as samples to be stored
"""

import argparse
import ast
import csv
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path

from exo2ego.data.shard_group import ClipFormat
from exo2ego.data.sources.egoclip import COLUMNS, EgoClipTable
from exo2ego.data.sources.egoclip_select import KINDS, SOURCE, EgoClipRule, Selection, plan_clips, select
from exo2ego.data.sources.egoclip_videos import LAYOUTS
from exo2ego.data.sources.templates import load_templates

OFFICIAL_ROWS = 3_847_723
VIDEOS = 2927
PHASES = ("plain", "read", "select", "limit", "plan")
VERBS = ("picks", "puts", "washes", "looks around", "holds", "moves", "cuts", "opens")
THINGS = ("a bag of clothes from the floor", "the knife on the chopping board", "a cup", "the hand", "a piece of wood")


def uid(number: int) -> str:
    """Of a video; of Ego4D's form."""
    return f"{number:08x}-2743-47fc-8564-d5efd11f9e90"


def generate(folder: Path, rows: int) -> None:
    """The table and empty files of its videos (only their names are looked at)."""
    rng = random.Random(0)
    (folder / "videos").mkdir()
    for number in range(VIDEOS):
        (folder / "videos" / f"{uid(number)}.mp4").touch()
    with (folder / "egoclip.csv").open("w", encoding="utf-8") as file:
        file.write("\t".join(COLUMNS) + "\n")
        for row in range(rows):
            number = row * VIDEOS // rows
            time_s = rng.random() * 1700
            subject = "#O A man X" if row % 11 == 0 else "#C C"
            text = f"{subject} {rng.choice(VERBS)} {rng.choice(THINGS)}"
            end = f"{time_s + 0.5:.6f}" if row % 1000 else "soon"
            nouns = [rng.randrange(582) for _ in range(rng.randrange(1, 4))]
            first = [row, uid(number), 1800.033333, f"narration_pass_{1 + row % 2}", row]
            rest = [f"{time_s:.5f}", f"{time_s - 0.4:.6f}", end, text, [rng.randrange(118)], nouns]
            file.write("\t".join(map(str, first + rest)) + "\n")


def chosen(folder: Path, limit: int | None = None) -> Selection:
    """The selection that `exo2ego data egoclip` makes."""
    rule = EgoClipRule(limit=limit)
    return select(EgoClipTable(folder / "egoclip.csv"), folder / "videos", LAYOUTS["whole"], rule)


def run_phase(phase: str, folder: Path) -> int:
    """Does the work of one phase; returns how many rows it handled."""
    if phase == "plain":
        with (folder / "egoclip.csv").open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file, delimiter="\t")
            next(reader)
            return sum(1 for row in reader if (ast.literal_eval(row[9]), ast.literal_eval(row[10])))
    if phase == "read":
        return sum(1 for _ in EgoClipTable(folder / "egoclip.csv").rows())
    if phase == "limit":
        return chosen(folder, 100_000).total
    selection = chosen(folder)
    if phase == "select":
        return selection.total
    started = time.process_time()
    planned = plan_clips(selection, folder, EgoClipRule(), load_templates(SOURCE, KINDS), ClipFormat())
    deque(planned, maxlen=0)
    print(json.dumps({"phase": "plan alone", "cpu_s": round(time.process_time() - started, 1)}))
    return len(selection.places)


def main() -> None:
    """Generates, then runs every phase in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=OFFICIAL_ROWS)
    parser.add_argument("--phase", choices=PHASES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.phase:
        idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        started = time.process_time()
        rows = run_phase(options.phase, options.folder)
        cpu_s = time.process_time() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        figures = {
            "phase": options.phase,
            "rows": rows,
            "cpu_s": round(cpu_s, 1),
            "rows_per_cpu_s": round(rows / cpu_s),
        }
        print(json.dumps(figures | {"peak_mb": peak >> 10, "before_mb": idle >> 10}), flush=True)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        generate(folder, options.rows)
        print(json.dumps({"rows": options.rows, "table_mb": (folder / "egoclip.csv").stat().st_size >> 20}), flush=True)
        for phase in PHASES:
            subprocess.run([sys.executable, __file__, "--phase", phase, "--folder", name], check=True)


if __name__ == "__main__":
    main()
