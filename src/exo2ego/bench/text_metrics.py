"""How alike two short answers are, each in 0..1: the figures of QAEgo4D's own scorer and two that forgive form.

Official: lbaermann/qaego4d, eval/eval.py (plain accuracy; ROUGE-L f-measure of rouge_score without stemming).
"""

from collections import Counter
from collections.abc import Callable, Sequence

from exo2ego.bench.answers import normal_answer

Metric = Callable[[Sequence[str], Sequence[str]], list[float]]
"""(what models said, right answers) -> one value each."""


def plain_accuracy(said: Sequence[str], right: Sequence[str]) -> list[float]:
    """1 where the two are the same characters, less white space around them.

    >>> plain_accuracy(["on table", "On table"], ["on table", "on table"])
    [1.0, 0.0]
    """
    return [float(a.strip() == b.strip()) for a, b in zip(said, right, strict=True)]


def exact_match(said: Sequence[str], right: Sequence[str]) -> list[float]:
    """1 where the two have the same `normal_answer`; an answer of which nothing is left is wrong.

    >>> exact_match(["On the table.", "The"], ["on table", "the"])
    [1.0, 0.0]
    """
    pairs = [(normal_answer(a), normal_answer(b)) for a, b in zip(said, right, strict=True)]
    return [float(a == b != "") for a, b in pairs]


def token_f1(said: Sequence[str], right: Sequence[str]) -> list[float]:
    """Harmonic mean of precision and recall over the words of `normal_answer`, as SQuAD counts them.

    >>> [round(value, 4) for value in token_f1(["red cup on table"], ["cup on a table"])]
    [0.8571]
    """
    return [_f1(normal_answer(a).split(), normal_answer(b).split()) for a, b in zip(said, right, strict=True)]


def _f1(said: Sequence[str], right: Sequence[str]) -> float:
    shared = sum((Counter(said) & Counter(right)).values())
    return 2 * shared / (len(said) + len(right)) if shared else 0.0


def rouge_l(said: Sequence[str], right: Sequence[str]) -> list[float]:
    """ROUGE-L f-measure (longest common subsequence of words) by the library `rouge_score`, without stemming."""
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rougeL"], use_stemmer=False)
    return [float(scorer.score(b, a)["rougeL"].fmeasure) for a, b in zip(said, right, strict=True)]


def bleu_1(said: Sequence[str], right: Sequence[str]) -> list[float]:
    """BLEU of single words for each answer (clipped precision x brevity penalty) by `sacrebleu`, lower case."""
    from sacrebleu.metrics.bleu import BLEU

    scorer = BLEU(max_ngram_order=1, lowercase=True, smooth_method="none", effective_order=True)
    return [min(scorer.sentence_score(a, [b]).score / 100.0, 1.0) for a, b in zip(said, right, strict=True)]


METRICS: dict[str, Metric] = {
    "plain accuracy": plain_accuracy,
    "exact match": exact_match,
    "token F1": token_f1,
    "ROUGE-L": rouge_l,
    "BLEU-1": bleu_1,
}
"""By the name they have in results."""
