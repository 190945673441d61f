"""`exo2ego data check`: is an Ego-Exo4D download whole? What is missing, what cannot be read, what does not match."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from exo2ego.cli.common import VerbParser, add_bar, at_least, progress, seconds
from exo2ego.cli.data_common import add_filters, add_subset, filters_of, read_source, subset_of

if TYPE_CHECKING:
    from exo2ego.data.download_needs import TakeNeed
    from exo2ego.data.egoexo4d import EgoExo4D
    from exo2ego.data.tree_check import TreeCheck


def main(argv: Sequence[str]) -> int:
    """Runs the sub-verb; 0 when all that is needed is fine, 1 when something is missing or bad. Errors are raised."""
    options = _parser().parse_args(argv)
    from exo2ego.data.download_needs import needs
    from exo2ego.data.download_sizes import Sizes
    from exo2ego.data.jsonfile import write_json
    from exo2ego.data.tree_check_report import QUARANTINE, check_record, check_text, write_quarantine
    from exo2ego.errors import InputError

    dataset = read_source(options.root, options.downscaled)
    subset = subset_of(options, options.root, dataset)
    found, _ = needs(dataset, filters_of(options), Sizes(options.root, 0.0), subset)
    if not found:
        raise InputError(f"{options.root}: no take is needed with these flags; exo2ego data plan says why")
    # As the user names it: download folders are often links to a drive where they have another name.
    out = options.out or Path(f"{Path(os.path.abspath(options.root)).name}-check")
    check = _run(options, dataset, found, out)
    print(check_text(check, options.show))
    write_quarantine(out / QUARANTINE, check)
    print(f"bad videos: {out / QUARANTINE} ({len(check.bad)} lines; data clips --quarantine leaves them out)")
    if options.json is not None:
        write_json(options.json, check_record(check))
        print(f"wrote {options.json}")
    return 0 if check.is_whole else 1


def _run(options: argparse.Namespace, dataset: "EgoExo4D", found: "Sequence[TakeNeed]", out: Path) -> "TreeCheck":
    from exo2ego.data.tree_check import Tolerance, check_tree
    from exo2ego.data.tree_check_log import Asked

    asked = Asked(full=options.full, time_limit_s=options.time_limit, memory_limit_bytes=options.memory_limit * 2**20)
    with progress() as bars:
        bar = add_bar(bars, "looking at videos", unit="videos")

        def show(done: int, total: int, bad: int) -> None:
            bar(done, total, f"{bad} bad" if bad else "")

        return check_tree(
            dataset,
            found,
            out,
            asked,
            Tolerance(duration_s=options.duration_tolerance, frames=options.frame_tolerance),
            workers=options.workers,
            retry_bad=options.retry_bad,
            progress=show,
        )


def _parser() -> VerbParser:
    parser = VerbParser(
        prog="exo2ego data check",
        description="Is an Ego-Exo4D download whole? Exit code 0: yes; 1: something needed is missing or bad; 2: it "
        "cannot be said. Run it again to go on after a stop: files that have not changed are not opened twice.",
        example="exo2ego data check egoexo4d --takes takes.txt --workers 4 --out check --json check.json",
    )
    parser.add_argument("root", type=Path, help="Ego-Exo4D folder (holds takes.json)")
    add_filters(parser)
    add_subset(parser)
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="what is known of each file, and quarantine.jsonl (default ROOT-check)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there as JSON")
    parser.add_argument("--workers", type=at_least(1), default=1, help="files looked at at once (default 1)")
    parser.add_argument("--full", action="store_true", help="decode every frame, not the first, middle and last")
    parser.add_argument(
        "--time-limit",
        type=_limit,
        default=30.0,
        metavar="S",
        help="seconds for a file, after which its decoder is killed (default 30; --full adds the length of the take)",
    )
    parser.add_argument(
        "--memory-limit", type=at_least(64), default=2048, metavar="MIB", help="memory for a file (default 2048)"
    )
    parser.add_argument(
        "--duration-tolerance",
        type=seconds,
        default=0.5,
        metavar="S",
        help="a video may differ so much from takes.json (default 0.5)",
    )
    parser.add_argument(
        "--frame-tolerance", type=at_least(0), default=0, metavar="N", help="and from the ego video (default 0 frames)"
    )
    parser.add_argument("--retry-bad", action="store_true", help="look at bad files again though they have not changed")
    parser.add_argument("--show", type=at_least(0), default=5, metavar="N", help="findings shown of a kind (default 5)")
    return parser


def _limit(text: str) -> float:
    value = seconds(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} leaves no time at all")
    return value
