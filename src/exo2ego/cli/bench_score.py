"""`exo2ego bench score`: figures of a run folder, without a model."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from exo2ego.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Score a run folder again; needs no model.

    Example: exo2ego bench score runs/student
    """

    run: Annotated[Path, tyro.conf.Positional]
    """Folder that `bench run` wrote."""
    alpha: float | None = None
    """EPIC MIR, video to text: another alpha than the run's."""

    def __call__(self) -> int:
        """Score every task of the run and print the headline figures."""
        if self.alpha is not None and not math.isfinite(self.alpha):
            raise InputError(f"--alpha {self.alpha}: must be a finite number, usually from 0 to 1")
        from exo2ego.bench.score import run_folders
        from exo2ego.cli.bench_common import score_all
        from exo2ego.cli.common import console

        score_all(console(), run_folders(self.run), self.alpha)
        return 0
