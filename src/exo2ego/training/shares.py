"""How much of a step each process computes, so that several processes together compute what one alone would.

Each loss is a mean over something: answer tokens, answers, samples, probe questions. The mean of the processes' means
is the mean over the whole batch only where all have equally many. So each loss is scaled by this process's share times
the number of processes before gradients are averaged:

    (1 / R) sum_r  R n_r / N  mean_r  =  (1 / N) sum_r n_r mean_r  =  the mean over all N

Two losses are not such means of the whole batch: `contrastive` compares a sample with those of its own process, and
`read_twice` halves each process's samples.
"""

from collections.abc import Mapping

import torch

from exo2ego.data.batch import PAD_SEGMENT, Batch
from exo2ego.models.tags import answers_told
from exo2ego.training.stages.stage import Losses

UNITS = {
    "vtg": "answer_tokens",
    "tags": "answers",
    "kl": "samples",
    "cycle_forward": "samples",
    "cycle_backward": "samples",
    "contrastive": "samples",
    "answer_kl": "probes",
}
"""Loss -> what it is a mean over."""


def contents(batch: Batch, visual_tokens: int) -> dict[str, float]:
    """What is in this process's part of a batch; zeros for a stand-in.

    `text_cells` are the cells of the padded text, `padding` those of them that hold nothing; `tokens` counts every
    position that the LLM reads, visual tokens and padding included.
    """
    text, probes = batch.text, batch.probes
    samples, width = text.tokens.shape
    places = 0 if probes is None else probes.tokens.shape[1]
    found = {
        "answer_tokens": int(text.before_answers().sum()),
        "answers": len(torch.unique(answers_told(text)[1])),
        "samples": samples,
        "probes": 0 if probes is None else int(probes.last_of_segment().sum()),
        "text_cells": text.tokens.numel(),
        "padding": int((text.segments == PAD_SEGMENT).sum()),
        "tokens": samples * (len(batch.prefix) + visual_tokens + width + places),
    }
    return {name: float(count) * batch.counts for name, count in found.items()}


def scales(own: Mapping[str, float], whole: Mapping[str, float], processes: int) -> dict[str, float]:
    """Loss -> factor, given what this process has and what all have together."""
    return {loss: processes * own[unit] / max(whole[unit], 1.0) for loss, unit in UNITS.items()}


def scaled(parts: Losses, factors: Mapping[str, float]) -> Losses:
    """Each loss times its factor."""
    return {name: value * factors[name] for name, value in parts.items()}
