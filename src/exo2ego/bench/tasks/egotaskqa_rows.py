"""The files of EgoTaskQA: questions of one split, the closed vocabulary of answers.

`<split>/test_qas.json`: a list of rows; read are `question`, `answer`, `interval` (its video is
`qa_videos/<interval>.mp4`; the name holds `|`), `question_id`, `reasoning_type` (tokens joined by `$`).
`answer_set.txt`: the answers of the training questions, one a line, lower case, after two place holders
(baselines/preprocess of Buzz-Beater/EgoTaskQA writes it into the split's folder); test answers may lie outside of it.
The releases differ in the folders above; `LAYOUTS` are those that are known.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exo2ego.bench.files import fail, read_questions, read_text, text_field
from exo2ego.errors import MissingFileError

LAYOUTS = (".", "qa", "data/qa")
"""What may lie between the root and the folder of the split; the first that is there is read."""
ANSWER_SET = "answer_set.txt"
PLACE_HOLDERS = ("<UNK0>", "<UNK1>")
BINARY = ("yes", "no")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One question."""

    question_id: str
    question: str
    answer: str
    interval: str
    reasoning: tuple[str, ...]
    """Every kind of reasoning that the question counts under."""

    @property
    def binary(self) -> bool:
        """A question of yes or no."""
        return self.answer in BINARY


def find(root: Path, name: str) -> Path | None:
    """`name` in the first layout that has it; None where none has."""
    return next((root / layout / name for layout in LAYOUTS if (root / layout / name).is_file()), None)


def read_rows(root: Path, split: str) -> list[Row]:
    """The test questions of `direct` or `indirect`, in file order.

    Raises:
        MissingFileError, FormatError: the file is absent or breaks the format (file, row, field, value named).
    """
    path = find(root, f"{split}/test_qas.json")
    if path is None:
        raise MissingFileError(f"{root}: no {split}/test_qas.json here, nor below qa/ or data/qa/; check --root")
    return read_questions(path, "question_id", _row, lambda row: row.question_id)


def _row(path: Path, where: str, entry: Any) -> Row:
    if not isinstance(entry, dict):
        raise fail(path, where, "row", entry, "must be an object")
    number = entry.get("question_id")
    if not isinstance(number, int | str) or isinstance(number, bool) or number == "":
        raise fail(path, where, "question_id", number, "must be a number")
    question, answer, interval = (text_field(path, where, entry, name) for name in ("question", "answer", "interval"))
    reasoning = entry.get("reasoning_type", "")
    if not isinstance(reasoning, str):
        raise fail(path, where, "reasoning_type", reasoning, "must be a text, kinds joined by $")
    return Row(
        question_id=str(number),
        question=question,
        answer=answer.strip(),
        interval=interval_name(path, where, "interval", interval),
        reasoning=tuple(dict.fromkeys(kind.strip() for kind in reasoning.split("$") if kind.strip())),
    )


def recording_of(interval: str) -> str:
    """The recording that `27k-22-11-2|P1|4546|4986` was cut from, whoever wore the camera: `27k-22-11-2`."""
    return interval.split("|")[0]


def interval_name(path: Path, where: str, field: str, name: str) -> str:
    """`name` as the name of a file that cannot leave the folder of videos.

    Raises:
        FormatError: it holds a folder.
    """
    if os.path.basename(name) != name or name in (".", ".."):
        raise fail(path, where, field, name, "must be the name of an interval, such as 27k-22-11-2|P1|4546|4986")
    return name


def read_answer_set(root: Path, split: str) -> tuple[str, ...] | None:
    """The vocabulary, in file order, from the split's folder or from the one above; None where there is no such file.

    Raises:
        FormatError: an answer occurs twice, or there are fewer than two.
    """
    path = find(root, f"{split}/{ANSWER_SET}") or find(root, ANSWER_SET)
    if path is None:
        return None
    answers: dict[str, int] = {}
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        answer = line.strip()
        if not answer or answer in PLACE_HOLDERS:
            continue
        if answer in answers:
            raise fail(path, f"line {number}", "answer", answer, f"occurs twice (line {answers[answer]}); keep one")
        answers[answer] = number
    if len(answers) < 2:
        raise fail(path, "file", "answers", len(answers), "must be two or more, one a line")
    return tuple(answers)
