"""`exo2ego doctor`: it finds what is broken, says how to mend it, and its exit code tells scripts."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from exo2ego.cli import __main__ as command
from exo2ego.cli import doctor


def failing() -> doctor.Check:
    return doctor.Check(what="lens", state=doctor.FAIL, found="[cracked]", mend="polish it")


def fine() -> doctor.Check:
    return doctor.Check(what="sun", state=doctor.OK, found="shines")


@pytest.mark.parametrize(("checks", "code"), [((fine,), 0), ((fine, failing), 1)])
def test_exit_code_and_json(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    checks: tuple[Callable[[], doctor.Check], ...],
    code: int,
) -> None:
    monkeypatch.setattr(doctor, "CHECKS", checks)
    assert command.main(["doctor", "--json"]) == code
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is (code == 0)
    assert [check["what"] for check in report["checks"]] == ["sun", "lens"][: len(checks)]


def test_the_table_shows_how_to_mend(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(doctor, "CHECKS", (failing,))
    assert command.main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "[cracked]" in out
    assert "polish it" in out


@pytest.mark.parametrize("error", [ImportError("No module named 'moon'"), OSError("libmoon.so.1: cannot open")])
def test_a_package_that_does_not_import_is_a_finding(error: Exception) -> None:
    def check_the_moon() -> doctor.Check:
        raise error

    found = doctor.examine(check_the_moon)
    assert (found.what, found.state, found.mend) == ("the moon", doctor.FAIL, "run 'make venv'")
    assert found.found == str(error)


def test_versions_are_held_against_what_the_package_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.check_packages().state == doctor.OK
    needs = ["numpy>=999", "rich", "no-such-package-anywhere>=1", "no-such-extra; extra == 'dev'"]
    monkeypatch.setattr(doctor.metadata, "requires", lambda name: needs)
    found = doctor.check_packages()
    assert found.state == doctor.FAIL
    assert "numpy is " in found.found
    assert "needed is >=999" in found.found
    assert "no-such-package-anywhere is missing" in found.found
    assert "no-such-extra" not in found.found
    assert found.mend == "run 'make venv'"


@pytest.mark.parametrize(("driver", "state"), [("/usr/bin/nvidia-smi", doctor.WARN), (None, doctor.OK)])
def test_a_gpu_that_torch_cannot_use_is_told(monkeypatch: pytest.MonkeyPatch, driver: str | None, state: str) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(doctor.shutil, "which", lambda name: driver)
    found = doctor.check_gpu()
    assert found.state == state
    assert "CPU" in found.found + found.mend


def test_every_finding_that_is_not_fine_says_how_to_mend_it() -> None:
    quick = [check for check in doctor.CHECKS if check not in (doctor.check_renderer, doctor.check_codecs)]
    for found in map(doctor.examine, quick):
        assert found.state == doctor.OK or found.mend, found


def test_decoder_and_codecs_work_where_the_suite_runs() -> None:
    assert doctor.check_codecs().state in (doctor.OK, doctor.WARN)
    assert doctor.check_decoder() == doctor.Check(what="decoder", state=doctor.OK, found=doctor.check_decoder().found)


@pytest.mark.gl
def test_renderer_draws() -> None:
    assert doctor.check_renderer().state == doctor.OK


def test_a_missing_renderer_names_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_DRAW", "raise SystemExit('no EGL here')")
    found = doctor.check_renderer()
    assert found.state == doctor.FAIL
    assert found.found == "no EGL here"
    assert "libegl1" in found.mend


def test_a_folder_that_takes_no_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(doctor.tempfile, "NamedTemporaryFile", refuse)
    assert doctor.check_writable().state == doctor.WARN


@pytest.mark.parametrize(("free", "state"), [(9e9, doctor.OK), (2e9, doctor.WARN), (1e8, doctor.FAIL)])
def test_disk_space(monkeypatch: pytest.MonkeyPatch, free: float, state: str) -> None:
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda place: doctor.shutil._ntuple_diskusage(1, 1, int(free)))
    assert doctor.check_disk().state == state


def test_a_torchvision_of_another_build_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_installed", lambda name: True)
    found = doctor.check_no_broken_torchvision()
    if found.state == doctor.FAIL:
        assert "uninstall" in found.mend
    else:
        assert "loads" in found.found
