"""Paths that annotation files give: which of them can name a file inside a folder."""

from pathlib import PurePosixPath

MAX_NAME_BYTES = 255
"""Of one part of a path; file systems take no more."""
MAX_PATH_BYTES = 3072
"""Of the whole: Linux takes 4096, the folder that it lies in included."""


def leads_inside(path: PurePosixPath) -> bool:
    """Whether a path stays inside the folder that it is relative to, and no part of it is longer than a name can be.

    To ask the disk about a longer one is an error of its own, not the answer that there is no such file.
    """
    if path.is_absolute() or ".." in path.parts:
        return False
    sizes = [len(part.encode("utf-8", "surrogatepass")) for part in path.parts]
    return max(sizes, default=0) <= MAX_NAME_BYTES and sum(sizes) + len(sizes) <= MAX_PATH_BYTES


def names_file_inside(name: str) -> bool:
    """Whether a field's text names a file that `leads_inside`, the same one on every system."""
    path = PurePosixPath(name)
    return leads_inside(path) and bool(path.name) and "\\" not in name and "\0" not in name
