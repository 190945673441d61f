"""What judges and sentence models have said of a run: the files beside its predictions.

`judges.json` pins who was asked and with which words; `judgements.jsonl` holds every reply as it came, one a line, so
that verdicts can be read again; `similarity.json` holds cosines. All name the words they belong to by their hash: what
was said of an answer that has changed since counts as not said.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from exo2ego.bench.answers import normal_answer, spoken
from exo2ego.bench.files import fail, read_json, read_json_lines
from exo2ego.bench.items import Item, right_answer
from exo2ego.bench.judge import JudgePrompt, JudgeRequest, Verdict, parse_verdict
from exo2ego.errors import FormatError
from exo2ego.records import Prediction

JUDGES_FILE = "judges.json"
JUDGEMENTS_FILE = "judgements.jsonl"
SIMILARITY_FILE = "similarity.json"


def requests(
    items: Sequence[Item], predictions: Mapping[str, Prediction], prompt: JudgePrompt
) -> Iterator[tuple[str, JudgeRequest]]:
    """(item id, what a judge is asked) of every item with words to judge; blank answers are wrong without a judge."""
    for item in items:
        prediction = predictions.get(item.item_id)
        answered = prediction is not None and prediction.error is None
        text = spoken(prediction.text or "") if prediction is not None and answered else ""
        if normal_answer(text):
            yield (
                item.item_id,
                JudgeRequest(prompt=prompt, question=item.question, answer=right_answer(item), predicted=text),
            )


def read_judges(out: Path) -> dict[str, dict[str, Any]]:
    """Judge -> how it was asked; empty where none was.

    Raises:
        FormatError: the file is damaged.
    """
    path = out / JUDGES_FILE
    if not path.exists():
        return {}
    judges = read_json(path)
    if not isinstance(judges, dict):
        raise fail(path, "top level", "type", type(judges).__name__, "must be an object: judge -> how it was asked")
    for name, pinned in judges.items():
        if not isinstance(pinned, dict) or not all(isinstance(pinned.get(key), str) for key in ("system", "user")):
            raise fail(path, f"judge {name}", "prompt", pinned, "must hold the texts system and user")
    return judges


def read_replies(out: Path) -> dict[str, dict[str, tuple[str, str]]]:
    """Judge -> item id -> (hash of the words judged, reply), the last one where an item was judged again.

    Raises:
        FormatError: a line is damaged.
    """
    path = out / JUDGEMENTS_FILE
    replies: dict[str, dict[str, tuple[str, str]]] = {}
    if not path.exists():
        return replies
    for row, record in read_json_lines(path):
        texts = [record.get(name) for name in ("judge", "item_id", "asked", "reply")]
        if not all(isinstance(text, str) for text in texts):
            raise fail(path, f"row {row}", "judge, item_id, asked, reply", texts, "must be texts; remove the line")
        judge, item_id, asked, reply = map(str, texts)
        replies.setdefault(judge, {})[item_id] = (asked, reply)
    return replies


def read_verdicts(
    out: Path, items: Sequence[Item], predictions: Mapping[str, Prediction]
) -> dict[str, dict[str, Verdict]]:
    """Judge -> item id -> verdict on the answer as it is now; judges in the order in which they were first asked.

    Raises:
        FormatError: a file is damaged, or holds replies of a judge that is not pinned.
    """
    judges, replies = read_judges(out), read_replies(out)
    strange = sorted(set(replies) - set(judges))
    if strange:
        raise FormatError(f"{out / JUDGEMENTS_FILE}: judge {strange[0]!r} is not in {JUDGES_FILE}; restore that file")
    verdicts: dict[str, dict[str, Verdict]] = {}
    for judge, pinned in judges.items():
        prompt, given = JudgePrompt(system=pinned["system"], user=pinned["user"]), replies.get(judge, {})
        verdicts[judge] = {
            item_id: parse_verdict(given[item_id][1])
            for item_id, request in requests(items, predictions, prompt)
            if item_id in given and given[item_id][0] == request.digest
        }
    return verdicts


def read_similarities(
    out: Path, items: Sequence[Item], predictions: Mapping[str, Prediction]
) -> dict[str, dict[str, float]]:
    """Sentence model -> item id -> cosine of the answer as it is now and the right one.

    Raises:
        FormatError: the file is damaged.
    """
    path = out / SIMILARITY_FILE
    if not path.exists():
        return {}
    asked = {item_id: request.digest for item_id, request in requests(items, predictions, NO_PROMPT)}
    content = read_json(path)
    try:
        found = {
            str(model): {
                item_id: float(value) for item_id, (digest, value) in values.items() if asked.get(item_id) == digest
            }
            for model, values in content.items()
        }
    except (AttributeError, TypeError, ValueError, OverflowError) as error:
        raise FormatError(f"{path}: damaged ({error}); remove it and run `bench judge --similarity` again") from error
    if not all(math.isfinite(value) for values in found.values() for value in values.values()):
        raise FormatError(f"{path}: a cosine is no finite number; remove it and run `bench judge --similarity` again")
    return found


NO_PROMPT = JudgePrompt(system="", user="")
"""For those who need the words of an answer only."""
