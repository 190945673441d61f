"""What a source of instructions is: a name, its kinds of questions, and a reader of its own files."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from exo2ego.data.sources.reading import SourceRead
from exo2ego.data.sources.templates import Kind, Templates
from exo2ego.errors import InputError

WINDOWS = ("moment", "clip")
VIEWS = ("ego", "exo")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """What a user can choose; each source looks at what concerns it."""

    templates: Templates
    first_person: bool = True
    """Answers told by the camera wearer ("I take the cup."); otherwise as the source words them, as a sentence."""
    skip: frozenset[str] = frozenset()
    """Kinds of questions that are not asked."""
    split: int = 1
    """EGTEA Gaze+: which of its three splits."""
    views: tuple[str, ...] = ("ego",)
    """EgoExoLearn: which recordings."""
    window: str = "moment"
    """EgoTimeQA: the moment of the answer, or the whole clip."""
    extra_answers: bool = False
    """OpenEQA: also the further answers that some questions have, each as a conversation of its own."""

    def __post_init__(self) -> None:
        if self.split not in (1, 2, 3):
            raise InputError(f"split {self.split}: EGTEA Gaze+ has 1, 2 and 3")
        if not self.views or set(self.views) - set(VIEWS):
            raise InputError(f"views {', '.join(self.views) or 'none'}: choose among {', '.join(VIEWS)}")
        if self.window not in WINDOWS:
            raise InputError(f"window '{self.window}': choose {' or '.join(WINDOWS)}")

    def as_settings(self) -> dict[str, Any]:
        """What a manifest says of the choice; templates are known by their digest."""
        said = {name: getattr(self, name) for name in ("first_person", "split", "window", "extra_answers")}
        digest = sha256(json.dumps(self.templates.lines, sort_keys=True).encode()).hexdigest()
        return {**said, "views": list(self.views), "leave_out": sorted(self.skip), "templates_sha256": digest}

    def asks(self, kind: str) -> bool:
        """Whether questions of a kind are wanted."""
        return kind not in self.skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One data set that instructions are made from."""

    name: str
    """On the command line, in shards."""
    title: str
    kinds: tuple[Kind, ...]
    read: Callable[[Path, ReadOptions], SourceRead]
    """(root, options) -> conversations; paths of videos are relative to root. Raises MissingFileError, FormatError."""
    licence: str
    """Who must be asked for the data, in a line."""
