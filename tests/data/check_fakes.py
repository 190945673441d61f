"""Stand-ins for the look at a video, by the file's name: what a decoder may do to its process."""

import os
import signal
import time
from pathlib import Path

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


def look_slowly(path: str, full: bool) -> VideoFacts:
    """So that a run can be killed in its middle."""
    time.sleep(0.25)
    return inspect_video(path, full)


def look_never(path: str, full: bool) -> VideoFacts:
    """For runs that must not open a file."""
    raise RuntimeError(f"{path} was opened again")
