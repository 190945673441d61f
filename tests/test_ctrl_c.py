"""Ctrl-C while a process is being started: the child never sees it, and the parent does, when the start is over."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from exo2ego.ctrl_c import kept_from_children

SAYS_WHAT_IT_BLOCKS = "import signal; print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []))"


@pytest.fixture(autouse=True)
def ctrl_c_counts() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where tests run in the background
    yield
    signal.signal(signal.SIGINT, before)


def blocked() -> bool:
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def child_blocks() -> bool:
    done = subprocess.run([sys.executable, "-c", SAYS_WHAT_IT_BLOCKS], capture_output=True, text=True, check=True)
    return done.stdout.strip() == "True"


@pytest.mark.parametrize("takes_it", ["this thread", "another thread"])
def test_it_interrupts_when_the_start_is_over(takes_it: str) -> None:
    done, ended = [], threading.Event()
    other = threading.Thread(target=ended.wait)  # does not block it, so the system may hand it over there
    if takes_it == "another thread":
        other.start()

    def start() -> None:
        with kept_from_children():
            os.kill(os.getpid(), signal.SIGINT)
            done.append(child_blocks())

    with pytest.raises(KeyboardInterrupt):
        start()
    ended.set()
    assert done == [True], "the block came to its end, and its child blocks Ctrl-C"
    assert not blocked()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_thread_that_is_not_the_main_one_starts_children_that_block_it_too() -> None:
    found: list[bool] = []

    def work() -> None:
        with kept_from_children():
            found.append(child_blocks())
        found.append(blocked())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [True, False]
