"""Tasks that score every candidate text for every clip: rows of a matrix, the first of which is the texts' prior.

Used by EPIC-KITCHENS-100 MIR (sentences) and Charades-Ego (classes). The first item shows no video: a language model
finds some texts likely whatever it sees, and that can be taken off.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from exo2ego.bench.items import Item
from exo2ego.bench.metrics import Floats
from exo2ego.bench.model import AnswerModel, EmbeddingModel
from exo2ego.bench.prompts import styled
from exo2ego.bench.tasks.base import as_prediction, require_scores
from exo2ego.errors import InputError
from exo2ego.records import Prediction

PRIOR_ID = "text-prior"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """What was answered: the prior, and one row for each clip that could be scored."""

    prior: Floats
    """float64[candidates]"""
    clips: tuple[Item, ...]
    matrix: Floats
    """float64[clips, width]"""


def prior_item(question: str, options: tuple[str, ...], meta: Mapping[str, Any]) -> Item:
    """The first item: all candidates and no video."""
    return Item(item_id=PRIOR_ID, question=question, videos=(), options=options, cluster="", meta=meta)


def log_likelihoods(task: str, model: AnswerModel, item: Item, style: str, texts: Sequence[str]) -> list[float]:
    """Summed log P(text | clip) of each text; the video is encoded once."""
    video = item.videos[0] if item.videos else None
    return [score.logprob for score in model.option_logprobs(video, styled(item.question, task, style), texts)]


def mean_log_likelihoods(task: str, model: AnswerModel, item: Item, style: str, texts: Sequence[str]) -> list[float]:
    """As `log_likelihoods`, divided by the number of tokens of each text."""
    video = item.videos[0] if item.videos else None
    scores = model.option_logprobs(video, styled(item.question, task, style), texts)
    return [score.logprob / max(score.tokens, 1) for score in scores]


def cosines(model: AnswerModel, item: Item, texts: tuple[str, ...]) -> Floats:
    """float64[texts]: cosine between the clip's vector and that of each text, as predictions keep it (1e-6).

    Raises:
        InputError: the model has no vectors, or those of videos and texts have different lengths.
    """
    if not isinstance(model, EmbeddingModel):
        raise InputError(f"{model.name} has no vectors of videos and texts; choose another --protocol")
    table = _text_vectors(model, texts)
    vector = np.asarray(model.embed_video(item.videos[0]), dtype=np.float64)
    if vector.shape != table.shape[1:]:
        raise InputError(
            f"{model.name}: vectors of videos have shape {vector.shape} and those of texts {table.shape[1:]}; "
            "they must be of one space"
        )
    length = max(float(np.linalg.norm(vector)), 1e-12)
    rounded: Floats = np.round(table @ vector / length, 6)
    return rounded


@lru_cache(maxsize=1)
def _text_vectors(model: EmbeddingModel, texts: tuple[str, ...]) -> Floats:
    """float64[texts, D], each of length 1; kept, since thousands of clips ask for the same ones."""
    table = np.asarray(model.embed_text(texts), dtype=np.float64)
    lengths: Floats = np.linalg.norm(table, axis=1, keepdims=True)
    return table / np.maximum(lengths, 1e-12)


def ask_cosines(texts_of: Callable[[Item], tuple[str, ...]], model: AnswerModel, item: Item, style: str) -> Prediction:
    """Cosine of each text; the prior's row is zero, since vectors have none. The style does not matter: nothing is
    asked."""
    texts = texts_of(item)
    return as_prediction(item, cosines(model, item, texts).tolist() if item.videos else [0.0] * len(texts))


def answered(task: str, items: Sequence[Item], predictions: Mapping[str, Prediction], width: int) -> Rows:
    """The scores of the prior and of every clip that has some; `width` is how many a clip's row must hold.

    Raises:
        InputError: the text prior or every clip is without scores.
        FormatError: a prediction's length is another.
    """
    prior, clips = items[0], items[1:]
    given = {name: p for name, p in predictions.items() if p.error is None}
    if prior.item_id not in given:
        raise InputError(f"{task}: the text prior has no scores; complete the run with the same command")
    scored = [clip for clip in clips if clip.item_id in given]
    if not scored:
        raise InputError(f"{task}: none of {len(clips)} clips has scores; see the errors in predictions.jsonl")
    require_scores(given[prior.item_id].scores, len(prior.options), prior.item_id)
    matrix = np.empty((len(scored), width), dtype=np.float64)
    for row, clip in enumerate(scored):
        require_scores(given[clip.item_id].scores, width, clip.item_id)
        matrix[row] = given[clip.item_id].scores
    return Rows(prior=np.array(given[prior.item_id].scores), clips=tuple(scored), matrix=matrix)
