"""`exo2ego data inspect`: statistics of shards, and a page of examples."""

from collections.abc import Sequence
from pathlib import Path

from exo2ego.cli.common import VerbParser, add_bar, at_least, in_units, progress

MIB = 1 << 20


def main(argv: Sequence[str]) -> int:
    """Runs the sub-verb; returns the exit code. Errors meant for users are raised."""
    parser = VerbParser(
        prog="exo2ego data inspect",
        description="Statistics of a shard directory, and a self-contained HTML page of examples.",
        example="exo2ego data inspect shards/pairs --html pairs.html",
    )
    parser.add_argument("shards", type=Path, help="folder written by data clips or data instruct")
    parser.add_argument("--html", type=Path, help="where to write the page of examples (default: SHARDS/sheet.html)")
    parser.add_argument("--json", type=Path, help="write the statistics there as JSON")
    parser.add_argument("--examples", type=at_least(1), default=12, help="examples on the page (default 12)")
    parser.add_argument("--verify", action="store_true", help="read everything and check every checksum")
    options = parser.parse_args(argv)
    from exo2ego.data.atomic import write_text
    from exo2ego.data.inspect import contact_sheet, statistics, statistics_text
    from exo2ego.data.jsonfile import write_json
    from exo2ego.data.shards import open_shards

    shards = open_shards(options.shards)
    with progress() as bars:
        figures = statistics(shards, add_bar(bars, "reading samples", unit="samples"))
    print(statistics_text(figures))
    if options.verify:
        print(f"verified: {_verified(options.shards)} members, every checksum is right")
    if options.json:
        write_json(options.json, figures)
    page = options.html or options.shards / "sheet.html"
    write_text(page, contact_sheet(shards, figures, options.examples))
    print(f"examples: {page}")
    return 0


def _verified(shards: Path) -> int:
    """Members of the shards, everything read; terabytes take hours."""
    from exo2ego.data.shards import verify_shards

    with progress() as bars:
        show = add_bar(bars, "checking", unit="MiB")
        return verify_shards(shards, in_units(show, MIB))
