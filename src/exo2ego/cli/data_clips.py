"""`exo2ego data clips`: an Ego-Exo4D download (or a simulated one) -> shards of synchronized ego-exo clips."""

import argparse
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from exo2ego.cli.common import VerbParser, add_bar, console, progress
from exo2ego.cli.data_common import (
    add_common,
    add_filters,
    add_subset,
    build_with_progress,
    clip_format_of,
    filters_of,
    print_problems,
    read_source,
    subset_of,
)

if TYPE_CHECKING:
    from exo2ego.data.egoexo4d import EgoExo4D
    from exo2ego.data.pairs import FilterReport

SIMULATED = "sim"
"""`university_name` of simulated takes."""


def main(argv: Sequence[str]) -> int:
    """Runs the sub-verb; returns the exit code. Errors meant for users are raised."""
    options = _parser().parse_args(argv)
    options.command = ("exo2ego", "data", "clips", *argv)
    from exo2ego.data.clips import ClipRule
    from exo2ego.data.pairs import make_clips
    from exo2ego.data.shard_writer import plan_pairs

    clip_format = clip_format_of(options)
    rule = ClipRule(
        alpha=options.alpha, pool=cast(Literal["annotation", "take"], options.pool), min_width_s=options.min_width
    )
    filters = replace(filters_of(options), rewrite_subject=options.rewrite_subject)
    dataset = read_source(options.source, options.downscaled)
    out = console()
    subset = subset_of(options, options.source, dataset)
    with progress() as bars:
        show = add_bar(bars, "choosing narrations", unit="narrations")
        found, report = make_clips(dataset, rule, filters, subset, progress=show)
    print_problems(dataset)
    print_report(report)
    settings = {
        "kind": "pairs",
        "source": str(options.source),
        "origin": _origin(dataset),
        "rule": asdict(rule),
        "filters": asdict(filters),
        "takes": None if subset.takes is None else len(subset.takes),
        "quarantined": len(subset.quarantined),
    }
    planned = plan_pairs(found, options.source, clip_format)
    shards = build_with_progress("clips", options, planned, clip_format, settings, report)
    out.print(f"{len(shards.pairs)} ego-exo pairs of {len(shards)} narrations are in {options.out}")
    out.print(f"look at them: exo2ego data inspect {options.out}")
    return 0


def _origin(dataset: "EgoExo4D") -> str:
    """Whose recordings they are, as `shard_card.LICENCES` names it: the simulated world signs its takes."""
    simulated = bool(dataset.takes) and all(take.university == SIMULATED for take in dataset.takes.values())
    return "simulated" if simulated else "ego_exo4d"


def print_report(report: "FilterReport") -> None:
    """What became of all narrations, as lines."""
    out = console()
    out.print(f"narrations: {report.total}, kept: {report.kept} (alpha {report.alpha_s:.3f} s)")
    for reason, count in report.dropped.items():
        out.print(f"  left out, {reason}: {count}")
    out.print(f"  exo videos missing for kept narrations: {report.missing_exo_videos}")
    out.print(f"  exo videos in quarantine for kept narrations: {report.quarantined_exo_videos}")
    out.print(f"  kept narrations without an annotated best exo camera: {report.without_best_exo}")
    out.print(f"  takes without narrations: {report.takes_without_narrations}")


def _parser() -> VerbParser:
    parser = VerbParser(
        prog="exo2ego data clips",
        description="Ego-ExoClip: one sample per narration, with its ego clip and every exo clip of the same interval.",
        example="exo2ego data clips --source world/ego_exo4d --out shards/pairs --workers 2",
    )
    parser.add_argument("--source", type=Path, required=True, help="Ego-Exo4D folder (holds takes.json)")
    add_common(parser)
    parser.add_argument("--alpha", type=_alpha, default=None, help="EgoClip's alpha: auto (default) or seconds")
    parser.add_argument("--pool", choices=("annotation", "take"), default="take", help="narrations that give beta")
    parser.add_argument("--min-width", type=float, default=0.1, help="shortest clip in seconds (default 0.1)")
    parser.add_argument("--rewrite-subject", action="store_true", help='"C lifts" becomes "Camera-wearer lifts"')
    add_filters(parser)
    add_subset(parser)
    return parser


def _alpha(text: str) -> float | None:
    if text == "auto":
        return None
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither auto nor a number of seconds") from None
