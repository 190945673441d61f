"""`exo2ego demo`: the whole path in minutes, on the simulated world: simulate, build, train, measure, report."""

import json
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from exo2ego.cli.common import VerbParser, at_least, console, pick_device, quiet_libraries
from exo2ego.cli.demo_bench import CONTENDERS, compare, measure, score_rows
from exo2ego.cli.demo_steps import (
    ARMS,
    FULL,
    SHORT,
    Demo,
    build_data,
    claim,
    export_models,
    simulate_takes,
    train,
)
from exo2ego.data.atomic import held, write_text

if TYPE_CHECKING:
    from exo2ego.bench.report import Report
    from exo2ego.cli.demo_report import Panel


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """One step of the path: skipped when its marker and everything it makes are there."""

    name: str
    title: str
    run: Callable[[Demo], None]
    makes: tuple[Path, ...]


def _examples(demo: Demo) -> None:
    from exo2ego.cli.demo_examples import make_examples

    make_examples(demo)


def stations(demo: Demo) -> list[Station]:
    """The path, in order."""
    out = [
        Station(name="sim", title="Simulate takes", run=simulate_takes, makes=(demo.source,)),
        Station(name="data", title="Build clips", run=build_data, makes=(demo.pairs, demo.instructions)),
    ]
    for arm, stages in ARMS.items():
        for stage in stages:
            title = f"Train {arm}: {stage.replace('_', ' ')}"
            run = partial(train, arm=arm, stage=stage)
            makes = (demo.stage(arm, stage) / "model",)
            out.append(Station(name=f"train-{arm}-{stage}", title=title, run=run, makes=makes))
    out.append(
        Station(name="export", title="Export models", run=export_models, makes=tuple(demo.model(arm) for arm in ARMS))
    )
    for name in CONTENDERS:
        run = partial(measure, name=name)
        out.append(Station(name=f"bench-{name}", title=f"Measure {name}", run=run, makes=(demo.scores(name),)))
    out.append(Station(name="examples", title="Ask about examples", run=_examples, makes=(demo.out / "examples",)))
    return [*out, Station(name="report", title="Write the report", run=write_report, makes=(demo.report,))]


def walk(demo: Demo, path: Sequence[Station]) -> None:
    """Runs every station that is not done, says which and how long it took, and marks it done."""
    terminal = console()
    for number, station in enumerate(path, start=1):
        marker = demo.out / "done" / f"{station.name}.json"
        head = f"[{number}/{len(path)}] {station.title}"
        if marker.is_file() and all(made.exists() for made in station.makes):
            terminal.print(f"{head}: done before", markup=False)
            continue
        terminal.print(head, markup=False, style="bold")
        began = time.monotonic()
        station.run(demo)
        seconds = round(time.monotonic() - began, 1)
        write_text(marker, json.dumps({"station": station.name, "seconds_s": seconds}) + "\n")
        terminal.print(f"{head}: {seconds:.0f} s", markup=False)


def panels(demo: Demo) -> "list[Panel]":
    """One plot a stage; stages that both arms go through share theirs."""
    from exo2ego.cli.demo_report import Panel

    stages = dict.fromkeys(stage for path in ARMS.values() for stage in path)
    return [
        Panel(
            title=stage.replace("_", " "),
            logs={arm: demo.stage(arm, stage) / "log.jsonl" for arm, path in ARMS.items() if stage in path},
        )
        for stage in stages
    ]


def how_made(demo: Demo) -> list[tuple[str, str]]:
    """What decides the numbers, for the report."""
    from exo2ego import __version__
    from exo2ego.cli.demo_steps import demo_recipe

    recipe = demo_recipe(demo.size)
    steps = "; ".join(f"{arm}: " + ", ".join(f"{s} {recipe.stages[s].optim.steps}" for s in ARMS[arm]) for arm in ARMS)
    return [
        (
            "command",
            shlex.join(["exo2ego", "demo", *(["--short"] if demo.size == SHORT else []), "--seed", str(demo.seed)]),
        ),
        ("version", __version__),
        (
            "data",
            f"{demo.size.takes} simulated takes, seed {demo.seed}; rooms and object-colour-action sets of test unseen",
        ),
        ("recipe", f"{recipe.name}: {recipe.num_frames} frames of {recipe.size_px} px"),
        ("optimiser steps", steps),
        ("start", "shipped weights, trained on simulated third-person video alone"),
    ]


def own_command() -> list[str]:
    """The words that start this very installation in the shell at hand."""
    found = shutil.which("exo2ego")
    if found is not None and Path(found).resolve() == Path(sys.argv[0]).resolve():
        return ["exo2ego"]
    # `python -m exo2ego`, `python -c`: no shell starts such a word
    return [sys.argv[0]] if shutil.which(sys.argv[0]) else [sys.executable, "-m", "exo2ego"]


def ask_lines(demo: Demo) -> list[str]:
    """Two lines to paste."""
    from exo2ego.cli.demo_examples import examples_file, read_examples

    first, *_, last = read_examples(examples_file(demo)) * 2
    asked = ((first, first.answers[0]), (last, last.answers[-1]))
    return [
        shlex.join([*own_command(), "ask", str(demo.out / example.video)])
        + f' "{answer.question}" '
        + shlex.join(["--model", str(demo.model("ours"))])
        for example, answer in asked
    ]


def comparison(demo: Demo) -> "Report":
    """All contenders' scores."""
    return compare([demo.scores(name) for name in CONTENDERS])


def write_report(demo: Demo) -> None:
    """The last station: the HTML page, and the bench's own report beside it."""
    from exo2ego.bench.report_files import write_report as write_bench_report
    from exo2ego.bench.report_text import LEGEND, data_note
    from exo2ego.cli.demo_examples import examples_file, read_examples
    from exo2ego.cli.demo_report import DemoReport, render

    report = comparison(demo)
    titles, rows = score_rows(report)
    page = DemoReport(
        how=how_made(demo),
        panels=panels(demo),
        examples=read_examples(examples_file(demo)),
        titles=titles,
        rows=rows,
        legend=LEGEND,
        note=data_note(report),
        commands=ask_lines(demo),
    )
    write_bench_report(report, demo.out / "bench")
    write_text(demo.report, render(page))


def parse(argv: Sequence[str]) -> Demo:
    """The command line; InputError where it makes no sense."""
    parser = VerbParser(
        prog="exo2ego demo",
        description="Simulate, build, train three stages, measure and report. Run it again to go on after a stop.",
        example="exo2ego demo --short --out runs/short",
    )
    parser.add_argument("--out", type=Path, default=Path("runs/demo"), help="folder to write (default runs/demo)")
    parser.add_argument(
        "--short", action="store_true", help="a few steps of everything: proves the path, shows no gain"
    )
    parser.add_argument("--seed", type=at_least(0), default=0, help="seed of world and training (default 0)")
    parser.add_argument("--workers", type=at_least(1), default=2, help="processes that render and cut (default 2)")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"), help="default auto")
    args = parser.parse_args(argv)
    size = SHORT if args.short else FULL
    return Demo(out=args.out, size=size, seed=args.seed, workers=args.workers, device=args.device)


def main(argv: Sequence[str]) -> int:
    """Walks the path and prints what it led to."""
    from dataclasses import replace

    demo = parse(argv)
    from exo2ego.bench.report_table import tables
    from exo2ego.models.weights import ASSETS, check_assets

    quiet_libraries()
    check_assets()
    demo = replace(demo, device=pick_device(demo.device))
    claim(demo, (ASSETS / "manifest.json").read_text(encoding="utf-8"))
    with held(demo.out, "demo.lock"):
        walk(demo, stations(demo))
    terminal = console()
    for table in tables(comparison(demo)):
        terminal.print(table)
    terminal.print(f"\nreport: {demo.report}\n\nask it yourself:", markup=False)
    for line in ask_lines(demo):
        terminal.print(f"  {line}", markup=False)
    return 0
