"""`exo2ego train` in processes of their own, forked from one that has loaded torch and Transformers: milliseconds, not
seconds each. What runs there is the command itself, with a smaller distance of checkpoints."""

import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

CHECKPOINT_EVERY = 4
_LOADED = ["exo2ego.cli.__main__", "exo2ego.cli.train_steps", "exo2ego.training.run", "torch.utils.tensorboard"]


def start_training(
    words: Sequence[str], *, errors: Path, environment: Mapping[str, str] | None = None, stands_after: int | None = None
) -> BaseProcess:
    """`exo2ego train *words`, under way; what it says on stderr is in `errors`.

    After the computation of step `stands_after`, with changed weights and no line of it in the log, it stands still and
    leaves a file `standing` beside `errors`.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload(_LOADED)
    told = {"OMP_NUM_THREADS": "1", **(environment or {})}
    process = context.Process(target=_train, args=(list(words), errors, told, stands_after), daemon=True)
    process.start()
    return process


def await_standing(process: BaseProcess, errors: Path) -> None:
    """Returns when the process stands still."""
    until = time.monotonic() + 600
    while not _marker(errors).exists():
        assert process.is_alive(), errors.read_text()
        assert time.monotonic() < until
        time.sleep(0.005)
    _marker(errors).unlink()


def finish_training(words: Sequence[str], *, errors: Path, environment: Mapping[str, str] | None = None) -> None:
    """The same, to its end."""
    process = start_training(words, errors=errors, environment=environment)
    process.join()
    assert process.exitcode == 0, errors.read_text()


def _marker(errors: Path) -> Path:
    return errors.with_name("standing")


def _train(words: list[str], errors: Path, environment: Mapping[str, str], stands_after: int | None) -> None:
    from exo2ego.cli.__main__ import main
    from exo2ego.training import loop
    from exo2ego.training.recipes import RECIPES

    os.environ.update(environment)
    # a suite started in the background of a shell ignores Ctrl-C, and so would its children
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, path in ((1, os.devnull), (2, str(errors))):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    tiny, train_step = RECIPES["tiny"], loop.train_step
    RECIPES["tiny"] = lambda: replace(tiny(), checkpoint_every=CHECKPOINT_EVERY)

    def standing(*args, **options):
        done = train_step(*args, **options)
        if args[5] + 1 == stands_after:
            _marker(errors).touch()
            time.sleep(3600)
        return done

    loop.train_step = standing
    sys.exit(main(["train", *words]))
