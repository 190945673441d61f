"""`scripts/os_packages.sh`: what is missing is installed where that may be, else the very command is printed."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "scripts" / "os_packages.sh"
TOOLS = ("bash", "env", "find")
WITHOUT_EGL = """#!/bin/sh
case "$*" in *libEGL.so.1*|*libEGL_nvidia*) exit 1;; *ctypes*) exit 0;; esac
exec {python} "$@"
"""


def run(folder: Path, user: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    """The script as a user of this number, where nothing is installed but a few tools."""
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found
        (folder / tool).symlink_to(found)
    command(folder, "id", f"echo {user}")
    usual = {"PATH": str(folder), "PYTHON": sys.executable}
    return subprocess.run(
        [str(folder / "bash"), str(SCRIPT)], env=usual | environment, capture_output=True, text=True, check=False
    )


def command(folder: Path, name: str, *lines: str) -> None:
    """A command that the script finds."""
    (folder / name).write_text("\n".join(["#!/bin/sh", *lines]) + "\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def no_egl(tmp_path: Path) -> str:
    """A Python that finds every library but EGL."""
    path = tmp_path / "python-without-egl"
    path.write_text(WITHOUT_EGL.format(python=sys.executable))
    path.chmod(0o755)
    return str(path)


def test_root_on_debian_gets_it_installed(tmp_path: Path, no_egl: str) -> None:
    command(tmp_path, "apt-get", f'echo "$@" >> {tmp_path}/asked')
    done = run(tmp_path, PYTHON=no_egl)
    assert done.returncode == 0, done.stderr
    update, install = (tmp_path / "asked").read_text().splitlines()
    assert update.startswith("update")
    assert install.startswith("install -y")
    assert "libegl1" in install.split()


def test_sudo_without_a_password_is_used(tmp_path: Path, no_egl: str) -> None:
    command(tmp_path, "apt-get", f'echo "$@" >> {tmp_path}/asked')
    command(tmp_path, "sudo", f"echo sudo >> {tmp_path}/asked", 'shift; exec "$@"')
    command(tmp_path, "true")
    assert run(tmp_path, user=1000, PYTHON=no_egl).returncode == 0
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked[1:3] == ["sudo", "update -qq"]
    assert asked[3] == "sudo"
    assert "libegl1" in asked[4].split()


@pytest.mark.parametrize("sudo", ["asks for a password", "is not there"])
def test_who_may_not_install_is_told_the_very_command(tmp_path: Path, no_egl: str, sudo: str) -> None:
    command(tmp_path, "apt-get", f"touch {tmp_path}/asked")
    if sudo == "asks for a password":
        command(tmp_path, "sudo", "echo 'a password is required' >&2", "exit 1")
    done = run(tmp_path, user=1000, PYTHON=no_egl)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    wanted = "Install with: sudo apt-get update && sudo apt-get install -y --no-install-recommends libegl1"
    assert wanted in done.stderr
    assert not (tmp_path / "asked").exists()
    assert run_again(tmp_path, no_egl, SKIP_OS_PACKAGES="1") == 0


def run_again(folder: Path, python: str, **environment: str) -> int:
    usual = {"PATH": str(folder), "PYTHON": python}
    return subprocess.run([str(folder / "bash"), str(SCRIPT)], env=usual | environment, check=False).returncode


def test_another_system_is_told_what_is_missing(tmp_path: Path, no_egl: str) -> None:
    done = run(tmp_path, PYTHON=no_egl)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "missing from this system (Debian's names): libegl1" in done.stderr


def test_an_old_python_or_none_is_named_with_the_way_out(tmp_path: Path) -> None:
    command(tmp_path, "python3.9", 'case "$*" in *exit*) exit 1;; *) echo 3.9.2;; esac')
    done = run(tmp_path, PYTHON=str(tmp_path / "python3.9"))
    assert done.returncode == 1
    assert "is Python 3.9.2, needed is 3.11 or newer: PYTHON=/path/to/python3.12 make" in done.stderr
    none = subprocess.run(
        [str(tmp_path / "bash"), str(SCRIPT)],
        env={"PATH": str(tmp_path), "PYTHON": "python3.99"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert none.returncode == 1
    assert "no 'python3.99' on the PATH" in none.stderr


def test_without_chromium_and_without_apt_it_goes_on(tmp_path: Path) -> None:
    done = run(tmp_path, WITH_BROWSER="1")
    assert done.returncode == 0
    assert "the tests of the web page will be skipped" in done.stderr
    assert "chromium" in done.stderr


def test_a_chromium_of_any_name_will_do(tmp_path: Path) -> None:
    command(tmp_path, "google-chrome")
    done = run(tmp_path, WITH_BROWSER="1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
