"""Share of padding with and without length buckets, what a token budget does to steps, and what the order costs.

    python benchmarks/bucket_padding.py --samples 20000

Texts: the simulated world's instructions (planned, not rendered), as stage `practice` (three segments a sample) reads
them with the shipped tokenizer; and a long-tailed synthetic distribution (log-normal, median 60 tokens, up to 2,000) as
instruction corpora have it. Padding is counted over text cells; visual tokens are the same for every sample. Prints a
table; the last lines are times of the sample order itself.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from exo2ego.data.chat import encode_segment
from exo2ego.data.mixture_batches import BatchPlan, BatchRule
from exo2ego.data.mixture_order import Weighted
from exo2ego.models.weights import START, load_model_folder
from exo2ego.records import Turn
from exo2ego.sim.instruct import ego_entries, exo_entries
from exo2ego.sim.spec import SimSpec
from exo2ego.sim.world import plan_takes

Lengths = Callable[[range], Sequence[int]]


def simulated(entries: list[dict], segments: int) -> Lengths:
    """Text tokens of the sample at each position: so many conversations of a span, drawn by position."""
    processor = load_model_folder(START).processor
    spans: dict[tuple[str, float], list[int]] = {}
    for entry in entries:
        question, answer = (turn["value"].removeprefix("<video>\n") for turn in entry["conversations"])
        segment = encode_segment(processor.tokenizer, processor.chat, [Turn(question=question, answer=answer)])
        spans.setdefault((entry["video"], entry["start_s"]), []).append(len(segment.ids))
    texts = list(spans.values())

    def at(position: int) -> int:
        rng = np.random.default_rng([7, position])
        tokens = texts[int(rng.integers(len(texts)))]
        return int(rng.choice(tokens, size=min(segments, len(tokens)), replace=False).sum())

    return lambda positions: [at(position) for position in positions]


def long_tailed(positions: range) -> list[int]:
    """Log-normal lengths, a function of the position."""
    rngs = (np.random.default_rng([8, position]) for position in positions)
    return [int(np.clip(rng.lognormal(np.log(60), 1.0), 8, 2000)) for rng in rngs]


def measured(rule: BatchRule, lengths: Lengths, samples: int) -> str:
    """One line of the table."""
    known: dict[int, int] = {}

    def noted(positions: range) -> Sequence[int]:
        found = lengths(positions)
        known.update(zip(positions, found, strict=True))
        return found

    if rule.window is None:
        noted(range(samples))
    plan, step, used = BatchPlan(rule=rule, seed=0, lengths=noted), 0, 0
    cells = text = 0
    sizes, tokens = [], []
    while used < samples - (rule.batch_size or 0):
        batch = [known[p] if p in known else noted(range(p, p + 1))[0] for p in plan.positions(step)]
        cells += len(batch) * max(batch)
        text += sum(batch)
        sizes.append(len(batch))
        tokens.append(rule.cost(batch))
        used, step = used + len(batch), step + 1
    spread = f"{min(sizes)} / {statistics.median(sizes):g} / {max(sizes)}"
    return f"{1 - text / cells:8.1%}  {spread:>16}  {statistics.mean(tokens):>10.0f}  {max(tokens):>8}"


def order_costs() -> list[str]:
    """Time of a sample's place in a mixture, near and far, and of cutting one window of lengths that are known."""
    order = Weighted(
        names=("a", "b", "c", "d", "e"),
        sizes=(1_000_000, 50_000, 8_000, 300_000, 70_000),
        weights=tuple(Fraction(w) for w in ("0.4", "0.2", "0.1", "0.2", "0.1")),
        seed=0,
    )
    lines = []
    for position in (0, 10**9):
        start = time.perf_counter()
        order.examples(range(position, position + 4096))
        cost_us = (time.perf_counter() - start) / 4096 * 1e6
        lines.append(f"a sample's place in a mixture of 5 sources, from position {position:,}: {cost_us:.0f} us")
    rule = BatchRule(tokens_per_batch=16384, fixed_tokens=300)
    known = long_tailed(range(1024))
    start = time.perf_counter()
    BatchPlan(rule=rule, seed=0, lengths=lambda positions: known).batches(0)
    lines.append(f"a window of 1,024 known lengths, cut: {(time.perf_counter() - start) * 1000:.1f} ms")
    return lines


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--takes", type=int, default=40)
    args = parser.parse_args()
    plans = plan_takes(SimSpec(out=Path("unused"), takes=args.takes, seed=1))
    texts: dict[str, tuple[Lengths, int, int]] = {
        "simulated ego": (simulated(ego_entries(plans), 3), 256, 8192),
        "simulated exo": (simulated(exo_entries(plans), 3), 256, 8192),
        "long-tailed": (long_tailed, 256, 16384),
    }
    print(f"{'texts':<16}{'batches':<34}{'padding':>8}  {'samples a step':>16}  {'mean tokens':>10}  {'max':>8}")
    print(f"{'':<16}{'':<34}{'':>8}  {'min / med / max':>16}  {'a step':>10}")
    for name, (lengths, fixed, budget) in texts.items():
        rules = {
            "16 samples": BatchRule(batch_size=16, fixed_tokens=fixed),
            "16 samples, buckets of 256": BatchRule(batch_size=16, bucket_samples=256, fixed_tokens=fixed),
            "16 samples, buckets of 1,024": BatchRule(batch_size=16, bucket_samples=1024, fixed_tokens=fixed),
            f"{budget:,} tokens, buckets of 1,024": BatchRule(tokens_per_batch=budget, fixed_tokens=fixed),
        }
        for label, rule in rules.items():
            print(f"{name:<16}{label:<34}{measured(rule, lengths, args.samples)}", flush=True)
    print("\n".join(order_costs()))


if __name__ == "__main__":
    main()
