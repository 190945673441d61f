"""Settings of the whole suite: no network, one property profile, `gl` tests skipped where nothing can draw."""

import os
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("MUJOCO_GL", "egl")

# Deadlines measure the machine's load, not the code: with two test processes on two cores they only make tests flaky.
settings.register_profile("suite", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

_OPENS_EGL = "import mujoco; mujoco.GLContext(16, 16).make_current()"


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
