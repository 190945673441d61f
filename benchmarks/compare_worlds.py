"""The comparison of compare_arms.py over several simulated worlds: other rooms, people, objects, takes and questions.

    python benchmarks/compare_worlds.py C11 C12 C13 --arms ours ego_only mixed start --out worlds.json

Reads what `compare_arms.py W --out C` left in each folder; trains nothing. A world counts once, however many seeds were
trained in it. Two intervals of each difference are printed: over recordings, drawn again within each world (are these
worlds' takes enough?), and over worlds (Student's t on one difference a world: would another world say the same?).
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from compare_arms import ARMS, LIMITS, as_row, measures, over_seeds
from scipy.stats import t as student

from exo2ego.bench.stats import Stratum, bootstrap, paired_difference

AVERAGE = "average of headline figures"


def seeds_of(world: Path, arm: str) -> list[str]:
    """Names of an arm's runs in a world's folder."""
    names = sorted(p.name for p in (world / "bench").glob(f"{arm}-*") if p.name.removeprefix(f"{arm}-").isdigit())
    return names if arm in ARMS else [arm]


def world_strata(world: Path, arms: Sequence[str]) -> dict[str, dict[str, tuple[Stratum, ...]]]:
    """Figure -> arm -> per-item values, averaged over the seeds; with the average of the headline figures."""
    table: dict[str, dict[str, tuple[Stratum, ...]]] = {}
    headline: list[dict[str, tuple[Stratum, ...]]] = []
    for folder in LIMITS:
        loaded = {arm: [measures(world, name, folder) for name in seeds_of(world, arm)] for arm in arms}
        missing = [arm for arm, runs in loaded.items() if not runs]
        if missing:
            raise SystemExit(f"{world}: no run of {', '.join(missing)}; run compare_arms.py there first")
        for key, shown in loaded[arms[0]][0].items():
            if all(key in run for runs in loaded.values() for run in runs):
                table[key] = {arm: over_seeds([run[key] for run in runs]) for arm, runs in loaded.items()}
                if shown.headline:
                    headline.append(table[key])
    most = max(len(row[arms[0]]) for row in headline)
    average = {arm: tuple(s for row in headline for s in row[arm] * (most // len(row[arm]))) for arm in arms}
    return {AVERAGE: average} | table


def over_worlds(values: Sequence[float]) -> dict[str, float] | None:
    """Mean of one figure a world with Student's 95 % interval; None for a single world, which has no spread."""
    mean, n = float(np.mean(values)), len(values)
    if n < 2:
        return None
    half = float(student.ppf(0.975, n - 1) * np.std(values, ddof=1) / np.sqrt(n))
    return {"value": round(mean, 2), "low": round(mean - half, 2), "high": round(mean + half, 2)}


def compare(worlds: Sequence[Path], arms: Sequence[str]) -> dict[str, Any]:
    """Every figure that all worlds have."""
    tables = [world_strata(world, arms) for world in worlds]
    result: dict[str, Any] = {}
    for key in [key for key in tables[0] if all(key in table for table in tables)]:
        joined = {arm: [s for table in tables for s in table[key][arm]] for arm in arms}
        row: dict[str, Any] = {"arms": {arm: as_row(bootstrap(strata)) for arm, strata in joined.items()}}
        row["items"] = sum(len(s.values) for s in joined[arms[0]])
        row["first_minus"] = {}
        for arm in arms[1:]:
            each = [as_row(paired_difference(table[key][arms[0]], table[key][arm]))["value"] for table in tables]
            recordings = as_row(paired_difference(joined[arms[0]], joined[arm]))
            row["first_minus"][arm] = {"recordings": recordings, "worlds": over_worlds(each), "by_world": each}
        result[key] = row
    return result


def show(result: dict[str, Any], arms: Sequence[str]) -> None:
    """A few lines a figure."""
    for key, row in result.items():
        print(f"{key}  (n {row['items']})")
        print("    " + "  ".join(f"{arm} {row['arms'][arm]['value']:.1f}" for arm in arms))
        for arm, one in row["first_minus"].items():
            a, b = one["recordings"], one["worlds"]
            each = " ".join(f"{value:+.1f}" for value in one["by_world"])
            spread = f" worlds [{b['low']:+.1f}, {b['high']:+.1f}]" if b else ""
            print(
                f"    {arms[0]} - {arm}: {a['value']:+.1f} recordings [{a['low']:+.1f}, {a['high']:+.1f}]"
                f"{spread}  by world {each}"
            )


def main() -> None:
    """Read, compare, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("worlds", nargs="+", type=Path, help="folders given to compare_arms.py as --out")
    parser.add_argument("--arms", nargs="+", default=["ours", "ego_only", "mixed", "start"])
    parser.add_argument("--out", type=Path, help="write everything there as JSON")
    options = parser.parse_args()
    result = compare(options.worlds, options.arms)
    show(result, options.arms)
    if options.out:
        options.out.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
