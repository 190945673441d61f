"""`exo2ego data mix`: what a mixture of shard folders comes to: shares, samples and epochs of each source."""

from collections.abc import Sequence
from pathlib import Path

from exo2ego.cli.common import VerbParser, at_least


def main(argv: Sequence[str]) -> int:
    """Runs the sub-verb; returns the exit code. Errors meant for users are raised."""
    parser = VerbParser(
        prog="exo2ego data mix",
        description="How often `exo2ego train` would see each source of a mixture. Trains nothing, reads no video.",
        example="exo2ego data mix --data egtea=shards/egtea:0.3 --data ssv2=shards/ssv2:0.7 --samples 600000",
    )
    parser.add_argument(
        "--data", action="append", default=[], metavar="SOURCE", help="shard folder, or NAME=FOLDER:WEIGHT; repeat it"
    )
    parser.add_argument("--mix", type=Path, help="JSON file of weighted sources, in place of --data")
    parser.add_argument("--samples", type=at_least(1), help="samples of a run: steps x batch size (default: one pass)")
    parser.add_argument("--json", type=Path, help="write the figures there as JSON")
    options = parser.parse_args(argv)
    from exo2ego.data.jsonfile import write_json
    from exo2ego.data.mixture import choose_mixture, forecast, forecast_text

    rows = forecast(choose_mixture(options.data, options.mix), options.samples)
    print(forecast_text(rows))
    if options.json:
        write_json(options.json, rows)
    return 0
