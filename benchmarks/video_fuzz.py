"""Damaged videos by the thousand: what reading them gives, counted by reason; the slowest file and the most memory.

    python benchmarks/video_fuzz.py --count 20000 --seed 7

Every file is read in a guarded child. A crash of the decoder, a time-out or a lack of memory is a finding and fails the
run, as do a reason that does not name its file, any other exception, and a wrong frame given out as right. Files with a
finding are kept (`--keep FOLDER`).
"""

import argparse
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from mutated_video import COUNT, cases, complaints, examine, films

from exo2ego.data.guard import Guard
from exo2ego.errors import VideoError


def kind_of(reason: str, path: Path) -> str:
    """A reason without what is particular to one file."""
    return re.sub(r"-?\d+(\.\d+)?", "N", reason.replace(f"{path}: ", ""))[:110]


def main() -> int:
    """Prints a table; 1 where something was found."""
    parser = argparse.ArgumentParser(description="Read damaged videos.")
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--time-limit-s", type=float, default=20.0)
    parser.add_argument("--memory-limit-mib", type=int, default=512)
    parser.add_argument("--keep", type=Path, default=Path("fuzz_findings"))
    args = parser.parse_args()
    reasons: Counter[str] = Counter()
    damages: Counter[str] = Counter()
    findings: list[str] = []
    slowest, peak, frames, whole, none = (0.0, ""), 0, 0, 0, 0
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as folder,
        Guard(time_limit_s=args.time_limit_s, memory_limit_bytes=args.memory_limit_mib << 20) as guard,
    ):
        for number, case in enumerate(cases(args.count, args.seed, films())):
            path = Path(folder) / case.film
            path.write_bytes(case.content)
            label = f"{number} {case.film} {case.damage}"
            damages[case.damage] += 1
            start = time.monotonic()
            try:
                outcome = guard.call(examine, str(path))
            except (VideoError, RuntimeError) as error:
                found = [str(error)]
            else:
                found = complaints(case, outcome, path)
                slowest = max(slowest, (time.monotonic() - start, label))
                peak = max(peak, outcome.peak_bytes)
                frames += len(outcome.shown)
                whole += len(outcome.shown) == COUNT
                none += not outcome.shown
                reasons.update({kind_of(reason, path) for reason in outcome.reasons})
            if found:
                findings += [f"{label}: {text}" for text in found]
                args.keep.mkdir(exist_ok=True)
                (args.keep / f"{number}-{case.film}").write_bytes(case.content)
    print(f"{args.count} files, seed {args.seed}, {time.monotonic() - began:.0f} s")
    print(f"damage: {', '.join(f'{name} {count}' for name, count in sorted(damages.items()))}")
    print(f"every frame came: {whole}; some: {args.count - whole - none}; none: {none}; frames in all: {frames}")
    print(
        f"slowest file: {slowest[0]:.2f} s ({slowest[1]}); most memory of the reading process: {peak / 2**20:.0f} MiB"
    )
    for reason, count in reasons.most_common():
        print(f"{count:7d}  {reason}")
    print(f"findings (crash, time-out, memory, unclear reason, wrong frame): {len(findings)}")
    print("\n".join(findings))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
