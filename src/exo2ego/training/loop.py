"""The one training loop: step, clip, log, save, resume. What a stage is, it does not know."""

import json
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from exo2ego.data.atomic import write_text
from exo2ego.data.batch import Batch
from exo2ego.data.jsonfile import shorten
from exo2ego.errors import CheckpointError, DivergedError
from exo2ego.models.roles import Roles, train_mode
from exo2ego.training.checkpoint import keep_newest, load_step, newest_step, save_step
from exo2ego.training.config import Objectives, Optim
from exo2ego.training.distributed import World, add_up, average, average_gradients, wait_for_all
from exo2ego.training.optim import build_optimizer, learning_rate, set_learning_rate
from exo2ego.training.shares import contents, scaled, scales
from exo2ego.training.stages.stage import Losses
from exo2ego.training.stream import Stream

WINDOW = 20
"""Steps over which the loss is averaged to judge divergence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReport:
    """What one step did, for logs and progress bars."""

    stage: str
    step: int
    """Steps done, from 1."""
    steps: int
    loss: float
    losses: dict[str, float]
    grad_norm: float
    lr: float
    clips_per_s: float
    eta_s: float
    samples: int = 0
    """Of this step, over all processes."""
    tokens: int = 0
    """That the LLM read in this step: text, padding, visual tokens."""
    cells: int = 0
    """Of the padded text of this step."""
    padding: float = 0.0
    """Share of `cells` that holds nothing."""
    epochs: dict[str, float] = field(default_factory=dict)
    """How often each source's examples have been seen on average."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopSpec:
    """What the loop needs to know."""

    stage: str
    out: Path
    optim: Optim
    objectives: Objectives
    precision: str
    checkpoint_every: int
    divergence_factor: float
    seed: int
    world: World
    settings: str
    """Fingerprint of everything that decides the numbers; a checkpoint of other settings is refused."""


LossFunction = Callable[[Roles, Batch, Objectives], Losses]


def run_loop(
    roles: Roles, stream: Stream, losses: LossFunction, spec: LoopSpec, report: Callable[[StepReport], None]
) -> None:
    """Train in place from the newest checkpoint (or from the start) to the last step.

    Raises DivergedError with the step, the batch's ids and the last good checkpoint.
    """
    optimizer = build_optimizer(roles, spec.optim)
    checkpoints = spec.out / "checkpoints"
    done = resume(roles, optimizer, stream, checkpoints, spec)
    recent = deque(read_losses(spec.out / "log.jsonl", done))
    train_mode(roles)
    with log_file(spec, done) as log, tensorboard(spec, done) as board:
        started, first, clips = time.perf_counter(), done, 0
        while done < spec.optim.steps:
            batch = stream.batch(done, spec.world.rank, spec.world.size)
            own = contents(batch, stream.spec.visual_tokens)
            whole = add_up(own, spec.world)
            factors = scales(own, whole, spec.world.size) if spec.world.size > 1 else None
            values, norm = train_step(roles, optimizer, losses, batch, spec, done, factors)
            total = values.pop("total")
            recent.append(total)
            check_divergence(recent, norm, batch, done, spec, checkpoints)
            done += 1
            clips += int(whole["samples"])
            pace = (time.perf_counter() - started) / (done - first)
            row = StepReport(
                stage=spec.stage,
                step=done,
                steps=spec.optim.steps,
                loss=total,
                losses=values,
                grad_norm=norm,
                lr=learning_rate(done - 1, spec.optim),
                clips_per_s=clips / pace / (done - first),
                eta_s=pace * (spec.optim.steps - done),
                samples=int(whole["samples"]),
                tokens=int(whole["tokens"]),
                cells=int(whole["text_cells"]),
                padding=round(whole["padding"] / whole["text_cells"], 4),
                epochs={name: round(epochs, 4) for name, epochs in stream.epochs(done).items()},
            )
            log(row)
            board(row)
            report(row)
            if done % spec.checkpoint_every == 0 and done < spec.optim.steps:
                checkpoint(checkpoints, done, roles, optimizer, stream, spec)


def checkpoint(
    folder: Path, done: int, roles: Roles, optimizer: torch.optim.Optimizer, stream: Stream, spec: LoopSpec
) -> None:
    """Write the state after `done` steps, keep the two newest."""
    if spec.world.is_main:
        state: dict[str, Any] = {"step": done, "settings": spec.settings}
        cursor = stream.cursor(done)
        save_step(
            folder / f"step-{done:07d}", roles, optimizer, state if cursor is None else state | {"cursor": cursor}
        )
        keep_newest(folder, 2)
    wait_for_all(spec.world)


def resume(roles: Roles, optimizer: torch.optim.Optimizer, stream: Stream, checkpoints: Path, spec: LoopSpec) -> int:
    """Load the newest checkpoint when there is one, and find its place in the data; returns the steps done."""
    newest = newest_step(checkpoints)
    if newest is None:
        return 0
    state = load_step(newest, roles, optimizer, spec.settings)
    stream.resume_at(state["cursor"], newest)
    return int(state["step"])


def train_step(
    roles: Roles,
    optimizer: torch.optim.Optimizer,
    losses: LossFunction,
    batch: Batch,
    spec: LoopSpec,
    step: int,
    factors: Mapping[str, float] | None = None,
) -> tuple[dict[str, float], float]:
    """One optimiser step; returns the losses (unweighted, and `total`) and the gradient norm before clipping.

    `factors` scale each loss of one of several processes by its share of the batch.
    """
    # dropout must not depend on what ran before, or a resumed run would differ
    torch.manual_seed(spec.seed * 1_000_003 + step)
    device = next(roles.parameters()).device
    set_learning_rate(optimizer, learning_rate(step, spec.optim))
    with torch.autocast(device.type, torch.bfloat16, enabled=uses_bfloat16(spec.precision, device.type)):
        parts = losses(roles, batch.to(device), spec.objectives)
    if factors is not None:
        parts = scaled(parts, factors)
    total = weighted_sum(parts, spec.objectives)
    optimizer.zero_grad(set_to_none=True)
    total.backward()  # type: ignore[no-untyped-call]
    average_gradients(roles, spec.world)
    trainable = [p for p in roles.parameters() if p.requires_grad]
    norm = float(torch.nn.utils.clip_grad_norm_(trainable, spec.optim.clip_norm))
    if math.isfinite(norm):
        optimizer.step()
    values = {name: float(value.detach()) for name, value in parts.items()} | {"total": float(total.detach())}
    return average(values, spec.world), norm


def uses_bfloat16(precision: str, device_type: str) -> bool:
    """`auto` means bfloat16 where the hardware has it: without it a CPU is some fifty times slower, not faster."""
    if precision != "auto":
        return precision == "bf16"
    return device_type == "cuda" or torch.ops.mkldnn._is_mkldnn_bf16_supported()


def weighted_sum(parts: Losses, objectives: Objectives) -> Tensor:
    """Sum of the losses times their weights in the recipe."""
    return torch.stack([value.float() * getattr(objectives, name) for name, value in parts.items()]).sum()


def check_divergence(
    recent: deque[float], norm: float, batch: Batch, step: int, spec: LoopSpec, checkpoints: Path
) -> None:
    """Raises DivergedError for a loss or gradient that is not finite, or a mean loss far above the beginning's."""
    values = list(recent)
    reason = ""
    if not math.isfinite(values[-1]) or not math.isfinite(norm):
        reason = f"the loss is {values[-1]}, the gradient norm {norm}"
    elif len(values) >= 2 * WINDOW:
        start, now = sum(values[:WINDOW]) / WINDOW, sum(values[-WINDOW:]) / WINDOW
        if now > spec.divergence_factor * start:
            reason = f"the loss rose from {start:.3g} to {now:.3g}"
    if reason:
        good = newest_step(checkpoints)
        raise DivergedError(
            f"stage {spec.stage} diverged at step {step + 1}: {reason}; batch {', '.join(batch.ids)}; "
            f"last good checkpoint: {good or 'none, the start'}; lower the learning rate or look at these samples"
        )


def read_losses(path: Path, steps: int) -> list[float]:
    """Total losses of the first `steps` logged steps. Raises CheckpointError for a damaged line (a power cut)."""
    if not path.is_file():
        return []
    losses: list[float] = []
    for number, line in enumerate(path.read_text(errors="replace").splitlines()[:steps], start=1):
        try:
            losses.append(float(json.loads(line)["loss"]))
        except (ValueError, KeyError, TypeError):
            raise CheckpointError(
                f"{path}: row {number} is no step: {shorten(line)}; delete {path.parent} and run again"
            ) from None
    return losses


@contextmanager
def log_file(spec: LoopSpec, done: int) -> Iterator[Callable[[StepReport], None]]:
    """`log.jsonl`, one line a step; lines after the resumed step are dropped, they will be written again."""
    if not spec.world.is_main:
        yield lambda row: None
        return
    path = spec.out / "log.jsonl"
    kept = path.read_text().splitlines(keepends=True)[:done] if path.is_file() else []
    write_text(path, "".join(kept))
    with path.open("a", buffering=1) as file:

        def write(row: StepReport) -> None:
            values: dict[str, Any] = asdict(row)
            for wall_clock in ("eta_s", "steps", "stage"):
                values.pop(wall_clock)
            file.write(json.dumps(values, sort_keys=True) + "\n")

        yield write


@contextmanager
def tensorboard(spec: LoopSpec, done: int) -> Iterator[Callable[[StepReport], None]]:
    """TensorBoard scalars beside the JSONL log."""
    if not spec.world.is_main:
        yield lambda row: None
        return
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(spec.out / "tensorboard", purge_step=done + 1)

    def write(row: StepReport) -> None:
        scalars = {"loss": row.loss, "grad_norm": row.grad_norm, "lr": row.lr, "clips_per_s": row.clips_per_s}
        scalars |= {"padding": row.padding, "samples": row.samples, "tokens": row.tokens}
        scalars |= {f"losses/{name}": value for name, value in row.losses.items()}
        scalars |= {f"epochs/{name.strip('/')}": value for name, value in row.epochs.items()}
        for name, value in scalars.items():
            writer.add_scalar(name, value, row.step)

    try:
        yield write
    finally:
        writer.close()
