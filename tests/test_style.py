"""The budgets and bans of CONTRIBUTING.md, held by the syntax tree: sizes, types, docstrings, unsafe calls."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import exo2ego

SRC = Path(exo2ego.__file__).parent
ROOT = SRC.parent.parent
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
BANNED_IMPORTS = {"pickle", "cPickle", "dill", "marshal", "shelve", "joblib", "cloudpickle"}
BANNED_CALLS = {"eval", "exec", "__import__", "compile"}

Function = ast.FunctionDef | ast.AsyncFunctionDef
FILES = sorted(SRC.rglob("*.py"))
named = pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(SRC).as_posix())


def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), filename=str(file))


def functions(module: ast.Module) -> Iterator[Function]:
    return (node for node in ast.walk(module) if isinstance(node, Function))


def calls(module: ast.Module) -> Iterator[ast.Call]:
    return (node for node in ast.walk(module) if isinstance(node, ast.Call))


def keyword_is_true(call: ast.Call, name: str) -> bool:
    return any(k.arg == name and not (isinstance(k.value, ast.Constant) and not k.value.value) for k in call.keywords)


def swallows_everything(handler: ast.ExceptHandler) -> bool:
    broad = handler.type is not None and ast.unparse(handler.type) in ("Exception", "BaseException")
    return broad and not any(isinstance(inner, ast.Raise) for inner in ast.walk(handler))


def length(function: Function) -> int:
    return (function.end_lineno or 0) - function.lineno + 1


@named
def test_a_file_opens_with_what_it_is_and_stays_short(file: Path) -> None:
    module = tree(file)
    assert ast.get_docstring(module), "no docstring at the top"
    lines = len(file.read_text(encoding="utf-8").splitlines())
    assert lines <= MAX_FILE_LINES, f"{lines} lines"
    long = [f"{f.name}: {length(f)}" for f in functions(module) if length(f) > MAX_FUNCTION_LINES]
    assert not long, f"functions over {MAX_FUNCTION_LINES} lines: {long}"


@named
def test_every_function_is_typed(file: Path) -> None:
    untyped = []
    for function in functions(tree(file)):
        arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        bare = [a.arg for a in arguments if a.annotation is None and a.arg not in ("self", "cls")]
        if bare or function.returns is None:
            untyped.append(f"line {function.lineno} {function.name}: {bare or 'no return type'}")
    assert not untyped, untyped


def public(node: ast.AST) -> Iterator[Function | ast.ClassDef]:
    """Functions and classes of a module and of its public classes; not what stands inside functions."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function | ast.ClassDef) and not child.name.startswith("_"):
            yield child
            if isinstance(child, ast.ClassDef):
                yield from public(child)


@named
def test_everything_public_says_what_it_is(file: Path) -> None:
    silent = [f"line {node.lineno} {node.name}" for node in public(tree(file)) if ast.get_docstring(node) is None]
    assert not silent, silent


@named
def test_nothing_unsafe_is_in_the_package(file: Path) -> None:
    module = tree(file)
    found = []
    for node in ast.walk(module):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = {alias.name for alias in node.names} | {getattr(node, "module", None) or ""}
            found += [f"line {node.lineno}: import {name}" for name in modules if name.split(".")[0] in BANNED_IMPORTS]
        elif isinstance(node, ast.ExceptHandler) and node.type is None:
            found.append(f"line {node.lineno}: bare except")
        elif isinstance(node, ast.ExceptHandler) and swallows_everything(node):
            found.append(f"line {node.lineno}: swallows every exception")
    for call in calls(module):
        name = ast.unparse(call.func)
        if name in BANNED_CALLS or name in ("os.system", "os.popen"):
            found.append(f"line {call.lineno}: {name}()")
        if name == "torch.load" and not keyword_is_true(call, "weights_only"):
            found.append(f"line {call.lineno}: torch.load without weights_only=True")
        if name in ("np.load", "numpy.load") and keyword_is_true(call, "allow_pickle"):
            found.append(f"line {call.lineno}: numpy pickles")
        found += [f"line {call.lineno}: {k}=True" for k in ("shell", "trust_remote_code") if keyword_is_true(call, k)]
    assert not found, found


def test_the_bans_do_bite(tmp_path: Path) -> None:
    """The check above on a file that breaks every rule: without this, a typo in the check would pass everything."""
    bad = tmp_path / "bad.py"
    bad.write_text("import pickle\nimport subprocess, torch\ntry:\n  eval('1')\nexcept:\n  torch.load('x')\n")
    with pytest.raises(AssertionError, match=r"pickle.*bare except.*eval.*torch\.load"):
        test_nothing_unsafe_is_in_the_package(bad)


def test_no_two_test_files_share_a_name() -> None:
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))


def test_no_path_of_somebodys_machine_is_committed() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout: the list of committed files is unknown")
    machine_path = re.compile(r"(?<![\w.~-])/(?:root|home/\w+|Users/\w+|opt)/\w")
    hits = []
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.suffix in {".py", ".md", ".toml", ".txt", ".sh", ".yml", ".json", ""} and path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            hits += [f"{name}: {match.group(0)}" for match in machine_path.finditer(text)]
    assert not hits, hits
