"""What `make demo` costs: its time, that of each station, and the most memory its processes held at once.

    python benchmarks/demo_cost.py --out /tmp/cost     the demo alone, in this environment
    python benchmarks/demo_cost.py --make              `make demo`

Memory is the proportional set size (Linux) of the command and all that it starts, summed, looked at every second: pages
that several processes share count once.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

MIB = 1024 * 1024


def held(command: psutil.Process) -> int:
    """Bytes that a process and its descendants hold now; what has ended meanwhile holds nothing."""
    total = 0
    for process in (command, *command.children(recursive=True)):
        try:
            total += process.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue
    return total


def watch(command: list[str]) -> tuple[int, float, int]:
    """Runs it; exit code, seconds, most bytes held."""
    start, most = time.monotonic(), 0
    # One compute thread, as the Makefile sets it.
    with subprocess.Popen(command, env={"OMP_NUM_THREADS": "1", **os.environ}) as process:
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            try:
                most = max(most, held(watched))
            except psutil.NoSuchProcess:
                break
            time.sleep(1)
    return process.returncode, time.monotonic() - start, most


def main() -> int:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/demo"), help="folder of the demo; must not exist yet")
    parser.add_argument("--make", action="store_true", help="through make, into runs/demo")
    options, further = parser.parse_known_args()
    if options.make and options.out != Path("runs/demo"):
        parser.error("--make writes to runs/demo; leave --out away")
    if options.out.exists():
        parser.error(f"{options.out} exists: stations that are done would cost nothing; remove it")
    demo = [sys.executable, "-m", "exo2ego", "demo", "--out", str(options.out), *further]
    code, seconds, most = watch(["make", "demo", f"DEMO_ARGS={' '.join(further)}"] if options.make else demo)
    for marker in sorted((options.out / "done").glob("*.json"), key=lambda path: path.stat().st_mtime):
        print(f"{marker.stem:30} {json.loads(marker.read_text())['seconds_s']:6.0f} s")
    print(f"{'the whole command':30} {seconds:6.0f} s, exit code {code}, at most {most / MIB:.0f} MiB")
    return code


if __name__ == "__main__":
    sys.exit(main())
