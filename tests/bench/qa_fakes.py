"""Small folders of the question-answering tasks in the real files' form."""

import json
from pathlib import Path
from typing import Any

from bench_fakes import KINDS, put

STATES = ("on the table", "in the sink", "in the pan", "yes", "no", "clean")
ANSWER_SET = ("<UNK0>", "<UNK1>", *STATES, "put something")


def qaego4d_rows(count: int = 8) -> list[dict[str, Any]]:
    """Rows of the unified form; clip `number // 2`, recording `number // 4`."""
    rows = []
    for number in range(count):
        kinds = [KINDS[(number + step) % 5] for step in range(4)]
        row = {
            "video_uid": f"recording{number // 4}",
            "video_start_sec": 0.0,
            "video_end_sec": 42.9,
            "video_id": f"clip{number // 2}",
            "sample_id": f"0139f386-{number}_0",
            "answer": f"a {kinds[0]}",
            "question": f"What did I lift {number}?",
            "moment_start_frame": 443.439,
            "moment_end_frame": 1729.8984,
            "wrong_answers": [f"a {kind}" for kind in kinds[1:]],
        }
        rows.append(row)
    return rows


def egotaskqa_rows(reference: str = "direct") -> list[dict[str, Any]]:
    """Rows with every key of the release."""
    rows = []
    for number, answer in enumerate((*STATES, "Put something", "no")):
        binary = answer in ("yes", "no")
        rows.append(
            {
                "question": f"Is cup {number} clean?" if binary else f"What is the status of cup {number}?",
                "answer": answer,
                "interval": f"27k-{number // 3}|P1|{100 * number}|{100 * number + 90}",
                "program": "query([status], only(filter([cup], video)))",
                "type": ["descriptive"],
                "category": ["world"],
                "semantic": "state",
                "structural": "query",
                "reference": reference,
                "reasoning_type": "state$spatial" if number % 2 else "state",
                "video_id": number // 3,
                "question_id": 100 + number,
            }
        )
    return rows


def egotaskqa_mcq_rows() -> list[dict[str, Any]]:
    rows = []
    for number in range(6):
        listed = [STATES[(number + step) % 5] for step in range(5)]
        row = {"q": f"What happens in {number}?", "video_path": f"27k-{number // 3}|P1|{number}|9.mp4"}
        rows.append({**row, "a": "ABCDE"[number % 5], "option": dict(zip("ABCDE", listed, strict=True))})
    return rows


def write_qa(root: Path, mp4: bytes) -> None:
    """qaego4d/, egotaskqa/ and egotaskqa_mcq/ below `root`, each with its videos."""
    folder = root / "qaego4d"
    for row in qaego4d_rows():
        put(folder / f"videos/{row['video_id']}.mp4", mp4)
    for name in ("test", "test_close"):
        (folder / f"annotations.QaEgo4D_{name}.json").write_text(json.dumps(qaego4d_rows()))
    folder = root / "egotaskqa"
    for split in ("direct", "indirect"):
        rows = egotaskqa_rows(split)
        for row in rows:
            put(folder / f"qa_videos/{row['interval']}.mp4", mp4)
        put(folder / f"{split}/test_qas.json", json.dumps(rows).encode())
        (folder / f"{split}/answer_set.txt").write_text("".join(f"{line}\n" for line in ANSWER_SET))
    folder = root / "egotaskqa_mcq"
    for row in egotaskqa_mcq_rows():
        put(folder / "qa_videos" / row["video_path"], mp4)
    (folder / "egotaskqa.json").write_text(json.dumps(egotaskqa_mcq_rows()))
