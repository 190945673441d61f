"""`exo2ego doctor`: for each thing that can be wrong on a machine, the state, what was found, and fitting advice."""

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from exo2ego.cli import __main__ as command
from exo2ego.cli import doctor
from exo2ego.cli.doctor import FAIL, OK, WARN, Check
from exo2ego.errors import ChecksumError, VideoError


def done(code: int, stdout: str = "", stderr: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.CompletedProcess(["python"], code, stdout, stderr)


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The outcome of the interpreter that a check starts, and what it was given."""
    told = SimpleNamespace(outcome=done(0), code="", environment={})

    def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
        told.code, told.environment = code, environment
        outcome: subprocess.CompletedProcess[str] = told.outcome
        return outcome

    monkeypatch.setattr(doctor, "_run_python", run)
    return told


def test_an_old_python(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.check_python().state == OK
    monkeypatch.setattr(doctor.sys, "version_info", (3, 10, 14))
    found = doctor.check_python()
    assert (found.state, found.mend) == (FAIL, "install Python 3.11 or newer and run 'make venv PYTHON=...'")


def test_the_package_itself_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a checkout that is only on PYTHONPATH."""

    def requires(name: str) -> list[str]:
        raise doctor.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(doctor.metadata, "requires", requires)
    found = doctor.check_packages()
    assert found == Check(what="packages", state=FAIL, found="exo2ego itself is not installed", mend="run 'make venv'")


def test_every_package_is_named_with_its_version() -> None:
    found = doctor.check_packages().found
    for name in ("numpy", "torch", "rich"):
        assert f"{name} {doctor.metadata.version(name)}" in found


@pytest.mark.parametrize("here", [True, False])
def test_what_is_optional_is_never_a_failure(monkeypatch: pytest.MonkeyPatch, here: bool) -> None:
    monkeypatch.setattr(doctor, "_installed", lambda name: here)
    found = doctor.check_optional()
    assert found.state == OK
    assert found.found == ("ray" if here else "none; not here: ray (many machines)")


@pytest.fixture
def torch_of(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A torch without devices, to be spoilt."""
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    return torch


def test_a_device_that_fails_is_named_with_its_first_line(
    torch_of: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    ones = torch_of.ones

    def broken(*size: int, device: str, **more: object) -> object:
        if device != "cpu":
            raise RuntimeError("CUDA error: no kernel image\nCompile with TORCH_USE_CUDA_DSA")
        return ones(*size, device=device, **more)

    monkeypatch.setattr(torch_of.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch_of, "ones", broken)
    found = doctor.check_torch()
    assert (found.state, found.found) == (FAIL, "cuda:0: CUDA error: no kernel image")
    assert "nvidia-smi" in found.mend
    assert "CUDA_VISIBLE_DEVICES= runs on the CPU" in found.mend


def test_a_wrong_product_is_a_failure(torch_of: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.check_torch().found == f"{torch_of.__version__}, bf16 on cpu"
    monkeypatch.setattr(torch_of, "ones", lambda *size, **_: np.full(size, 2.0))
    found = doctor.check_torch()
    assert (found.state, found.found, found.mend) == (FAIL, "wrong bf16 product on cpu", "run 'make venv'")


def test_gpus_are_named_with_their_memory(torch_of: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_of.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch_of.cuda, "get_device_name", lambda i: f"Card {i}")
    memory = SimpleNamespace(total_memory=24_000_000_000)
    monkeypatch.setattr(torch_of.cuda, "get_device_properties", lambda i: memory)
    assert doctor.check_gpu() == Check(what="GPU", state=OK, found="Card 0, 24 GB; Card 1, 24 GB")


def test_no_torchvision_is_what_is_wanted(monkeypatch: pytest.MonkeyPatch, child: SimpleNamespace) -> None:
    monkeypatch.setattr(doctor, "_installed", lambda name: False)
    assert doctor.check_no_broken_torchvision().state == OK
    assert child.code == "", "nothing is imported to find that out"


def test_a_broken_torchvision_is_taken_away_from_this_python(
    monkeypatch: pytest.MonkeyPatch, child: SimpleNamespace
) -> None:
    monkeypatch.setattr(doctor, "_installed", lambda name: True)
    child.outcome = done(1, stderr="Traceback\n  File x\nRuntimeError: operator torchvision::nms does not exist\n")
    found = doctor.check_no_broken_torchvision()
    assert found.found == "RuntimeError: operator torchvision::nms does not exist"
    assert (found.state, found.mend) == (FAIL, f"{sys.executable} -m pip uninstall -y torchvision")
    child.outcome = done(0)
    assert doctor.check_no_broken_torchvision().state == OK


@pytest.mark.parametrize(
    ("outcome", "state", "found", "mend"),
    [
        (done(0, "h264 hevc vp9 av1\n"), OK, "h264, hevc, vp9, av1", ""),
        (done(0, "h264 vp9\n"), WARN, "h264, vp9", "videos in hevc, av1 will be refused: convert them to h264"),
        (done(0, "hevc vp9 av1\n"), FAIL, "no h264", "run 'make venv'"),
        (done(1, "", "ImportError: libav is broken\n"), FAIL, "ImportError: libav is broken", "run 'make venv'"),
    ],
)
def test_codecs(
    child: SimpleNamespace, outcome: subprocess.CompletedProcess[str], state: str, found: str, mend: str
) -> None:
    """Only h264 is needed; without another, people's own videos of that kind are the loss."""
    child.outcome = outcome
    assert doctor.check_codecs() == Check(what="codecs", state=state, found=found, mend=mend)


def test_a_decoder_that_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise VideoError("memory: no frames")

    monkeypatch.setattr("exo2ego.data.video.read_frames", refuse)
    assert doctor.check_decoder() == Check(
        what="decoder", state=FAIL, found="memory: no frames", mend="run 'make venv'"
    )


def test_a_decoder_that_gives_frames_in_another_order(monkeypatch: pytest.MonkeyPatch) -> None:
    from exo2ego.data import video

    read = video.read_frames
    monkeypatch.setattr(video, "read_frames", lambda *words: read(*words)[::-1])
    found = doctor.check_decoder()
    assert found.state == FAIL
    assert "another order" in found.mend
    assert "off by at most 2" in found.found, "30 levels a frame, seven frames apart"


@pytest.mark.parametrize(
    ("outcome", "state", "found"),
    [
        (done(0, "255\n"), OK, "EGL draws a frame off screen"),
        (done(0, "0\n"), FAIL, "an empty picture"),
        (done(0, ""), FAIL, "an empty picture"),
        (done(1, "", "Traceback\nImportError: libEGL.so\n"), FAIL, "ImportError: libEGL.so"),
        (done(-11), FAIL, "an empty picture"),
    ],
)
def test_the_renderer(
    child: SimpleNamespace, outcome: subprocess.CompletedProcess[str], state: str, found: str
) -> None:
    """Also where the driver kills the process without a word."""
    child.outcome = outcome
    got = doctor.check_renderer()
    assert (got.state, got.found) == (state, found)
    assert got.mend == ("" if state == OK else f"as root: {doctor.APT}")


@pytest.mark.parametrize(("chosen", "used"), [(None, "egl"), ("osmesa", "osmesa")])
def test_the_renderer_is_tried_as_it_will_be_used(
    child: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, chosen: str | None, used: str
) -> None:
    if chosen is None:
        monkeypatch.delenv("MUJOCO_GL", raising=False)
    else:
        monkeypatch.setenv("MUJOCO_GL", chosen)
    doctor.check_renderer()
    assert child.environment == {"MUJOCO_GL": used}


def test_a_check_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(command: list[str], **more: object) -> None:
        raise subprocess.TimeoutExpired(command, 60)

    monkeypatch.setattr(doctor.subprocess, "run", hang)
    got = doctor.check_renderer()
    assert (got.state, got.found) == (FAIL, "no answer within 60 s")


@pytest.mark.parametrize(("pages", "state"), [(1_500_000, OK), (1_000_000, WARN)])
def test_a_machine_with_little_memory(monkeypatch: pytest.MonkeyPatch, pages: int, state: str) -> None:
    monkeypatch.setattr(doctor.os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": pages}.__getitem__)
    monkeypatch.setattr(doctor.os, "sched_getaffinity", lambda pid: {0, 3, 5})
    found = doctor.check_machine()
    assert found.state == state
    assert found.found == f"3 cores, {4096 * pages / 1e9:.1f} GB memory", "the cores this process may use"
    assert bool(found.mend) is (state == WARN)


def test_the_fullest_of_both_disks_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Outputs go to one, temporary files to the other."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(doctor.tempfile, "gettempdir", lambda: "/other")
    free = {str(tmp_path): 50e9, "/other": 0.4e9}
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda place: SimpleNamespace(free=free[str(place)]))
    found = doctor.check_disk()
    assert (found.state, found.mend) == (FAIL, "free space; the demo needs 1 GB")
    assert found.found == f"{tmp_path}: 50.0 GB free, /other: 0.4 GB free"


def test_writing_here_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert doctor.check_writable() == Check(what="writing here", state=OK, found=str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_damaged_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.check_assets().state == OK

    def refuse() -> None:
        raise ChecksumError("model.safetensors: is not what was shipped")

    monkeypatch.setattr("exo2ego.models.weights.check_assets", refuse)
    found = doctor.check_assets()
    assert (found.state, found.mend) == (FAIL, "install the package again")
    assert found.found == "model.safetensors: is not what was shipped"


CHECKS = (
    lambda: Check(what="sun", state=OK, found="shines"),
    lambda: Check(what="moon", state=WARN, found="[waning]", mend="wait"),
)


def test_a_warning_alone_is_no_failure(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Scripts go by the exit code: what works with a loss still works."""
    monkeypatch.setattr(doctor, "CHECKS", CHECKS)
    assert command.main(["doctor"]) == 0
    table = capsys.readouterr().out
    assert command.main(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is True
    for check in report["checks"]:
        (line,) = (line for line in table.splitlines() if line.startswith(check["what"]))
        assert line.split() == [check["what"], check["state"], check["found"]]
    assert "mend: wait" in table


def test_every_check_is_run_once() -> None:
    """One that is written and not listed would never be seen."""
    written = {value for name, value in vars(doctor).items() if name.startswith("check_") and callable(value)}
    assert set(doctor.CHECKS) == written
    assert len(doctor.CHECKS) == len(written)
