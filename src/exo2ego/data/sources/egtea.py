"""EGTEA Gaze+ -> "I take the cup.": what the camera wearer does in a clip, and with which objects.

Official form (`action_annotation.zip`), where ROOT or ROOT/action_annotation holds `train_split{1,2,3}.txt`:

    train_split1.txt                        <clip id> <action> <verb> <noun> [<noun> ...]
    test_split1.txt                         as train_split1.txt; its rows are left out
    raw_annotations/action_labels.csv       "# Clip ID ...; Clip Prefix (Unique); Video Session; Starting Time (ms);
                                            Ending Time (ms); Action Label; Verb Label; Noun Label(s)"
    action_idx.txt, verb_idx.txt            <Action Label> <index>: used where action_labels.csv is not there
    ROOT/cropped_clips/<session>/<clip id>.mp4, or ROOT/videos/<session>.mp4

Form of `fpv-iplab/rulstm: RULSTM/data/egtea`, where no split file is found:

    ROOT/training1.csv                      id,session,start_frame,stop_frame,verb,noun,action; no header, 30 frames
                                            a second; validation1.csv (the test split) likewise, left out
    ROOT/actions.csv                        action, verb_noun, "Take_eating:utensil" (':' for '_'); no header
    ROOT/videos/<session>.mp4

Splits are of clips, not of sessions: most sessions have clips in both parts of a split.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from exo2ego.data.jsonfile import Fields
from exo2ego.data.sources.egtea_labels import OWN, Label, rulstm_label, spoken_label, spoken_objects
from exo2ego.data.sources.reading import (
    BadRow,
    Made,
    RowOrBad,
    SourceRead,
    TextFields,
    filled,
    first_existing,
    gather,
    inner_path,
    table_rows,
)
from exo2ego.data.sources.source import ReadOptions, Source
from exo2ego.data.sources.templates import Kind
from exo2ego.errors import FormatError, MissingFileError
from exo2ego.records import Conversation, Turn, VideoSpan

FRAMES_PER_S = 30.0
"""Of rulstm's frame numbers, whatever the rate of a session's file (24 frames a second)."""
CLIP_ID = re.compile(r"(?P<prefix>(?P<session>[A-Z]+\d+-R\d+-\w+)-(?P<start>\d+)-(?P<end>\d+))(?:-F\d+-F\d+)?")
KINDS = (
    Kind(name="action", tells="the action, as a sentence"),
    Kind(name="objects", tells="the objects of the action, as a sentence"),
)
RAW_COLUMNS = ("Clip Prefix (Unique)", "Action Label", "Verb Label", "Noun Label(s)")
RULSTM_COLUMNS = ("id", "session", "start_frame", "stop_frame", "verb", "noun", "action")


def read(root: Path, options: ReadOptions) -> SourceRead:
    """Training rows of the chosen split. Raises MissingFileError, FormatError where a file as a whole is unusable."""
    name = f"train_split{options.split}.txt"
    if not root.is_dir():
        raise MissingFileError(f"{root}: no such folder")
    folder = next((place for place in (root / "action_annotation", root) if (place / name).is_file()), None)
    return _read_rulstm(root, options) if folder is None else _read_official(root, folder, options)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Official:
    """The official files of one download, read."""

    options: ReadOptions
    labels: Mapping[str, Label]
    """By clip prefix, or by action index where there is no raw file."""
    by_prefix: bool
    cropped: bool

    def made(self, row: Fields) -> Made:
        """A line of a split file as conversations."""
        clip = filled(row, "clip id")
        form = CLIP_ID.fullmatch(clip)
        if form is None:
            raise row.fail("clip id", "<session>-<start ms>-<end ms>-F<frame>-F<frame>")
        key = form["prefix"] if self.by_prefix else filled(row, "action")
        if key not in self.labels:
            place = "raw_annotations/action_labels.csv" if self.by_prefix else "action_idx.txt"
            raise row.fail("clip id" if self.by_prefix else "action", f"one that {place} lists")
        start_s, end_s = int(form["start"]) / 1000, int(form["end"]) / 1000
        if end_s <= start_s:
            raise row.fail("clip id", "a start before the end")
        if self.cropped:
            span = VideoSpan(path=f"cropped_clips/{form['session']}/{clip}.mp4")
        else:
            span = VideoSpan(path=f"videos/{form['session']}.mp4", start_s=start_s, end_s=end_s)
        return conversations(form["prefix"], span, self.labels[key], self.options)


def conversations(identity: str, span: VideoSpan, label: Label, options: ReadOptions) -> list[Conversation]:
    """Both kinds of questions about one clip."""
    answers = {"action": spoken_label(label, options.first_person)}
    if set(label.nouns) - set(OWN):
        answers["objects"] = spoken_objects(label, options.first_person)
    return [
        Conversation(
            conversation_id=f"{identity}/{kind}",
            video=span,
            turns=(Turn(question=options.templates.ask(kind, identity), answer=answer),),
        )
        for kind, answer in answers.items()
        if options.asks(kind)
    ]


def _read_official(root: Path, folder: Path, options: ReadOptions) -> SourceRead:
    raw = next(
        (p for p in (folder / "raw_annotations/action_labels.csv", folder / "action_labels.csv") if p.is_file()), None
    )
    labels = _index_labels(folder) if raw is None else _raw_labels(raw)
    cropped = (root / "cropped_clips").is_dir() or not (root / "videos").is_dir()
    official = _Official(options=options, labels=labels, by_prefix=raw is not None, cropped=cropped)
    path = folder / f"train_split{options.split}.txt"
    read = gather(_split_rows(path), official.made, str(path))
    test = folder / f"test_split{options.split}.txt"
    left_out = {"test split": sum(1 for _ in _split_rows(test))} if test.is_file() else {}
    media = "cropped_clips/<session>/<clip id>.mp4" if cropped else "videos/<session>.mp4"
    notes = (f"split {options.split} of {path.parent}, labels from {raw or folder / 'action_idx.txt'}, videos {media}",)
    return replace(read, left_out={**read.left_out, **left_out}, notes=notes)


def _split_rows(path: Path) -> list[tuple[int, RowOrBad]]:
    """Lines of a split file; only the first two words matter (a line names one noun or several)."""
    rows: list[tuple[int, RowOrBad]] = []
    for number, line in enumerate(_text_lines(path), start=1):
        words = line.split()
        if words:
            cells = {"clip id": words[0], "action": words[1] if len(words) > 1 else ""}
            rows.append((number, TextFields(cells, f"{path}: line {number}")))
    return rows


def _raw_labels(path: Path) -> dict[str, Label]:
    """Labels by clip prefix. A row that is bad by itself has no label: the split's row that needs it is then bad."""
    labels = {}
    for _, row in table_rows(path, RAW_COLUMNS, delimiter=";"):
        if isinstance(row, TextFields) and row.text("Verb Label"):
            nouns = tuple(noun.strip() for noun in row.text("Noun Label(s)").split(",") if noun.strip())
            labels[row.text("Clip Prefix (Unique)")] = Label(verb=row.text("Verb Label"), nouns=nouns)
    if not labels:
        raise FormatError(f"{path}: not one row with a clip and a verb")
    return labels


def _index_labels(folder: Path) -> dict[str, Label]:
    """Labels by action index; `verb_idx.txt`, where it is there, says which verbs have several words."""
    path = folder / "action_idx.txt"
    if not path.is_file():
        raise MissingFileError(
            f"{path}: no such file, nor raw_annotations/action_labels.csv; one of them names the actions"
        )
    verbs = folder / "verb_idx.txt"
    known = [name.lower() for name in _indexed(verbs).values()] if verbs.is_file() else []
    return {index: Label.parsed(name, known) for index, name in _indexed(path).items()}


def _indexed(path: Path) -> dict[str, str]:
    """Index -> name: the last word of a line is the index, what stands before it is the name."""
    names = {}
    for number, line in enumerate(_text_lines(path), start=1):
        name, _, index = line.strip().rpartition(" ")
        if line.strip():
            if not name or not index.isdigit():
                raise FormatError(f"{path}: line {number}: expected '<name> <index>', found '{line[:60]}'")
            names[index] = name
    return names


def _text_lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: cannot be read as UTF-8 text ({error.reason} at byte {error.start})") from None


def _read_rulstm(root: Path, options: ReadOptions) -> SourceRead:
    names = (f"training{options.split}.csv", f"action_annotation/train_split{options.split}.txt")
    path = first_existing(root, names, "annotations of EGTEA Gaze+")
    actions = {}
    for _, row in table_rows(root / "actions.csv", ("action", "verb_noun", "label"), header=False):
        if isinstance(row, BadRow):
            raise FormatError(row.reason)
        actions[filled(row, "action")] = rulstm_label(row)

    def made(row: Fields) -> Made:
        action = actions.get(filled(row, "action"))
        if action is None:
            raise row.fail("action", f"an action that {root / 'actions.csv'} lists")
        start, stop = row.number("start_frame"), row.number("stop_frame")
        if not 0 <= start < stop:
            raise row.fail("stop_frame", "more than start_frame, both from 0 on")
        session = inner_path(row, "session", f"videos/{filled(row, 'session')}.mp4")
        span = VideoSpan(path=session, start_s=start / FRAMES_PER_S, end_s=stop / FRAMES_PER_S)
        return conversations(f"{filled(row, 'session')}-{int(start)}-{int(stop)}", span, action, options)

    read = gather(table_rows(path, RULSTM_COLUMNS, header=False), made, str(path))
    held_out = root / f"validation{options.split}.csv"
    left_out = (
        {"test split": sum(1 for _ in table_rows(held_out, RULSTM_COLUMNS, header=False))} if held_out.is_file() else {}
    )
    return replace(read, left_out={**read.left_out, **left_out}, notes=(f"rulstm form, split {options.split}: {path}",))


SOURCE = Source(
    name="egtea",
    title="EGTEA Gaze+",
    kinds=KINDS,
    read=read,
    licence="Georgia Tech, for research; ask its authors",
)
