"""Small folders of the navigation, planning and recognition benchmarks, in the real files' form."""

import json
from pathlib import Path
from typing import Any

from bench_fakes import put, write_csv

ACTIONS = ("Move forward", "Turn left and move forward", "Turn right and move forward", "Stop")


def json_file(path: Path, content: Any) -> None:
    put(path, json.dumps(content).encode())


def mvbench_rows() -> list[dict[str, Any]]:
    rows = []
    for number in range(8):
        turned = [ACTIONS[(index + number) % 4] for index in range(4)]
        question = f'An agent follows the instruction: "Go {number}." What is the next action it should take?'
        video = f"{number // 2}_frame{number}.mp4"
        rows.append({"video": video, "candidates": turned, "answer": turned[number % 3], "question": question})
    return rows


def egothinker_row(number: int) -> dict[str, Any]:
    listed = "\n".join(f"{letter}: {action}" for letter, action in zip("ABCD", ACTIONS, strict=True))
    text = f"Select the best answer.\nQuestion: Go {number}. What is next?\nOption:\n{listed}\nOnly the best option."
    return {"text": text, "video_path": f"left/{number}_frame9.mp4", "gt": "B"}


def egoplan_row(number: int) -> dict[str, Any]:
    """EPIC at 50 frames/s for even numbers, Ego4D for odd ones; the answer is choice `number % 4`."""
    choices = ["take cup", "fill cup", "move cup", "wash cup"]
    source = ("EpicKitchens", "Ego4D")[number % 2]
    clips = [{"narration_text": f"step {k}", "start_frame": 100 * k + 1, "stop_frame": 100 * k + 60} for k in range(6)]
    return {
        "sample_id": number,
        "video_source": source,
        "video_id": ("P01_01", "0a1b-uid")[number % 2],
        "task_goal": "make tea",
        "question": "What action should I take next in order to make tea?",
        **{f"choice_{letter}": text for letter, text in zip("abcd", choices, strict=True)},
        "golden_choice_idx": "ABCD"[number % 4],
        "answer": choices[number % 4],
        "current_observation_frame": 600,
        "task_progress_metadata": clips,
    }


CHARADES_HEADER = [
    *("id", "subject", "scene", "quality", "relevance", "verified", "script", "objects", "descriptions"),
    *("actions", "length", "egocentric", "charades_video"),
]


def charades_row(name: str, actions: str) -> list[str]:
    text = ["S1", "Kitchen", "6", "7", "Yes", "A person, at home.", "cup;dish", "Two\nlines; one video."]
    return [name, *text, actions, "30.5", "Yes", name.removesuffix("EGO")]


def charades_rows() -> list[list[str]]:
    """Video k shows classes k, k + 1 and 100; the last shows none."""
    shown = [f"c{k:03d} 0.00 9.50;c{k + 1:03d} 3.1 40.0;c100 0 1;c100 2 3" for k in range(6)]
    return [charades_row(f"V{k}EGO", actions) for k, actions in enumerate([*shown, ""])]


def class_lines(count: int = 157) -> str:
    return "".join(f"c{number:03d} Doing thing {number}, slowly\n" for number in range(count))


def write_small_folders(root: Path, video: bytes) -> None:
    """vln_qa/, egoplan/, egoschema_exo/ and charades_ego/ below `root`."""
    put(root / "charades_ego/Charades_v1_classes.txt", class_lines().encode())
    write_csv(root / "charades_ego/CharadesEgo_v1_test_only1st.csv", CHARADES_HEADER, charades_rows())
    for row in charades_rows():
        put(root / f"charades_ego/CharadesEgo_v1_480/{row[0]}.mp4", video)
    rows = mvbench_rows()
    json_file(root / "vln_qa/egocentric_navigation.json", rows)
    for row in rows:
        put(root / "vln_qa/vlnqa" / row["video"], video)
    json_file(root / "egoplan/EgoPlan_validation.json", [egoplan_row(number) for number in range(8)])
    info = ["video_id", "duration", "fps", "resolution"]
    write_csv(root / "egoplan/EPIC_100_video_info.csv", info, [["P01_01", "100.0", "50.0", "1920x1080"]])
    put(root / "egoplan/videos/P01/P01_01.MP4", video)
    put(root / "egoplan/videos/0a1b-uid.mp4", video)
    for name in ("questions.json", "subset_answers.json", "groups.json"):
        put(root / "egoschema_exo" / name, (root / "egoschema" / name).read_bytes())
    for row in json.loads((root / "egoschema/questions.json").read_text()):
        put(root / f"egoschema_exo/videos/{row['q_uid']}.mp4", video)
