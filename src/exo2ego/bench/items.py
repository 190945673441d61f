"""One benchmark item, the file that holds a run's items, and the hash that tells item sets apart.

Videos are relative to the root of the task, so that the hash of a set is the same on every machine.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from exo2ego.bench.files import fail, read_json, read_json_lines
from exo2ego.errors import FormatError, InputError, MissingFileError
from exo2ego.records import VideoSpan

GROUPS_FILE = "groups.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One question of a benchmark. Either one video and many options, or many videos and one option."""

    item_id: str
    question: str
    videos: tuple[VideoSpan, ...]
    options: tuple[str, ...]
    answer: int | None = None
    """Index of the right option (or of the right video); None where it is withheld or where there is no single one."""
    cluster: str
    """The recording that the item is about: items of one cluster are not independent."""
    chance: float | None = None
    """Expected score of a blind draw."""
    groups: Mapping[str, str] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)
    """What only this task's scorer reads; plain JSON values."""

    def __post_init__(self) -> None:
        candidates = max(len(self.options), len(self.videos))
        if self.answer is not None and not 0 <= self.answer < candidates:
            raise FormatError(f"item {self.item_id}: answer {self.answer} is not one of 0..{candidates - 1}")

    def rooted(self, root: Path) -> "Item":
        """The same item with its videos as paths below `root`."""
        videos = tuple(replace(video, path=os.path.join(root, video.path)) for video in self.videos)
        return replace(self, videos=videos)


def right_answer(item: Item) -> str:
    """The text that an answer is compared with: `meta["answer"]`, else the right option.

    Raises:
        InputError: the item has neither.
    """
    if isinstance(item.meta.get("answer"), str):
        return str(item.meta["answer"])
    if item.answer is None:
        raise InputError(f"item {item.item_id}: has no right answer to compare with")
    return item.options[item.answer]


def dump_items(items: Sequence[Item]) -> Iterator[str]:
    """JSON lines, in order. Options that an earlier item already listed (same object) are referred to by its id."""
    seen: dict[int, str] = {}
    for item in items:
        owner = seen.setdefault(id(item.options), item.item_id)
        options: Any = list(item.options) if owner == item.item_id else {"same_as": owner}
        record = {
            "item_id": item.item_id,
            "question": item.question,
            "videos": [[video.path, video.start_s, video.end_s] for video in item.videos],
            "options": options,
            "answer": item.answer,
            "cluster": item.cluster,
            "chance": item.chance,
            "groups": dict(item.groups),
            "meta": dict(item.meta),
        }
        yield json.dumps(record, ensure_ascii=False, sort_keys=True)


def items_hash(items: Sequence[Item]) -> str:
    """Hash of everything that is asked and of everything that decides the score: sha256, first 16 digits."""
    digest = hashlib.sha256()
    for line in dump_items(items):
        digest.update(line.encode() + b"\n")
    return digest.hexdigest()[:16]


def read_items(path: Path) -> list[Item]:
    """Items as `dump_items` wrote them.

    Raises:
        MissingFileError, FormatError: the file is absent or damaged.
    """
    items: list[Item] = []
    options_of: dict[str, tuple[str, ...]] = {}
    for row, record in read_json_lines(path):
        try:
            listed = record["options"]
            options = options_of[listed["same_as"]] if isinstance(listed, dict) else tuple(listed)
            videos = tuple(VideoSpan(path=name, start_s=start, end_s=end) for name, start, end in record["videos"])
            item = Item(**{**record, "options": options, "videos": videos})
        except (KeyError, TypeError, ValueError) as error:
            raise fail(path, f"row {row}", "item", str(error), "is damaged; run into a new folder") from error
        options_of[item.item_id] = options
        items.append(item)
    return items


def pick(ids: Sequence[str], limit: int | None, seed: int) -> list[int]:
    """Positions of `limit` of `ids`, drawn without replacement, in file order; all of them for None."""
    if limit is not None and limit < 1:
        raise InputError(f"--limit {limit}: must be 1 or more")
    if limit is None or limit >= len(ids):
        return list(range(len(ids)))
    return sorted(int(index) for index in np.random.default_rng(seed).permutation(len(ids))[:limit])


def missing_videos(items: Sequence[Item], root: Path) -> list[str]:
    """Relative paths of the videos that are not there, each once, sorted."""
    wanted = {video.path for item in items for video in item.videos}
    return sorted(name for name in wanted if not os.path.isfile(os.path.join(root, name)))


def require_videos(items: Sequence[Item], root: Path) -> None:
    """Refuse a set of which videos are absent, naming some and how many.

    Raises:
        MissingFileError: at least one is not there.
    """
    missing = missing_videos(items, root)
    if missing:
        named = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        raise MissingFileError(
            f"{root}: {len(missing)} videos are not there ({named}); "
            "add them, or pass --allow-missing to count their items as unscored"
        )


def read_groups(root: Path) -> dict[str, dict[str, str]]:
    """`groups.json` of a simulated benchmark: item id -> labels for the report; empty where there is no such file.

    Raises:
        FormatError: it is not an object of objects of strings.
    """
    path = root / GROUPS_FILE
    if not path.exists():
        return {}
    groups = read_json(path)
    if not isinstance(groups, dict):
        raise fail(path, "top level", "type", type(groups).__name__, "must be an object: item id -> labels")
    for item_id, labels in groups.items():
        if not isinstance(labels, dict) or not all(isinstance(label, str) for label in labels.values()):
            raise fail(path, f"item {item_id}", "labels", labels, "must be an object of strings")
    return groups


def chance_of(labels: Mapping[str, str], options: int) -> float:
    """Chance stated in `groups.json`, else one in `options`."""
    stated = labels.get("chance")
    if stated is None:
        return 1.0 / options
    try:
        chance = float(stated)
    except ValueError:
        chance = float("nan")
    if not 0.0 <= chance <= 1.0:
        raise FormatError(f"{GROUPS_FILE}: chance {stated!r} is not a number from 0 to 1; write it like '0.2'")
    return chance
