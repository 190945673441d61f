"""OpenEQA -> questions about a walk through rooms, answered by the one who walks.

    ROOT/data/open-eqa-v0.json      [{"question", "answer", "category", "question_id", "episode_history",
                                      "extra_answers": [...] (in some)}, ...]; or ROOT/open-eqa-v0.json
    ROOT/data/frames/<episode_history>/*-rgb.png     frames by name, 30 a second (`data/frame_folder.py`), or
    ROOT/viewer/static/videos/<episode_history>-0.mp4     what OpenEQA's `data/frames2videos.py` makes of them

`episode_history` is e.g. `hm3d-v0/000-hm3d-BFRyYbPCCPE`. OpenEQA is a benchmark without a training split, and EgoIT
trains on it as a whole (paper: EgoIT): a model trained so cannot be measured on OpenEQA.
"""

from dataclasses import replace
from pathlib import Path

from exo2ego.data.jsonfile import Fields
from exo2ego.data.sources.answers import question_of, told
from exo2ego.data.sources.english import sentence
from exo2ego.data.sources.reading import Made, SourceRead, filled, first_existing, gather, inner_path, json_fields
from exo2ego.data.sources.source import ReadOptions, Source
from exo2ego.data.sources.templates import Kind
from exo2ego.records import Conversation, Turn, VideoSpan

KINDS = (Kind(name="question", needs=frozenset({"question"}), tells="the answer, as a sentence"),)
CATEGORIES = frozenset(
    {
        "object recognition",
        "object localization",
        "attribute recognition",
        "spatial understanding",
        "object state recognition",
        "functional reasoning",
        "world knowledge",
    }
)
FRAMES, VIDEOS = "data/frames", "viewer/static/videos"


def read(root: Path, options: ReadOptions) -> SourceRead:
    """All questions. Raises MissingFileError, FormatError where the file as a whole is unusable."""
    path = first_existing(root, ("data/open-eqa-v0.json", "open-eqa-v0.json"), "questions of OpenEQA")
    as_videos = (root / VIDEOS).is_dir() and not (root / FRAMES).is_dir()
    read = gather(json_fields(path), lambda row: _conversations(row, as_videos, options), str(path))
    media = f"{VIDEOS}/<episode_history>-0.mp4" if as_videos else f"{FRAMES}/<episode_history>/*-rgb.png"
    note = f"{path}, media {media}; a model trained on it must not be measured on OpenEQA"
    return replace(read, notes=(note,))


def _conversations(row: Fields, as_videos: bool, options: ReadOptions) -> Made:
    identity, category = filled(row, "question_id"), filled(row, "category")
    if category not in CATEGORIES:
        raise row.fail("category", f"one of {', '.join(sorted(CATEGORIES))}")
    question = question_of(filled(row, "question"))
    episode = inner_path(row, "episode_history", filled(row, "episode_history"))
    answers = [filled(row, "answer")]
    if row.data.get("extra_answers") is not None:
        extra = row.items("extra_answers")
        if not all(isinstance(answer, str) for answer in extra):
            raise row.fail("extra_answers", "a list of texts")
        answers += [answer for answer in extra if answer.strip() and options.extra_answers]  # one is blank, in row 1136
    video = VideoSpan(path=f"{VIDEOS}/{episode}-0.mp4" if as_videos else f"{FRAMES}/{episode}")
    if not options.asks("question"):
        return []
    said = [told(question, answer, identity) if options.first_person else sentence(answer) for answer in answers]
    asked = options.templates.ask("question", identity, question=question)
    return [
        Conversation(
            conversation_id=f"{identity}/question{f'/{number}' if number else ''}",
            video=video,
            turns=(Turn(question=asked, answer=answer),),
        )
        for number, answer in enumerate(dict.fromkeys(said))
    ]


SOURCE = Source(
    name="openeqa",
    title="OpenEQA",
    kinds=KINDS,
    read=read,
    licence="questions MIT; frames of HM3D and ScanNet each by their own agreement",
)
