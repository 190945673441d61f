"""What the task files in `lmms_tasks/` call: EgoBench's own readers, words and scores inside lmms-eval.

lmms-eval reads a one-line file that names task and protocol; `docs` replaces it with the items below the folder that
the environment variable EXO2EGO_BENCH names (one folder a task, as for `exo2ego bench run`). Nothing is fetched.
"""

import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from exo2ego.bench.items import Item, require_videos
from exo2ego.bench.tasks import TASKS
from exo2ego.bench.tasks.base import ScoreSettings
from exo2ego.errors import InputError
from exo2ego.records import OptionScore, Prediction, VideoSpan

ROOT_VARIABLE = "EXO2EGO_BENCH"
STYLE = "base"

Doc = Mapping[str, Any]


class Listener:
    """A model that notes what it is asked and answers with a given text."""

    name = "lmms-eval"
    capabilities = frozenset({"text"})
    concurrency = 1

    def __init__(self, text: str = "") -> None:
        self.text = text
        self.asked: list[tuple[VideoSpan | None, str, int]] = []

    def generate(self, video: VideoSpan | None, question: str, max_new_tokens: int = 32) -> str:
        """Notes the question."""
        self.asked.append((video, question, max_new_tokens))
        return self.text

    def option_logprobs(self, video: VideoSpan | None, question: str, options: Sequence[str]) -> list[OptionScore]:
        """Not possible: lmms-eval asks chat models for words only."""
        raise InputError("lmms-eval asks chat models for words only; choose a protocol that reads words")


def docs(dataset: Any) -> Any:
    """One row naming task and protocol -> one row an item, with the very words and the clip (lmms-eval: process_docs).

    Raises:
        InputError: EXO2EGO_BENCH is not set.
        MissingFileError, FormatError: the task's files or videos are absent or damaged.
    """
    task, protocol = str(dataset[0]["task"]), str(dataset[0]["protocol"])
    root = bench_root() / TASKS[task].directory
    loaded = items(task, str(root))
    require_videos(loaded, root)
    rows = [_row(task, protocol, item, root) for item in loaded]
    return type(dataset).from_list(rows)


def bench_root() -> Path:
    """The folder that holds one folder a task.

    Raises:
        InputError: the variable is not set.
    """
    value = os.environ.get(ROOT_VARIABLE, "")
    if not value:
        raise InputError(f"set the environment variable {ROOT_VARIABLE} to the folder that holds one folder a task")
    return Path(value)


@lru_cache(maxsize=16)
def items(task: str, root: str) -> tuple[Item, ...]:
    """All items of a task, read once."""
    return tuple(TASKS[task].load(Path(root)))


def _row(task: str, protocol: str, item: Item, root: Path) -> dict[str, Any]:
    listener = Listener()
    TASKS[task].protocols[protocol].ask(listener, item.rooted(root), STYLE)
    ((video, question, max_new_tokens),) = listener.asked
    assert video is not None
    return {
        "task": task,
        "protocol": protocol,
        "item_id": item.item_id,
        "question": question,
        "max_new_tokens": max_new_tokens,
        "path": video.path,
        "start_s": video.start_s,
        "end_s": video.end_s,
        "target": _right(item),
    }


def _right(item: Item) -> str:
    """The right answer's words; its letter where the options are clips."""
    if item.answer is None:
        return ""
    return item.options[item.answer] if item.answer < len(item.options) else chr(ord("A") + item.answer)


def messages(doc: Doc, lmms_eval_specific_kwargs: Any = None) -> list[dict[str, Any]]:
    """The user's turn: the clip, then the words (lmms-eval: doc_to_messages)."""
    clip: dict[str, Any] = {"type": "video", "url": doc["path"]}
    if doc["start_s"] is not None:
        clip |= {"start_time": doc["start_s"], "end_time": doc["end_s"]}
    return [{"role": "user", "content": [clip, {"type": "text", "text": doc["question"]}]}]


def visual(doc: Doc) -> list[str]:
    """The file, for models of the older interface, which know no stretches of it (lmms-eval: doc_to_visual).

    Raises:
        InputError: the item is about a stretch of a file.
    """
    if doc["start_s"] is not None:
        raise InputError(f"{doc['task']}: items are stretches of files; use a chat model of lmms-eval, which can cut")
    return [doc["path"]]


def text(doc: Doc, lmms_eval_specific_kwargs: Any = None) -> str:
    """The words asked (lmms-eval: doc_to_text)."""
    return str(doc["question"])


def target(doc: Doc) -> str:
    """The right answer's words (lmms-eval: doc_to_target)."""
    return str(doc["target"])


def results(doc: Doc, answers: Sequence[str]) -> dict[str, Any]:
    """One answer, to be scored with all others (lmms-eval: process_results)."""
    kept = {name: doc[name] for name in ("task", "protocol", "item_id")}
    return {"exo2ego": {**kept, "text": answers[0]}}


def aggregate(answered: Sequence[Doc]) -> float:
    """The task's headline figure over the items asked, by the task's own scorer (lmms-eval: aggregation).

    Where a task has several headlines (EgoMCQ: inter and intra) it is their mean.
    """
    task, protocol = TASKS[answered[0]["task"]], answered[0]["protocol"]
    by_id = {item.item_id: item for item in items(task.name, str(bench_root() / task.directory))}
    asked = [by_id[answer["item_id"]] for answer in answered]
    predictions: dict[str, Prediction] = {}
    for item, answer in zip(asked, answered, strict=True):
        predictions[item.item_id] = task.protocols[protocol].ask(Listener(answer["text"]), item, STYLE)
    measures = task.score(asked, predictions, ScoreSettings(protocol=protocol))
    headlines = [measure.score.value for measure in measures if measure.headline]
    return sum(headlines) / len(headlines)
