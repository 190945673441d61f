"""OpenEQA: questions about folders of frames, stored as clips like videos."""

import json
from pathlib import Path
from typing import Any

import pytest
from coded_video import coded_frame
from PIL import Image

from exo2ego.data.shard_group import ClipFormat
from exo2ego.data.shard_writer import build_shards, plan_instructions
from exo2ego.data.sources import SOURCES
from exo2ego.data.sources.conversations import group_spans
from exo2ego.data.sources.reading import SourceRead
from exo2ego.data.sources.source import ReadOptions
from exo2ego.data.sources.templates import load_templates
from exo2ego.errors import MissingFileError
from exo2ego.records import VideoSpan

OPENEQA = SOURCES["openeqa"]
REAL = Path(__file__).parents[3] / "shared/data/openeqa/open-eqa-v0.json"
EPISODE = "hm3d-v0/000-hm3d-BFRyYbPCCPE"
ROW = {
    "question": "where are the paper towels",
    "answer": "Above the sink",
    "category": "object localization",
    "question_id": "f2e82760",
    "episode_history": EPISODE,
    "extra_answers": ["near the sink", "above the sink."],
}


def root_with(folder: Path, rows: list[Any], name: str = "data/open-eqa-v0.json") -> Path:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(rows))
    return folder


def read(root: Path, **changes: Any) -> SourceRead:
    return OPENEQA.read(root, ReadOptions(templates=load_templates("openeqa", OPENEQA.kinds), **changes))


def test_a_question(tmp_path: Path) -> None:
    (found,) = read(root_with(tmp_path, [ROW])).conversations
    assert found.video == VideoSpan(path=f"data/frames/{EPISODE}")
    assert "Where are the paper towels?" in found.turns[0].question
    assert found.turns[0].answer == "I see them above the sink."
    assert not read(tmp_path, skip=frozenset({"question"})).conversations
    assert read(tmp_path, first_person=False).conversations[0].turns[0].answer == "Above the sink."


def test_further_answers_when_asked_for_each_once(tmp_path: Path) -> None:
    found = read(root_with(tmp_path, [ROW]), extra_answers=True).conversations
    assert [c.turns[0].answer for c in found] == ["I see them above the sink.", "I see them near the sink."]
    assert len({c.conversation_id for c in found}) == 2


def test_videos_made_of_the_frames_serve_where_no_frames_are(tmp_path: Path) -> None:
    root_with(tmp_path, [ROW], "open-eqa-v0.json")
    (tmp_path / "viewer/static/videos").mkdir(parents=True)
    assert read(tmp_path).conversations[0].video.path == f"viewer/static/videos/{EPISODE}-0.mp4"
    with pytest.raises(MissingFileError, match="holds no questions of OpenEQA"):
        read(tmp_path / "viewer")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"category": "guessing"}, "field 'category' is \"guessing\"; expected one of attribute recognition"),
        ({"episode_history": "../../x"}, "inside the folder of videos"),
        ({"answer": " "}, "field 'answer'"),
        ({"question_id": None}, "field 'question_id' is null"),
        ({"extra_answers": ["a", 1]}, "field 'extra_answers'"),
    ],
)
def test_bad_rows_are_counted_and_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    found = read(root_with(tmp_path, [ROW, ROW | changes]))
    assert len(found.conversations) == 1
    assert "open-eqa-v0.json: row 1: " in found.bad_rows[0].reason
    assert message in found.bad_rows[0].reason


def test_a_folder_of_frames_becomes_a_stored_clip(tmp_path: Path) -> None:
    root = root_with(tmp_path / "root", [ROW, ROW | {"question_id": "b", "episode_history": "hm3d-v0/gone"}])
    folder = root / "data/frames" / EPISODE
    folder.mkdir(parents=True)
    for number in range(24):
        Image.fromarray(coded_frame(number, 64, 64)).save(folder / f"{number:05d}-rgb.png")
    spans, bad = group_spans(read(root).conversations, root)
    assert list(spans) == [(f"data/frames/{EPISODE}", 0.0, 0.8)]
    assert "hm3d-v0/gone: no such file" in bad[0].reason
    clip_format = ClipFormat(num_frames=4, size_px=32)
    planned = plan_instructions(spans, root, "openeqa", clip_format)
    shards = build_shards(tmp_path / "out", planned, clip_format, settings={}, report={})
    assert [(s.source, s.end_s, len(s.conversations)) for s in shards.samples] == [("openeqa", 0.8, 1)]


@pytest.mark.skipif(not REAL.is_file(), reason="open-eqa-v0.json is not beside this checkout (../shared/data)")
def test_the_real_file(tmp_path: Path) -> None:
    root = root_with(tmp_path, json.loads(REAL.read_text()))
    found = read(root)
    assert len(found.conversations) == 1636
    assert not found.bad_rows
    assert len({c.video.path for c in found.conversations}) == 152
    assert len(read(root, extra_answers=True).conversations) > 2400
    assert not any(" ?" in c.turns[0].question for c in found.conversations)
