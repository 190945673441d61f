"""How one item is put to a model, whoever asks: this process, its threads, or workers elsewhere."""

import math
import os
from dataclasses import dataclass, replace
from pathlib import Path

from exo2ego.bench.items import Item
from exo2ego.bench.model import AnswerModel, ReadsFrames, usage_of
from exo2ego.bench.shuffle import orders, reordered
from exo2ego.bench.tasks import TASKS
from exo2ego.errors import MissingFileError, OutageError, VideoError
from exo2ego.records import Prediction, Vote

QUARANTINED = (VideoError, MissingFileError, OutageError, ConnectionError, TimeoutError)
"""What makes one item unscored instead of ending the run: its video is bad, or the model cannot be reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """One way of asking. Names only, no functions, so that it can be sent to another process."""

    task: str
    protocol: str
    style: str
    root: Path
    """Folder of the task's files."""
    seed: int = 0
    shuffle_options: int = 1
    """In how many orders of its options an item is asked; 1 is the order of the files."""

    def answer(self, model: AnswerModel, item: Item) -> Prediction:
        """One answer; a bad video or an outage becomes a prediction with its reason."""
        rooted = item.rooted(self.root)
        for video in rooted.videos:
            # Asked here and not of the model, so that a model that never looks (random, blind) skips the same items.
            if not os.path.isfile(video.path):
                return self._failed(item, f"MissingFileError: {os.path.basename(video.path)} is not there")
        try:
            prediction = replace(self._ask(model, rooted), frames_s=_frame_times(model, rooted))
        except QUARANTINED as error:
            prediction = self._failed(item, f"{type(error).__name__}: {error}")
        scores = (*prediction.scores, *(score for vote in prediction.votes for score in vote.scores))
        if not all(math.isfinite(score) for score in scores):
            prediction = self._failed(item, "the model gave a score that is not a finite number")
        return replace(prediction, usage=usage_of(model))

    def _ask(self, model: AnswerModel, item: Item) -> Prediction:
        ask = TASKS[self.task].protocols[self.protocol].ask
        if self.shuffle_options == 1:
            return ask(model, item, self.style)
        votes = []
        for order in orders(item, self.shuffle_options, self.seed):
            shown = ask(model, reordered(item, order), self.style)
            if shown.error is not None:
                return shown
            votes.append(Vote(order=order, scores=tuple(shown.scores), text=shown.text))
        return Prediction(item_id=item.item_id, votes=tuple(votes))

    def _failed(self, item: Item, reason: str) -> Prediction:
        """Reasons are shown in reports, so they name files from the task's folder on, not this machine's folders."""
        return Prediction(item_id=item.item_id, error=reason.replace(f"{self.root}{os.sep}", ""))


def _frame_times(model: AnswerModel, item: Item) -> tuple[tuple[float, ...], ...]:
    """Times to 1 ms of the frames that the model reads of each video; empty for a model that reads none."""
    if not isinstance(model, ReadsFrames):
        return ()
    return tuple(tuple(round(float(time), 3) for time in model.frame_times(video)) for video in item.videos)
