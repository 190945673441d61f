"""Something-Something-V2: its labels become sentences of the one who acts, by template and placeholders."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from exo2ego.data.sources import SOURCES
from exo2ego.data.sources.reading import SourceRead
from exo2ego.data.sources.source import ReadOptions
from exo2ego.data.sources.templates import load_templates
from exo2ego.errors import FormatError, MissingFileError
from exo2ego.records import VideoSpan

SSV2 = SOURCES["ssv2"]
REAL = Path(__file__).parents[3] / "shared/data/ssv2"
ROW = {
    "id": "78687",
    "label": "holding potato next to vicks vaporub bottle",
    "template": "Holding [something] next to [something]",
    "placeholders": ["potato", "vicks vaporub bottle"],
}
LABELS = {"Holding something next to something": "19", "Something falling like a rock": "1"}


def root_with(folder: Path, rows: list[dict[str, Any]], labels: object = None, name: str = "labels/train.json") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows))
    if labels is not None:
        (folder / "labels/labels.json").write_text(json.dumps(labels))
    return folder


def read(root: Path, **changes: Any) -> SourceRead:
    return SSV2.read(root, ReadOptions(templates=load_templates("ssv2", SSV2.kinds), **changes))


def answers(found: SourceRead) -> dict[str, str]:
    return {c.conversation_id: c.turns[0].answer for c in found.conversations}


def test_a_row_is_three_questions(tmp_path: Path) -> None:
    found = read(root_with(tmp_path, [ROW], LABELS))
    said = "I am holding a potato next to a vicks vaporub bottle."
    assert answers(found) == {
        "78687/action": said,
        "78687/fill": said,
        "78687/template": "I am holding something next to something.",
    }
    assert {c.video for c in found.conversations} == {VideoSpan(path="20bn-something-something-v2/78687.webm")}
    fill = next(c for c in found.conversations if c.conversation_id.endswith("fill"))
    assert "Holding ____ next to ____." in fill.turns[0].question
    assert "potato" not in fill.turns[0].question


def test_what_is_not_wanted_is_not_asked(tmp_path: Path) -> None:
    found = read(root_with(tmp_path, [ROW]), skip=frozenset({"fill", "template"}), first_person=False)
    assert answers(found) == {"78687/action": "Holding a potato next to a vicks vaporub bottle."}
    assert "templates are not checked" in found.notes[0]


@pytest.mark.parametrize(
    ("template", "things", "said"),
    [
        ("Putting [number of] [something] onto [something]", ["3", "pens", "book"], "I am putting 3 pens onto a book."),
        ("Moving [part] of [something]", ["wheel", "toy car"], "I am moving the wheel of a toy car."),
        ("Pouring [something] into [something]", ["water", "cup"], "I am pouring water into a cup."),
        ("[Something] falling like a rock", ["egg"], "I see an egg falling like a rock."),
        ("Taking [one of many similar things on the table]", ["pen"], "I am taking a pen."),
        ("Opening [something]", ["the door"], "I am opening the door."),
        ("Folding [something]", ["two shirts"], "I am folding two shirts."),
        ("Approaching [something] with your camera", ["cup"], "I am approaching a cup with my camera."),
        (
            "Failing to put [something] into [something] because [something] does not fit",
            ["a ball", "cup", "a ball"],
            "I am failing to put a ball into a cup because the ball does not fit.",
        ),
    ],
)
def test_articles_and_persons(tmp_path: Path, template: str, things: list[str], said: str) -> None:
    row = {"id": "1", "label": "x", "template": template, "placeholders": things}
    assert answers(read(root_with(tmp_path, [row])))["1/action"] == said


def test_a_label_stands_where_placeholders_do_not_fit_the_template(tmp_path: Path) -> None:
    found = answers(read(root_with(tmp_path, [ROW | {"placeholders": ["potato"]}])))
    assert found["78687/action"] == "I am holding potato next to vicks vaporub bottle."
    assert "78687/fill" not in found


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": 78687}, "field 'id' is 78687; expected a string"),
        ({"id": "../x"}, "inside the folder of videos"),
        ({"label": " "}, "field 'label' is \" \"; expected a text"),
        ({"template": None}, "field 'template' is null"),
        ({"template": "Dancing with [something]"}, "one that labels.json lists"),
        ({"placeholders": ["a", 3]}, "field 'placeholders' is"),
        ({"placeholders": "potato"}, "expected a list"),
    ],
)
def test_bad_rows_are_counted_and_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    found = read(root_with(tmp_path, [ROW, ROW | changes], LABELS))
    assert len(found.conversations) == 3
    assert [bad.row for bad in found.bad_rows] == [1]
    assert "train.json: row 1: " in found.bad_rows[0].reason
    assert message in found.bad_rows[0].reason


def test_older_names_and_bad_files(tmp_path: Path) -> None:
    assert len(read(root_with(tmp_path / "old", [ROW], name="something-something-v2-train.json")).conversations) == 3
    with pytest.raises(FormatError, match="expected an object"):
        read(root_with(tmp_path / "a", [ROW], ["no", "table"]))
    with pytest.raises(MissingFileError, match=r"labels/train\.json, labels/something-something-v2-train\.json"):
        read(tmp_path)


@pytest.mark.skipif(
    not REAL.is_dir(), reason="the rows of Something-Something-V2 are not beside this checkout (../shared/data)"
)
def test_the_real_rows(tmp_path: Path) -> None:
    rows = [row for name in ("train", "validation") for row in json.loads((REAL / f"{name}.sample.json").read_text())]
    found = read(root_with(tmp_path, rows, json.loads((REAL / "labels.rebuilt.json").read_text())))
    assert not found.bad_rows
    assert [a for key, a in answers(found).items() if key.endswith("/action")] == [
        "I am holding a potato next to a vicks vaporub bottle.",
        "I am spreading margarine onto bread.",
        "I am moving a ladle away from a hot pack.",
        "I am pretending to put a vessel onto a poori maker.",
        "I am spinning a cube that quickly stops spinning.",
        "I am showing a clay box on top of a wallet.",
        "I am moving a glass up.",
        "I see plastic falling like a feather or paper.",
    ]


@pytest.mark.skipif(not REAL.is_dir(), reason="the 174 templates are not beside this checkout (../shared/data)")
def test_all_174_templates_read_well(tmp_path: Path) -> None:
    lines = (REAL / "label_map.txt").read_text().splitlines()
    rows = []
    for number, line in enumerate(lines):
        template = re.sub(r"\b([Ss]omething|number of|somewhere)\b", r"[\1]", line)
        places = re.findall(r"\[([^\]]*)\]", template)
        things = ["3" if place == "number of" else ("cup", "egg", "pens")[n % 3] for n, place in enumerate(places)]
        rows.append({"id": str(number), "label": line.lower(), "template": template, "placeholders": things})
    found = answers(read(root_with(tmp_path, rows, json.loads((REAL / "labels.rebuilt.json").read_text()))))
    assert len([key for key in found if key.endswith("/action")]) == 174
    for answer in found.values():
        assert re.match(r"I (?:am \w+ing|see) ", answer), answer
        assert not re.search(r"\b(?:your|you|a egg|an cup|a pens|a water)\b|[\[\]_]|  ", answer), answer
