"""`exo2ego data VERB ...`: finds the sub-verb and runs it; each is a file of its own beside this one."""

import importlib
from collections.abc import Sequence

from exo2ego.errors import InputError

VERBS: dict[str, tuple[str, str]] = {
    "plan": ("exo2ego.cli.data_plan", "what each stage needs of an Ego-Exo4D download, what fits on a disk"),
    "check": ("exo2ego.cli.data_check", "is an Ego-Exo4D download whole? missing and bad files, bad rows"),
    "clips": ("exo2ego.cli.data_clips", "an Ego-Exo4D download (or a simulated one) -> shards of ego-exo clips"),
    "instruct": (
        "exo2ego.cli.data_instruct",
        "the five sources of EgoIT, or a file of conversations about videos -> shards",
    ),
    "egoclip": ("exo2ego.cli.data_egoclip", "EgoClip's table of narrated clips -> shards for the stage Init"),
    "mix": ("exo2ego.cli.data_mix", "what a mixture of shard folders comes to: shares and epochs of each source"),
    "export": ("exo2ego.cli.data_export", "shards -> conversation files and mp4 clips for other trainers"),
    "inspect": ("exo2ego.cli.data_inspect", "statistics of shards, and a page of examples"),
    "view": ("exo2ego.cli.data_view", "shards in the browser: search, play ego and exo side by side, step"),
}
"""Sub-verb -> (module with `main(argv)`, one line of help). Modules are imported only when their verb is called."""


def usage() -> str:
    """The help of `exo2ego data`."""
    verbs = "\n".join(f"  {name:<10} {help_line}" for name, (_, help_line) in VERBS.items())
    return (
        "usage: exo2ego data VERB ...      (exo2ego data VERB --help says more)\n\n"
        f"verbs:\n{verbs}\n\n"
        "example:\n  exo2ego data clips --source world/ego_exo4d --out shards/pairs"
    )


def main(argv: Sequence[str]) -> int:
    """Runs a sub-verb; returns the exit code. Errors meant for users are raised."""
    if not argv or argv[0] in ("-h", "--help"):
        print(usage())
        return 0 if argv else 2
    verb, *rest = argv
    if verb not in VERBS:
        raise InputError(f"unknown verb 'data {verb}'; known are {', '.join(VERBS)}")
    return int(importlib.import_module(VERBS[verb][0]).main(rest) or 0)
