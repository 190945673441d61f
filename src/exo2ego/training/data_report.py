"""What a run has read, for people: epochs of each source, share of padding, sources that repeat too often."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from exo2ego.data.mixture import MANY_EPOCHS, Mixture, often
from exo2ego.training.examples import TrainingData
from exo2ego.training.loop import LoopSpec, StepReport
from exo2ego.training.stream import Stream


def warned(
    report: Callable[[StepReport], None], stream: Stream, spec: LoopSpec, note: Callable[[str], None]
) -> Callable[[StepReport], None]:
    """`report`, with a line to `note` for every source that repeats too often.

    With a fixed batch size this is known, and said, before the first step; with a token budget when it happens.
    """
    if not spec.world.is_main:
        return report
    said: set[str] = set()

    def say(epochs: Mapping[str, float]) -> None:
        for line in often({name: count for name, count in epochs.items() if name not in said}):
            note(line)
        said.update(name for name, count in epochs.items() if count > MANY_EPOCHS)

    if stream.rule.tokens_per_batch is None:
        say(stream.epochs(spec.optim.steps))

    def reported(row: StepReport) -> None:
        say(row.epochs)
        report(row)

    return reported


def data_summary(data: TrainingData, mixture: Mixture, stream: Stream, steps: int, log: Path) -> dict[str, Any]:
    """`data.json`: for each source its size, weight, samples seen and epochs; samples left out; share of padding."""
    seen, epochs, shares = stream.seen(steps), stream.epochs(steps), mixture.shares()
    sources = [
        {
            "name": source.name,
            "shards": [str(folder) for folder in source.folders],
            "weight": shares.get(source.name),
            "examples": size,
            "seen": seen[source.name],
            "epochs": round(epochs[source.name], 4),
        }
        for source, size in zip(mixture.sources, data.order.sizes, strict=True)
    ]
    rows = list(logged(log))
    cells = sum(row["cells"] for row in rows)
    return {
        "steps": steps,
        "sources": sources,
        "samples": sum(seen.values()),
        "held_out_samples": data.left_out,
        "tokens": int(sum(row["tokens"] for row in rows)),
        "padding": round(sum(row["padding"] * row["cells"] for row in rows) / cells, 4) if cells else None,
    }


def logged(log: Path) -> Iterator[dict[str, float]]:
    """`tokens`, `padding` and `cells` of every step of a log; zeros for steps of a version that did not log them."""
    for line in log.read_text().splitlines():
        row = json.loads(line)
        yield {name: float(row.get(name, 0)) for name in ("tokens", "padding", "cells")}


def summary_lines(summary: Mapping[str, Any]) -> list[str]:
    """`data.json` for the terminal."""
    lines = [
        f"{s['name']}: {s['seen']} samples of {s['examples']} examples, {s['epochs']:.2f} epochs"
        + (f", weight {s['weight']}" if s["weight"] else "")
        for s in summary["sources"]
    ]
    padding = "" if summary["padding"] is None else f", {summary['padding']:.1%} of the text cells were padding"
    lines.append(f"{summary['samples']} samples in {summary['steps']} steps{padding}")
    if summary["held_out_samples"]:
        lines.append(f"{summary['held_out_samples']} held-out samples were left out")
    return lines + [f"warning: {line}" for line in often({s["name"]: s["epochs"] for s in summary["sources"]})]
