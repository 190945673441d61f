"""What the verbs share: a parser that fails in one line, checks of values, the console."""

import argparse
import contextlib
import io
import itertools
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from exo2ego.errors import EnvironmentUnfitError, InputError, MissingFileError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress


class Bar(Protocol):
    """What moves a bar: how much is done of how much, and a few words beside it."""

    def __call__(self, done: int, total: int, note: str = "") -> None: ...


class VerbParser(argparse.ArgumentParser):
    """An argument parser whose complaint is one line, as every other error of the command is.

    `example` is printed under `--help`: every verb shows at least one line to paste.
    """

    def __init__(self, *, prog: str, description: str, example: str) -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog=f"example:\n  {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        """Raises InputError instead of printing usage and leaving."""
        raise InputError(f"{message} (see: {self.prog} --help)")


def typed_arguments(form: Any, argv: Sequence[str], *, prog: str, description: str | None = None) -> Any:
    """The command line as an instance of `form` (a dataclass, or a union of subcommands), parsed by tyro.

    Raises InputError, one line, where tyro would draw a box: all verbs complain alike.
    """
    import tyro

    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return tyro.cli(form, args=list(argv), prog=prog, description=description)
    except SystemExit as leaving:
        if not leaving.code:
            raise  # --help
        raise InputError(f"{unboxed(complaint.getvalue())} (see: {prog} --help)") from None


def unboxed(text: str) -> str:
    """What a box of line-drawing characters says, as one line.

    Left out are its title, the help texts (indented by eight), and its advice below the rule.

    >>> unboxed("╭─ Oh ──╮\\n│ No x.  │\\n│ ────── │\\n│ Help!  │\\n╰────────╯")
    'No x.'
    """
    lines = [line.strip("│").rstrip() for line in text.splitlines() if not line.startswith(("╭", "╰"))]
    parts = [list(part) for is_rule, part in itertools.groupby(lines, _is_rule) if not is_rule]
    # Where the terminal takes no line-drawing characters, the title is a line of its own with a rule below.
    said = parts[0 if text.startswith("╭") else 1]
    words = " ".join(line for line in said if not line.startswith(" " * 8))
    return " ".join(words.partition("Got errors:")[0].split())


def _is_rule(line: str) -> bool:
    return bool(line.strip()) and not line.strip("─- ")


def at_least(minimum: int) -> Callable[[str], int]:
    """An argparse type: a whole number not below `minimum`."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
        if value < minimum:
            raise argparse.ArgumentTypeError(f"{value} is below {minimum}")
        return value

    return parse


def require_seed(seed: int) -> None:
    """Raises InputError for a `--seed` that no generator takes."""
    if seed < 0:
        raise InputError(f"--seed {seed}: must be 0 or more")


def seconds(text: str) -> float:
    """An argparse type: a finite time in seconds, not negative."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds") from None
    if not 0.0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a time from 0 s on")
    return value


def existing_file(path: Path, what: str) -> Path:
    """`path` if it is a file; MissingFileError otherwise. `what` names it for the reader, e.g. "video"."""
    if path.is_dir():
        raise MissingFileError(f"{what}: {path} is a folder, a file is needed")
    if not path.is_file():
        raise MissingFileError(f"{what}: no file {path}")
    return path


def console(*, stderr: bool = False) -> "Console":
    """The terminal, as rich sees it: plain text without colours where it is no terminal."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, soft_wrap=True)


@contextlib.contextmanager
def progress(terminal: "Console | None" = None) -> "Iterator[Progress]":
    """A display of bars on stderr, so that results on stdout can be piped; add bars with `add_bar`.

    Each shows what it is, done/total, time gone and left, the rate where it has a unit, and a note. Where stderr is no
    terminal nothing is shown: what stands in a log of errors is errors.
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    terminal = terminal or console(stderr=True)
    display = Progress(
        TextColumn("{task.description:<20}", markup=False),
        BarColumn(bar_width=16),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[rate]}", markup=False),
        TextColumn("{task.fields[note]}", markup=False),
        console=terminal,
        disable=not terminal.is_terminal,
        # What is printed meanwhile goes above the bars only if both are on one screen; a file gets it as ever.
        redirect_stdout=sys.stdout.isatty(),
    )
    with display:
        yield display


def add_bar(display: "Progress", title: str, *, total: int | None = None, unit: str = "") -> "Bar":
    """A bar of `display` and its callback (done, total, note); with a `unit`, as "clips", it shows units a second."""
    task = display.add_task(title, total=total, left="left" if total is not None else "", rate="", note="")
    first: list[tuple[float, int]] = []

    def show(done: int, total: int, note: str = "") -> None:
        first[:] = first or [(time.monotonic(), done)]
        began_s, before = first[0]
        passed_s = time.monotonic() - began_s
        # What an earlier run had done is no speed of this one.
        rate = f"{(done - before) / passed_s:.1f} {unit}/s" if unit and passed_s > 0 else ""
        display.update(task, completed=done, total=total, left="left", rate=rate, note=note)

    return show


def in_units(bar: "Bar", size: int) -> Callable[[int, int], None]:
    """What moves a bar that counts in units of `size`, by numbers of single things; what is begun counts as whole."""
    return lambda done, total: bar(-(-done // size), -(-total // size))


def pick_device(device: str) -> str:
    """`auto` becomes cuda where there is one; EnvironmentUnfitError where cuda is asked for and there is none."""
    import torch

    has_cuda = torch.cuda.is_available()
    if device == "cuda" and not has_cuda:
        raise EnvironmentUnfitError("--device cuda: torch finds no GPU here; 'exo2ego doctor' says more")
    return "cuda" if has_cuda and device != "cpu" else "cpu"


def quiet_libraries() -> None:
    """Keeps transformers' own bars ("Loading weights") out of ours. Call it only where torch is loaded anyway."""
    from transformers.utils import logging

    logging.disable_progress_bar()
