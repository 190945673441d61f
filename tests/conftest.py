"""Settings of the whole suite: no network, one property profile, `gl` tests skipped where nothing can draw."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("MUJOCO_GL", "egl")

# Deadlines measure the machine's load, not the code: with two test processes on two cores they only make tests flaky.
settings.register_profile("suite", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

_OPENS_EGL = "import mujoco; mujoco.GLContext(16, 16).make_current()"


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Random weights are the same at every run of a test, whatever ran before it (only where torch is used at all)."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(0)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips `gl` tests with the way to mend it, where no off-screen OpenGL opens."""
    marked = [item for item in items if item.get_closest_marker("gl")]
    if (
        not marked
        or subprocess.run([sys.executable, "-c", _OPENS_EGL], capture_output=True, check=False).returncode == 0
    ):
        return
    for item in marked:
        item.add_marker(
            pytest.mark.skip(reason="no off-screen OpenGL: apt-get install libegl1 libgl1-mesa-dri libopengl0")
        )


def _mount(*words: str) -> None:
    """Skips where this machine does not let the tests mount (only root may)."""
    try:
        done = subprocess.run(["mount", *words], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no command 'mount' here: full and read-only disks cannot be made")
    if done.returncode:
        pytest.skip(f"a disk of its own needs root: {done.stderr.strip()}")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Makes a real disk of so many kilobytes; called again, it is larger from then on."""
    place = tmp_path / "disk"

    def make(size_kb: int) -> Path:
        again = ["-o", f"remount,size={size_kb}k"] if place.exists() else ["-t", "tmpfs", "-o", f"size={size_kb}k"]
        place.mkdir(exist_ok=True)
        _mount(*again, "tmpfs", str(place))
        return place

    yield make
    if place.exists():
        subprocess.run(["umount", str(place)], capture_output=True, check=False)


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Callable[[Path], Path]]:
    """Makes a folder read-only for everyone, root too, until the test ends."""
    mounted: list[Path] = []

    def protect(folder: Path) -> Path:
        _mount("--bind", str(folder), str(folder))
        mounted.append(folder)
        _mount("-o", "remount,bind,ro", str(folder))
        return folder

    yield protect
    for folder in mounted:
        subprocess.run(["umount", str(folder)], capture_output=True, check=False)
