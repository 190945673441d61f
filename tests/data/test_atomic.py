"""Files and folders appear whole or not at all; one writer a folder; a killed run's leavings go."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from exo2ego.data.atomic import held, make_folder, remove_leftovers, temporary, write_atomic, write_folder, write_text
from exo2ego.errors import OutputError


def test_text_makes_the_folders_above_it(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "b" / "c.txt", "grün\n")
    assert (tmp_path / "a" / "b" / "c.txt").read_bytes() == "grün\n".encode()


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "kept.txt"
    target.write_text("old")
    temporary(target).symlink_to("/dev/full")
    with pytest.raises(OutputError, match=r"kept\.txt: cannot be written \(No space left on device\); free space"):
        write_text(target, "new")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_failed_write_says_what_the_caller_would_have_done(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    temporary(tmp_path / "full.txt").symlink_to("/dev/full")
    for place in ("full.txt", "file/below.txt"):
        with pytest.raises(OutputError, match=r"cannot be (made|written) \(.*\); choose another --out$"):
            write_text(tmp_path / place, "new", hint="choose another --out")


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "model"
    write_folder(target, lambda folder: write_atomic(folder / "one", b"1"))
    write_folder(target, lambda folder: write_atomic(folder / "two", b"2"))
    assert [path.name for path in target.iterdir()] == ["two"]

    def full(folder: Path) -> None:
        (folder / "three").write_text("3")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OutputError, match="No space left"):
        write_folder(target, full)
    assert [path.name for path in tmp_path.rglob("*")] == ["model", "two"]


def test_a_fault_in_our_own_code_is_not_called_a_full_disk(tmp_path: Path) -> None:
    def faulty(folder: Path) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_folder(tmp_path / "model", faulty)
    assert not (tmp_path / "model").exists()


def test_a_file_in_the_way_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be made"):
        make_folder(tmp_path / "file" / "below")


def test_one_writer_a_folder(tmp_path: Path) -> None:
    with (
        held(tmp_path, "x.lock"),
        pytest.raises(OutputError, match="another run is writing here"),
        held(tmp_path, "x.lock"),
    ):
        raise AssertionError
    with held(tmp_path, "x.lock"):
        pass


def test_a_killed_writer_leaves_no_lock_and_its_leavings_go(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from exo2ego.data.atomic import held, temporary\n"
        "place = Path(sys.argv[1])\n"
        "with held(place, 'x.lock'):\n"
        "    temporary(place / 'a.txt').write_text('half'); temporary(place / 'model').mkdir()\n"
        "    (temporary(place / 'model') / 'weights').write_text('half'); os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False, env=os.environ)
    assert done.returncode == -signal.SIGKILL
    assert len(list(tmp_path.glob("*.tmp"))) == 2
    (tmp_path / "mine.txt").write_text("kept")
    with held(tmp_path, "x.lock"):
        remove_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.txt", "x.lock"]
