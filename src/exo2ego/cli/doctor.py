"""`exo2ego doctor`: what works on this machine, and how to mend what does not.

Every check does the thing it reports on: decodes a video, draws a picture, multiplies on the device.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from exo2ego.cli.common import VerbParser, console
from exo2ego.errors import Exo2EgoError

OK, WARN, FAIL = "ok", "warn", "fail"

OPTIONAL = {"ray": "many machines"}
APT = "apt-get install -y libegl1 libgl1-mesa-dri libopengl0"

_DRAW = """
import mujoco
model = mujoco.MjModel.from_xml_string(
    '<mujoco><worldbody><light pos="0 0 3"/><geom size="1" rgba="1 0 0 1"/></worldbody></mujoco>')
data = mujoco.MjData(model)
mujoco.mj_forward(model, data)
renderer = mujoco.Renderer(model, 32, 32)
renderer.update_scene(data)
print(int(renderer.render().max()))
"""
_CODECS = "import av; print(' '.join(n for n in ('h264', 'hevc', 'vp9', 'av1') if n in av.codecs_available))"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One finding: what was looked at, `ok` / `warn` / `fail`, what was found, how to mend it (empty when fine)."""

    what: str
    state: str
    found: str
    mend: str = ""


def check_python() -> Check:
    """Python 3.11 or newer."""
    good = sys.version_info >= (3, 11)
    return Check(
        what="Python",
        state=OK if good else FAIL,
        found=platform.python_version(),
        mend="" if good else "install Python 3.11 or newer and run 'make venv PYTHON=...'",
    )


def check_packages() -> Check:
    """What the package says it needs, against what is installed: each one there, in a version that fits."""
    from packaging.requirements import Requirement

    versions, wrong = [], []
    try:
        needed = [Requirement(line) for line in metadata.requires("exo2ego") or ()]
    except metadata.PackageNotFoundError:
        return Check(what="packages", state=FAIL, found="exo2ego itself is not installed", mend="run 'make venv'")
    for requirement in needed:
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        versions.append(f"{requirement.name} {version}")
        if not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement.name} is {version}, needed is {requirement.specifier}")
    if wrong:
        return Check(what="packages", state=FAIL, found="; ".join(wrong), mend="run 'make venv'")
    return Check(what="packages", state=OK, found=", ".join(versions))


def check_optional() -> Check:
    """Packages that add something and are not needed."""
    have = {name for name in OPTIONAL if _installed(name)}
    lacking = [f"{name} ({use})" for name, use in OPTIONAL.items() if name not in have]
    found = ", ".join(sorted(have)) or "none"
    return Check(
        what="optional packages", state=OK, found=found + (f"; not here: {', '.join(lacking)}" if lacking else "")
    )


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def check_torch() -> Check:
    """A small bf16 product on each device, not only the version."""
    import torch

    devices = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    try:
        for device in devices:
            square = torch.ones(8, 8, device=device, dtype=torch.bfloat16)
            if float((square @ square)[0, 0]) != 8.0:
                return Check(what="torch", state=FAIL, found=f"wrong bf16 product on {device}", mend="run 'make venv'")
    except RuntimeError as error:
        mend = "check the driver with nvidia-smi; CUDA_VISIBLE_DEVICES= runs on the CPU"
        return Check(what="torch", state=FAIL, found=f"{device}: {str(error).splitlines()[0]}", mend=mend)
    return Check(what="torch", state=OK, found=f"{torch.__version__}, bf16 on {', '.join(devices)}")


def check_gpu() -> Check:
    """GPUs that torch can use; one that is there and cannot be used is worth a word, none at all is fine."""
    import torch

    found = [
        f"{torch.cuda.get_device_name(i)}, {torch.cuda.get_device_properties(i).total_memory / 1e9:.0f} GB"
        for i in range(torch.cuda.device_count())
    ]
    if found or shutil.which("nvidia-smi") is None:
        return Check(what="GPU", state=OK, found="; ".join(found) or "none: everything runs on the CPU")
    mend = "install a CUDA build of torch that fits the driver, or leave it: everything runs on the CPU too"
    return Check(
        what="GPU", state=WARN, found=f"a driver is here, but torch {torch.__version__} sees no GPU", mend=mend
    )


def check_no_broken_torchvision() -> Check:
    """A torchvision of another torch build breaks transformers on import; none at all is what we want."""
    code = "import torchvision"
    if not _installed("torchvision"):
        return Check(what="torchvision", state=OK, found="absent (not needed)")
    done = _run_python(code)
    if done.returncode == 0:
        return Check(what="torchvision", state=OK, found="present and loads (not needed)")
    return Check(
        what="torchvision",
        state=FAIL,
        found=_last_line(done.stderr),
        mend=f"{sys.executable} -m pip uninstall -y torchvision",
    )


def check_codecs() -> Check:
    """What the decoder library can decode; h264 is needed, the others are for people's own videos."""
    done = _run_python(_CODECS)
    have = done.stdout.split()
    if "h264" not in have:
        return Check(what="codecs", state=FAIL, found=_last_line(done.stderr) or "no h264", mend="run 'make venv'")
    lacking = [name for name in ("hevc", "vp9", "av1") if name not in have]
    mend = f"videos in {', '.join(lacking)} will be refused: convert them to h264" if lacking else ""
    return Check(what="codecs", state=WARN if lacking else OK, found=", ".join(have), mend=mend)


def check_decoder() -> Check:
    """Eight frames through our encoder and our decoder, in memory; every frame must come back as itself."""
    import numpy as np

    from exo2ego.data.video import read_frames, sample_times, write_video

    levels = np.arange(8, dtype=np.uint8) * 30
    frames = np.broadcast_to(levels[:, None, None, None], (8, 64, 64, 3)).copy()
    try:
        back = read_frames(write_video(None, frames, 8.0), sample_times(0.0, 1.0, 8))
    except (Exo2EgoError, OSError) as error:
        return Check(what="decoder", state=FAIL, found=str(error), mend="run 'make venv'")
    error_levels = float(np.abs(back.mean(axis=(1, 2, 3)) - levels).max())
    good = error_levels < 8
    return Check(
        what="decoder",
        state=OK if good else FAIL,
        found=f"8 frames written and read, off by at most {error_levels:.1f} of 255",
        mend="" if good else "frames come back in another order: report it with the output of --json",
    )


def check_renderer() -> Check:
    """The simulator's renderer draws one picture, in a process of its own (a broken driver may kill it)."""
    done = _run_python(_DRAW, MUJOCO_GL=os.environ.get("MUJOCO_GL", "egl"))
    if done.returncode == 0 and done.stdout.strip() not in ("", "0"):
        return Check(what="renderer", state=OK, found="EGL draws a frame off screen")
    found = _last_line(done.stderr) or "an empty picture"
    return Check(what="renderer", state=FAIL, found=found, mend=f"as root: {APT}")


def check_disk() -> Check:
    """Free space where output goes and where temporary files go; the demo needs about 1 GB."""
    free_gb = {str(place): shutil.disk_usage(place).free / 1e9 for place in (Path.cwd(), Path(tempfile.gettempdir()))}
    found = ", ".join(f"{place}: {size:.1f} GB free" for place, size in free_gb.items())
    least = min(free_gb.values())
    state = OK if least >= 3 else WARN if least >= 1 else FAIL
    return Check(what="disk", state=state, found=found, mend="" if state == OK else "free space; the demo needs 1 GB")


def check_writable() -> Check:
    """The current folder takes files: outputs go there by default."""
    try:
        with tempfile.NamedTemporaryFile(dir=Path.cwd(), prefix=".exo2ego-doctor-"):
            pass
    except OSError as error:
        mend = "change to a folder you may write to, or give --out"
        return Check(what="writing here", state=WARN, found=f"{Path.cwd()}: {error.strerror}", mend=mend)
    return Check(what="writing here", state=OK, found=str(Path.cwd()))


def check_machine() -> Check:
    """Cores and memory."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    total_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    small = total_gb < 5.5
    return Check(
        what="machine",
        state=WARN if small else OK,
        found=f"{cores} cores, {total_gb:.1f} GB memory",
        mend="the demo wants 6 GB: close other programs" if small else "",
    )


def check_assets() -> Check:
    """The shipped tokenizer and weights, byte for byte."""
    from exo2ego.models.weights import ASSETS, check_assets

    try:
        check_assets()
    except Exo2EgoError as error:
        return Check(what="shipped weights", state=FAIL, found=str(error), mend="install the package again")
    return Check(what="shipped weights", state=OK, found=f"{ASSETS}: every checksum is right")


CHECKS: tuple[Callable[[], Check], ...] = (
    check_python,
    check_packages,
    check_optional,
    check_torch,
    check_gpu,
    check_no_broken_torchvision,
    check_codecs,
    check_decoder,
    check_renderer,
    check_machine,
    check_disk,
    check_writable,
    check_assets,
)


def _run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs `code` in a fresh interpreter, at most a minute; a hang counts as a failure with that reason."""
    command = [sys.executable, "-c", code]
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **environment}
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", "no answer within 60 s")


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""


def examine(check: Callable[[], Check]) -> Check:
    """Runs one check; a package that cannot even be imported is a finding, not a crash.

    OSError too: so torch says that a library of the GPU's driver is not there.
    """
    try:
        return check()
    except (ImportError, OSError) as error:
        name = check.__name__.removeprefix("check_").replace("_", " ")
        return Check(what=name, state=FAIL, found=str(error), mend="run 'make venv'")


def show(checks: Sequence[Check]) -> None:
    """The findings as a table."""
    from rich.markup import escape
    from rich.table import Table

    colours = {OK: "green", WARN: "yellow", FAIL: "red"}
    table = Table("what", "state", "found", box=None, pad_edge=False)
    for check in checks:
        mend = f"\n[bold]mend:[/] {escape(check.mend)}" if check.mend else ""
        table.add_row(check.what, f"[{colours[check.state]}]{check.state}[/]", escape(check.found) + mend)
    console().print(table)


def main(argv: Sequence[str]) -> int:
    """Runs every check; exit code 0 when all that is needed works, else 1."""
    parser = VerbParser(
        prog="exo2ego doctor",
        description="Say what works on this machine (decoder, renderer, GPU, disk, weights) and how to mend the rest.",
        example="exo2ego doctor --json",
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    args = parser.parse_args(argv)
    checks = [examine(check) for check in CHECKS]
    failed = any(check.state == FAIL for check in checks)
    if args.json:
        print(json.dumps({"ok": not failed, "checks": [asdict(check) for check in checks]}, indent=2))
    else:
        show(checks)
    return 1 if failed else 0
