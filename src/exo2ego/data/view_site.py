"""What `exo2ego data view` shows, as JSON values: no web framework here, bounded answers, nothing found by path.

Folders are known by short names made from theirs, samples by the keys of the index.
"""

import math
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from exo2ego.data.inspect import statistics, statistics_rows
from exo2ego.data.shards import ShardSample, ShardSet
from exo2ego.data.view_flags import FlagFile
from exo2ego.data.view_search import Found, Query, SampleIndex, plain
from exo2ego.errors import MissingFileError
from exo2ego.records import Turn

MAX_PAGE = 200
"""Samples of one answer."""
MAX_SUMMARY_CHARACTERS = 240
MAX_CONVERSATIONS = 200
"""Of one sample, and turns of one of them."""
MAX_TURN_CHARACTERS = 4000
MAX_CHAT_CHARACTERS = 500_000
"""Of all conversations of one answer: the rest is counted, not sent."""
MAX_TEXT_CHARACTERS = 20_000
MAX_FACET_VALUES = 300
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_-]+")


class Site:
    """Shard folders with their index and flags. Thread-safe."""

    def __init__(self, sets: Mapping[str, ShardSet], index: SampleIndex, flags: FlagFile) -> None:
        self.sets = dict(sets)
        self.index = index
        self.flags = flags
        self._statistics: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()

    def folders(self) -> list[dict[str, Any]]:
        """The folders, in the order of the command line."""
        return [
            {"name": name, "folder": plain(str(shards.folder)), "samples": len(shards), "kind": _kind(shards)}
            for name, shards in self.sets.items()
        ]

    def get(self, folder: str, key: str) -> tuple[ShardSet, ShardSample, int]:
        """A sample by its key, with its number. Raises MissingFileError where there is none."""
        number = self.index.find(folder, key)
        if number is None:
            raise MissingFileError("no such sample in the folders that are shown")
        return self.sets[folder], self.index.sample(number)[1], number

    def page(self, query: Query, flagged: bool, offset: int, limit: int) -> dict[str, Any]:
        """A page of what a query finds, with the counts to filter by."""
        if flagged:
            query = replace(query, only=self._flagged_numbers())
        found = self.index.search(query)
        chosen = found.ids[offset : offset + min(limit, MAX_PAGE)].tolist()
        return {
            "total": len(found.ids),
            "offset": offset,
            "samples": [self._summary(number) for number in chosen],
            "counts": _bounded(found),
        }

    def sample(self, folder: str, key: str) -> dict[str, Any]:
        """Everything about one sample. Raises MissingFileError."""
        _, sample, number = self.get(folder, key)
        return {
            **self._summary(number),
            "text": _cut(sample.text, MAX_TEXT_CHARACTERS),
            "start_s": sample.start_s,
            "end_s": sample.end_s,
            "fps": sample.fps,
            "views": list(sample.views),
            "best_exo": sample.best_exo,
            "conversations": _chats(sample.conversations),
            "conversations_in_all": len(sample.conversations),
            "shards": plain(str(self.sets[folder].folder)),
            "reason": self.flags.get((self._home(folder), key)) or "",
        }

    def statistics(self, folder: str) -> dict[str, Any]:
        """The figures of `data inspect`, worked out once. Raises MissingFileError for an unknown folder."""
        shards = self.sets.get(folder)
        if shards is None:
            raise MissingFileError("no such folder is shown")
        with self._lock:
            if folder not in self._statistics:
                figures = statistics(shards)
                rows = [[name, value] for name, value in statistics_rows(figures) if ": " not in name]
                tables = {
                    "scenarios": figures["scenarios"],
                    "splits": figures["splits"],
                    "left out": figures["filter_report"].get("dropped", {}),
                }
                self._statistics[folder] = {"folder": folder, "rows": rows, "tables": tables}
            return self._statistics[folder]

    def flag(self, folder: str, key: str, reason: str | None) -> None:
        """Flags a sample, or (None) takes the flag away. Raises MissingFileError for a key that is not shown."""
        self.get(folder, key)
        self.flags.set((self._home(folder), key), reason)

    def flagged(self) -> list[dict[str, str]]:
        """The flags of the folders shown: one object for each sample."""
        names = {self._home(name) for name in self.sets}
        flags = sorted(self.flags.all().items())
        return [{"shards": home, "key": key, "reason": reason} for (home, key), reason in flags if home in names]

    def _flagged_numbers(self) -> list[int]:
        names = {self._home(name): name for name in self.sets}
        places = [(names[row["shards"]], row["key"]) for row in self.flagged()]
        return [number for place in places if (number := self.index.find(*place)) is not None]

    def _summary(self, number: int) -> dict[str, Any]:
        folder, sample = self.index.sample(number)
        return {
            "folder": folder,
            "key": sample.key,
            "title": _cut(_title(sample), MAX_SUMMARY_CHARACTERS),
            "split": sample.split,
            "scenario": plain(sample.scenario),
            "take": plain(sample.take_uid),
            "source": plain(sample.source),
            "duration_s": sample.end_s - sample.start_s,
            "exos": sum(view not in ("ego", "video") for view in sample.views),
            "flagged": self.flags.get((self._home(folder), sample.key)) is not None,
        }

    def _home(self, name: str) -> str:
        return plain(str(self.sets[name].folder.resolve()))


def short_names(folders: Sequence[Path]) -> list[str]:
    """A name for each folder that may stand in an address, all different.

    >>> short_names([Path("a/pairs"), Path("b/pairs"), Path("my shards")])
    ['pairs', 'pairs-2', 'my-shards']
    """
    names: list[str] = []
    for folder in folders:
        base = _NOT_IN_A_NAME.sub("-", folder.resolve().name).strip("-") or "shards"
        name, number = base, 1
        while name in names:
            number += 1
            name = f"{base}-{number}"
        names.append(name)
    return names


def _kind(shards: ShardSet) -> str:
    return "pairs" if len(shards) and "ego" in shards.samples[0].views else "instructions"


def _chats(conversations: Sequence[Sequence[Turn]]) -> list[list[dict[str, str]]]:
    chats: list[list[dict[str, str]]] = []
    left = MAX_CHAT_CHARACTERS
    for turns in conversations[:MAX_CONVERSATIONS]:
        chat = _turns(turns)
        left -= sum(len(text) for turn in chat for text in turn.values())
        if left < 0 and chats:
            break
        chats.append(chat)
    return chats


def _turns(turns: Sequence[Turn]) -> list[dict[str, str]]:
    return [
        {"question": _cut(turn.question, MAX_TURN_CHARACTERS), "answer": _cut(turn.answer, MAX_TURN_CHARACTERS)}
        for turn in turns[:MAX_CONVERSATIONS]
    ]


def _title(sample: ShardSample) -> str:
    """The narration, or how the first conversation begins."""
    first = next((turn.question for turns in sample.conversations for turn in turns), "")
    return sample.text or first or sample.key


def _cut(text: str, limit: int) -> str:
    """Half surrogate pairs would make the answer unwritable, texts without a limit unbounded."""
    text = plain(text)
    return text if len(text) <= limit else text[:limit] + " […]"


def _bounded(found: Found) -> dict[str, list[tuple[str, int]]]:
    return {name: [(plain(v), n) for v, n in list(c.items())[:MAX_FACET_VALUES]] for name, c in found.counts.items()}


def finite(value: Any) -> Any:
    """A value without the numbers that JSON cannot write (they become null)."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    return value
