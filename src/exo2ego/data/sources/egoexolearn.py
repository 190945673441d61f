"""EgoExoLearn -> descriptions of what I do, which hand I use, and questions about whole recordings.

    ROOT/annotations/fine_annotation_trainval_en.csv    video_uid, annotation_uid (or annotation_id), subset, view,
                                                        scene, start_sec, end_sec, narration_en,
                                                        narration_en_hand_prompt, narration_en_no_hand_prompt; or
                                                        fine_annotation_trainvaltest_en.csv, there or in ROOT; or
    ROOT/association_benchmark/annotations/{ego,exo}_train.csv     the same columns but subset, view, scene
    ROOT/annotations/fine_annotation_test.csv           where it is there, its annotations are left out by id
    ROOT/Video_QA/*_mcq.jsonl, *_qa.jsonl               {"id", "conversations": [human, gpt], "image": {"video"}}
    ROOT/video_meta_downsampled.json                    which videos are ego; Video_QA needs it
    ROOT/videos/<video_uid>.mp4

Narrations or Video_QA suffice; what is there is read. Ego recordings only, unless exo ones are asked for: their
narrations are instructions too, and are told in the first person likewise. The split is one of annotations, not of
videos; Video_QA has none. Two answers of the official Video_QA file are texts, not letters; they count where they are
one of the options.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from exo2ego.data.jsonfile import Fields
from exo2ego.data.sources.egoexolearn_qa import question_of_row
from exo2ego.data.sources.english import sentence
from exo2ego.data.sources.first_person import first_person, hands_used, names_hands
from exo2ego.data.sources.reading import (
    BadRow,
    LeftOut,
    Made,
    SourceRead,
    filled,
    gather,
    inner_path,
    json_fields,
    merged,
    table_rows,
)
from exo2ego.data.sources.source import VIEWS, ReadOptions, Source
from exo2ego.data.sources.templates import Kind
from exo2ego.errors import FormatError, MissingFileError
from exo2ego.records import Conversation, Turn, VideoSpan

KINDS = (
    Kind(name="narration", tells="what is done, as one or more sentences"),
    Kind(name="hands", tells="what the left and the right hand do, as one or more sentences"),
    Kind(name="which_hand", tells="'I use my left hand.', '... my right hand.' or '... both hands.'"),
    Kind(name="open", needs=frozenset({"question"}), tells="the answer, as a sentence"),
    Kind(name="options", needs=frozenset({"question", "options"}), tells="the letter of one of several options"),
)
SUBSETS = ("train", "val", "test")
FINE = tuple(
    f"{folder}fine_annotation_{part}_en.csv" for folder in ("annotations/", "") for part in ("trainval", "trainvaltest")
)
ASSOCIATION = tuple(
    f"{folder}{view}_train.csv"
    for folder in ("association_benchmark/annotations/", "annotations/", "")
    for view in VIEWS
)
QUESTIONS = ("Video_QA/*.jsonl", "*_mcq.jsonl", "*_qa.jsonl")
COLUMNS = ("video_uid", "start_sec", "end_sec", "narration_en")
HAND_PROMPT = "narration_en_hand_prompt"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Files:
    """One download, and what is wanted of it."""

    root: Path
    options: ReadOptions
    views: Mapping[str, str]
    """Video -> ego or exo, as far as it is known."""
    test_ids: frozenset[str]

    def narration(self, row: Fields, file_view: str | None) -> Made:
        """A row of a table of narrations as conversations."""
        identity = filled(row, "annotation_uid" if "annotation_uid" in row.data else "annotation_id")
        video = filled(row, "video_uid")
        view = _one_of(row, "view", VIEWS) if "view" in row.data else file_view
        start_s, end_s = row.number("start_sec"), row.number("end_sec")
        if not 0 <= start_s < end_s:
            raise row.fail("end_sec", "more than start_sec, both from 0 on")
        told = filled(row, "narration_en")
        path = inner_path(row, "video_uid", f"videos/{video}.mp4")
        if identity in self.test_ids or ("subset" in row.data and _one_of(row, "subset", SUBSETS) == "test"):
            return LeftOut(reason="test annotation")
        if view not in self.options.views:
            return LeftOut(reason=f"{view} recording")
        span = VideoSpan(path=path, start_s=start_s, end_s=end_s)
        return self._described(f"{video}/{identity}", span, told, row.text(HAND_PROMPT, default=""))

    def _described(self, identity: str, span: VideoSpan, told: str, hands: str) -> list[Conversation]:
        say: Callable[[str], str] = first_person if self.options.first_person else sentence
        answers = {"narration": say(told)}
        if names_hands(hands):
            answers["hands"] = say(hands)
            used = hands_used(hands)
            if used:
                answers["which_hand"] = used if self.options.first_person else sentence(used.removeprefix("I use my "))
        return [
            _conversation(f"{identity}/{kind}", span, self.options.templates.ask(kind, identity), answer)
            for kind, answer in answers.items()
            if self.options.asks(kind)
        ]

    def question(self, row: Fields) -> Made:
        """A line of Video_QA as a conversation."""
        identity = filled(row, "id")
        video = filled(Fields(row.table("image"), f"{row.where}: image"), "video")
        path = inner_path(row, "image", f"videos/{video}")
        asked = question_of_row(row, self.options.first_person)
        view = self.views.get(video.removesuffix(".mp4"))
        if view not in self.options.views:
            return LeftOut(reason=f"question about an {view} recording" if view else "video that no file gives a view")
        kind = "options" if asked.options else "open"
        if not self.options.asks(kind):
            return []
        filling = {"options": asked.options} if asked.options else {}
        said = self.options.templates.ask(kind, identity, question=asked.question, **filling)
        return [_conversation(f"{identity}/{kind}", VideoSpan(path=path), said, asked.answer)]


def read(root: Path, options: ReadOptions) -> SourceRead:
    """Narrations and questions. Raises MissingFileError, FormatError where a file as a whole is unusable."""
    if not root.is_dir():
        raise MissingFileError(f"{root}: no such folder")
    fine = [root / name for name in FINE if (root / name).is_file()][:1]
    tables = fine or _association(root)
    questions = sorted(path for pattern in QUESTIONS for path in root.glob(pattern))
    if not tables and not questions:
        looked = ", ".join((*FINE, "association_benchmark/annotations/ego_train.csv", "Video_QA/*.jsonl"))
        raise MissingFileError(f"{root}: holds no annotations of EgoExoLearn; looked for {looked}")
    files = _Files(root=root, options=options, views=_views(root) if questions else {}, test_ids=_test_ids(root))
    parts = []
    for table in tables:
        view = next((view for view in VIEWS if table.name.startswith(view)), None)
        parts.append(_read_table(table, files, view))
    for path in questions:
        parts.append(replace(gather(json_fields(path), files.question, str(path)), notes=(str(path),)))
    return merged(parts)


def _read_table(table: Path, files: _Files, view: str | None) -> SourceRead:
    columns = COLUMNS if view else (*COLUMNS, "subset", "view")
    read = gather(table_rows(table, columns), lambda row: files.narration(row, view), str(table))
    return replace(read, notes=(str(table),))


def _association(root: Path) -> list[Path]:
    """The tables of the association benchmark, in the first folder that has one of them."""
    found = [root / name for name in ASSOCIATION if (root / name).is_file()]
    return [path for path in found if path.parent == found[0].parent]


def _views(root: Path) -> dict[str, str]:
    """Video -> view. Raises MissingFileError: without it nobody knows which videos of Video_QA are ego."""
    path = root / "video_meta_downsampled.json"
    if not path.is_file():
        raise MissingFileError(f"{path}: no such file; it says which videos of Video_QA are ego")
    views = {}
    for _, row in json_fields(path):
        if isinstance(row, BadRow):
            raise FormatError(row.reason)
        views[filled(row, "video_uid")] = _one_of(row, "view", VIEWS)
    return views


def _test_ids(root: Path) -> frozenset[str]:
    path = root / "annotations/fine_annotation_test.csv"
    if not path.is_file():
        return frozenset()
    rows = (row for _, row in table_rows(path, ("annotation_id",)))
    return frozenset(row.text("annotation_id") for row in rows if isinstance(row, Fields))


def _one_of(row: Fields, field: str, known: tuple[str, ...]) -> str:
    value = filled(row, field)
    if value not in known:
        raise row.fail(field, f"one of {', '.join(known)}")
    return value


def _conversation(identity: str, span: VideoSpan, question: str, answer: str) -> Conversation:
    return Conversation(conversation_id=identity, video=span, turns=(Turn(question=question, answer=answer),))


SOURCE = Source(
    name="egoexolearn",
    title="EgoExoLearn",
    kinds=KINDS,
    read=read,
    licence="annotations MIT; videos by the data set's own terms",
)
