"""What training reads: sources (name, shard folders, weight), from the command line or from a JSON file.

    {"sources": [{"name": "egotimeqa", "shards": "shards/egotimeqa", "weight": 0.4},
                 {"name": "ssv2", "shards": ["shards/ssv2-a", "shards/ssv2-b"], "weight": "3/5"}]}

Weights are exact ratios. Without weights, sources are one list and are seen in proportion to their sizes.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from exo2ego.data.jsonfile import Fields, load_json, shorten
from exo2ego.data.mixture_order import Concatenated, Order, Weighted
from exo2ego.data.shards import ShardSet, open_shards
from exo2ego.errors import FormatError, InputError

MANY_EPOCHS = 4.0
"""A source that is seen more often is named. For text, up to four passes are about as good as new data, and more soon
are not (Muennighoff et al. 2023, arXiv 2305.16264)."""
NAME = r"[A-Za-z0-9_.-]+"
WEIGHT = re.compile(r"\d{1,9}(\.\d{1,9})?|\d{1,9}/\d{1,9}")
WEIGHTED = re.compile(rf"(?P<name>{NAME})=(?P<folder>.+):(?P<weight>[^:/]+(/[^:/]+)?)")
FORM = "NAME=FOLDER:WEIGHT, e.g. egotimeqa=shards/egotimeqa:0.4"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One part of a mixture."""

    name: str
    folders: tuple[Path, ...]
    weight: Fraction | None = None
    """Share of the samples, relative to the other sources' weights. None: by size."""

    def __post_init__(self) -> None:
        if not self.folders:
            raise ValueError(f"source {self.name!r} has no shard folder")
        if self.weight is not None and self.weight <= 0:
            raise ValueError(f"source {self.name!r} has weight {self.weight}; leave it out or give it a share above 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """The sources of a training run; all of them have weights, or none has. Raises ValueError for anything else."""

    sources: tuple[Source, ...]

    def __post_init__(self) -> None:
        names = [source.name for source in self.sources]
        folders = [folder.resolve() for source in self.sources for folder in source.folders]
        for what, values in (("name", names), ("folder", [str(folder) for folder in folders])):
            twice = next((value for value in values if values.count(value) > 1), None)
            if twice is not None:
                raise ValueError(f"{what} {twice!r} stands twice among the sources; give it once")
        bare = [source.name for source in self.sources if source.weight is None]
        if bare and len(bare) < len(self.sources):
            raise ValueError(f"source {bare[0]!r} has no weight but others have; write each as {FORM}")

    @property
    def weighted(self) -> bool:
        """Whether shares are given, instead of following from sizes."""
        return bool(self.sources) and self.sources[0].weight is not None

    @property
    def folders(self) -> tuple[Path, ...]:
        """All shard folders, in order."""
        return tuple(folder for source in self.sources for folder in source.folders)

    def shares(self) -> dict[str, str]:
        """Name -> weight, as exact text: what is fixed by the settings of a run. Empty without weights."""
        return {source.name: str(source.weight) for source in self.sources} if self.weighted else {}

    def order(self, sizes: Sequence[int], seed: int) -> Order:
        """The stream over sources of these sizes (numbers of examples)."""
        names = tuple(source.name for source in self.sources)
        if not self.weighted:
            return Concatenated(names=names, sizes=tuple(sizes), seed=seed)
        weights = tuple(source.weight for source in self.sources if source.weight is not None)
        return Weighted(names=names, sizes=tuple(sizes), weights=weights, seed=seed)


def by_size(folders: Sequence[Path]) -> Mixture:
    """Folders without weights, each a source under its own path. Raises InputError where one stands twice."""
    return _mixture([Source(name=str(folder), folders=(folder,)) for folder in folders], "--data")


def parse_mixture(values: Sequence[str]) -> Mixture:
    """Values of `--data`: all folders, or all `NAME=FOLDER:WEIGHT`. Raises InputError."""
    matches = [WEIGHTED.fullmatch(value) for value in values]
    if not any(matches):
        return by_size([Path(value) for value in values])
    sources = []
    for value, match in zip(values, matches, strict=True):
        if match is None:
            raise InputError(f"--data {value}: has no weight but others have; write each as {FORM}")
        weight = _weight(match["weight"], f"--data {value}")
        sources.append(Source(name=match["name"], folders=(Path(match["folder"]),), weight=weight))
    return _mixture(sources, "--data")


def read_mixture(path: Path) -> Mixture:
    """The mixture in a JSON file; folders are relative to the file.

    Raises MissingFileError, FormatError with source and field.
    """
    top = Fields(load_json(path), str(path))
    rows = top.items("sources")
    if set(top.data) != {"sources"} or not rows:
        raise FormatError(f"{path}: expected one field 'sources' with at least one source, found {shorten(top.data)}")
    return _mixture([_source(row, f"{path}: source {n}", path.parent) for n, row in enumerate(rows, 1)], str(path))


def _source(data: object, where: str, base: Path) -> Source:
    row = Fields(data, where)
    unknown = sorted(set(row.data) - {"name", "shards", "weight"})
    if unknown:
        raise FormatError(f"{where}: unknown field {unknown[0]!r}; known are name, shards, weight")
    name = row.text("name")
    if not re.fullmatch(NAME, name):
        raise row.fail("name", "letters, digits, '_', '.' and '-'")
    shards = row.data.get("shards")
    folders = [shards] if isinstance(shards, str) else shards
    if not isinstance(folders, list) or not folders or not all(isinstance(f, str) and f for f in folders):
        raise row.fail("shards", "a folder or a list of folders")
    value = row.data.get("weight")
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise row.fail("weight", 'a number above 0 or a ratio like "1/3"')
    text = value if isinstance(value, str) else format(value, ".9f") if isinstance(value, float) else str(value)
    return Source(name=name, folders=tuple(base / folder for folder in folders), weight=_weight(text, where))


def _weight(text: str, where: str) -> Fraction:
    if not WEIGHT.fullmatch(text) or text.endswith("/0") or not Fraction(text):
        raise InputError(f"{where}: weight {text!r} is no number above 0 (at most 9 digits) and no ratio like 1/3")
    return Fraction(text)


def _mixture(sources: Sequence[Source], where: str) -> Mixture:
    try:
        return Mixture(sources=tuple(sources))
    except ValueError as error:
        raise InputError(f"{where}: {error}") from None


def choose_mixture(values: Sequence[str], file: Path | None) -> Mixture:
    """The sources that `--data` or `--mix` name; InputError for both."""
    if file is None:
        return parse_mixture(values)
    if values:
        raise InputError("give --data or --mix, not both")
    return read_mixture(file)


def often(epochs: Mapping[str, float]) -> list[str]:
    """One line for each source that is seen more than `MANY_EPOCHS` times."""
    return [
        f"source {name} is seen {count:.1f} times, more than {MANY_EPOCHS:g}: lower its weight, train fewer steps or "
        "give it more data"
        for name, count in epochs.items()
        if count > MANY_EPOCHS
    ]


def forecast(mixture: Mixture, samples: int | None) -> list[dict[str, Any]]:
    """For each source its examples, weight, samples and epochs in a run of so many samples (None: one pass over all).

    Raises InputError without sources, FormatError for a weighted source without any example.
    """
    if not mixture.sources:
        raise InputError("no data was given; name at least one shard folder with --data")
    sizes = [sum(examples_in(open_shards(folder)) for folder in source.folders) for source in mixture.sources]
    for source, size in zip(mixture.sources, sizes, strict=True):
        if not size and (mixture.weighted or not any(sizes)):
            raise FormatError(f"source {source.name!r} holds no example; leave it out")
    seen = mixture.order(sizes, seed=0).seen(samples or sum(sizes))
    shares = mixture.shares()
    return [
        {
            "name": source.name,
            "examples": size,
            "weight": shares.get(source.name),
            "samples": count,
            "epochs": count / size if size else 0.0,
        }
        for source, size, count in zip(mixture.sources, sizes, seen, strict=True)
    ]


def examples_in(shards: ShardSet) -> int:
    """Training examples of a shard folder: its ego-exo pairs where it has any, else its samples."""
    return len(shards.pairs) or len(shards)


def forecast_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as a table, and a warning for each source that repeats too often."""
    total = sum(row["samples"] for row in rows)
    width = max(len("source"), *(len(row["name"]) for row in rows))
    lines = [f"{'source':<{width}}  {'weight':>8}  {'examples':>10}  {'samples':>10}  {'share':>6}  {'epochs':>8}"]
    for row in rows:
        lines.append(
            f"{row['name']:<{width}}  {row['weight'] or 'by size':>8}  {row['examples']:>10,}  {row['samples']:>10,}  "
            f"{row['samples'] / total:>6.1%}  {row['epochs']:>8.2f}"
        )
    return "\n".join([*lines, *(f"warning: {line}" for line in often({r["name"]: r["epochs"] for r in rows}))])
