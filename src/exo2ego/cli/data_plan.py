"""`exo2ego data plan`: what each stage needs of an Ego-Exo4D download, and the smallest useful part for a disk."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from exo2ego.cli.common import VerbParser
from exo2ego.cli.data_common import add_filters, add_subset, filters_of, print_problems, read_source, subset_of


def main(argv: Sequence[str]) -> int:
    """Runs the sub-verb; returns the exit code. Errors meant for users are raised."""
    options = _parser().parse_args(argv)
    from exo2ego.data.atomic import write_text
    from exo2ego.data.download_plan import STAGES, PlanSpec, make_plan, needed_files, plan_record
    from exo2ego.data.download_sizes import FULL_PART, SMALL_PART, parse_bytes
    from exo2ego.data.download_text import plan_text
    from exo2ego.data.jsonfile import write_json

    filters = filters_of(options)
    budget = None if options.budget is None else parse_bytes(options.budget)
    dataset = read_source(options.root, options.downscaled)
    print_problems(dataset)
    spec = PlanSpec(
        stages=STAGES if options.stage == "all" else (options.stage,),
        filters=filters,
        subset=subset_of(options, options.root, dataset),
        part=FULL_PART if options.downscaled == "no" else SMALL_PART,
        bytes_per_second=options.bytes_per_second,
        budget_bytes=budget,
        budget_for=options.budget_for,
    )
    plan = make_plan(dataset, spec)
    print(plan_text(plan, options.uids_out))
    lists = {
        options.uids_out: [need.take.take_uid for need in plan.chosen],
        options.files_out: needed_files(plan),
        options.unneeded_out: plan.unneeded,
    }
    for path, lines in lists.items():
        if path is not None:
            write_text(path, "".join(f"{line}\n" for line in lines))
            print(f"wrote {path}: {len(lines)} lines")
    if options.json is not None:
        write_json(options.json, plan_record(plan))
        print(f"wrote {options.json}")
    return 0


def _parser() -> VerbParser:
    parser = VerbParser(
        prog="exo2ego data plan",
        description="What each stage needs of an Ego-Exo4D download, from takes.json and the annotations alone.",
        example="exo2ego data plan egoexo4d --budget 200GB --uids-out takes.txt --json plan.json",
    )
    parser.add_argument("root", type=Path, help="Ego-Exo4D folder (holds takes.json; the videos may be absent)")
    parser.add_argument(
        "--stage",
        choices=("all", "init", "teacher", "guidance", "practice"),
        default="all",
        help="plan for one stage of training (default all)",
    )
    add_filters(parser)
    add_subset(parser)
    parser.add_argument("--budget", metavar="SIZE", help="room for videos, as 200GB or 500GiB: choose takes that fit")
    parser.add_argument(
        "--budget-for",
        choices=("fetched", "kept"),
        default="fetched",
        help="what must fit: all that the downloader brings (default), or what must stay when the rest is deleted",
    )
    parser.add_argument(
        "--bytes-per-second",
        type=_rate,
        metavar="N",
        help="of a video that is not there yet (default: derived from the published size and hours)",
    )
    parser.add_argument("--uids-out", type=Path, metavar="FILE", help="write the uids of the takes there, one a line")
    parser.add_argument("--files-out", type=Path, metavar="FILE", help="write the videos that are needed there")
    parser.add_argument(
        "--unneeded-out", type=Path, metavar="FILE", help="write the videos that come along and can be deleted there"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the whole plan there as JSON")
    return parser


def _rate(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of bytes") from None
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not above 0")
    return value
