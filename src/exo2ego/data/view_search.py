"""Search over the samples of shard folders: words and phrases by SQLite's FTS5 in memory, filters by numpy columns.

Nothing is written to disk: shard folders may be read-only, and 261,000 narrations are indexed in seconds
(`benchmarks/view_search.py`).
"""

import re
import sqlite3
import threading
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from exo2ego.data.shards import ShardSample, ShardSet
from exo2ego.data.told import Progress
from exo2ego.errors import EnvironmentUnfitError, FormatError

Ids = NDArray[np.int64]

FACETS = ("folder", "split", "source", "scenario", "take")
"""What a sample is filed under; each is a filter with counts."""
ORDERS = ("stored", "shortest", "longest")
MAX_TERMS = 32
MAX_BODY_CHARACTERS = 100_000
"""Of one sample that are searched; an instruction sample may hold hundreds of turns."""
_BATCH = 2000
_TERM = re.compile(r'(-?)(?:"([^"]*)"?|(\S+))')


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is looked for; an empty one finds everything.

    `text`: every word must occur, each from its beginning on (`cup` finds "cups"); "quoted words" must occur exactly
    and in this order; a leading `-` excludes. Case and accents do not count.
    """

    text: str = ""
    filed: Mapping[str, str] = field(default_factory=dict)
    """Facet -> the value that it must have (take: what its uid or the sample's key must
    contain, whatever the case: keys begin with the take's name)."""
    has_best_exo: bool | None = None
    min_s: float | None = None
    max_s: float | None = None
    only: Collection[int] | None = None
    """Ids to choose from."""
    order: str = "stored"

    def __post_init__(self) -> None:
        unknown = set(self.filed) - set(FACETS)
        if unknown or self.order not in ORDERS:
            raise FormatError(f"cannot filter by {sorted(unknown)} or order by '{self.order}'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The answer to a query."""

    ids: Ids
    counts: Mapping[str, Mapping[str, int]]
    """Facet -> value -> samples that would be found if this facet alone were set to that value; most frequent first."""


@dataclass(frozen=True, slots=True)
class _Column:
    """One facet of all samples: a code each, and what the codes mean."""

    codes: NDArray[np.int32]
    names: dict[str, int]

    def equal(self, name: str) -> NDArray[np.bool_]:
        return np.equal(self.codes, np.int32(self.names.get(name, -1)))

    def containing(self, part: str) -> NDArray[np.bool_]:
        part = part.casefold()
        fits = np.array([part in name.casefold() for name in self.names], dtype=np.bool_)
        return fits[self.codes] if len(fits) else np.zeros(len(self.codes), dtype=np.bool_)

    def counts(self, mask: NDArray[np.bool_]) -> dict[str, int]:
        totals = np.bincount(self.codes[mask], minlength=len(self.names))
        named = sorted(zip(self.names, totals.tolist(), strict=True), key=lambda pair: -pair[1])
        return {name: count for name, count in named if count}


class SampleIndex:
    """All samples of some shard folders, numbered from 0 in the order of folders and of what is stored in each.

    Thread-safe. Raises EnvironmentUnfitError where Python's SQLite has no FTS5.
    """

    def __init__(self, sets: Mapping[str, ShardSet], progress: Progress | None = None) -> None:
        self._sets = dict(sets)
        self._starts = np.cumsum([0, *(len(shards) for shards in self._sets.values())])
        total = len(self)
        self._columns = {name: _Column(np.zeros(total, dtype=np.int32), {}) for name in FACETS}
        self._best = np.zeros(total, dtype=np.bool_)
        self._widths_s = np.zeros(total, dtype=np.float32)
        self._lock = threading.Lock()
        self._words = _open_words()
        self._fill(progress or (lambda done, total: None))

    def __len__(self) -> int:
        return int(self._starts[-1])

    def sample(self, number: int) -> tuple[str, ShardSample]:
        """(name of its folder, the sample). Raises IndexError for a number that is not in use."""
        if not 0 <= number < len(self):
            raise IndexError(number)
        place = int(np.searchsorted(self._starts, number, side="right")) - 1
        name = list(self._sets)[place]
        return name, self._sets[name].samples[number - int(self._starts[place])]

    def find(self, folder: str, key: str) -> int | None:
        """The number of a sample by its key; None where the folder has none of it."""
        with self._lock:
            row = self._words.execute("SELECT id FROM places WHERE folder = ? AND key = ?", (folder, key)).fetchone()
        return None if row is None else int(row[0])

    def search(self, query: Query) -> Found:
        """The samples that fit."""
        fits = self._matching(query.text)
        if query.only is not None:
            chosen = np.zeros(len(self), dtype=np.bool_)
            chosen[list(query.only)] = True
            fits &= chosen
        if query.has_best_exo is not None:
            fits &= self._best == query.has_best_exo
        if query.min_s is not None:
            fits &= self._widths_s >= np.float32(query.min_s)
        if query.max_s is not None:
            fits &= self._widths_s <= np.float32(query.max_s)
        filed = {name: self._filed(name, value) for name, value in query.filed.items()}
        counts = {}
        for name, column in self._columns.items():
            mask = fits.copy()
            for other, equal in filed.items():
                if other != name:
                    mask &= equal
            counts[name] = column.counts(mask)
        for equal in filed.values():
            fits &= equal
        return Found(ids=self._ordered(np.flatnonzero(fits), query.order), counts=counts)

    def _filed(self, name: str, value: str) -> NDArray[np.bool_]:
        column = self._columns[name]
        return column.containing(value) | self._keyed(value) if name == "take" else column.equal(value)

    def _keyed(self, part: str) -> NDArray[np.bool_]:
        return self._mask("SELECT id FROM places WHERE instr(lower(key), ?)", part.lower())

    def _ordered(self, ids: Ids, order: str) -> Ids:
        if order == "stored":
            return ids
        widths = self._widths_s[ids]
        return ids[np.argsort(-widths if order == "longest" else widths, kind="stable")]

    def _matching(self, text: str) -> NDArray[np.bool_]:
        """A mask of the samples whose words fit."""
        wanted, unwanted = parse_words(text)
        fits = np.ones(len(self), dtype=np.bool_) if not wanted else self._occurs(" AND ".join(wanted))
        for term in unwanted:
            fits &= ~self._occurs(term)
        return fits

    def _occurs(self, expression: str) -> NDArray[np.bool_]:
        return self._mask("SELECT rowid FROM words WHERE words MATCH ?", expression)

    def _mask(self, select: str, value: str) -> NDArray[np.bool_]:
        with self._lock:
            rows = self._words.execute(select, (plain(value),)).fetchall()
        mask = np.zeros(len(self), dtype=np.bool_)
        mask[np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows))] = True
        return mask

    def _fill(self, progress: Progress) -> None:
        total = len(self)
        numbered = enumerate(self._everything())
        progress(0, total)
        while batch := list(islice(numbered, _BATCH)):
            texts, places = [], []
            for number, (folder, sample) in batch:
                self._file(number, folder, sample)
                texts.append((number, searched_text(sample)))
                places.append((folder, sample.key, number))
            self._words.executemany("INSERT INTO words(rowid, body) VALUES (?, ?)", texts)
            self._words.executemany("INSERT INTO places VALUES (?, ?, ?)", places)
            progress(batch[-1][0] + 1, total)
        self._words.execute("INSERT INTO words(words) VALUES ('optimize')")
        self._words.commit()

    def _everything(self) -> Iterator[tuple[str, ShardSample]]:
        for folder, shards in self._sets.items():
            for sample in shards.samples:
                yield folder, sample

    def _file(self, number: int, folder: str, sample: ShardSample) -> None:
        values = (folder, sample.split, sample.source, sample.scenario, sample.take_uid)
        for name, value in zip(FACETS, values, strict=True):
            column = self._columns[name]
            column.codes[number] = column.names.setdefault(value, len(column.names))
        self._best[number] = sample.best_exo in sample.views
        self._widths_s[number] = sample.end_s - sample.start_s


def parse_words(text: str) -> tuple[list[str], list[str]]:
    """What must and what must not occur, as FTS5 expressions. Whatever a person types is a valid query.

    >>> parse_words('lift "the cup" -red')
    (['"lift" *', '"the cup"'], ['"red" *'])
    """
    wanted: list[str] = []
    unwanted: list[str] = []
    for minus, phrase, word in islice(_TERM.findall(plain(text)), MAX_TERMS):
        said = (phrase or word).replace('"', " ").replace("\0", " ")
        if any(letter.isalnum() for letter in said):
            (unwanted if minus else wanted).append(f'"{said}"' if phrase else f'"{said}" *')
    return wanted, unwanted


def searched_text(sample: ShardSample) -> str:
    """Narration, questions and answers."""
    turns = (text for turns in sample.conversations for turn in turns for text in (turn.question, turn.answer))
    return plain("\n".join((sample.text, *turns))[:MAX_BODY_CHARACTERS])


def plain(text: str) -> str:
    """Text that can be stored as UTF-8: JSON may carry half a surrogate pair."""
    return text.encode("utf-8", "replace").decode()


def _open_words() -> sqlite3.Connection:
    # One connection for all threads of the server, used under a lock.
    words = sqlite3.connect(":memory:", check_same_thread=False)
    try:
        # No copy of the texts is kept (content=''); short prefixes have an index of their own.
        words.execute(
            "CREATE VIRTUAL TABLE words USING fts5(body, content='', prefix='2 3', "
            "tokenize='unicode61 remove_diacritics 2')"
        )
    except sqlite3.OperationalError as error:
        raise EnvironmentUnfitError(
            f"this Python's SQLite {sqlite3.sqlite_version} has no full-text search FTS5 ({error}); use another Python"
        ) from None
    words.execute("CREATE TABLE places(folder TEXT, key TEXT, id INTEGER, PRIMARY KEY(folder, key)) WITHOUT ROWID")
    return words
