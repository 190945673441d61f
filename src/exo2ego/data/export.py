"""Shards -> a folder that other trainers read: one file of conversations, the clips as mp4, and what they are.

    llava.json, ...                    the conversations (`export_forms.py`)
    videos/00000/<key>.<view>.mp4      the stored clips, byte for byte; those of a thousand samples a folder
    origins.jsonl                      of every entry: take, seconds of its video, scenario, source, split
    dataset_info.json                  LLaMA-Factory's description of the file, where it can read it
    README.md                          the card; written last
    export.json                        what was asked for: another export does not go into the same folder

Each file appears whole or not at all; an interrupted export goes on where it was.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from exo2ego.data.atomic import (
    TMP_SUFFIX,
    held,
    make_folder,
    refusing_bad_output,
    remove,
    remove_leftovers,
    temporary,
    write_atomic,
    write_text,
)
from exo2ego.data.export_card import card, dataset_info
from exo2ego.data.export_forms import FORMS, to_json
from exo2ego.data.export_plan import VIDEOS, ExportReport, ExportRule, check_view, chosen_view, clip_path, exported
from exo2ego.data.jsonfile import load_json, write_json
from exo2ego.data.shards import MANIFEST, ShardSample, ShardSet, sha256_of
from exo2ego.data.told import Progress
from exo2ego.errors import FormatError, OutputError
from exo2ego.records import Conversation

SETTINGS, ORIGINS, CARD, INFO, LOCK = "export.json", "origins.jsonl", "README.md", "dataset_info.json", "export.lock"


def export(
    shards: ShardSet, out: Path, rule: ExportRule, *, copy_videos: bool, progress: Progress | None = None
) -> ExportReport:
    """Writes the folder, or finishes one that was begun with the same shards and rule.

    Raises OutputError for a place that holds something else or cannot be written, FormatError where nothing of the
    shards can be exported as asked, ChecksumError for a damaged clip.
    """
    check_view(shards, rule)
    form = FORMS[rule.form]
    report = ExportReport()
    make_folder(out)
    with held(out, LOCK):
        _claim(out, shards, rule)
        with _written(out / form.file) as entries, _written(out / ORIGINS) as origins:
            writer = _Writer(shards, out, rule, copy_videos, report, entries, origins)
            for number, sample in enumerate(shards.samples):
                writer.sample(sample, number)
                if progress:
                    progress(number + 1, len(shards))
            writer.close()
        if form.columns:
            write_json(out / INFO, dataset_info(form))
        write_text(out / CARD, card(shards, rule, report, has_videos=copy_videos))
    return report


def _claim(out: Path, shards: ShardSet, rule: ExportRule) -> None:
    """Makes `out` this export's, or finds that it is; removes leftovers of a killed one."""
    mine = {"rule": {**asdict(rule), "splits": list(rule.splits)}, "shards": sha256_of(shards.folder / MANIFEST)}
    own = (SETTINGS, LOCK)
    others = sorted(path.name for path in out.iterdir() if path.name not in own and path.suffix != TMP_SUFFIX)
    is_export = (out / SETTINGS).is_file()
    if others and not is_export:
        raise OutputError(f"{out}: not empty ('{others[0]}') and no export; choose another --out")
    if not is_export or load_json(out / SETTINGS) != mine:
        if others:
            raise OutputError(f"{out}: holds an export of other shards or settings; choose another --out")
        write_json(out / SETTINGS, mine)
    for folder in (out, *(out / VIDEOS).glob("*/")):
        remove_leftovers(folder)


@contextmanager
def _written(path: Path) -> Iterator[TextIO]:
    """A text file that appears under its name when the block has ended well."""
    with refusing_bad_output(path):
        try:
            with temporary(path).open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            remove(temporary(path))
            raise
        os.replace(temporary(path), path)


@dataclass(slots=True)
class _Writer:
    """Writes sample after sample."""

    shards: ShardSet
    out: Path
    rule: ExportRule
    copy_videos: bool
    report: ExportReport
    entries: TextIO
    origins: TextIO
    has_begun: bool = False

    def sample(self, sample: ShardSample, number: int) -> None:
        """The clip of a sample, then its conversations."""
        conversations = exported(sample, number, self.rule, self.report)
        view = chosen_view(sample, self.rule)
        if not conversations or view is None:
            return
        if self.copy_videos:
            self._copy(sample, view, self.out / clip_path(sample, view, number))
        for conversation in conversations:
            self._entry(conversation)
            self.origins.write(to_json(_origin(conversation, sample, view)) + "\n")

    def close(self) -> None:
        """Ends the list. Raises FormatError where it is empty: the file must not appear."""
        if not self.report.conversations:
            raise FormatError(f"{self.shards.folder}: nothing to export ({self.report.told_drops()})")
        if not FORMS[self.rule.form].is_lines:
            self.entries.write("\n]\n")

    def _copy(self, sample: ShardSample, view: str, path: Path) -> None:
        """A clip that is there was renamed into place when it was complete."""
        if path.is_file():
            return
        make_folder(path.parent)
        write_atomic(path, self.shards.read(sample, view))
        self.report.copied += 1

    def _entry(self, conversation: Conversation) -> None:
        form = FORMS[self.rule.form]
        text = to_json(form.entry(conversation, self.rule.marker))
        if form.is_lines:
            self.entries.write(text + "\n")
        else:
            self.entries.write((",\n" if self.has_begun else "[\n") + text)
            self.has_begun = True


def _origin(conversation: Conversation, sample: ShardSample, view: str) -> dict[str, Any]:
    return {
        "id": conversation.conversation_id,
        "video": conversation.video.path,
        "key": sample.key,
        "view": view,
        "take_uid": sample.take_uid,
        "start_s": sample.start_s,
        "end_s": sample.end_s,
        "scenario": sample.scenario,
        "source": sample.source,
        "split": sample.split,
    }
