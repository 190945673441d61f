"""Every command that a --help or a page of docs/ shows can be pasted: its verb, flags and values are known."""

import argparse
import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from exo2ego.bench.hf_options import HFOptions
from exo2ego.bench.model_options import parse_options
from exo2ego.bench.models import KINDS
from exo2ego.bench.openai_client import parse_server
from exo2ego.cli import __main__ as command
from exo2ego.cli import ask, bench, common, data, train
from exo2ego.cli.bench_common import tasks_named
from exo2ego.cli.train_steps import chosen_recipe
from exo2ego.data.download_sizes import parse_bytes

DOCS = Path(__file__).parents[2] / "docs"
BENCH = ("run", "score", "report", "judge", "check", "contamination", "prompts")
HELPED = (
    *([verb] for verb in command.VERBS if verb not in ("data", "bench")),
    *(["data", verb] for verb in data.VERBS),
    *(["bench", verb] for verb in BENCH),
)


class Parsed(Exception):
    """Raised where a verb would begin to work, with what it was told."""

    def __init__(self, told: Any) -> None:
        super().__init__()
        self.told = told


@pytest.fixture
def parse_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every verb stops when its command line is understood."""
    of_tyro = common.typed_arguments

    def stopping(name: str) -> Callable[..., argparse.Namespace]:
        of_argparse = getattr(argparse.ArgumentParser, name)

        def parse_args(self: common.VerbParser, args: Sequence[str] | None = None) -> argparse.Namespace:
            raise Parsed(of_argparse(self, args))

        return parse_args

    def typed_arguments(*form: Any, **more: Any) -> Any:
        raise Parsed(of_tyro(*form, **more))

    for name in ("parse_args", "parse_intermixed_args"):
        monkeypatch.setattr(common.VerbParser, name, stopping(name), raising=False)
    for module in (bench, train):
        monkeypatch.setattr(module, "typed_arguments", typed_arguments)


def told(line: str) -> Any:
    """What the verb of a command line understands; its values are looked at as far as no file is needed."""
    words = shlex.split(line.replace("$s", "1"))  # the variable of a loop over seeds
    assert words[0] == "exo2ego"
    with pytest.raises(Parsed) as stopped:
        command.run(words[1:])
    options = stopped.value.told
    for check, names in CHECKS.items():
        if all(hasattr(options, name) for name in names):
            check(options)
    return options


def known_tasks(options: Any) -> None:
    for task in tasks_named(options.tasks):
        protocol = getattr(options, "protocol", None)
        assert protocol is None or protocol in task.protocols


def known_model(options: Any) -> None:
    kind, _, argument = options.model.partition(":")
    assert kind in KINDS, options.model
    if kind == "hf":
        parse_options(argument, HFOptions)
    if kind == "openai":
        parse_server(argument)


def known_stage(options: Any) -> None:
    chosen_recipe(options.recipe, options.stage, {})


def known_budget(options: Any) -> None:
    assert options.budget is None or parse_bytes(options.budget) > 0


def known_question(options: Any) -> None:
    ask.video_and_question(options.words)


CHECKS = {
    known_tasks: ("tasks",),
    known_model: ("model", "alpha"),
    known_stage: ("recipe", "stage"),
    known_budget: ("budget",),
    known_question: ("words",),
}
"""Check -> the options that a verb has where it applies."""


def shown_in_help(text: str) -> list[str]:
    """The commands below or behind "example:", as they can be pasted."""
    _, _, rest = text.partition("xample:")
    found = re.findall(r"exo2ego [a-z].*", rest.partition("╭")[0])
    return [line.rstrip() for line in found if "`" not in line]


@pytest.mark.parametrize("words", HELPED, ids=" ".join)
def test_the_examples_of_a_help_can_be_pasted(
    words: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    with pytest.raises(SystemExit):
        command.main([*words, "--help"])
    shown = shown_in_help(capsys.readouterr().out)
    request.getfixturevalue("parse_only")
    assert any(line.split()[1 : 1 + len(words)] == words for line in shown), shown
    for line in shown:
        told(line)


def commands_of(page: Path) -> list[str]:
    """The commands in a page's blocks of code: continued lines joined, what explains them taken off."""
    blocks = re.findall(r"^```[a-z]*\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    lines = (line.strip().removeprefix("$ ") for block in blocks for line in block.replace("\\\n", " ").splitlines())
    whole = (line for line in lines if line.startswith("exo2ego ") and "..." not in line)
    plain = (re.sub(r"^exo2ego (\w+) +", r"exo2ego \1 ", line) for line in whole)
    return [re.split(r" +# | {4,}(?=[^-\s])", line)[0].strip() for line in plain]


PAGES = [page for page in [*sorted(DOCS.rglob("*.md")), DOCS.parent / "README.md"] if commands_of(page)]


def test_the_pages_do_show_commands() -> None:
    """Else the next test would pass on nothing."""
    assert {"bench.md", "models.md", "sim.md", "download.md", "mixture.md"} <= {page.name for page in PAGES}
    assert sum(len(commands_of(page)) for page in PAGES) > 30


@pytest.mark.usefixtures("parse_only")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS.parent).as_posix())
def test_the_commands_of_a_page_can_be_pasted(page: Path) -> None:
    for line in commands_of(page):
        told(line)


@pytest.mark.usefixtures("parse_only")
def test_a_flag_that_is_gone_is_noticed() -> None:
    """The check itself, on lines that are wrong in a flag, a task, a protocol, a recipe."""
    for line, error in (
        ("exo2ego data clips --source a --out b --sise 9", "unrecognized arguments: --sise 9"),
        ("exo2ego bench check egomqc --root a", "'egomqc' is unknown"),
        ("exo2ego train --stage teacher --out a --recipe huge", "unknown recipe 'huge'"),
        ("exo2ego data plan a --budget much", "much"),
    ):
        with pytest.raises(Exception, match=error):
            told(line)
    with pytest.raises(AssertionError):
        told("exo2ego bench run --model random --tasks vln_qa --protocol words --root a --out b")
