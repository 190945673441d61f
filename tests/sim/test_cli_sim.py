"""`exo2ego sim`: help with an example, a world from flags, one line for what cannot be."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from exo2ego.cli.__main__ import main

SMALL = ["--takes", "1", "--workers", "1", "--size-px", "32", "--fps", "3", "--exo-cameras", "1", "1"]


def test_help_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    """Something to paste."""
    with pytest.raises(SystemExit) as stop:
        main(["sim", "--help"])
    assert stop.value.code == 0
    assert "exo2ego sim --out" in capsys.readouterr().out


@pytest.mark.gl
def test_flags_make_a_world_and_again_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The second call renders nothing."""
    command = ["sim", "--out", str(tmp_path / "w"), *SMALL, "--split", "0", "0", "1"]
    assert main(command) == 0
    assert "1 takes (1 test)" in capsys.readouterr().out
    assert (tmp_path / "w" / "bench" / "epic_mir" / "EPIC_100_retrieval_test.csv").is_file()
    assert main(command) == 0
    assert "rendered" not in capsys.readouterr().out.replace("rendering", "")


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--size-px", "33"], "size_px"),
        (["--split", "1", "1", "1"], "split_fractions"),
        (["--split", "nan", "0", "1"], "split_fractions"),
        (["--split", "0", "nan", "1"], "split_fractions"),
        (["--takes", "0"], "0 is below 1"),
        (["--benches", "egomcq", "egomqc"], "egoplan"),
        (["--vln-questions", "-4"], "-4 is below 0"),
        (["--sources", "egtea", "ego4d"], "egoexolearn, egoclip"),
        (["--source-facts", "some"], "--source-facts"),
    ],
)
def test_impossible_flags_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], named: str
) -> None:
    """Exit code 2, the value named, nothing written."""
    assert main(["sim", "--out", str(tmp_path / "w"), *flags]) == 2
    error = capsys.readouterr().err
    assert named in error
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize("backend", ["bogus", "disable"])
def test_a_machine_without_opengl_is_told_what_to_install(tmp_path: Path, backend: str) -> None:
    """Not a traceback, as users of headless machines meet this first."""
    call = [sys.executable, "-m", "exo2ego.cli.__main__", "sim", "--out", str(tmp_path / "w"), *SMALL]
    done = subprocess.run(call, env=os.environ | {"MUJOCO_GL": backend}, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "libegl1 libgl1-mesa-dri" in done.stderr
    assert "Traceback" not in done.stderr


def _truth(world: Path) -> dict[str, bytes]:
    """Everything but what a run leaves for itself."""
    return {p.relative_to(world).as_posix(): p.read_bytes() for p in sorted(world.rglob("*")) if p.is_file()}


@pytest.mark.gl
def test_sources_are_written_on_request_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`all` names every one; a folder that tells little is not made to tell all."""
    command = ["sim", "--out", str(tmp_path / "w"), *SMALL, "--steps", "2", "2", "--split", "1", "0", "0"]
    assert main(command) == 0
    assert not (tmp_path / "w" / "sources").exists()
    capsys.readouterr()
    assert main([*command, "--sources", "all"]) == 0
    assert "egtea, ssv2, egotimeqa, openeqa, egoexolearn, egoclip; " in capsys.readouterr().out
    written = {path.name for path in (tmp_path / "w" / "sources").iterdir() if path.is_dir()}
    assert written == {"egtea", "ssv2", "egotimeqa", "openeqa", "egoexolearn", "egoclip"}
    assert main([*command, "--sources", "ssv2", "--source-facts", "all"]) == 2
    assert "--source-facts to resume" in capsys.readouterr().err


STANDS_STILL = """
import sys, time
from exo2ego.cli.__main__ import main
from exo2ego.sim import export

write, videos = export.write_bytes, 0

def standing(path, content):
    global videos
    write(path, content)
    videos += path.suffix == ".mp4"
    if videos == 3:
        print("the second take has one of its two videos", flush=True)
        time.sleep(600)

export.write_bytes = standing
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.gl
def test_kill_9_and_the_same_command_again_makes_the_same_world(tmp_path: Path) -> None:
    """Killed in the middle of a take: nothing half-written is taken for a video, and the outcome is the same."""
    flags = ["--takes", "3", "--workers", "1", "--size-px", "32", "--fps", "3", "--exo-cameras", "1", "1"]
    flags += ["--benches", "egomcq"]
    command = [sys.executable, "-c", STANDS_STILL, "sim", "--out", str(tmp_path / "killed"), *flags]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    said = ""
    while "the second take" not in said:
        line = process.stdout.readline()
        assert line, "it was over before it could be killed"
        said += line
    process.kill()
    process.wait()
    process.stdout.close()
    assert len(list((tmp_path / "killed").rglob("*.part/**/*.mp4"))) == 1
    assert not (tmp_path / "killed" / "bench" / "egomcq" / "egomcq.json").exists()
    for out in ("killed", "calm"):
        assert main(["sim", "--out", str(tmp_path / out), *flags]) == 0
    assert _truth(tmp_path / "killed") == _truth(tmp_path / "calm")


@pytest.mark.gl
def test_a_full_disk_is_one_line_and_the_same_command_goes_on(
    tmp_path: Path, small_disk: Callable[[int], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    flags = [*SMALL, "--takes", "3", "--benches", "egomcq"]
    assert main(["sim", "--out", str(tmp_path / "calm"), *flags]) == 0
    capsys.readouterr()
    out = small_disk(96) / "w"
    assert main(["sim", "--out", str(out), *flags]) == 2
    error = capsys.readouterr().err
    assert "No space left on device; free space or choose another --out" in error
    assert error.count("\n") == 1
    small_disk(8000)
    assert main(["sim", "--out", str(out), *flags]) == 0
    assert _truth(out) == _truth(tmp_path / "calm")


def test_a_read_only_place_is_one_line(
    tmp_path: Path, read_only: Callable[[Path], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "locked").mkdir()
    assert main(["sim", "--out", str(read_only(tmp_path / "locked") / "w"), *SMALL]) == 2
    error = capsys.readouterr().err
    assert "Read-only file system; free space or choose another --out" in error
    assert error.count("\n") == 1


def test_ctrl_c_while_workers_start_is_one_line(
    tmp_path: Path, ctrl_c_at_start: Callable[[str, Sequence[str]], tuple[int, str]]
) -> None:
    command = ["sim", "--out", str(tmp_path / "w"), "--takes", "4", "--workers", "2", "--size-px", "32", "--fps", "3"]
    assert ctrl_c_at_start("spawn_main", command) == (130, "exo2ego: stopped; run the same command again to go on\n")
