"""Calls in a child process that can be killed: a file that hangs, crashes or floods the decoder costs its call only.

The child is a fresh interpreter (nothing of the caller is forked), lives for many calls and is replaced after it had to
be killed. It holds two pipes and no socket, leaves Ctrl-C to its parent, and dies with its parent, however that ends.
Linux only: the memory limit is RLIMIT_DATA over what the child holds before its work.
"""

import contextlib
import json
import os
import resource
import select
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Protocol, Self, TypeVar

from exo2ego.ctrl_c import kept_from_children
from exo2ego.errors import EnvironmentUnfitError, Exo2EgoError, VideoError

R = TypeVar("R")

MEMORY_LIMIT_BYTES = 2 << 30
"""Enough for 16 reference pictures of 8192 x 4320 px and some seconds of them as RGB."""
START_LIMIT_S = 120.0
"""A child that has not started by then (an overloaded machine, a broken installation) is given up."""
_REAP_S = 5.0
"""A killed child that waits for a dead network drive does not end; it is left behind after this."""
_ORPHAN_GRACE_S = 5.0
"""A child whose parent died in the middle of a call ends at the latest so long after the call's limit."""

_CHILD = """
import json, sys
paths, calls, replies, memory = json.loads(sys.argv[1])
sys.path[:] = paths
from exo2ego.data.guard import serve
serve(calls, replies, memory)
"""


class Calls(Protocol):
    """How what reads a file is called: `directly`, or by `call` of a guard or of a pool of them."""

    def __call__(self, function: Callable[..., R], *args: Any, name: str = "") -> R:
        """`function(*args)`; `name` is what messages call the work."""
        ...


def directly(function: Callable[..., R], *args: Any, name: str = "") -> R:
    """A call in this very process: for files of our own."""
    return function(*args)


class Guard:
    """Runs functions in one long-lived child with a limit on time and memory. One call at a time; others wait.

    with Guard(time_limit_s=20) as guard:
        info = guard.call(probe, path)
    """

    def __init__(self, *, time_limit_s: float, memory_limit_bytes: int = MEMORY_LIMIT_BYTES) -> None:
        """`memory_limit_bytes` counts on top of what the interpreter and its libraries take."""
        if not time_limit_s > 0 or memory_limit_bytes <= 0:
            raise ValueError(f"limits must be above 0: {time_limit_s} s, {memory_limit_bytes} bytes")
        self.time_limit_s, self.memory_limit_bytes = time_limit_s, memory_limit_bytes
        self._lock = threading.Lock()
        self._child: _Child | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Starts the child ahead of the first call, without waiting for it."""
        with self._lock:
            self._child = self._child or _Child(self.memory_limit_bytes)

    def close(self) -> None:
        """Ends the child. The next call would start another."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()

    def call(self, function: Callable[..., R], *args: Any, name: str = "", time_limit_s: float | None = None) -> R:
        """`function(*args)`, computed in the child: a function that can be imported, arguments that can be pickled.

        `name` is what messages call the work; by default the first argument. Raises what the function raises of
        Exo2EgoError; VideoError when it takes too long (the child is killed), needs too much memory, or crashes;
        RuntimeError with the child's traceback for any other exception, which is a bug.
        """
        name = name or _label(function, args)
        limit_s = self.time_limit_s if time_limit_s is None else time_limit_s
        with self._lock:
            child = self._child = self._child or _Child(self.memory_limit_bytes)
            try:
                child.wait_until_ready()
                kind, value = child.ask((function, args, limit_s), limit_s)
            except _TooLongError:
                self.close()
                raise VideoError(f"{name}: {_too_long(limit_s)}") from None
            except (EOFError, OSError):
                status = child.kill(has_ended=True)
                self._child = None
                raise VideoError(f"{name}: {self._reason(status, limit_s)}") from None
            except BaseException:
                self.close()  # Ctrl-C: a late answer must not meet the next question
                raise
            if kind in ("memory", "bug"):
                self.close()  # what is left of its memory may be in pieces
        if kind == "memory":
            raise VideoError(f"{name}: {self._too_large()}")
        if kind == "error":
            raise value
        if kind == "bug":
            raise RuntimeError(f"{name}: in the guarded process:\n{value}")
        result: R = value
        return result

    def _reason(self, status: int | None, limit_s: float) -> str:
        """Why a child ended in the middle of a call."""
        if status == -signal.SIGALRM:  # its own alarm; this process was suspended
            return _too_long(limit_s)
        if status == -signal.SIGKILL:
            return f"{self._too_large()} (the system killed the decoder)"
        how = f"signal {-status}" if status is not None and status < 0 else f"exit status {status}"
        return f"the decoder crashed ({how}); re-encode it (ffmpeg -i IN OUT.mp4) or leave it out"

    def _too_large(self) -> str:
        return f"needs more memory than the {self.memory_limit_bytes / 2**20:.0f} MiB that decoding may take"


def _too_long(limit_s: float) -> str:
    return (
        f"took longer than {limit_s:g} s and was stopped; it is damaged, very large, or its drive is slow: "
        "re-encode it (ffmpeg -i IN OUT.mp4) or leave it out"
    )


class _TooLongError(Exception):
    """No answer within the limit."""


class _Child:
    """One interpreter with a pipe to it and one from it."""

    def __init__(self, memory_limit_bytes: int) -> None:
        calls_in, calls_out = os.pipe()
        replies_in, replies_out = os.pipe()
        told = json.dumps([sys.path, calls_in, replies_out, memory_limit_bytes])
        try:
            with kept_from_children():
                self.process = subprocess.Popen(
                    [sys.executable, "-P", "-c", _CHILD, told],
                    stdin=subprocess.DEVNULL,
                    pass_fds=(calls_in, replies_out),
                )
        finally:
            os.close(calls_in)
            os.close(replies_out)
        self.calls = Connection(calls_out, readable=False)
        self.replies = Connection(replies_in, writable=False)
        self.is_ready = False
        self._ending = threading.Lock()

    def wait_until_ready(self) -> None:
        """Raises EnvironmentUnfitError where the child does not come up: not the fault of any video."""
        if self.is_ready:
            return
        try:
            self._receive(START_LIMIT_S)
        except (_TooLongError, EOFError, OSError):
            self.kill(has_ended=True)
            raise EnvironmentUnfitError(
                f"the process that decodes videos did not start within {START_LIMIT_S:.0f} s "
                f"(exit status {self.process.returncode}); is the machine overloaded or out of memory?"
            ) from None
        self.is_ready = True

    def ask(self, question: object, limit_s: float) -> tuple[str, Any]:
        """The child's (kind, value). Raises _TooLongError; EOFError or OSError when the child is gone."""
        self.calls.send(question)
        return self._receive(limit_s)

    def _receive(self, limit_s: float) -> tuple[str, Any]:
        if not self.replies.poll(limit_s):
            raise _TooLongError
        kind, value = self.replies.recv()
        return kind, value

    def kill(self, has_ended: bool = False) -> int | None:
        """Ends it unless it ends by itself (`has_ended`); its exit status (negative: signal), None if it lives on."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            # Its own status tells why it ended, a signal of ours would hide it.
            self.process.wait(_REAP_S if has_ended else 0.0)
        self.process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(_REAP_S)
        # Its caller and who ends it from outside may meet here: a pipe closed twice may be another child's by then.
        with self._ending:
            self.calls.close()
            self.replies.close()
        return self.process.returncode


def _label(function: Callable[..., Any], args: tuple[Any, ...]) -> str:
    """How a message names a call: the file that is its first argument."""
    first = args[0] if args else None
    if isinstance(first, bytes):
        return f"video of {len(first)} bytes in memory"
    return str(first) if isinstance(first, str | Path) else function.__name__


def serve(calls_fd: int, replies_fd: int, memory_limit_bytes: int) -> NoReturn:
    """The child's whole life: take a call, give its outcome, until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.RLIM_INFINITY))  # a crash is expected, its dump is not wanted
    replies = Connection(replies_fd, readable=False)
    calls = Connection(calls_fd, writable=False)
    threading.Thread(target=_leave_when_alone, args=(replies_fd,), daemon=True).start()
    limited: set[str] = set()
    try:
        replies.send(("ready", None))
        _answer_calls(calls, replies, memory_limit_bytes, limited)
    except BrokenPipeError:
        os._exit(1)  # the parent is gone


def _answer_calls(calls: Connection, replies: Connection, memory_limit_bytes: int, limited: set[str]) -> NoReturn:
    while True:
        try:
            replies.send(_outcome(calls, memory_limit_bytes, limited))
        except BrokenPipeError:
            raise
        except MemoryError:
            replies.send(("memory", None))
        except Exception:
            replies.send(("bug", traceback.format_exc()))
            raise SystemExit(1) from None


def _outcome(calls: Connection, memory_limit_bytes: int, limited: set[str]) -> tuple[str, Any]:
    """What comes of the next call."""
    try:
        function, args, limit_s = calls.recv()
    except EOFError:
        os._exit(0)
    if function.__module__ not in limited:  # its libraries are loaded now and do not count
        limited.add(function.__module__)
        _limit_memory(memory_limit_bytes)
    # The kernel ends a child that outlives its parent while its decoder lets no thread of Python run.
    signal.setitimer(signal.ITIMER_REAL, limit_s + _ORPHAN_GRACE_S)
    try:
        return "result", function(*args)
    except Exo2EgoError as error:
        return "error", error
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _limit_memory(limit_bytes: int) -> None:
    """Private memory (VmData) may grow by so much from here on; beyond, allocations fail."""
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    held = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmData"))
    resource.setrlimit(resource.RLIMIT_DATA, (held + limit_bytes, resource.RLIM_INFINITY))


def _leave_when_alone(replies_fd: int) -> None:
    """Ends the process as soon as the parent's end of the pipe is gone, whatever the main thread is doing."""
    poller = select.poll()
    poller.register(replies_fd, select.POLLERR)
    poller.poll()
    os._exit(1)
