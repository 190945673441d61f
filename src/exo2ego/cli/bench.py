"""`exo2ego bench run | score | judge | report | check | contamination | prompts`: EgoBench from the command line."""

from collections.abc import Callable
from typing import Annotated

import tyro

from exo2ego.cli.bench_check import Check
from exo2ego.cli.bench_contamination import ContaminationCommand
from exo2ego.cli.bench_judge import JudgeCommand
from exo2ego.cli.bench_prompts import Prompts
from exo2ego.cli.bench_report import Report
from exo2ego.cli.bench_run import Run
from exo2ego.cli.bench_score import Score
from exo2ego.cli.common import typed_arguments

Command = (
    Annotated[Run, tyro.conf.subcommand("run")]
    | Annotated[Score, tyro.conf.subcommand("score")]
    | Annotated[Report, tyro.conf.subcommand("report")]
    | Annotated[JudgeCommand, tyro.conf.subcommand("judge")]
    | Annotated[Check, tyro.conf.subcommand("check")]
    | Annotated[ContaminationCommand, tyro.conf.subcommand("contamination")]
    | Annotated[Prompts, tyro.conf.subcommand("prompts")]
)


def main(argv: list[str]) -> int:
    """Run one command; errors for the user pass through to `cli/__main__.py`. Returns the exit code."""
    command: Callable[[], int] = typed_arguments(Command, argv, prog="exo2ego bench")
    return command()
