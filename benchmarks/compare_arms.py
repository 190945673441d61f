"""The comparison the project stands on: guided by the exo teacher, or not, from the same start on the same ego data.

    exo2ego sim --out W --takes 64 --seed 11 --exo-cameras 2 2 --split 0.6 0 0.4 --bench-questions 500 \
        --benches egomcq egoschema egoschema_exo epic_mir
    python benchmarks/compare_arms.py W --out RUNS --seeds 0 1 2 --jobs 2

Every arm starts from the shipped weights and takes as many optimiser steps of the same size on the same pairs in the
same order, then the same practice stage. Each figure is averaged over the seeds item by item; differences are paired
by item and their intervals are bootstrapped over recordings. Prints a table and writes RUNS/comparison.json.
Resumable.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from exo2ego.bench.models import load_model, model_fingerprint
from exo2ego.bench.run import RunSettings, run
from exo2ego.bench.score import read_scores, score_folder
from exo2ego.bench.stats import Interval, Stratum, bootstrap, paired_difference
from exo2ego.bench.tasks import TASKS
from exo2ego.bench.tasks.base import Measure
from exo2ego.models.weights import START
from exo2ego.training.config import Recipe
from exo2ego.training.recipes import RECIPES
from exo2ego.training.run import StageRun, train_stage

GUIDED = ("teacher", "guidance", "practice")
ARMS: dict[str, tuple[str, tuple[str, ...]]] = {
    "ours": ("tiny", GUIDED),
    "ego_only": ("tiny", ("ego_only", "practice")),
    "mixed": ("tiny", ("mixed", "practice")),
    "paper_losses": ("tiny-paper-losses", GUIDED),
    "no_kl": ("tiny-no-kl", GUIDED),
    "forward_cycle_only": ("tiny-forward-cycle-only", GUIDED),
    "both_cycles": ("tiny-both-cycles", GUIDED),
    "contrastive": ("tiny-contrastive", GUIDED),
    "no_lora": ("tiny-no-lora", GUIDED),
    "fc_mapping": ("tiny-fc-mapping", GUIDED),
}
"""Arm -> recipe and stages."""
LIMITS = {"egomcq": 100, "egoschema": 400, "epic_mir": 60}
"""Task -> most items, chosen by seed 0: the same for every arm."""
PAIRED = ("teacher", "guidance", "ego_only", "mixed")
STUDENTS = ("guidance", "ego_only", "mixed")
"""Stages that make a student of the start: one for each arm, all at one learning rate."""


def scaled(recipe: Recipe, share: float, student_lr: float | None) -> Recipe:
    """The recipe with every stage's steps multiplied, and another rate for all students alike where one is given."""
    stages = dict(recipe.stages)
    for name, stage in recipe.stages.items():
        lr = student_lr if student_lr and name in STUDENTS else stage.optim.lr
        stages[name] = replace(stage, optim=replace(stage.optim, steps=max(1, round(stage.optim.steps * share)), lr=lr))
    return replace(recipe, stages=stages)


def train_arm(out: Path, arm: str, recipe: Recipe, seed: int) -> Path:
    """All stages of an arm; returns the exported model."""
    stages = ARMS[arm][1]
    start = START
    for stage in stages:
        data = out / "shards" / ("pairs" if stage in PAIRED else "instructions")
        folder = out / "train" / f"{arm}-{seed}-{stage}"
        done = train_stage(recipe, stage, start=start, data=[data], out=folder, seed=seed)
        start = done.final
    return StageRun(out=out / "train" / f"{arm}-{seed}-{stages[-1]}").model


def build_shards(world: Path, out: Path) -> None:
    """Pairs and instructions of the world, as the demo builds them."""
    source = str(world / "ego_exo4d")
    pairs = ["--alpha", "1.4", "--pool", "annotation", "--rewrite-subject", "--workers", "2"]
    verb = [sys.executable, "-m", "exo2ego", "data"]
    subprocess.run([*verb, "clips", "--source", source, "--out", str(out / "shards" / "pairs"), *pairs], check=True)
    ego = ["--source", str(world / "instruct" / "ego.json"), "--videos", source, "--workers", "2"]
    subprocess.run([*verb, "instruct", *ego, "--out", str(out / "shards" / "instructions")], check=True)


def measure(world: Path, out: Path, name: str, spec: str, seed: int, folders: Sequence[str]) -> None:
    """All tasks (and the exo twin of the questions where asked for) of one model."""
    model, fingerprint = load_model(spec, seed), model_fingerprint(spec)
    for folder in folders:
        task = TASKS[folder.removesuffix("_exo")]
        root = world / "bench" / folder
        settings = RunSettings(
            task=task.name, protocol=task.default_protocol, model=spec, fingerprint=fingerprint, seed=0
        )
        run(model, task, task.load(root, LIMITS[task.name], 0), root, out / "bench" / name / folder, settings)
        score_folder(out / "bench" / name / folder)


def work(arguments: argparse.Namespace) -> None:
    """One cell of the comparison: an arm with a seed, or a model that is not trained here."""
    world, out, arm, seed = arguments.world, arguments.out, arguments.cell[0], int(arguments.cell[1])
    ego = tuple(LIMITS)
    if arm == "random":
        measure(world, out, "random", "random", 0, ego)
    elif arm == "start":
        measure(world, out, "start", f"exo2ego:{START}", 0, (*ego, "egoschema_exo"))
    elif arm == "blind":
        measure(world, out, "blind", f"blind:{START}", 0, ("egoschema",))
    else:
        recipe = scaled(RECIPES[ARMS[arm][0]](), arguments.share, arguments.student_lr)
        model = train_arm(out, arm, recipe, seed)
        measure(world, out, f"{arm}-{seed}", f"exo2ego:{model}", 0, ego)
        if arguments.before_practice:
            student = StageRun(out=out / "train" / f"{arm}-{seed}-{ARMS[arm][1][-2]}").model
            measure(world, out, f"{arm}-{seed}-before-practice", f"exo2ego:{student}", 0, ego)
        if "teacher" in ARMS[arm][1]:
            teacher = StageRun(out=out / "train" / f"{arm}-{seed}-teacher").model
            measure(world, out, f"{arm}-{seed}-teacher", f"exo2ego:{teacher}", 0, ("egoschema", "egoschema_exo"))


def run_cells(arguments: argparse.Namespace, cells: Sequence[tuple[str, int]]) -> None:
    """Cells as processes of one thread each, `jobs` at a time."""
    waiting, running = list(cells), []  # type: ignore[var-annotated]
    common = [str(arguments.world), "--out", str(arguments.out), "--share", str(arguments.share)]
    common += ["--student-lr", str(arguments.student_lr)] if arguments.student_lr else []
    common += ["--before-practice"] if arguments.before_practice else []
    while waiting or running:
        while waiting and len(running) < arguments.jobs:
            arm, seed = waiting.pop(0)
            print(f"start {arm} seed {seed}", flush=True)
            command = [sys.executable, __file__, *common, "--cell", arm, str(seed)]
            running.append((arm, seed, subprocess.Popen(command)))
        arm, seed, process = running.pop(0)
        try:
            code = process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            running.append((arm, seed, process))
            continue
        if code:
            raise SystemExit(f"{arm} seed {seed} failed with exit code {code}")
        print(f"done {arm} seed {seed}", flush=True)


def measures(out: Path, name: str, folder: str) -> dict[str, Measure]:
    """Figures of one run by name and subset."""
    read = read_scores(out / "bench" / name / folder)
    return {f"{m.score.name} {json.dumps(dict(m.score.groups), sort_keys=True)}": m for m in read.measures}


def over_seeds(runs: Sequence[Measure]) -> tuple[Stratum, ...]:
    """Per-item means over the seeds of the same figure."""
    out = []
    for parts in zip(*(m.strata for m in runs), strict=True):
        shared = set.intersection(*(set(p.item_ids) for p in parts))
        values = [dict(zip(p.item_ids, p.values, strict=True)) for p in parts]
        rows = [(i, c) for i, c in zip(parts[0].item_ids, parts[0].clusters, strict=True) if i in shared]
        mean = tuple(float(np.mean([v[i] for v in values])) for i, _ in rows)
        out.append(Stratum(item_ids=tuple(i for i, _ in rows), clusters=tuple(c for _, c in rows), values=mean))
    return tuple(out)


def as_row(interval: Interval) -> dict[str, float]:
    """In percent."""
    return {k: round(100 * getattr(interval, k), 2) for k in ("value", "low", "high")}


def summarise(out: Path, arms: Sequence[str], seeds: Sequence[int]) -> dict[str, Any]:
    """Every figure of every arm, and ours minus each other arm."""
    names = {arm: [f"{arm}-{seed}" for seed in seeds] if arm in ARMS else [arm] for arm in arms}
    table: dict[str, Any] = {}
    for folder in LIMITS:
        loaded = {arm: [measures(out, n, folder) for n in runs] for arm, runs in names.items()}
        for key, shown in loaded[arms[0]][0].items():
            strata = {
                a: over_seeds([m[key] for m in runs]) for a, runs in loaded.items() if all(key in m for m in runs)
            }
            table[key] = {
                "headline": shown.headline,
                "n": shown.score.n,
                "chance": None if shown.score.chance is None else round(100 * shown.score.chance, 2),
                "arms": {a: as_row(bootstrap(s)) for a, s in strata.items()},
                "seeds": {a: [round(100 * m[key].score.value, 2) for m in loaded[a]] for a in strata if a in ARMS},
                "ours_minus": {
                    a: as_row(paired_difference(strata[arms[0]], s)) for a, s in strata.items() if a != arms[0]
                },
                "_strata": strata,
            }
    headline = [row for row in table.values() if row["headline"]]
    average = average_row(headline, arms)
    for row in table.values():
        del row["_strata"]
    return {"average of headline figures": average} | table


def average_row(headline: Sequence[dict[str, Any]], arms: Sequence[str]) -> dict[str, Any]:
    """Unweighted mean of the headline figures; a figure of one part counts as much as one of two directions."""
    most = max(len(row["_strata"][arms[0]]) for row in headline)

    def parts(arm: str) -> list[Stratum]:
        return [s for row in headline for s in row["_strata"][arm] * (most // len(row["_strata"][arm]))]

    return {
        "headline": True,
        "arms": {a: as_row(bootstrap(parts(a))) for a in arms},
        "ours_minus": {a: as_row(paired_difference(parts(arms[0]), parts(a))) for a in arms[1:]},
    }


def twin_scores(out: Path, seeds: Sequence[int], arms: Sequence[str]) -> dict[str, Any]:
    """The diagnosis: teacher and start on their own (exo) view and on ego, by told and untold."""
    runs = {"start": "start"} | {
        f"teacher of {a}": f"{a}-{seeds[0]}-teacher" for a in arms if a in ARMS and "teacher" in ARMS[a][1]
    }
    return {
        f"{who} on {view}": {
            key: round(100 * m.score.value, 2) for key, m in measures(out, name, f"egoschema{suffix}").items()
        }
        for who, name in runs.items()
        for view, suffix in (("exo", "_exo"), ("ego", ""))
    }


def show(result: dict[str, Any], arms: Sequence[str]) -> None:
    """One line a figure: value of each arm, then ours minus the others."""
    for key, row in result.items():
        values = "  ".join(f"{a} {row['arms'][a]['value']:.1f}" for a in arms if a in row["arms"])
        gains = "  ".join(
            f"-{a} {d['value']:+.1f} [{d['low']:+.1f}, {d['high']:+.1f}]" for a, d in row["ours_minus"].items()
        )
        print(f"{key}\n    {values}\n    ours {gains}")


def parse() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("world", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--arms", nargs="+", default=["ours", "ego_only", "mixed"], choices=ARMS)
    parser.add_argument("--share", type=float, default=1.0, help="of the recipe's steps")
    parser.add_argument("--student-lr", type=float, help="of guidance, ego_only and mixed alike; default: the recipe's")
    parser.add_argument("--before-practice", action="store_true", help="measure each arm also before its practice")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--cell", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Build, train, measure, compare."""
    arguments = parse()
    if arguments.cell:
        import torch

        torch.set_num_threads(1)
        work(arguments)
        return
    build_shards(arguments.world, arguments.out)
    cells = [
        ("start", 0),
        ("random", 0),
        ("blind", 0),
        *((arm, seed) for seed in arguments.seeds for arm in arguments.arms),
    ]
    run_cells(arguments, cells)
    arms = [*arguments.arms, "start", "random"]
    result = summarise(arguments.out, arms, arguments.seeds)
    show(result, arms)
    result["diagnosis"] = twin_scores(arguments.out, arguments.seeds, arguments.arms)
    (arguments.out / "comparison.json").write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
