"""LLaVA / VideoLLaMA2 files: good rows kept, bad rows counted with the place, broken files refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tiny_tree import Tree

from exo2ego.data.shard_group import ClipFormat
from exo2ego.data.shard_writer import build_shards, plan_instructions
from exo2ego.data.sources.conversations import group_spans, read_conversations
from exo2ego.errors import Exo2EgoError, FormatError, MissingFileError
from exo2ego.records import Turn

VIDEO = "takes/kitchen_1/frame_aligned_videos/cam01.mp4"


def row(identity: str = "a", **changes: Any) -> dict[str, Any]:
    turns = [{"from": "human", "value": "<video>\nWhat is held?"}, {"from": "gpt", "value": " a cup "}]
    return {"id": identity, "video": VIDEO, "start_s": 1.0, "end_s": 2.0, "conversations": turns} | changes


def written(folder: Path, rows: object) -> Path:
    path = folder / "file.json"
    path.write_text(json.dumps(rows))
    return path


def test_turns_lose_the_marker_and_outer_blanks(tmp_path: Path) -> None:
    more = [{"from": "human", "value": "Where?"}, {"from": "gpt", "value": "Left"}]
    good, bad = read_conversations(written(tmp_path, [row(conversations=row()["conversations"] + more)]))
    assert not bad
    assert good[0].turns == (Turn(question="What is held?", answer="a cup"), Turn(question="Where?", answer="Left"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"video": None}, "field 'video' is null; expected a video: an entry of text alone"),
        ({"video": "../../etc/passwd"}, "inside the folder of videos"),
        ({"video": "/etc/passwd"}, "inside the folder of videos"),
        ({"start_s": "1"}, "field 'start_s' is \"1\"; expected a finite number"),
        ({"start_s": -1.0}, "expected 0 or more"),
        ({"end_s": 0.5}, "expected more than start_s"),
        ({"conversations": []}, "expected questions and answers in turn"),
        ({"conversations": row()["conversations"][:1]}, "expected questions and answers in turn"),
        ({"conversations": row()["conversations"][::-1]}, "turn 0: field 'from' is \"gpt\"; expected human or user"),
        ({"conversations": [{"from": "human", "value": "<video>\n"}, {"from": "gpt", "value": "x"}]}, "'value'"),
        ({"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": " \n"}]}, "expected a text"),
        ({"id": None}, "field 'id' is null"),
    ],
)
def test_bad_rows_are_left_out_and_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    good, bad = read_conversations(written(tmp_path, [row(), row(**changes)]))
    assert len(good) == 1
    assert bad[0].row == 1
    assert "file.json: row 1" in bad[0].reason
    assert message in bad[0].reason


def test_files_that_are_useless_as_a_whole(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="expected a list"):
        read_conversations(written(tmp_path, {"a": 1}))
    with pytest.raises(FormatError, match="not one usable conversation in 1 rows; the first: "):
        read_conversations(written(tmp_path, [row(video=3)]))
    (tmp_path / "file.json").write_text("[{")
    with pytest.raises(FormatError, match="not valid JSON at line 1"):
        read_conversations(tmp_path / "file.json")
    with pytest.raises(MissingFileError):
        read_conversations(tmp_path / "absent.json")
    with pytest.raises(MissingFileError):
        read_conversations(tmp_path / "absent.jsonl")


def test_lines_are_read_too(tmp_path: Path) -> None:
    path = tmp_path / "file.jsonl"
    path.write_text(json.dumps(row()) + "\n\n" + json.dumps(row("b")) + "\n")
    assert [c.conversation_id for c in read_conversations(path)[0]] == ["a", "b"]
    path.write_text(json.dumps(row()) + "\n{")
    with pytest.raises(FormatError, match="line 2 is not valid JSON"):
        read_conversations(path)


def test_conversations_about_one_span_share_one_clip(tree: Tree, tmp_path: Path) -> None:
    whole = {"start_s": None, "end_s": None}
    rows = [row("a"), row("b"), row("c", start_s=1.5), row("d", **whole), row("e", video="gone.mp4"), row("f", **whole)]
    good, _ = read_conversations(written(tmp_path, rows))
    spans, bad = group_spans(good, tree.root)
    assert {span: [c.conversation_id for c in group] for span, group in spans.items()} == {
        (VIDEO, 1.0, 2.0): ["a", "b"],
        (VIDEO, 1.5, 2.0): ["c"],
        (VIDEO, 0.0, 6.0): ["d", "f"],
    }
    assert [b.reason.startswith("e: ") and "no such file" in b.reason for b in bad] == [True]
    clip_format = ClipFormat(num_frames=4, size_px=32)
    planned = plan_instructions(spans, tree.root, "sim", clip_format)
    built = build_shards(tmp_path / "out", planned, clip_format, settings={}, report={})
    assert [(s.views, s.take_uid, s.source, len(s.conversations)) for s in built.samples] == [
        (("video",), "kitchen_1", "sim", 2),
        (("video",), "kitchen_1", "sim", 2),
        (("video",), "kitchen_1", "sim", 1),
    ]
    assert built.samples[0].conversations[0] == (Turn(question="What is held?", answer="a cup"),)
    assert not built.pairs


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "video", "start_s", "conversations", "from", "value"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(json_values)
@example(["\x85"])
def test_any_json_is_read_or_refused_in_one_line(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    path = written(tmp_path_factory.getbasetemp(), value)
    try:
        good, bad = read_conversations(path)
    except Exo2EgoError as error:
        lines = str(error).splitlines()
    else:
        assert good
        lines = [" ".join(entry.reason.splitlines()) for entry in bad][:1] or [""]
    assert len(lines) == 1
