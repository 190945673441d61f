"""What is said about the data: epochs, padding over a whole log, sources that repeat too often, each once."""

import json
from pathlib import Path
from types import SimpleNamespace

from exo2ego.data.mixture import by_size, often
from exo2ego.training.config import Optim
from exo2ego.training.data_report import data_summary, summary_lines, warned
from exo2ego.training.distributed import World
from exo2ego.training.examples import TrainingData


def row(step, **epochs):
    return SimpleNamespace(step=step, epochs=epochs)


def heard(optim, counts, rank=0):
    """Notes, by the step at which they come (0: before the first)."""
    notes, now = [], [0]
    stream = SimpleNamespace(rule=optim.batch_rule(fixed_tokens=0), epochs=lambda steps: counts[steps])
    spec = SimpleNamespace(optim=optim, world=World(rank=rank, size=2))
    passed = []
    report = warned(passed.append, stream, spec, lambda line: notes.append((now[0], line)))
    for step in range(1, optim.steps + 1):
        now[0] = step
        report(row(step, **counts[step]))
    assert [r.step for r in passed] == list(range(1, optim.steps + 1))
    return notes


COUNTS = {step: {"a": step * 1.5, "b": step * 0.5} for step in range(1, 7)}


def test_with_a_batch_size_repeats_are_told_before_the_first_step():
    ((step, line),) = heard(Optim(steps=6, batch_size=2, lr=1.0), COUNTS)
    assert step == 0
    assert line.startswith("source a is seen 9.0 times, more than 4:")


def test_with_a_budget_repeats_are_told_once_when_they_happen():
    ((step, line),) = heard(Optim(steps=6, tokens_per_batch=99, lr=1.0), COUNTS)
    assert (step, line[:26]) == (3, "source a is seen 4.5 times")
    assert heard(Optim(steps=6, tokens_per_batch=99, lr=1.0), COUNTS, rank=1) == []
    assert often({"a": 4.0, "b": 0.1}) == []


def test_the_summary_weighs_padding_by_cells_and_reads_old_logs(stream_of, instructions, tmp_path: Path):
    mixture = by_size([instructions.folder])
    stream = stream_of("practice", mixture, optim=Optim(steps=6, batch_size=4, lr=1.0))
    rows = [{"step": 1}, {"cells": 100, "padding": 0.5, "tokens": 300}, {"cells": 300, "padding": 0.1, "tokens": 500}]
    log = tmp_path / "log.jsonl"
    log.write_text("".join(json.dumps(r) + "\n" for r in rows))
    data = TrainingData(examples=stream.examples, order=stream.order, left_out=3)
    summary = data_summary(data, mixture, stream, 6, log)
    assert (summary["padding"], summary["tokens"], summary["samples"]) == (0.2, 800, 24)
    (source,) = summary["sources"]
    assert (source["seen"], source["examples"], source["epochs"], source["weight"]) == (24, 12, 2.0, None)
    name = str(instructions.folder)
    assert summary_lines(summary) == [
        f"{name}: 24 samples of 12 examples, 2.00 epochs",
        "24 samples in 6 steps, 20.0% of the text cells were padding",
        "3 held-out samples were left out",
    ]
    often_seen = summary | {"sources": [source | {"epochs": 5.0, "weight": "1/3"}], "held_out_samples": 0}
    assert summary_lines(often_seen)[-1].startswith(f"warning: source {name} is seen 5.0 times")
