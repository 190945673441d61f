"""Many files by several threads: outcomes as they come, few handed out ahead, and nothing left running at any end."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from guarded_work import hang_after_telling, is_alive, pid_after_s

from exo2ego.data.guard_pool import AHEAD, GuardPool
from exo2ego.errors import FormatError, VideoError


@pytest.fixture(scope="module")
def pool() -> Iterator[GuardPool]:
    with GuardPool(2, time_limit_s=30) as made:
        yield made


PATIENCE_S = 300.0
"""For what is sure to come: only a broken pool, never a busy machine, lets a test wait so long."""


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def told_pid(path: Path) -> int:
    until(lambda: path.is_file() and path.read_text() != "")
    return int(path.read_text())


def test_outcomes_come_in_the_order_in_which_they_end(pool: GuardPool) -> None:
    slow_ends = threading.Event()

    def work(job: int) -> tuple[int, int]:
        if job == 0:
            slow_ends.wait(PATIENCE_S)
        return job, pool.call(pid_after_s, 0.0)

    found = []
    for job, pid in pool.over(work, range(40)):
        found.append((job, pid))
        if len(found) == 39:
            slow_ends.set()
    assert found[-1][0] == 0
    assert sorted(job for job, _ in found) == list(range(40))
    assert 1 <= len({pid for _, pid in found}) <= 2


def test_jobs_are_taken_as_they_are_due(pool: GuardPool) -> None:
    taken: list[int] = []
    jobs = (taken.append(n) or n for n in range(10_000))
    outcomes = pool.over(lambda job: job, jobs)
    for count in range(1, 50):
        next(outcomes)
        assert len(taken) <= 2 * AHEAD + count
    outcomes.close()
    assert len(taken) < 100


def test_no_job_starts_no_process() -> None:
    pool = GuardPool(3, time_limit_s=30)
    assert list(pool.over(lambda job: pool.call(pid_after_s, job), [])) == []
    assert all(guard._child is None for guard in pool._guards)
    with pytest.raises(ValueError, match="at least 1"):
        GuardPool(0, time_limit_s=30)


def test_calls_one_after_the_other_share_one_process(pool: GuardPool) -> None:
    assert len({pool.call(pid_after_s, 0.0) for _ in range(5)}) == 1


@pytest.mark.parametrize("how", ["an error", "closed"])
def test_however_the_loop_ends_what_hangs_is_ended(pool: GuardPool, tmp_path: Path, how: str) -> None:
    told, ended = tmp_path / "pid", []

    def work(job: str) -> str:
        if job == "hang":
            with pytest.raises(VideoError) as found:
                pool.call(hang_after_telling, told, time_limit_s=600)
            ended.append(str(found.value))
        told_pid(told)  # not before the other hangs
        if how == "an error":
            raise FormatError(f"job {job} is no job")
        return job

    outcomes = pool.over(work, ["hang", *"abcdef"])
    if how == "an error":
        with pytest.raises(FormatError, match=r"job [a-f] is no job"):
            list(outcomes)
    else:
        assert next(outcomes) in "abcdef"
        outcomes.close()
    assert len(ended) == 1
    assert "took longer" not in ended[0], "it was ended with the loop, not by its own limit"
    assert not is_alive(told_pid(told))
    assert isinstance(pool.call(pid_after_s, 0.0), int)  # the pool itself goes on


def test_ctrl_c_in_the_loop_ends_all_children(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
    told = [tmp_path / "a", tmp_path / "b"]

    def press() -> None:
        for path in told:
            told_pid(path)
        os.kill(os.getpid(), signal.SIGINT)

    presser = threading.Thread(target=press)
    presser.start()
    try:
        with pytest.raises(KeyboardInterrupt), GuardPool(2, time_limit_s=600) as pool:
            list(pool.over(lambda path: pool.call(hang_after_telling, path), told))
    finally:
        presser.join()
        signal.signal(signal.SIGINT, before)
    assert not any(is_alive(told_pid(path)) for path in told)


def test_a_closed_pool_starts_nothing(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    with GuardPool(1, time_limit_s=600) as pool:
        ended: list[str] = []

        def hang() -> None:
            try:
                pool.call(hang_after_telling, told)
            except VideoError as error:
                ended.append(str(error))

        thread = threading.Thread(target=hang)
        thread.start()
        told_pid(told)
    thread.join(PATIENCE_S)
    assert len(ended) == 1
    assert not is_alive(told_pid(told))
    with pytest.raises(RuntimeError, match="closed"):
        pool.call(pid_after_s, 0.0)
