"""`exo2ego sim`: simulate takes and write them as the real data sets' files."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from exo2ego.cli.common import Bar, VerbParser, add_bar, at_least, progress

if TYPE_CHECKING:
    from rich.progress import Progress

    from exo2ego.sim.spec import SimSpec

_MOST = (
    ("--bench-questions", 400, "EgoSchema-style questions"),
    ("--egomcq-questions", 150, "EgoMCQ questions"),
    ("--mir-clips", 120, "EPIC MIR clips"),
    ("--qaego4d-questions", 160, "QAEgo4D questions"),
    ("--egotaskqa-questions", 200, "EgoTaskQA questions"),
    ("--charades-videos", 60, "Charades-Ego videos"),
    ("--egoplan-questions", 80, "EgoPlan questions"),
    ("--vln-questions", 60, "VLN-QA questions"),
)
_EXAMPLE = "exo2ego sim --out world --takes 60 --seed 0 --workers 2"


def _parser() -> VerbParser:
    parser = VerbParser(
        prog="exo2ego sim",
        description="Simulate takes: an Ego-Exo4D tree, instructions and benchmark folders. Run it again to resume.",
        example=_EXAMPLE,
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write (or to go on writing)")
    parser.add_argument("--takes", type=at_least(1), default=60, help="takes (default 60)")
    parser.add_argument("--seed", type=at_least(0), default=0, help="same seed, same world (default 0)")
    parser.add_argument("--workers", type=at_least(1), default=2, help="processes that render (default 2)")
    parser.add_argument("--size-px", type=at_least(32), default=128, help="side of the square videos (default 128)")
    parser.add_argument("--fps", type=at_least(2), default=10, help="frames a second (default 10)")
    parser.add_argument(
        "--split",
        type=float,
        nargs=3,
        default=(0.7, 0.1, 0.2),
        metavar=("TRAIN", "VAL", "TEST"),
        help="shares of takes (default 0.7 0.1 0.2)",
    )
    parser.add_argument(
        "--exo-cameras",
        type=at_least(1),
        nargs=2,
        default=(2, 4),
        metavar=("FEWEST", "MOST"),
        help="fixed cameras of a take (default 2 4)",
    )
    parser.add_argument(
        "--steps",
        type=at_least(1),
        nargs=2,
        default=(6, 15),
        metavar=("FEWEST", "MOST"),
        help="narrated steps of a take (default 6 15)",
    )
    for flag, most, what in _MOST:
        parser.add_argument(flag, type=at_least(0), default=most, help=f"most {what} (default {most})")
    parser.add_argument("--benches", nargs="+", metavar="NAME", help="folders of bench/ to write (default: all)")
    parser.add_argument(
        "--sources",
        nargs="+",
        default=(),
        metavar="NAME",
        help="folders of sources/ to write: egtea ssv2 egotimeqa openeqa egoexolearn egoclip, or all (default: none)",
    )
    parser.add_argument(
        "--source-facts",
        choices=("told", "all"),
        default="told",
        help="what texts of sources/ say: what narrations tell, or colours, hands, ... as well (default told)",
    )
    return parser


def _spec(options: argparse.Namespace) -> "SimSpec":
    from exo2ego.sim.spec import BENCHES, SOURCES, SimSpec

    return SimSpec(
        out=options.out,
        takes=options.takes,
        seed=options.seed,
        workers=options.workers,
        size_px=options.size_px,
        fps=options.fps,
        split_fractions=tuple(options.split),
        exo_cameras=tuple(options.exo_cameras),
        steps=tuple(options.steps),
        bench_questions=options.bench_questions,
        egomcq_questions=options.egomcq_questions,
        mir_clips=options.mir_clips,
        qaego4d_questions=options.qaego4d_questions,
        egotaskqa_questions=options.egotaskqa_questions,
        charades_videos=options.charades_videos,
        egoplan_questions=options.egoplan_questions,
        vln_questions=options.vln_questions,
        benches=BENCHES if options.benches is None else tuple(options.benches),
        sources=SOURCES if list(options.sources) == ["all"] else tuple(options.sources),
        source_facts=options.source_facts,
    )


def simulation_bars(display: "Progress") -> "Callable[[str, int, int], None]":
    """The callback of `simulate`: a bar for each kind of thing that is made, from its beginning on."""
    bars: dict[str, Bar] = {}

    def show(what: str, done: int, total: int) -> None:
        if what not in bars:
            bars[what] = add_bar(display, what)
        bars[what](done, total)

    return show


def main(argv: list[str]) -> int:
    """Simulate as the flags say and print what was written."""
    spec = _spec(_parser().parse_args(argv))

    from exo2ego.sim.export import simulate

    with progress() as bars:
        summary = simulate(spec, simulation_bars(bars))
    splits = ", ".join(f"{count} {split}" for split, count in sorted(summary.splits.items()))
    print(
        f"{summary.out}: {summary.takes} takes ({splits}), {summary.events} events, "
        f"{summary.videos} videos, {summary.frames} frames"
    )
    if summary.rendered_frames:
        rate = summary.rendered_frames / summary.seconds_s
        print(f"rendered {summary.rendered_frames} frames in {summary.seconds_s:.1f} s: {rate:.0f} frames/s")
    if spec.sources:
        where = ", ".join(spec.sources)
        print(f"{spec.out / 'sources'}: {where}; {summary.source_files} media files were made")
    return 0
