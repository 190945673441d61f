"""VLN-QA: a walk through a simulated house under a written instruction; which action comes next?

It is MVBench's "Egocentric Navigation" (200 questions, four actions). Files, one of two:
`egocentric_navigation.json` (MVBench: `video, candidates, answer, question`) or `vlnqa.json` (EgoThinker's copy: `text`
with the options listed in it, `video_path`, `gt`); videos below `videos/` or, as MVBench unpacks them, `vlnqa/`.
EgoThinker's folders are named after the right answer, so no path is ever put into words for a model.
"""

import os
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from exo2ego.bench.files import fail, inner_path, read_json
from exo2ego.bench.items import Item, chance_of, pick, read_groups
from exo2ego.bench.tasks.base import Ask, Measure, Published, ScoreSettings, Task, choice_measures
from exo2ego.bench.tasks.choice import ask_letter, choice_protocols, choose
from exo2ego.errors import FormatError, MissingFileError
from exo2ego.records import Prediction, VideoSpan

MVBENCH_FILE = "egocentric_navigation.json"
EGOTHINKER_FILE = "vlnqa.json"
FOLDERS = ("videos", "vlnqa")

_LISTED = re.compile(r"Question:(?P<question>.+?)\nOptions?:\n(?P<options>(?:[A-Z]: [^\n]*(?:\n|$))+)", re.DOTALL)
_FRAME = re.compile(r"_frame\d+$")

Row = tuple[str, str, tuple[str, ...], int]
"""Video below its folder, question, options, index of the answer."""


def load(root: Path, limit: int | None = None, seed: int = 0, full: bool = False) -> list[Item]:
    """Questions of the one file that is there; `limit` draws that many by lot. `full` changes nothing.

    Raises:
        MissingFileError, FormatError: no file, both, or one that breaks its format (file, row, field, value named).
    """
    path = _file(root)
    rows = read_json(path)
    if not isinstance(rows, list) or not rows:
        raise fail(path, "top level", "type", type(rows).__name__, "must be a list of questions")
    read = _mvbench if path.name == MVBENCH_FILE else _egothinker
    questions = [read(path, f"row {number}", row) for number, row in enumerate(rows, start=1)]
    seen: dict[tuple[str, str], int] = {}
    for number, (video, question, _, _) in enumerate(questions, start=1):
        first = seen.setdefault((video, question), number)
        if first != number:
            raise fail(path, f"row {number}", "video, question", video, f"is asked in row {first} too; keep one")
    groups = read_groups(root)
    ids = [str(number) for number in range(len(questions))]
    return [_item(root, ids[index], questions[index], groups.get(ids[index], {})) for index in pick(ids, limit, seed)]


def _file(root: Path) -> Path:
    found = [root / name for name in (MVBENCH_FILE, EGOTHINKER_FILE) if (root / name).exists()]
    if not found:
        raise MissingFileError(f"{root}: neither {MVBENCH_FILE} (MVBench) nor {EGOTHINKER_FILE} (EgoThinker) is there")
    if len(found) > 1:
        raise FormatError(f"{root}: holds {MVBENCH_FILE} and {EGOTHINKER_FILE}, two orders of the options; keep one")
    return found[0]


def _texts(path: Path, where: str, row: Any, names: Sequence[str]) -> list[str]:
    if not isinstance(row, dict):
        raise fail(path, where, "row", row, "must be an object")
    for name in names:
        if not isinstance(row.get(name), str) or not row[name].strip():
            raise fail(path, where, name, row.get(name), "must be a text")
    return [row[name] for name in names]


def _mvbench(path: Path, where: str, row: Any) -> Row:
    video, question, answer = _texts(path, where, row, ("video", "question", "answer"))
    options = row.get("candidates")
    if not isinstance(options, list) or not all(isinstance(option, str) and option.strip() for option in options):
        raise fail(path, where, "candidates", options, "must be a list of texts")
    if answer not in options:
        raise fail(path, where, "answer", answer, f"must be one of the candidates {options}")
    return _checked(path, where, "video", "candidates", (video, question, tuple(options), options.index(answer)))


def _egothinker(path: Path, where: str, row: Any) -> Row:
    text, video, letter = _texts(path, where, row, ("text", "video_path", "gt"))
    parts = _LISTED.search(text)
    if parts is None:
        raise fail(path, where, "text", text, "must hold 'Question: ...', then 'Option:' and lines 'A: ...', 'B: ...'")
    listed = [line.split(": ", 1) for line in parts["options"].splitlines()]
    letters = [label for label, _ in listed]
    if letters != [chr(ord("A") + index) for index in range(len(letters))]:
        raise fail(path, where, "text", letters, "must list its options as A, B, C, ... in order")
    if letter not in letters:
        raise fail(path, where, "gt", letter, f"must be one of the letters {', '.join(letters)}")
    options = tuple(option.strip() for _, option in listed)
    found = (video, parts["question"].strip(), options, letters.index(letter))
    return _checked(path, where, "video_path", "text", found)


def _checked(path: Path, where: str, video_field: str, options_field: str, row: Row) -> Row:
    video, _, options, _ = row
    if not inner_path(video):
        raise fail(path, where, video_field, video, "must be a path inside the folder of videos")
    if len(options) < 2 or len({option.strip() for option in options}) < len(options):
        raise fail(path, where, options_field, list(options), "must be two or more options, none of them twice")
    return row


def _item(root: Path, item_id: str, row: Row, labels: Mapping[str, str]) -> Item:
    video, question, options, answer = row
    folder = next((name for name in FOLDERS if os.path.isfile(root / name / video)), FOLDERS[0])
    stem = os.path.splitext(os.path.basename(video))[0]
    return Item(
        item_id=item_id,
        question=question,
        videos=(VideoSpan(path=f"{folder}/{video}"),),
        options=options,
        answer=answer,
        # `4504_frame52` is a moment of walk 4504: questions about one walk are drawn together.
        cluster=_FRAME.sub("", stem),
        chance=chance_of(labels, len(options)),
        groups=dict(labels),
    )


def right_for_mvbench(text: str, answer: int) -> bool:
    """MVBench's own check, faults included (Ask-Anything, video_chat2/mvbench.ipynb, `check_ans`).

    First word of the first line, lower case, dots off: right when it is part of the gold `(b)`, or holds it. So
    `B`, `b)`, `(B)` and, by this rule, an empty answer or a lone bracket are right; `B.` is, too, and `B:` is not.

    >>> right_for_mvbench("(B) Stop", 1), right_for_mvbench("", 1), right_for_mvbench("A", 1)
    (True, True, False)
    """
    gold = f"({chr(ord('a') + answer)})"
    word = text.split("\n", 1)[0].lower().split(" ", 1)[0]
    return word.replace(".", "") in gold or gold in word


def _choose_mvbench(item: Item, prediction: Prediction) -> int | None:
    """The right option where MVBench's check is content, else none of them (-1): it knows no unreadable answer."""
    text, answer = prediction.text or "", item.answer
    return answer if answer is not None and right_for_mvbench(text, answer) else -1


def score(items: Sequence[Item], predictions: Mapping[str, Prediction], settings: ScoreSettings) -> list[Measure]:
    """Accuracy, also by label; read strictly, or with MVBench's own check where the protocol says so."""
    reader = _choose_mvbench if settings.protocol == "mvbench_compat" else choose
    return choice_measures(items, predictions, "vln_qa", settings, reader)


_EXAMPLE = (
    'This is a navigation video of an agent following instruction: "Leave the room and wait by the stairs." '
    "What is the next action it should take?"
)
_ACTIONS = ("Move forward", "Turn left and move forward", "Turn right and move forward", "Stop")
_SHARED = choice_protocols("vln_qa", _EXAMPLE, _ACTIONS)

PROTOCOLS: dict[str, Ask] = {
    "likelihood": _SHARED["likelihood"],
    "likelihood_mean": _SHARED["likelihood_mean"],
    "letter": _SHARED["letter"],
    "mvbench_compat": Ask(
        describe="as letter, but read by MVBench's own check: an empty answer counts as right; for comparison only",
        ask=partial(ask_letter, "vln_qa"),
        example=_SHARED["letter"].example,
        needs=frozenset({"text"}),
    ),
}

_SMALL = "200 items: 7 points either way at 95 %"

TASK = Task(
    name="vln_qa",
    title="VLN-QA",
    load=load,
    protocols=PROTOCOLS,
    default_protocol="likelihood",
    score=score,
    official_sizes=(200, 200),
    published=(
        Published(
            measure="vln_qa", value=0.445, who="Exo2Ego (paper)", caution=f"its scoring is not described; {_SMALL}"
        ),
        Published(measure="vln_qa", value=0.540, who="EgoThinker", caution=f"letter, its own vlnqa.json; {_SMALL}"),
        Published(measure="vln_qa", value=0.460, who="InternVL2", caution=f"its scoring is not described; {_SMALL}"),
        Published(measure="vln_qa", value=0.420, who="Qwen2-VL-7B", caution=f"its scoring is not described; {_SMALL}"),
        Published(measure="vln_qa", value=0.340, who="GPT-4o", caution=f"as the paper prints it; {_SMALL}"),
    ),
)
