"""What the tests of the pool let guarded processes do; a module of its own, so that a child loads little."""

import os
import time
from pathlib import Path


def pid_after_s(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def hang_after_telling(told: Path) -> None:
    """Writes its process number, then never ends."""
    told.write_text(str(os.getpid()))
    time.sleep(600)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"  # nobody may be there to reap it
