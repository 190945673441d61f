"""Every form of conversation file that people have: read as meant, or refused where two readings are possible."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_tree import Tree

from exo2ego.cli.__main__ import main
from exo2ego.data.jsonfile import Fields
from exo2ego.data.shards import open_shards
from exo2ego.data.sources.conversations import BadRow, group_spans, iter_conversations, read_conversations
from exo2ego.data.sources.conversations_turns import SystemText, read_turns
from exo2ego.errors import FormatError
from exo2ego.records import Conversation, Turn, VideoSpan

ASKED = Turn(question="What is held?", answer="A cup")
SPAN = VideoSpan(path="a/b.mp4", start_s=1.0, end_s=2.0)
WHOLE = VideoSpan(path="a/b.mp4")
LLAVA = [{"from": "human", "value": "<video>\nWhat is held?"}, {"from": "gpt", "value": "A cup"}]
OPENAI = [{"role": "user", "content": "<video>What is held?"}, {"role": "assistant", "content": "A cup"}]
VIDEO_PART = {"type": "video", "video": "a/b.mp4", "video_start": 1.0, "video_end": 2.0}
TEXT_PART = {"type": "text", "text": "What is held?"}


def asking(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(parts)}, {"role": "assistant", "content": "A cup"}]


FORMS: dict[str, tuple[dict[str, Any], VideoSpan]] = {
    "LLaVA": ({"id": "x", "video": "a/b.mp4", "conversations": LLAVA}, WHOLE),
    "LLaVA-Video": (
        {
            "id": "x",
            "data_source": "0_30_s",
            "video": "a/b.mp4",
            "conversations": [{"from": "human", "value": "<image>\nWhat is held?"}, LLAVA[1]],
        },
        WHOLE,
    ),
    "Video-ChatGPT, converted": (
        {"id": "x", "video": "a/b.mp4", "conversations": [{**LLAVA[0], "value": "What is held?\n<video>"}, LLAVA[1]]},
        WHOLE,
    ),
    "Video-ChatGPT": ({"q": "What is held?", "a": "A cup", "video_id": "a/b.mp4"}, WHOLE),
    "a list of one video": ({"video": ["a/b.mp4"], "conversations": LLAVA}, WHOLE),
    "ShareGPT of LLaMA-Factory": ({"conversations": LLAVA, "videos": ["a/b.mp4"], "system": "", "tools": ""}, WHOLE),
    "messages of LLaMA-Factory and ms-swift": ({"messages": OPENAI, "videos": ["a/b.mp4"], "images": []}, WHOLE),
    "the other names of speakers": (
        {"video": "a/b.mp4", "conversations": [{"from": "user", "value": "What is held?"}, {**OPENAI[1]}]},
        WHOLE,
    ),
    "VideoLLaMA2 with times": ({"video": "a/b.mp4", "start_s": 1, "end_s": 2.0, "conversations": LLAVA}, SPAN),
    "start and end": ({"video": "a/b.mp4", "start": 1, "end": 2.0, "conversations": LLAVA}, SPAN),
    "Qwen-VL's parts": ({"messages": asking(VIDEO_PART, TEXT_PART)}, SPAN),
    "parts, video last": ({"messages": asking(TEXT_PART, VIDEO_PART)}, SPAN),
    "video_url": (
        {"messages": asking({"type": "video_url", "video_url": {"url": "a/b.mp4"}}, TEXT_PART)},
        WHOLE,
    ),
    "EgoExoLearn's questions": ({"id": 7, "image": {"video": "a/b.mp4"}, "conversations": LLAVA}, WHOLE),
}


def read_one(folder: Path, row: object, system: SystemText = "refuse") -> Conversation | BadRow:
    path = folder / "rows.json"
    path.write_text(json.dumps([row]))
    (found,) = iter_conversations(path, system)
    return found


@pytest.mark.parametrize("form", FORMS)
def test_a_form_is_recognised_by_its_keys(form: str, tmp_path: Path) -> None:
    row, span = FORMS[form]
    found = read_one(tmp_path, row)
    assert isinstance(found, Conversation), found
    assert found.turns == (ASKED,)
    assert found.video == span
    assert found.conversation_id == str(row.get("id", 0))


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "two lists of turns": ({"video": "a", "conversations": LLAVA, "messages": OPENAI}, "which of them holds the turns"),
    "two videos in a list": ({"videos": ["a", "b"], "messages": OPENAI}, "expected one video"),
    "video and videos": ({"video": "a", "videos": ["a"], "messages": OPENAI}, "'video' and 'videos'; expected one"),
    "video and part": ({"video": "a", "messages": asking(VIDEO_PART, TEXT_PART)}, "'video' and 'content.video'"),
    "video and image": ({"video": "a", "image": "b.jpg", "conversations": LLAVA}, "'video' and 'image'; expected one"),
    "two pairs of bounds": ({"video": "a", "start": 1, "end_s": 2, "conversations": LLAVA}, "expected one pair"),
    "bounds beside and in a part": ({"start": 1, "messages": asking(VIDEO_PART, TEXT_PART)}, "expected one pair"),
    "bounds of no known unit": ({"video": "a", "bound": [1, 2], "conversations": LLAVA}, "bounds in seconds as"),
    "bounds as text": (
        {"video": "a", "start": "00:01", "conversations": LLAVA},
        "'start' is \"00:01\"; expected a f",
    ),
    "an address": ({"video": "https://x.org/a.mp4", "conversations": LLAVA}, "a file, not an address"),
    "features": ({"video": "v_x.pkl", "conversations": LLAVA}, "this names features computed from one"),
    "a number as video": ({"videos": [3], "messages": OPENAI}, "field 'videos' is 3; expected a string"),
    "both keys of a speaker": (
        {"video": "a", "messages": [{**OPENAI[0], "from": "human"}, OPENAI[1]]},
        "beside 'from'",
    ),
    "a tool's turn": ({"video": "a", "conversations": [LLAVA[0], {"from": "function_call", "value": "x"}]}, "turn 1:"),
    "a marker within the sentence": (
        {"video": "a", "conversations": [{"from": "human", "value": "In <video>, who?"}, LLAVA[1]]},
        "at the start or at the end",
    ),
    "two markers": (
        {"video": "a", "conversations": [{"from": "human", "value": "<video>\n<video>\nWho?"}, LLAVA[1]]},
        "one marker <video> for the one video, not 2",
    ),
    "a marker in the second question": ({"video": "a", "conversations": [*LLAVA, *LLAVA]}, "not 2"),
    "an unknown part": ({"video": "a", "messages": asking({"type": "audio"})}, "parts of type text and video"),
    "a system text": ({"video": "a", "conversations": LLAVA, "system": "Be brief."}, "say what to do with such texts"),
    "a system turn in the middle": (
        {"video": "a", "messages": [*OPENAI, {"role": "system", "content": "x"}]},
        "one system text at most, before all turns",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_can_be_read_in_two_ways_is_refused(case: str, tmp_path: Path) -> None:
    row, message = BAD[case]
    found = read_one(tmp_path, row)
    assert isinstance(found, BadRow)
    assert found.kind == "bad"
    assert "rows.json: row 0" in found.reason
    assert message in found.reason


def test_entries_without_a_video_are_of_their_own_kinds(tmp_path: Path) -> None:
    rows = [
        {"image": "a.jpg", "conversations": LLAVA},
        {"images": ["a.jpg", "b.jpg"], "messages": OPENAI},
        {"conversations": [{"from": "human", "value": "Hello"}, LLAVA[1]]},
        {"video": "a.mp4", "conversations": LLAVA},
        3,
    ]
    path = tmp_path / "mixed.json"
    path.write_text(json.dumps(rows))
    good, bad = read_conversations(path)
    assert len(good) == 1
    assert [(entry.row, entry.kind) for entry in bad] == [(0, "image"), (1, "image"), (2, "text"), (4, "bad")]
    assert "field 'image': an entry about pictures" in bad[0].reason


@pytest.mark.parametrize(("system", "question"), [("drop", "Who?"), ("keep", "Be brief.\nWho?")])
def test_system_texts_do_what_was_asked(tmp_path: Path, system: SystemText, question: str) -> None:
    asked = [{"role": "user", "content": "<video>\nWho?"}, {"role": "assistant", "content": "I"}]
    later = [{"role": "user", "content": "And?"}, {"role": "assistant", "content": "You"}]
    for row in (
        {"video": "a.mp4", "messages": [{"role": "system", "content": "Be brief."}, *asked, *later]},
        {"video": "a.mp4", "messages": [*asked, *later], "system": " Be brief. "},
    ):
        found = read_one(tmp_path, row, system)
        assert isinstance(found, Conversation), found
        assert found.turns == (Turn(question=question, answer="I"), Turn(question="And?", answer="You"))
    with pytest.raises(FormatError, match="system texts: 'maybe'; expected refuse, drop, keep"):
        read_turns(Fields({"messages": []}, "x"), "maybe")  # type: ignore[arg-type]


def test_a_marker_in_an_answer_is_text(tmp_path: Path) -> None:
    row = {"video": "a.mp4", "conversations": [LLAVA[0], {"from": "gpt", "value": "Write <video> or <image>."}]}
    found = read_one(tmp_path, row)
    assert isinstance(found, Conversation)
    assert found.turns[0].answer == "Write <video> or <image>."


@given(
    st.text(max_size=12).filter(lambda text: text.strip() and "<" not in text),
    st.sampled_from(["<video>", "<image>"]),
    st.sampled_from(["", "\n", " ", "\r\n\n"]),
    st.booleans(),
)
def test_wherever_the_marker_stands_the_question_is_the_same(text: str, marker: str, blank: str, at_end: bool) -> None:
    value = text + blank + marker if at_end else marker + blank + text
    row = {"conversations": [{"from": "human", "value": value}, {"from": "gpt", "value": "x"}]}
    assert read_turns(Fields(row, "row"))[0].question == text.strip()


def test_a_video_named_without_its_suffix_is_found_or_refused(tree: Tree, tmp_path: Path) -> None:
    folder = tree.root / "takes/kitchen_1/frame_aligned_videos"
    stem = "takes/kitchen_1/frame_aligned_videos/cam01"
    rows = [{"q": "Who?", "a": "I", "video_id": stem}, {"q": "Who?", "a": "I", "video_id": "takes/gone"}]
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(rows))
    good, _ = read_conversations(path)
    spans, bad = group_spans(good, tree.root)
    assert list(spans) == [(f"{stem}.mp4", 0.0, 6.0)]
    assert "no such file, nor with .mp4, .mkv" in bad[0].reason
    (folder / "cam01.webm").write_bytes((folder / "cam01.mp4").read_bytes())
    spans, bad = group_spans(good, tree.root)
    assert not spans
    assert "cam01.mp4 and" in bad[0].reason
    assert "give the suffix" in bad[0].reason


REAL = Path(__file__).parents[3] / "shared/data/egoexolearn/vid_vqa_video_tag_egoexolearn_video_mcq.first1500.jsonl"


@pytest.mark.skipif(not REAL.is_file(), reason="no real files in ../shared/data")
def test_egoexolearns_real_questions_are_read() -> None:
    good, bad = read_conversations(REAL)
    assert (len(good), bad) == (1500, [])
    assert all(one.video.path.endswith(".mp4") and one.video.start_s is None for one in good)
    assert all("<video>" not in one.turns[0].question for one in good)
    assert {one.turns[0].answer for one in good} >= {"A", "B", "C", "D"}


def test_the_command_tells_kinds_of_entries_apart_and_does_with_system_texts_as_told(
    tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video = "takes/kitchen_1/frame_aligned_videos/cam01.mp4"
    rows = [
        {"image": "a.jpg", "conversations": LLAVA},
        {"conversations": [{"from": "human", "value": "Hello"}, LLAVA[1]]},
        *({"id": f"a/{n}", "video": video, "end": 1.0 + n, "conversations": LLAVA, "system": "S."} for n in range(3)),
        *({"id": f"b/{n}", "videos": [video], "start": 1.0, "messages": OPENAI} for n in range(200)),
    ]
    path = tmp_path / "mixed.json"
    path.write_text(json.dumps(rows))
    command = ["data", "instruct", "--source", str(path), "--videos", str(tree.root), "--frames", "4", "--size", "32"]
    assert main([*command, "--out", str(tmp_path / "refused")]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "bad rows: 5 (1 about pictures, 1 of text alone); the first: " in printed
    report = open_shards(tmp_path / "refused").manifest["report"]
    assert report["bad_row_kinds"] == {"image": 1, "text": 1, "bad": 3}
    assert report["kinds"] == {}, "ids of other projects are no kinds of questions"
    assert main([*command, "--system", "keep", "--out", str(tmp_path / "kept")]) == 0
    said = {one.conversations[0][0].question for one in open_shards(tmp_path / "kept").samples}
    assert said == {"S.\nWhat is held?", "What is held?"}
    assert main([*command, "--system", "drop", "--out", str(tmp_path / "kept")]) == 2
    capsys.readouterr()
    assert main(["data", "instruct", "--source", f"ssv2={tmp_path}", "--system", "drop", "--out", "x"]) == 2
    assert "--system goes with a file of conversations" in capsys.readouterr().err
