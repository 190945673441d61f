"""EgoTimeQA (GroundVQA) -> questions about a moment of an Ego4D clip, with an open answer and with four options.

    ROOT/annotations.EgoTimeQA.json     [{"video_id", "sample_id", "question", "answer", "wrong_answers": [3],
                                          "moment_start_frame", "moment_end_frame"}, ...]
                                        or ROOT/data/unified/... (as `data.zip` unpacks), ROOT/unified/...
    ROOT/videos/<video_id>.mp4          the canonical clips of Ego4D; or ROOT/clips/, ROOT/v2/clips/, ROOT/v1/clips/

A moment is seconds x 30 from the start of the clip, whatever the rate of its file. `sample_id` equals `video_id`, so a
row is known by its place in the file. The whole file is training data; texts are a language model's, from narrations,
with commas taken out and people called "Person A", "Person B".
"""

from collections import Counter
from dataclasses import replace
from pathlib import Path

from exo2ego.data.jsonfile import Fields
from exo2ego.data.sources.answers import question_of, told
from exo2ego.data.sources.english import sentence
from exo2ego.data.sources.options import lettered, mixed, same
from exo2ego.data.sources.reading import Made, SourceRead, filled, first_existing, gather, inner_path, json_fields
from exo2ego.data.sources.source import ReadOptions, Source
from exo2ego.data.sources.templates import Kind
from exo2ego.records import Conversation, Turn, VideoSpan

FRAMES_PER_S = 30.0
NAME = "annotations.EgoTimeQA.json"
MEDIA = ("videos", "clips", "v2/clips", "v1/clips")
WRONG = 3
KINDS = (
    Kind(name="open", needs=frozenset({"question"}), tells="the answer, as a sentence"),
    Kind(name="options", needs=frozenset({"question", "options"}), tells="the letter of one of four options"),
)
AMBIGUOUS = "question with options: two options say the same"


def read(root: Path, options: ReadOptions) -> SourceRead:
    """All rows. Raises MissingFileError, FormatError where the file as a whole is unusable."""
    path = first_existing(root, (NAME, f"data/unified/{NAME}", f"unified/{NAME}"), "questions of EgoTimeQA")
    media = next((name for name in MEDIA if (root / name).is_dir()), MEDIA[0])
    skipped: Counter[str] = Counter()
    read = gather(json_fields(path), lambda row: _conversations(row, media, skipped, options), str(path))
    window = "the moment of the answer" if options.window == "moment" else "the whole clip"
    note = f"{path}, media {media}/<video_id>.mp4, asked about {window}"
    return replace(read, left_out={**read.left_out, **skipped}, notes=(note,))


def _conversations(row: Fields, media: str, skipped: Counter[str], options: ReadOptions) -> Made:
    clip = filled(row, "video_id")
    # The row's place tells apart what one clip's id cannot.
    identity = f"{filled(row, 'sample_id')}:{row.where.rpartition(' ')[2]}"
    question, answer = question_of(filled(row, "question")), filled(row, "answer")
    span = _span(row, inner_path(row, "video_id", f"{media}/{clip}.mp4"), options.window)
    wrong = _wrong(row)
    made = []
    if options.asks("open"):
        said = told(question, answer, identity) if options.first_person else sentence(answer)
        asked = options.templates.ask("open", identity, question=question)
        made.append(
            Conversation(conversation_id=f"{identity}/open", video=span, turns=(Turn(question=asked, answer=said),))
        )
    if options.asks("options"):
        texts = [answer, *wrong]
        if any(same(one, other) for number, one in enumerate(texts) for other in texts[number + 1 :]):
            skipped[AMBIGUOUS] += 1
            return made
        shown, letter = mixed(answer, wrong, "egotimeqa", identity)
        asked = options.templates.ask("options", identity, question=question, options=lettered(shown))
        turn = Turn(question=asked, answer=letter)
        made.append(Conversation(conversation_id=f"{identity}/options", video=span, turns=(turn,)))
    return made


def _span(row: Fields, path: str, window: str) -> VideoSpan:
    """The moment in seconds; the whole file where the window is the clip."""
    start_s, end_s = (row.number(f"moment_{side}_frame") / FRAMES_PER_S for side in ("start", "end"))
    if start_s < 0:
        raise row.fail("moment_start_frame", "0 or more")
    if end_s <= start_s:
        raise row.fail("moment_end_frame", "more than moment_start_frame")
    return VideoSpan(path=path) if window == "clip" else VideoSpan(path=path, start_s=start_s, end_s=end_s)


def _wrong(row: Fields) -> list[str]:
    texts = row.items("wrong_answers")
    if len(texts) != WRONG or not all(isinstance(text, str) and text.strip() for text in texts):
        raise row.fail("wrong_answers", f"a list of {WRONG} texts")
    return [" ".join(text.split()) for text in texts]


SOURCE = Source(
    name="egotimeqa",
    title="EgoTimeQA",
    kinds=KINDS,
    read=read,
    licence="Ego4D licence for videos and narrations; questions from GroundVQA (MIT code)",
)
