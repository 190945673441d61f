"""Whatever stands in the fields of a source's rows: read, or refused in one line that names the row."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo2ego.data.sources import SOURCES
from exo2ego.data.sources.source import ReadOptions
from exo2ego.data.sources.templates import load_templates

ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "ssv2": (
        "labels/train.json",
        {"id": "7", "label": "opening box", "template": "Opening [something]", "placeholders": ["box"]},
    ),
    "egotimeqa": (
        "annotations.EgoTimeQA.json",
        {
            **{"video_id": "c", "sample_id": "c", "question": "What did I open?", "answer": "the box"},
            **{"wrong_answers": ["x", "y", "z"], "moment_start_frame": 1.0, "moment_end_frame": 2.0},
        },
    ),
    "openeqa": (
        "data/open-eqa-v0.json",
        {
            **{"question": "Is it?", "answer": "Yes", "category": "world knowledge", "question_id": "q"},
            **{"episode_history": "hm3d-v0/x", "extra_answers": ["No"]},
        },
    ),
    "egoexolearn": (
        "Video_QA/x.jsonl",
        {
            "id": "q",
            "conversations": [{"from": "human", "value": "What?\n(A) a\n(B) b"}, {"from": "gpt", "value": "A"}],
            "image": {"video": "bee1.mp4"},
        },
    ),
}

texts = st.text(max_size=30) | st.sampled_from(
    [
        "What did I put [x] in?",
        "(A) a\n(B) b",
        "../x",
        "the left hand",
        "Use your right hand, then stop.",
        "\ud800",
        "{0}",
    ]
)
values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["from", "value", "video"]), inner),
    max_leaves=6,
)


@pytest.mark.parametrize("name", ROWS)
@given(data=st.data())
def test_any_rows(name: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    place, row = ROWS[name]
    changed = data.draw(st.dictionaries(st.sampled_from(sorted(row)), values | texts, max_size=3))
    root = tmp_path_factory.getbasetemp() / f"any-{name}"
    (root / place).parent.mkdir(parents=True, exist_ok=True)
    (root / "video_meta_downsampled.json").write_text('[{"video_uid": "bee1", "view": "ego"}]')
    rows = [row, row | changed]
    as_lines = "".join(json.dumps(entry) + "\n" for entry in rows)
    (root / place).write_text(as_lines if place.endswith("jsonl") else json.dumps(rows))
    source = SOURCES[name]
    read = source.read(root, ReadOptions(templates=load_templates(name, source.kinds), extra_answers=True))
    assert read.conversations
    for bad in read.bad_rows:
        assert bad.row == 1
        assert "row 1" in bad.reason
        assert "\n" not in bad.reason
    for conversation in read.conversations:
        assert not Path(conversation.video.path).is_absolute()
        assert all(turn.question.strip() and turn.answer.strip() for turn in conversation.turns)


tables = st.lists(
    st.lists(st.sampled_from(["", "1", "2.5", "ego", "train", "x", "../x", '"', "nan", "-1", "é"]), max_size=12)
)


@given(tables)
def test_any_tables(tmp_path_factory: pytest.TempPathFactory, cells: list[list[str]]) -> None:
    root = tmp_path_factory.getbasetemp() / "any-table"
    (root / "annotations").mkdir(parents=True, exist_ok=True)
    header = "video_uid,annotation_uid,subset,view,scene,start_sec,end_sec,narration_en,narration_en_hand_prompt"
    lines = [header, "v,a,train,ego,kitchen,0,1,Stir.,", *(",".join(row) for row in cells)]
    (root / "annotations/fine_annotation_trainval_en.csv").write_text("\n".join(lines) + "\n")
    source = SOURCES["egoexolearn"]
    read = source.read(root, ReadOptions(templates=load_templates("egoexolearn", source.kinds)))
    assert read.conversations
    assert all("\n" not in bad.reason for bad in read.bad_rows)
