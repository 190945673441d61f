"""The card of a shard directory: what is in it, how it was built, whose licence holds. Form: Hugging Face's README.md.

Nothing in it depends on when, where or in how many runs the shards were built.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from exo2ego.data.inspect import statistics, statistics_rows
from exo2ego.data.shards import ShardSet

CARD = "README.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """What may be done with clips of a source."""

    identifier: str
    """`license` of Hugging Face's header: an SPDX name in lower case, or `other`."""
    name: str
    text: str


EGO_EXO4D = Licence(
    identifier="other",
    name="ego-exo4d-license-agreement",
    text="Clips and texts are cut from Ego-Exo4D, under the licence agreement that whoever downloaded it has signed. "
    "The agreement forbids redistribution: do not upload or pass on this folder, nor single frames of it.",
)
SIMULATED = Licence(
    identifier="apache-2.0",
    name="apache-2.0",
    text="Clips and texts are of exo2ego's simulated world, no recording of anybody; Apache-2.0, as exo2ego itself.",
)
EGO4D = Licence(
    identifier="other",
    name="ego4d-license-agreement",
    text="Clips are cut from Ego4D, under the licence agreement that whoever downloaded it has signed. The agreement "
    "forbids redistribution: do not upload or pass on this folder, nor single frames of it.",
)
LICENCES = {"ego_exo4d": EGO_EXO4D, "ego4d": EGO4D, "simulated": SIMULATED}
"""Kind of source -> licence, for sources that bring no text of their own."""
UNKNOWN = Licence(
    identifier="unknown",
    name="unknown",
    text="Nobody has said under which licence the source is: ask before this folder is passed on (--licence TEXT).",
)
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def licence_of(source: str, stated: str | None) -> Licence:
    """The licence of a kind of source; `stated` in words goes before the table."""
    if stated:
        return Licence(identifier="other", name="as-stated", text=stated)
    return LICENCES.get(source, UNKNOWN)


def shown_command(words: Sequence[str]) -> str:
    """A command line for a card, without where on a machine files are: of absolute paths the last part."""
    shown = [f".../{PurePath(word).name}" if word.startswith("/") else word for word in words]
    return " ".join(f'"{word}"' if " " in word else word for word in shown)


def card(shards: ShardSet, licence: Licence, command: str) -> str:
    """Markdown with a header in YAML."""
    figures = statistics(shards)
    size = next((name for limit, name in SIZES if len(shards) < limit), "n>1M")
    kind = "Ego-exo clip pairs" if figures["pairs"] else "Video clips with conversations"
    rows = "\n".join(f"| {name.replace('|', ' ')} | {value} |" for name, value in statistics_rows(figures))
    clips = shards.manifest["clips"]
    settings = {name: _without_place(value) for name, value in shards.manifest["settings"].items()}
    said = json.dumps(settings, indent=1, sort_keys=True, ensure_ascii=False, default=str)
    return f"""---
license: {licence.identifier}
license_name: {licence.name}
pretty_name: {kind}
language:
- en
size_categories:
- {size}
task_categories:
- video-text-to-text
tags:
- webdataset
- egocentric
---

# {kind}

{len(shards):,} samples in {shards.manifest["counts"]["shards"]:,} shards of WebDataset's layout; each clip has
{clips["num_frames"]} frames of {clips["size_px"]} x {clips["size_px"]} px (H.264). `index.jsonl` has a line for each
sample, `manifest.json` the settings and the sha256 of every file, `quarantine.jsonl` what could not be stored and why.

## Licence

{licence.text}

## Figures

| | |
|---|---|
{rows}

## How it was built

```
{command}
```

```json
{said}
```
"""


def _without_place(value: object) -> object:
    return PurePath(value).name if isinstance(value, str) and PurePath(value).is_absolute() else value
