"""Which split each take of an Ego-Exo4D download is in, as both tables of `annotations/splits.json` say.

Source: facebookresearch/Ego4d `ego4d/internal/download/manifest_gen.py` for `take_uid_to_split`; lower and upper case
occur.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exo2ego.data.jsonfile import Fields, load_json
from exo2ego.records import SPLITS

SPLITS_FILE = "annotations/splits.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeSplits:
    """The splits of a download's takes."""

    named: Mapping[str, str]
    """Take uid -> split, as `take_uid_to_split` says."""
    doubts: Mapping[str, str]
    """Take uid -> what `split_to_take_uids` says against it: such a take might be a test take."""

    def of(self, uid: str) -> str | None:
        """The split of a take; None where it is not known for sure."""
        return None if uid in self.doubts else self.named.get(uid)


def read_splits(root: Path) -> TakeSplits:
    """Of the download in `root`. Raises MissingFileError, FormatError naming file, field and value."""
    path = root / SPLITS_FILE
    content = Fields(load_json(path), str(path))
    table = content.table("take_uid_to_split")
    named: dict[str, str] = {}
    for uid, name in table.items():
        split = name.lower() if isinstance(name, str) else ""
        if split not in SPLITS:
            raise Fields(table, f"{path}: take_uid_to_split").fail(uid, f"one of {', '.join(SPLITS)}")
        named[uid] = split
    return TakeSplits(named=named, doubts=dict(_doubts(path, named, content.data.get("split_to_take_uids"))))


def _doubts(path: Path, named: Mapping[str, str], other: Any) -> Iterator[tuple[str, str]]:
    """The second table, where there is one, against the first. A take that it leaves out is no doubt."""
    if not isinstance(other, Mapping):
        return
    for split, uids in other.items():
        for uid in uids if isinstance(uids, list) else ():
            known = named.get(uid) if isinstance(uid, str) else None
            if known != split.lower():
                yield str(uid), f"{path}: take {uid}: split_to_take_uids says {split}, take_uid_to_split says {known}"
