"""Stand-ins for the look at a video, by the file's name: what a decoder may do to its process."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from exo2ego.data.guard import Guard
from exo2ego.data.tree_check_video import VideoFacts, inspect_video


def look_or_suffer(path: str, full: bool) -> VideoFacts:
    """Hangs, crashes or floods the memory where the name of the file says so."""
    name = Path(path).name
    if name.startswith("hang"):
        time.sleep(600)
    if name.startswith("crash"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if name.startswith("flood"):
        bytearray(3 << 30)
    return inspect_video(path, full)


def look_at_the_first_take_only(path: str, full: bool) -> VideoFacts:
    """Stays at any other video, so that a run is stopped in its middle, whenever that happens."""
    if "kitchen_1" not in path:
        time.sleep(600)
    return inspect_video(path, full)


def look_never(path: str, full: bool) -> VideoFacts:
    """For runs that must not open a file."""
    raise RuntimeError(f"{path} was opened again")


def patient_but_for(name: str) -> Callable[..., Any]:
    """In the place of `Guard.call`: only the work at files of this ending has the limit that was asked for. A machine
    under load needs seconds for any first look, and those files shall not be the ones that are given up."""
    call = Guard.call

    def patient(self: Guard, function: Any, path: str, *rest: Any, **options: Any) -> Any:
        if not path.endswith(name):
            options["time_limit_s"] = 600.0
        return call(self, function, path, *rest, **options)

    return patient
