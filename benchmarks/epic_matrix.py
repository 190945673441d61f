"""EPIC-KITCHENS-100 MIR at full size: relevancy from the csvs and all four figures, beside the literal loop over rows.

    python benchmarks/epic_matrix.py --root ../shared/data/epic_kitchens_mir

Random similarities (what the figures of chance are made of); prints JSON. `ours_s` has reading the csvs, the
relevancy and the four figures in it; `literal_s` is the four figures alone, from a relevancy that is there already: one
pass over the rows of each direction, each row sorted once by similarity and once by relevance. Seconds are CPU seconds
of one thread, the fastest of some runs; `peak_mb` is the process's peak before the literal loop starts.
"""

import argparse
import json
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from exo2ego.bench.metrics import Floats
from exo2ego.bench.retrieval import Grades, relevancy, retrieval
from exo2ego.bench.tasks import epic_files

Figures = dict[str, float]
T = TypeVar("T")


def relevancy_of(root: Path) -> Grades:
    """From the two csvs."""
    prior, *clips = epic_files.load(root)
    sentences = prior.meta["sentences"]
    return relevancy(
        [clip.meta["verb"] for clip in clips],
        [frozenset(clip.meta["nouns"]) for clip in clips],
        [sentence["verb"] for sentence in sentences],
        [frozenset(sentence["nouns"]) for sentence in sentences],
    )


def ours(similarity: Floats, grades: Grades) -> Figures:
    """The four figures, in percent, through the package."""
    figures: Figures = {}
    for name, scores, relevance in (
        ("V->T", similarity, grades),
        ("T->V", similarity.T, grades.transposed),
    ):
        found = retrieval(scores, relevance)
        figures |= {
            f"mAP {name}": 100 * float(found.average_precision.mean()),
            f"nDCG {name}": 100 * float(found.ndcg.mean()),
        }
    return figures


def literal(similarity: Floats, relevance: Floats) -> Figures:
    """The four figures, in percent, row by row as the definitions read."""
    figures: Figures = {}
    for name, scores, graded in (("V->T", similarity, relevance), ("T->V", similarity.T.copy(), relevance.T.copy())):
        ranks = np.arange(1, scores.shape[1] + 1)
        precisions, gains = [], []
        for row, wanted in zip(scores, graded, strict=True):
            ranked = wanted[np.argsort(-row)]
            hit = ranked == 1
            precisions.append((np.cumsum(ranked) / ranks)[hit].sum() / hit.sum())
            k = int((wanted > 0).sum())
            discount = np.log2(ranks[:k] + 1)
            ideal = np.sort(wanted)[::-1][:k]
            gains.append((ranked[:k] / discount).sum() / (ideal / discount).sum())
        figures |= {f"mAP {name}": 100 * float(np.mean(precisions)), f"nDCG {name}": 100 * float(np.mean(gains))}
    return figures


def fastest(repeats: int, run: Callable[[], T]) -> tuple[float, T]:
    """CPU seconds of the fastest of some runs, and what it gave: other processes on the machine do not count."""
    best, result = float("inf"), None
    for _ in range(max(1, repeats)):
        start = time.process_time()
        result = run()
        best = min(best, time.process_time() - start)
    return best, result  # type: ignore[return-value]


def peak_mb() -> float:
    """Greatest resident size of this process up to now."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Parses flags, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="folder with the two csvs of the retrieval test set")
    parser.add_argument("--repeats", type=int, default=3, help="the fastest of so many runs counts, for both")
    options = parser.parse_args()
    relevancy_s, grades = fastest(options.repeats, lambda: relevancy_of(options.root))
    similarity = np.random.default_rng(0).random(grades.codes.shape)
    figures_s, figures = fastest(options.repeats, lambda: ours(similarity, grades))
    peak = peak_mb()
    relevance = grades.dense()
    literal_s, expected = fastest(options.repeats, lambda: literal(similarity, relevance))
    worst = max(abs(figures[name] - expected[name]) for name in figures)
    if worst > 1e-9:
        raise SystemExit(f"the two ways differ by {worst} points: {figures} and {expected}")
    ours_s = relevancy_s + figures_s
    report = {
        "clips": similarity.shape[0],
        "sentences": similarity.shape[1],
        **{name: round(value, 4) for name, value in figures.items()},
        "relevancy_s": round(relevancy_s, 3),
        "figures_s": round(figures_s, 3),
        "ours_s": round(ours_s, 3),
        "literal_s": round(literal_s, 3),
        "ratio": round(literal_s / ours_s, 2),
        "ratio_of_figures": round(literal_s / figures_s, 2),
        "peak_mb": round(peak),
    }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
