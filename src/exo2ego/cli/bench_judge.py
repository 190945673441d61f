"""`exo2ego bench judge`: open answers of a run graded by a model, compared by sentence vectors; do two judges agree?"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from exo2ego.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from exo2ego.bench.judge import Judge, JudgePrompt


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeCommand:
    """Grade the open answers of a run (QAEgo4D open, EgoTaskQA exact), then score it again. Goes on where it stopped.

    Example: exo2ego bench judge runs/student --judge openai:http://127.0.0.1:8000/v1#qwen3-32b
    """

    run: Annotated[Path, tyro.conf.Positional]
    """Folder that `bench run` wrote."""
    judge: str | None = None
    """openai:URL#MODEL, any other model of `bench run` that answers in words, or rule (no model: equal after
    normalisation)."""
    prompt: Path | None = None
    """Other words for the judge, in the form of bench/judge_prompt.txt. They make another judge."""
    similarity: Path | None = None
    """Folder of a sentence-transformers model: adds the cosine of answer and right answer."""
    agreement: bool = False
    """Compare the judges that were asked: share equal, Cohen's kappa."""

    def __call__(self) -> int:
        """Judge, embed, score, compare: whatever was asked for, in this order."""
        from exo2ego.bench.judging import judgeable
        from exo2ego.bench.score import run_folders

        if self.judge is None and self.similarity is None and not self.agreement:
            raise InputError("bench judge: say what to do: --judge JUDGE, --similarity DIR or --agreement")
        if self.prompt is not None and self.judge is None:
            raise InputError("bench judge: --prompt is for a judge; add --judge JUDGE")
        folders = [folder for folder in run_folders(self.run) if judgeable(folder)]
        if not folders:
            raise InputError(f"{self.run}: no run with free text here; qaego4d_open and EgoTaskQA (exact) have it")
        self._judge(folders)
        if self.agreement:
            for folder in folders:
                _compare(folder)
        return 0

    def _judge(self, folders: list[Path]) -> None:
        from exo2ego.bench.judge import PROMPT_FILE, load_judge, read_prompt
        from exo2ego.bench.similarity import similarity_run
        from exo2ego.cli.bench_common import score_all
        from exo2ego.cli.common import add_bar, console, progress

        terminal = console()
        prompt = read_prompt(self.prompt or PROMPT_FILE)
        judge = None if self.judge is None else load_judge(self.judge)
        for folder in folders:
            if judge is not None:
                _grade(terminal, folder, judge, self.judge or "", prompt)
            if self.similarity is not None:
                with progress() as bars:
                    show = add_bar(bars, f"{folder.name}: comparing", unit="texts")
                    name, count = similarity_run(folder, self.similarity, show)
                terminal.print(f"{folder.name}: {count} answers compared by {name}", markup=False)
            if judge is not None or self.similarity is not None:
                score_all(terminal, [folder])


def _grade(terminal: "Console", folder: Path, judge: "Judge", spec: str, prompt: "JudgePrompt") -> None:
    from exo2ego.bench.judging import judge_run
    from exo2ego.bench.models import model_fingerprint
    from exo2ego.cli.common import add_bar, progress

    pinned = {"spec": spec, "fingerprint": "" if spec == "rule" else model_fingerprint(spec)}
    with progress() as bars:
        show = add_bar(bars, f"{folder.name}: {judge.name}", unit="answers")
        judged = judge_run(folder, judge, prompt, pinned, show)
    cost = judged.usage
    spent = f"; {cost.prompt_tokens} + {cost.completion_tokens} tokens" if cost.requests else ""
    spent += f", cost {cost.cost:.4f}" if cost.cost else ""
    terminal.print(
        f"{folder.name}: judge {judged.judge}: {judged.judged} of {judged.total} answers judged, "
        f"{judged.unjudged} replies unreadable, {judged.outages} without a reply{spent}",
        markup=False,
    )


def _compare(folder: Path) -> None:
    from exo2ego.bench.judging import agreements, write_agreements
    from exo2ego.cli.common import console

    found = agreements(folder)
    for pair in found:
        kappa = "undefined" if pair.kappa is None else f"{pair.kappa:.3f}"
        console().print(
            f"{folder.name}: {pair.first} and {pair.second}: {100 * pair.equal:.1f} % equal, kappa {kappa}, "
            f"scores {pair.score_gap:.2f} of 5 apart, yes {100 * pair.yes[0]:.1f} and {100 * pair.yes[1]:.1f} %, "
            f"n {pair.n}",
            markup=False,
        )
    console().print(f"written: {write_agreements(folder, found)}", markup=False)
