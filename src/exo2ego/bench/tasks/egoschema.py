"""EgoSchema: one three-minute video, one question, five long answers.

Files: `questions.json` (5,031 rows), `subset_answers.json` (the 500 public answers), optionally `uid_to_ego4d.json`;
`videos/<q_uid>.mp4`. The 500 are scored here; with `full`, every question is asked and a submission is written, since
only the server knows the other answers.
"""

import csv
import io
import json
import os
from collections.abc import Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

from exo2ego.bench.files import fail, read_json, read_questions, text_field
from exo2ego.bench.items import Item, chance_of, pick, read_groups
from exo2ego.bench.tasks.base import Measure, Published, ScoreSettings, Task, choice_measures
from exo2ego.bench.tasks.choice import choice_protocols, choose
from exo2ego.records import Prediction, VideoSpan

OPTIONS = tuple(f"option {index}" for index in range(5))


def load(root: Path, limit: int | None = None, seed: int = 0, full: bool = False) -> list[Item]:
    """The questions with a public answer, or every question with `full`; `limit` draws that many by lot.

    Raises:
        MissingFileError, FormatError: a file is absent or breaks the format (file, row, field, value named).
    """
    path = root / "questions.json"
    rows = read_questions(path, "q_uid", _question, itemgetter(0))
    questions = {uid: (question, options) for uid, question, options in rows}
    answers = _answers(root / "subset_answers.json", questions)
    recordings, groups = _recordings(root / "uid_to_ego4d.json"), read_groups(root)
    ids = [uid for uid in questions if full or uid in answers]
    return [
        _item(uid, *questions[uid], answers.get(uid), recordings.get(uid, uid), groups.get(uid, {}))
        for uid in (ids[index] for index in pick(ids, limit, seed))
    ]


def _question(path: Path, where: str, row: Any) -> tuple[str, str, tuple[str, ...]]:
    if not isinstance(row, dict):
        raise fail(path, where, "row", row, "must be an object")
    uid = row.get("q_uid")
    if not isinstance(uid, str) or not uid or os.path.basename(uid) != uid or uid in (".", ".."):
        raise fail(path, where, "q_uid", uid, "must be the name of a question")
    texts = []
    for name in ("question", *OPTIONS):
        if name not in row:
            raise fail(
                path, where, name, None, "is missing (an early 20-row questions.json lacks it): use the full file"
            )
        texts.append(text_field(path, where, row, name))
    question, *options = texts
    if len({option.strip() for option in options}) < len(options):
        raise fail(path, where, "option 0..4", options, "repeats an option, so the question has no single answer")
    return uid, question, tuple(options)


def _answers(path: Path, questions: Mapping[str, object]) -> dict[str, int]:
    answers = read_json(path)
    if not isinstance(answers, dict) or not answers:
        raise fail(path, "top level", "type", type(answers).__name__, "must be an object: q_uid -> answer")
    for uid, answer in answers.items():
        if uid not in questions:
            raise fail(path, f"question {uid}", "q_uid", uid, "is not in questions.json; get both files anew")
        if not isinstance(answer, int) or isinstance(answer, bool) or not 0 <= answer < len(OPTIONS):
            raise fail(path, f"question {uid}", "answer", answer, "must be a number from 0 to 4")
    return answers


def _recordings(path: Path) -> dict[str, str]:
    """q_uid -> Ego4D recording, so that windows of one recording are drawn together; empty where the file is absent."""
    if not path.exists():
        return {}
    table = read_json(path)
    if not isinstance(table, dict):
        raise fail(path, "top level", "type", type(table).__name__, "must be an object: q_uid -> window")
    for uid, window in table.items():
        if not isinstance(window, dict) or not isinstance(window.get("video_uid"), str):
            raise fail(path, f"question {uid}", "video_uid", window, "must name the Ego4D recording")
    return {uid: window["video_uid"] for uid, window in table.items()}


def _item(
    uid: str, question: str, options: tuple[str, ...], answer: int | None, recording: str, labels: Mapping[str, str]
) -> Item:
    return Item(
        item_id=uid,
        question=question,
        videos=(VideoSpan(path=f"videos/{uid}.mp4"),),
        options=options,
        answer=answer,
        cluster=recording,
        chance=chance_of(labels, len(options)),
        groups=dict(labels),
    )


def score(items: Sequence[Item], predictions: Mapping[str, Prediction], settings: ScoreSettings) -> list[Measure]:
    """Accuracy over the questions with a public answer, also by label."""
    return choice_measures(items, predictions, "egoschema", settings, choose)


def submission(items: Sequence[Item], predictions: Mapping[str, Prediction]) -> dict[str, str]:
    """The two files the server takes: csv (`q_uid,answer`) and JSON. Unreadable answers are left out."""
    chosen: dict[str, int] = {}
    for item in items:
        prediction = predictions.get(item.item_id)
        choice = None if prediction is None or prediction.error is not None else choose(item, prediction)
        if choice is not None:
            chosen[item.item_id] = choice
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["q_uid", "answer"])
    writer.writerows(chosen.items())
    return {"submission.csv": table.getvalue(), "submission.json": json.dumps(chosen, indent=0) + "\n"}


PROTOCOLS = choice_protocols(
    "egoschema", "What is the camera-wearer preparing?", ("Tea.", "Soup.", "Bread.", "Salad.", "Coffee.")
)

_HIDDEN = "all 5,031 questions on the server, not the 500 scored here"

TASK = Task(
    name="egoschema",
    title="EgoSchema",
    load=load,
    protocols=PROTOCOLS,
    default_protocol="likelihood",
    score=score,
    official_sizes=(500, 5_031),
    published=(
        Published(measure="egoschema", value=0.613, who="Exo2Ego (paper)", caution=_HIDDEN),
        Published(measure="egoschema", value=0.517, who="VideoLLaMA2-7B", caution=f"re-run by OpenMMEgo; {_HIDDEN}"),
        Published(measure="egoschema", value=0.676, who="EgoThinker", caution=f"its ablation prints 71.8; {_HIDDEN}"),
        Published(measure="egoschema", value=0.690, who="MM-Ego", caution=_HIDDEN),
        Published(measure="egoschema", value=0.693, who="OpenMMEgo", caution=_HIDDEN),
        Published(measure="egoschema", value=0.768, who="Cambrian-S-7B", caution=_HIDDEN),
        Published(measure="egoschema", value=0.773, who="HCQA-1.5", caution=f"ensemble of models; {_HIDDEN}"),
        Published(measure="egoschema", value=0.779, who="Qwen2-VL-72B", caution=f"from a leaderboard; {_HIDDEN}"),
    ),
    submission=submission,
)
