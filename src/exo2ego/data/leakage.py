"""Conversations about takes of Ego-Exo4D that must not be trained on: only those about train takes pass.

A conversation file says nothing of splits; the download that its videos lie in does.
"""

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from exo2ego.data.egoexo4d import read_take_folders
from exo2ego.data.sources.reading import BadRow
from exo2ego.data.take_splits import SPLITS_FILE, TakeSplits, read_splits
from exo2ego.records import Conversation

TAKES = "takes"


def without_held_out(
    conversations: Sequence[Conversation], root: Path
) -> tuple[list[Conversation], dict[str, list[BadRow]]]:
    """Conversations that may be trained on; the others by what they are about ("val take", ...), with the reason.

    `root`: what their paths are relative to, anywhere in or above a download, or outside of any. Raises FormatError
    or MissingFileError for a download whose takes.json or splits.json cannot be read.
    """
    downloads = _Downloads()
    good: list[Conversation] = []
    held_out: dict[str, list[BadRow]] = {}
    for number, conversation in enumerate(conversations):
        found = downloads.held_out(root / conversation.video.path)
        if found is None:
            good.append(conversation)
        else:
            kind, reason = found
            row = BadRow(row=number, reason=f"{conversation.conversation_id}: {conversation.video.path}: {reason}")
            held_out.setdefault(kind, []).append(row)
    return good, held_out


class _Downloads:
    """Downloads met on the way from videos up to the root of the disk; each is read once."""

    def __init__(self) -> None:
        self._splits: dict[Path, tuple[TakeSplits, dict[str, str]] | None] = {}
        self._takes: dict[Path, tuple[str, str] | None] = {}

    def held_out(self, video: Path) -> tuple[str, str] | None:
        """(what it is, why) for a video of a take that is no train take, by its name as given and without links."""
        for name in dict.fromkeys((os.path.abspath(video), os.path.realpath(video))):
            for folder in Path(name).parents:
                if folder.parent.name == TAKES:
                    if folder not in self._takes:
                        self._takes[folder] = self._judge(folder)
                    found = self._takes[folder]
                    if found is not None:
                        return found
        return None

    def _judge(self, take: Path) -> tuple[str, str] | None:
        root = take.parent.parent
        if root not in self._splits:
            self._splits[root] = self._read(root)
        known = self._splits[root]
        if known is None:
            return None
        splits, uids = known
        uid = uids.get(take.name, "")
        split = splits.of(uid)
        if split == "train":
            return None
        if split is not None:
            return f"{split} take", f"{root / SPLITS_FILE} says that it is a {split} take"
        doubt = splits.doubts.get(uid) or f"{root / SPLITS_FILE} does not say of which split the take is"
        return "take without split", f"{doubt}; it might be a test take"

    @staticmethod
    def _read(root: Path) -> tuple[TakeSplits, dict[str, str]] | None:
        """None for a folder that is no download."""
        if not (root / SPLITS_FILE).is_file() or not (root / "takes.json").is_file():
            return None
        folders = read_take_folders(root / "takes.json")
        return read_splits(root), {PurePosixPath(folder).name: uid for folder, uid in folders.items()}
