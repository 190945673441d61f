"""`exo2ego VERB ...`: finds the verb, runs it, and turns every error meant for users into one line.

Exit codes: 0 done, 2 a problem the user can mend, 130 stopped by Ctrl-C, 141 the reader of our output went away;
`doctor` and `data check` leave with 1 when something needed is missing or bad. A bug shows its traceback and leaves
with 1.
"""

import difflib
import errno
import importlib
import io
import os
import sys
from collections.abc import Sequence

from exo2ego import __version__
from exo2ego.errors import Exo2EgoError, InputError

VERBS: dict[str, tuple[str, str]] = {
    "sim": ("exo2ego.cli.sim", "simulate takes, written as the real data sets' files"),
    "data": ("exo2ego.cli.data", "build clips and instructions, and look at them"),
    "train": ("exo2ego.cli.train", "train a stage, export a model"),
    "bench": ("exo2ego.cli.bench", "run, score and report benchmarks"),
    "ask": ("exo2ego.cli.ask", "ask a question about a video"),
    "doctor": ("exo2ego.cli.doctor", "say what works on this machine and how to mend what does not"),
    "demo": ("exo2ego.cli.demo", "the whole path in minutes: simulate, build, train, measure, report"),
}
"""Verb -> (module with `main(argv)`, one line of help). Modules are imported only when their verb is called."""

_FREE = "free space or choose another place, then run the same command again"
_PERMIT = "change its permissions or choose another place, then run the same command again"
ADVICE = {
    errno.ENOSPC: _FREE,
    errno.EDQUOT: _FREE,
    errno.EROFS: _PERMIT,
    errno.EACCES: _PERMIT,
    errno.EPERM: _PERMIT,
    errno.ENAMETOOLONG: "no file can have such a name; give a shorter one",
}
"""What to do about what the system refuses, by its errno."""
_CHECK = "check the path and its drive, then run the same command again"
_EXIT_USER, _EXIT_STOPPED, _EXIT_PIPE = 2, 130, 141


def usage() -> str:
    """The help of the command itself."""
    verbs = "\n".join(f"  {name:<8} {help_line}" for name, (_, help_line) in VERBS.items())
    return (
        "exo2ego: what a video model knows from third person, used in first person\n\n"
        f"usage: exo2ego VERB ...      (exo2ego VERB --help says more)\n\nverbs:\n{verbs}\n\n"
        'example:\n  exo2ego demo --short\n  exo2ego ask clip.mp4 "What am I doing?"'
    )


def dispatch(argv: Sequence[str]) -> int:
    """Runs the verb `argv[0]` with the rest; returns its exit code. InputError for an unknown verb."""
    verb, *rest = argv
    if verb not in VERBS:
        near = difflib.get_close_matches(verb, VERBS, n=1, cutoff=0.5)
        hint = f"did you mean '{near[0]}'? " if near else ""
        raise InputError(f"unknown verb '{verb}': {hint}known are {', '.join(VERBS)}")
    result = importlib.import_module(VERBS[verb][0]).main(rest)
    return int(result or 0)


def complain(message: str) -> None:
    """One line on stderr, whatever line breaks the message holds."""
    print(f"exo2ego: {' '.join(message.split())}", file=sys.stderr)


def _place(error: OSError) -> str:
    """The file that an error is about, as far as it says."""
    named = error.filename
    if named is None:
        return "disk"
    return os.fsdecode(named) if isinstance(named, str | bytes) else f"open file {named}"


def run(arguments: Sequence[str]) -> int:
    """Prints help or the version, or runs a verb; returns the exit code."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage())
        return 0 if arguments else _EXIT_USER
    if arguments[0] in ("-V", "--version"):
        print(f"exo2ego {__version__}")
        return 0
    return dispatch(arguments)


def main(argv: Sequence[str] | None = None) -> int:
    """The entry point: `run`, with every error meant for users turned into one line and an exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file's name may be no UTF-8, a terminal may lack letters: such letters are written as \udcff, say.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = run(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
    except Exo2EgoError as error:
        complain(str(error))
        return _EXIT_USER
    except KeyboardInterrupt:
        complain("stopped; run the same command again to go on")
        return _EXIT_STOPPED
    except BrokenPipeError:
        # `exo2ego ... | head`: nobody reads on. Python would complain once more when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _EXIT_PIPE
    except OSError as error:
        if error.errno is None:
            raise  # a library's own, not the system's word on a file
        complain(f"{_place(error)}: {error.strerror}; {ADVICE.get(error.errno, _CHECK)}")
        return _EXIT_USER
    return code


if __name__ == "__main__":
    sys.exit(main())
