"""QAEgo4D closed: one long clip, one question, the right answer among four.

File: `annotations.QaEgo4D_test_close.json` (GroundVQA's unified form, human-verified questions); `videos/<clip>.mp4`.
The official loader shuffles the options without a seed, so no two of its runs ask the same; here the order follows
from the sample's id alone.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from exo2ego.bench.files import fail
from exo2ego.bench.items import Item, chance_of, pick, read_groups
from exo2ego.bench.tasks.base import Measure, Published, ScoreSettings, Task, choice_measures
from exo2ego.bench.tasks.choice import choice_protocols, choose
from exo2ego.bench.tasks.qaego4d_rows import Row, read_rows
from exo2ego.records import Prediction

FILE = "annotations.QaEgo4D_test_close.json"
WRONG_ANSWERS = 3


def load(root: Path, limit: int | None = None, seed: int = 0, full: bool = False) -> list[Item]:
    """The questions of the closed test set; `limit` draws that many by lot. `full` changes nothing.

    Raises:
        MissingFileError, FormatError: the file is absent or breaks the format (file, row, field, value named).
    """
    path = root / FILE
    rows, groups = read_rows(path), read_groups(root)
    items = [_item(path, f"row {number}", row, groups.get(row.sample_id, {})) for number, row in enumerate(rows, 1)]
    return [items[index] for index in pick([item.item_id for item in items], limit, seed)]


def _item(path: Path, where: str, row: Row, labels: Mapping[str, str]) -> Item:
    if len(row.wrong) != WRONG_ANSWERS:
        raise fail(path, where, "wrong_answers", list(row.wrong), f"must be {WRONG_ANSWERS} texts; use {FILE}")
    listed = (row.answer, *row.wrong)
    if len({" ".join(text.casefold().split()) for text in listed}) < len(listed):
        raise fail(path, where, "answer, wrong_answers", listed, "repeats an option, so there is no single answer")
    order = option_order(row.sample_id, len(listed))
    options = tuple(listed[index] for index in order)
    return row.item(options, order.index(0), chance_of(labels, len(options)), labels)


def option_order(sample_id: str, options: int) -> list[int]:
    """A shuffle of 0..options-1 that depends on the id only: on every machine, in every version, for any subset."""
    return sorted(range(options), key=lambda index: hashlib.sha256(f"{sample_id}/{index}".encode()).digest())


def score(items: Sequence[Item], predictions: Mapping[str, Prediction], settings: ScoreSettings) -> list[Measure]:
    """Accuracy over all questions, also by label."""
    return choice_measures(items, predictions, "qaego4d_closed", settings, choose)


PROTOCOLS = choice_protocols(
    "qaego4d_closed",
    "Where was the cup before I picked it up?",
    ("in the sink", "on the shelf", "on the bed", "in the bag"),
)

_FEW = "500 questions: +-4 points at 95 %"

TASK = Task(
    name="qaego4d_closed",
    title="QAEgo4D closed",
    load=load,
    protocols=PROTOCOLS,
    default_protocol="likelihood",
    score=score,
    folder="qaego4d",
    official_sizes=(490, 510),
    published=(
        Published(measure="qaego4d_closed", value=0.621, who="Exo2Ego (paper)", caution=f"order not stated; {_FEW}"),
        Published(measure="qaego4d_closed", value=0.474, who="VideoLLaMA2-7B", caution=f"re-run by OpenMMEgo; {_FEW}"),
        Published(measure="qaego4d_closed", value=0.624, who="VideoChat-Flash", caution=_FEW),
        Published(measure="qaego4d_closed", value=0.644, who="ReKV", caution=f"given the right moment; {_FEW}"),
        Published(measure="qaego4d_closed", value=0.656, who="OpenMMEgo", caution=_FEW),
        Published(measure="qaego4d_closed", value=0.661, who="EgoThinker", caution=f"after reinforcement; {_FEW}"),
        Published(measure="qaego4d_closed", value=0.672, who="EgoThinker", caution=f"SFT, thinks aloud first; {_FEW}"),
    ),
)
