"""The command itself: verbs, exit codes, one readable line for every error meant for users."""

import contextlib
import errno
import resource
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import get_args

import pytest

from exo2ego import __version__
from exo2ego.cli import __main__ as command
from exo2ego.cli import bench, data
from exo2ego.errors import FormatError


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A verb `probe` whose `main` a test may replace."""
    module = ModuleType("exo2ego_probe_verb")
    module.main = lambda argv: None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(command.VERBS, "probe", (module.__name__, "for this test"))
    return module


def raising(error: BaseException):
    def main(argv: list[str]) -> int:
        raise error

    return main


def test_help_names_every_verb_and_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"\n  {verb} " in out for verb in command.VERBS)
    assert "example:" in out


BENCH_VERBS = [get_args(verb)[1].name for verb in get_args(bench.Command)]
HELPED = (
    *([verb] for verb in command.VERBS),
    *(["data", verb] for verb in data.VERBS),
    *(["bench", verb] for verb in BENCH_VERBS),
)


@pytest.mark.parametrize("words", HELPED, ids=" ".join)
def test_every_verb_has_help_with_an_example(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with contextlib.suppress(SystemExit):
        assert command.main([*words, "--help"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    _, found, example = out.lower().partition("example: ")
    assert found, out
    assert f"exo2ego {' '.join(words)}" in example


def test_the_verbs_of_bench_are_all_seen() -> None:
    """The list above is read from type hints: were they to change their form, it could be empty."""
    assert {"run", "score", "report", "judge", "check", "contamination", "prompts"} <= set(BENCH_VERBS)


def test_help_is_there_at_once() -> None:
    """Processor time, not wall time: a busy machine must not fail it. The quickest of three."""

    def seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "exo2ego", "--help"], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(seconds() for _ in range(3)) < 0.3


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["bench"], "Expected one of {run, score, report"),
        (["bench", "run"], "Missing from exo2ego bench run: --model"),
        (["bench", "rnu"], "Unrecognized options: rnu"),
        (["train", "--stage"], "Missing value for argument '--stage'"),
    ],
)
def test_a_slip_in_a_typed_verb_is_one_line_too(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(words) == 2
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1
    assert f"(see: exo2ego {words[0]} --help)" in err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--version"]) == 0
    assert capsys.readouterr().out == f"exo2ego {__version__}\n"


def test_no_verb_shows_help_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([]) == 2
    assert "usage" in capsys.readouterr().out


def test_an_unknown_verb_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["bnech", "run"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "did you mean 'bench'" in err
    assert "sim, data" in err


def test_a_verb_gets_the_rest_and_its_none_is_success(verb: ModuleType) -> None:
    seen: list[list[str]] = []
    verb.main = seen.append  # type: ignore[attr-defined]
    assert command.main(["probe", "--x", "1"]) == 0
    assert seen == [["--x", "1"]]


def test_the_exit_code_of_a_verb_is_handed_on(verb: ModuleType) -> None:
    verb.main = lambda argv: 1  # type: ignore[attr-defined]
    assert command.main(["probe"]) == 1


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (FormatError("takes.json:\n row 3"), 2, "exo2ego: takes.json: row 3\n"),
        (KeyboardInterrupt(), 130, "exo2ego: stopped; run the same command again to go on\n"),
        (OSError(errno.ENOSPC, "No space left on device", "out/x"), 2, "exo2ego: out/x: No space left on device; "),
        (OSError(errno.ENOSPC, "No space left on device"), 2, "exo2ego: disk: No space left on device; free space"),
        (OSError(errno.EROFS, "Read-only file system", "x"), 2, "exo2ego: x: Read-only file system; change its perm"),
        (PermissionError(errno.EACCES, "Permission denied", "x"), 2, "exo2ego: x: Permission denied; change its perm"),
        (OSError(errno.EIO, "Input/output error", "x"), 2, "exo2ego: x: Input/output error; check the path and its"),
        (OSError(errno.ESTALE, "Stale file handle", b"x"), 2, "exo2ego: x: Stale file handle; check the path"),
        (OSError(errno.EIO, "Input/output error", 7), 2, "exo2ego: open file 7: Input/output error; check"),
    ],
)
def test_an_error_is_one_line(
    verb: ModuleType, capsys: pytest.CaptureFixture[str], error: BaseException, code: int, line: str
) -> None:
    verb.main = raising(error)  # type: ignore[attr-defined]
    assert command.main(["probe"]) == code
    err = capsys.readouterr().err
    assert err.startswith(line)
    assert err.count("\n") == 1


@pytest.mark.parametrize("bug", [ZeroDivisionError(), OSError("a library's own complaint")], ids=repr)
def test_a_bug_is_not_hidden(verb: ModuleType, bug: Exception) -> None:
    verb.main = raising(bug)  # type: ignore[attr-defined]
    with pytest.raises(type(bug)):
        command.main(["probe"])


LONG = f"{'long' * 75}.mp4"
"""No file can have a name of so many bytes: to ask whether it is there is an error of its own."""


@pytest.mark.parametrize(
    "words",
    [
        ["ask", LONG, "What am I doing?"],
        ["ask", "x", "What?", "--model", LONG],
        ["data", "clips", "--source", LONG, "--out", "out"],
        ["data", "instruct", "--source", LONG, "--videos", ".", "--out", "out"],
        ["data", "instruct", "--source", f"egtea={LONG}", "--out", "out"],
        ["data", "inspect", LONG],
        ["data", "plan", LONG],
        ["data", "check", LONG],
        ["data", "mix", "--data", LONG],
        ["data", "export", LONG, "--format", "llava", "--out", "out"],
        ["data", "egoclip", "--csv", LONG, "--videos", ".", "--out", "out"],
        ["train", "--stage", "teacher", "--data", LONG, "--out", "out"],
        ["bench", "run", "--tasks", "egomcq", "--model", "random", "--root", LONG, "--out", "out"],
        ["bench", "check", "egomcq", "--root", LONG],
        ["bench", "score", LONG],
        ["bench", "report", LONG, "--out", "out"],
        ["bench", "judge", LONG, "--judge", "exact"],
        ["sim", "--out", LONG, "--takes", "1"],
    ],
    ids=lambda words: " ".join(word for word in words if LONG not in word),
)
def test_a_name_too_long_for_a_file_is_one_line(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").touch()
    assert command.main(words) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "File name too long" in err


def test_a_reader_that_leaves_early_is_no_error() -> None:
    code = "import sys; from exo2ego.cli.__main__ import main; sys.exit(main(['--help']))"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 141


def test_a_full_disk_under_stdout_is_one_line() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "exo2ego.cli", "--help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.stderr.startswith("exo2ego: disk: No space left")
    assert done.returncode == 2
