"""`exo2ego data view`: shards in the browser: search, filter, play ego and exo side by side, step, read the turns."""

import argparse
import contextlib
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from exo2ego.cli.common import VerbParser, add_bar, at_least, console, progress
from exo2ego.errors import EnvironmentUnfitError

if TYPE_CHECKING:
    from exo2ego.data.view_site import Site

MAX_PORT = 65535


def main(argv: Sequence[str]) -> int:
    """Runs the sub-verb; returns the exit code. Errors meant for users are raised."""
    options = _parser().parse_args(argv)
    try:
        from exo2ego.data.view_server import address_of, listen, serve
    except ModuleNotFoundError as error:
        if error.name not in ("fastapi", "uvicorn"):
            raise
        raise EnvironmentUnfitError(f"data view: {error.name} is not installed; pip install 'exo2ego[serve]'") from None
    with listen(options.host, options.port) as listening:
        site = _indexed(options.shards, options.flags)
        address = address_of(listening)
        out = console()
        out.print(f"{len(site.index):,} samples: {address}", markup=False)
        port = listening.getsockname()[1]
        out.print(
            f"Ctrl-C ends it. From another machine: ssh -L {port}:{options.host}:{port} THIS_MACHINE", markup=False
        )
        if options.open:
            webbrowser.open(address)
        # uvicorn ends its work at Ctrl-C and then raises it once more: here that is the way to end, not a failure.
        with contextlib.suppress(KeyboardInterrupt):
            serve(site, listening)
    return 0


def _indexed(folders: Sequence[Path], flags: Path) -> "Site":
    """Opens and indexes, with a bar."""
    from exo2ego.data.shards import open_shards
    from exo2ego.data.view_flags import FlagFile
    from exo2ego.data.view_search import SampleIndex
    from exo2ego.data.view_site import Site, short_names

    flag_file = FlagFile(flags)
    sets = {name: open_shards(folder) for name, folder in zip(short_names(folders), folders, strict=True)}
    with progress() as bars:
        index = SampleIndex(sets, add_bar(bars, "indexing narrations", unit="samples"))
    return Site(sets, index, flag_file)


def _port(text: str) -> int:
    value = at_least(0)(text)
    if value > MAX_PORT:
        raise argparse.ArgumentTypeError(f"{value} is above {MAX_PORT}")
    return value


def _parser() -> VerbParser:
    parser = VerbParser(
        prog="exo2ego data view",
        description="A local web page to search, filter, play and step through shards. Serves this machine only.",
        example="exo2ego data view shards/pairs shards/ego --open",
    )
    parser.add_argument("shards", type=Path, nargs="+", help="folders written by data clips or data instruct")
    parser.add_argument("--port", type=_port, default=8765, help="0: any that is free (default 8765)")
    parser.add_argument("--host", default="127.0.0.1", help="an address of this machine alone (default 127.0.0.1)")
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    parser.add_argument("--flags", type=Path, default=Path("flags.jsonl"), help="where flags go (default flags.jsonl)")
    return parser
