"""The import graph: a package imports only from its left, and each awkward library has its one importer."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import exo2ego

SRC = Path(exo2ego.__file__).parent
BENCHMARKS = SRC.parent.parent / "benchmarks"
ORDER = ("sim", "data", "models", "training", "inference", "bench", "cli")
BELOW_ALL = {"records", "errors", "ctrl_c"}
"""Modules that every package may use; they import nothing but `errors` themselves."""

IMPORTERS = {
    "av": {
        "data/video.py",
        "data/video_open.py",
        "data/video_decode.py",
        "data/video_picture.py",
        "data/video_write.py",
        "sim/encode.py",
    },
    "mujoco": {"sim/render.py"},
    "fastapi": {"inference/server.py", "data/view_server.py"},
    "uvicorn": {"inference/server.py", "data/view_server.py"},
    "gradio": {"inference/server.py"},
    "ray": {"data/ray_workers.py"},
    "lmms_eval": {"bench/lmms_plugin.py"},
    "torchvision": set(),
    "accelerate": set(),
}
HEAVY = ("torch", "transformers", "av", "mujoco", "matplotlib", "peft")


def imports(file: Path) -> Iterator[str]:
    """Every module that `file` imports, absolute, wherever in the file it stands."""
    package = ["exo2ego", *file.relative_to(SRC).parent.parts]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def modules() -> list[Path]:
    return sorted(SRC.rglob("*.py"))


def named(file: Path) -> str:
    return file.relative_to(SRC).as_posix()


def test_each_package_imports_only_from_its_left() -> None:
    wrong = []
    for file in modules():
        home = file.relative_to(SRC).parts[0].removesuffix(".py")
        # `python -m exo2ego` is a door to the command line and nothing else.
        place = "cli" if home == "__main__" else home
        allowed = set(ORDER[: ORDER.index(place) + 1]) if place in ORDER else set()
        for module in imports(file):
            head, _, rest = module.partition(".")
            target = rest.split(".")[0]
            if head == "exo2ego" and target in ORDER and target not in allowed:
                wrong.append(f"{named(file)} imports {module}")
    assert not wrong, "\n".join(wrong)


def test_every_folder_of_the_package_has_its_place_in_the_order() -> None:
    folders = {path.parent.relative_to(SRC).parts[0] for path in modules() if path.parent != SRC}
    assert folders <= set(ORDER)
    top = {path.stem for path in SRC.glob("*.py")} - {"__init__", "__main__"}
    assert top <= BELOW_ALL


def test_the_lowest_modules_import_nothing_of_ours_but_errors() -> None:
    for name in sorted(BELOW_ALL):
        ours = {module for module in imports(SRC / f"{name}.py") if module.startswith("exo2ego")}
        assert all(module.startswith("exo2ego.errors") for module in ours), name


def test_only_the_simulation_knows_its_truth() -> None:
    """`truth.jsonl` is for checks: what reads it elsewhere would train on answers or score with them.

    One measurement may: the supervised probe, which asks whether the pictures hold the truth at all.
    """
    places = [SRC, BENCHMARKS, BENCHMARKS.parent / "scripts"]
    assert all(place.is_dir() for place in places)
    files = [file for place in places for file in sorted(place.rglob("*")) if file.suffix in (".py", ".sh", "")]
    knowing = {file for file in files if file.is_file() and "truth.jsonl" in file.read_text(encoding="utf-8")}
    assert knowing == {SRC / "sim/export.py", BENCHMARKS / "sim_probe.py"}


@pytest.mark.parametrize("library", sorted(IMPORTERS))
def test_an_awkward_library_has_its_one_importer(library: str) -> None:
    found = {named(file) for file in modules() if any(module.split(".")[0] == library for module in imports(file))}
    assert found <= IMPORTERS[library]


def _loaded_after(statement: str) -> set[str]:
    """Which of HEAVY a fresh interpreter holds after `statement`."""
    code = f"import sys\n{statement}\nprint('loaded:', *[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].removeprefix("loaded:").split())


def test_help_of_the_command_loads_no_heavy_library() -> None:
    assert _loaded_after("from exo2ego.cli.__main__ import main; main(['--help'])") == set()


@pytest.mark.parametrize("verb", ["sim", "data", "train", "bench", "ask", "doctor", "demo"])
def test_help_of_a_verb_loads_no_heavy_library(verb: str) -> None:
    call = f"""
from exo2ego.cli.__main__ import main
try:
    main([{verb!r}, '--help'])
except SystemExit as leaving:
    assert not leaving.code, leaving.code
"""
    assert _loaded_after(call) == set()
