"""Files and folders that appear whole or not at all: written under another name, then renamed. One writer a folder."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from exo2ego.errors import OutputError

TMP_SUFFIX = ".tmp"
"""Files under a temporary name end like this; whoever owns a directory may delete them on a restart."""


HINT = "free space or choose another place"
"""What to do where nothing can be written."""


@contextlib.contextmanager
def refusing_bad_output(path: Path, hint: str = HINT) -> Iterator[None]:
    """Turns a full disk, a read-only place and the like into OutputError; removes what is unfinished."""
    try:
        yield
    except OSError as error:
        remove(temporary(path))
        reason = error.strerror or " ".join(str(error).split())
        raise OutputError(f"{path}: cannot be written ({reason}); {hint}") from None


def temporary(path: Path) -> Path:
    """The name under which this process writes a file or folder before it is complete.

    With the process number, since a killed parent's worker may live on for a moment beside the next build's, and the
    machine's name, since several machines may write to one folder.
    """
    return path.with_name(f"{path.name}.{os.uname().nodename[:64]}.{os.getpid()}{TMP_SUFFIX}")


def remove(path: Path) -> None:
    """A file or folder away, as far as the disk allows; nothing happens where there is none."""
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """What killed runs left in `folder` under temporary names; call it while `held` keeps others out."""
    for leftover in folder.glob(f"*{TMP_SUFFIX}"):
        remove(leftover)


def write_atomic(path: Path, content: bytes, hint: str = HINT) -> None:
    """Writes aside, forces to disk, renames. Raises OutputError; never leaves a partial file under `path`."""
    with refusing_bad_output(path, hint):
        aside = temporary(path)
        with aside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)


def write_text(path: Path, text: str, hint: str = HINT) -> None:
    """UTF-8 text, atomically; folders above it are made. Raises OutputError, which ends with `hint`."""
    make_folder(path.parent, hint)
    write_atomic(path, utf8(text), hint)


def utf8(text: str) -> bytes:
    """A text as UTF-8, also where it names a file whose name is none, or holds half a pair from a JSON file.

    Such letters become `\\udcff`, which a reader of JSON turns back into what they were.
    """
    return text.encode("utf-8", "backslashreplace")


def write_folder(target: Path, fill: Callable[[Path], object]) -> None:
    """Lets `fill(folder)` write into a folder beside `target`, then puts it in the place of `target`.

    Raises OutputError when the disk is full or read-only; `target` is then as it was.
    """
    with refusing_bad_output(target):
        aside = temporary(target)
        remove(aside)
        aside.mkdir(parents=True)
        fill(aside)
        if target.exists():
            shutil.rmtree(target)
        os.replace(aside, target)


def make_folder(path: Path, hint: str = HINT) -> None:
    """The folder and its parents. Raises OutputError where that is impossible."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: cannot be made ({error.strerror}); {hint}") from None


@contextlib.contextmanager
def held(folder: Path, lock_name: str) -> Iterator[None]:
    """Keeps a second run out of `folder`; the kernel frees the lock of a killed one. Raises OutputError."""
    try:
        file = (folder / lock_name).open("wb")
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror}); choose another place") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutputError(f"{folder}: another run is writing here; wait for it, or choose another place") from None
        yield
