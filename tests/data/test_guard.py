"""The killable child: what hangs, crashes or floods costs one call and one line; the next call works."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from guarded_work import is_alive
from numpy.typing import NDArray

from exo2ego.data import guard as guard_module
from exo2ego.data.guard import Guard
from exo2ego.errors import EnvironmentUnfitError, OutputError, VideoError

MIB = 2**20


def child_pid(*_ignored: object) -> int:
    return os.getpid()


def total(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    return numbers.cumsum()


def sleep_s(_name: str, seconds: float) -> str:
    time.sleep(seconds)
    return "awake"


def hang_without_letting_go(_name: str) -> None:
    """As a decoder that loops for ever and holds the interpreter's lock."""
    ctypes.PyDLL(None).sleep(600)


def begun(marker: str, work: Callable[..., object], *args: object) -> object:
    """Says by a file that the call has begun."""
    Path(marker).touch()
    return work(*args)


def wait_for(marker: Path) -> None:
    until = time.monotonic() + 300
    while not marker.exists():
        assert time.monotonic() < until
        time.sleep(0.005)


def crash(_name: str, signal_number: int) -> None:
    os.kill(os.getpid(), signal_number)


def read_address_zero(_name: str) -> None:
    ctypes.string_at(0)


def leave(_name: str) -> None:
    os._exit(3)


def hold(_name: str, size_mib: int) -> int:
    return int(np.ones(size_mib * MIB, dtype=np.uint8)[::4096].sum())


def decode_too_large(_name: str) -> None:
    import av

    av.VideoFrame(16000, 16000, "rgb24")


def refuse(name: str) -> None:
    raise OutputError(f"{name}: the disk is full")


def bug(name: str) -> None:
    raise KeyError(name)


def open_files() -> list[str]:
    links = []
    for link in Path("/proc/self/fd").iterdir():
        if link.is_symlink():
            links.append(os.readlink(link))
    return links


@pytest.fixture(scope="module")
def guard() -> Iterator[Guard]:
    with Guard(time_limit_s=30, memory_limit_bytes=200 * MIB) as made:
        yield made


def test_results_and_our_errors_come_back_and_the_child_stays(guard: Guard) -> None:
    pid = guard.call(child_pid)
    assert pid != os.getpid()
    assert (guard.call(total, np.arange(10**6)) == np.arange(10**6).cumsum()).all()
    with pytest.raises(OutputError, match=r"^a\.mp4: the disk is full$"):
        guard.call(refuse, "a.mp4")
    assert guard.call(child_pid) == pid


def test_what_takes_too_long_is_killed_and_the_next_call_works(guard: Guard) -> None:
    pid = guard.call(child_pid)
    began = time.monotonic()
    with pytest.raises(VideoError, match=r"^slow\.mp4: took longer than 0.3 s and was stopped; .*ffmpeg"):
        guard.call(sleep_s, "slow.mp4", 600.0, time_limit_s=0.3)
    with pytest.raises(VideoError, match=r"^by another name: took longer than 0.2 s"):
        guard.call(hang_without_letting_go, "slow.mp4", name="by another name", time_limit_s=0.2)
    assert time.monotonic() - began < 300  # of the twenty minutes that they asked for
    assert guard.call(child_pid) != pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert guard.call(sleep_s, "a.mp4", 0.01) == "awake"


@pytest.mark.parametrize(
    ("function", "args", "says"),
    [
        (read_address_zero, (), "signal 11"),
        (crash, (signal.SIGABRT,), "signal 6"),
        (leave, (), "exit status 3"),
    ],
)
def test_a_crash_is_named(guard: Guard, function: object, args: tuple[object, ...], says: str) -> None:
    with pytest.raises(VideoError, match=rf"^a\.mp4: the decoder crashed \({says}\); "):
        guard.call(function, "a.mp4", *args)
    assert guard.call(sleep_s, "a.mp4", 0.0) == "awake"


def test_a_child_that_the_system_killed_had_too_much_memory(guard: Guard) -> None:
    with pytest.raises(VideoError, match=r"needs more memory than the 200 MiB .*the system killed the decoder"):
        guard.call(crash, "a.mp4", signal.SIGKILL)


def test_memory_is_limited_over_what_the_libraries_take(guard: Guard) -> None:
    assert guard.call(hold, "small.mp4", 150) > 0
    for function, args in ((hold, (250,)), (decode_too_large, ())):
        with pytest.raises(VideoError, match=r"^big\.mp4: needs more memory than the 200 MiB that decoding may take"):
            guard.call(function, "big.mp4", *args)
        assert guard.call(hold, "small.mp4", 150) > 0
    assert guard.call(hold, "small.mp4", 150) > 0, "what was freed may be taken again"


def test_a_bug_is_a_traceback_and_no_bad_video(guard: Guard) -> None:
    with pytest.raises(RuntimeError, match=r"(?s)in the guarded process:.*KeyError: 'a\.mp4'"):
        guard.call(bug, "a.mp4")
    assert guard.call(sleep_s, "a.mp4", 0.0) == "awake"


def test_the_child_holds_no_socket_and_nothing_of_its_parent(guard: Guard, tmp_path: Path) -> None:
    with (tmp_path / "secret").open("w") as mine:
        os.set_inheritable(mine.fileno(), True)
        with Guard(time_limit_s=30) as fresh:
            links = fresh.call(open_files)
    assert not [link for link in links if link.startswith("socket:") or "secret" in link]
    assert sum(link.startswith("pipe:") for link in links) <= 4  # two of ours, stdout and stderr under a test runner


def test_ctrl_c_reaches_the_parent_only(guard: Guard) -> None:
    pid = guard.call(child_pid)
    os.kill(pid, signal.SIGINT)
    assert guard.call(child_pid) == pid


def test_after_ctrl_c_no_late_answer_meets_the_next_question(guard: Guard, tmp_path: Path) -> None:
    marker, me = tmp_path / "begun", threading.main_thread().ident
    assert me is not None

    def press() -> None:
        wait_for(marker)  # before that, Ctrl-C would meet the test and not the call
        signal.pthread_kill(me, signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
    try:
        presser = threading.Thread(target=press)
        presser.start()
        with pytest.raises(KeyboardInterrupt):
            guard.call(begun, str(marker), sleep_s, "a.mp4", 600.0, time_limit_s=600)
        presser.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert isinstance(guard.call(child_pid), int)


@pytest.mark.parametrize("work", ["sleep_s, 'a.mp4', 600.0", "hang_without_letting_go, 'a.mp4'"])
def test_the_child_dies_with_a_parent_that_was_killed(work: str, tmp_path: Path) -> None:
    """Where its decoder lets no thread run, by the alarm that it set itself; its grace is shorter here."""
    script = f"""
import sys
sys.path[:0] = {[*sys.path]!r}
from exo2ego.data import guard as g
from test_guard import begun, child_pid, hang_without_letting_go, sleep_s
g._CHILD = g._CHILD.replace("serve(", "import exo2ego.data.guard as g; g._ORPHAN_GRACE_S = 0.2; serve(")
guard = g.Guard(time_limit_s=600)
print(guard.call(child_pid), flush=True)
guard.call(begun, {str(tmp_path / "begun")!r}, {work}, time_limit_s={1 if "hang" in work else 600})
"""
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    wait_for(tmp_path / "begun")
    parent.kill()
    parent.wait()
    until = time.monotonic() + 300
    while is_alive(pid):
        assert time.monotonic() < until
        time.sleep(0.02)
    parent.stdout.close()


def test_calls_from_several_threads_wait_for_each_other(guard: Guard) -> None:
    got: list[int] = []
    threads = [
        threading.Thread(target=lambda n=n: got.append(int(guard.call(total, np.array([n, n]))[1]))) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [2 * n for n in range(8)]


def test_a_closed_guard_leaves_no_process_and_can_be_used_again() -> None:
    guard = Guard(time_limit_s=30)
    guard.start()
    pid = guard.call(child_pid)
    guard.close()
    assert not is_alive(pid)
    assert guard.call(child_pid) != pid
    guard.close()


def test_a_child_that_does_not_come_up_is_not_blamed_on_the_video(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard_module, "_CHILD", "raise SystemExit(7)")
    with pytest.raises(EnvironmentUnfitError, match=r"did not start.*exit status 7"):
        Guard(time_limit_s=30).call(child_pid)


@pytest.mark.parametrize("limits", [{"time_limit_s": 0}, {"time_limit_s": 1, "memory_limit_bytes": 0}])
def test_limits_are_above_zero(limits: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Guard(**limits)


def test_a_file_named_like_a_module_in_the_present_folder_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('not the real json')")
    monkeypatch.chdir(tmp_path)
    with Guard(time_limit_s=30) as fresh:
        assert fresh.call(child_pid) > 0
