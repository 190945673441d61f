"""EgoClip's rows: the real one, what its fields may be, and every malformed line named with its field."""

import ast
import tracemalloc
from pathlib import Path

import pytest
from egoclip_table import UIDS, clip, write_table
from hypothesis import given
from hypothesis import strategies as st

from exo2ego.data.sources.egoclip import EgoClipRow, EgoClipTable, Placed
from exo2ego.data.sources.reading import BadRow
from exo2ego.errors import FormatError, MissingFileError

REAL = Path(__file__).parents[3] / "shared" / "data" / "egoclip_egomcq" / "egoclip.sample1.tsv"


def rows(path: Path) -> list[EgoClipRow | BadRow]:
    return [entry if isinstance(entry, BadRow) else entry.row for entry in EgoClipTable(path).rows()]


@pytest.mark.skipif(not REAL.is_file(), reason="no ../shared/data/egoclip_egomcq")
def test_the_real_row() -> None:
    (row,) = rows(REAL)
    assert row == EgoClipRow(
        clip_idx=0,
        video_uid="001e3e4e-2743-47fc-8564-d5efd11f9e90",
        video_dur_s=128.033333,
        narration_source="narration_pass_1",
        narration_ind=0,
        narration_time_s=3.3445,
        clip_start_s=2.967651,
        clip_end_s=3.721266,
        clip_text="#C C picks a bag of clothes from the floor",
        verbs=(93,),
        nouns=(192, 115, 12),
    )
    assert row.narration == "C picks a bag of clothes from the floor"
    assert row.is_about_wearer
    assert not row.is_unsure


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clip_idx": "1.5"}, "field 'clip_idx' is \"1.5\"; expected a whole number"),
        ({"clip_idx": "-1"}, "'clip_idx'"),
        ({"video_uid": "../etc"}, "field 'video_uid' is \"../etc\"; expected letters, digits"),
        ({"video_uid": ""}, "'video_uid'"),
        ({"video_dur": "0"}, "field 'video_dur' is \"0\"; expected more than 0"),
        ({"video_dur": "nan"}, "expected a finite number of seconds"),
        ({"narration_time": ""}, "field 'narration_time' is \"\""),
        ({"clip_start": "inf"}, "field 'clip_start' is \"inf\""),
        ({"clip_end": "0.5"}, "field 'clip_end' is \"0.5\"; expected no less than clip_start, 1.0"),
        ({"tag_verb": "__import__('os')"}, "field 'tag_verb'"),
        ({"tag_noun": "[1, 2"}, "field 'tag_noun' is \"[1, 2\"; expected a list of whole numbers"),
        ({"tag_noun": "[" + "1, " * 2000 + "1]"}, "field 'tag_noun'"),
        ({"tag_noun": "[1]\textra"}, "12 fields where there should be 11"),
        ({"clip_text": '"never closed'}, "a quotation mark is not closed"),
    ],
)
def test_a_malformed_line_is_named_and_the_others_are_read(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    path = write_table(tmp_path / "e.csv", [clip(0), clip(1, **changes), clip(2)])
    first, bad, last = rows(path)
    assert isinstance(first, EgoClipRow)
    assert isinstance(last, EgoClipRow)
    assert isinstance(bad, BadRow)
    assert bad.row == 3
    assert f"e.csv: line 3: {message}" in bad.reason or message in bad.reason


def test_quoted_texts_may_hold_tabs_and_line_ends(tmp_path: Path) -> None:
    path = write_table(tmp_path / "e.csv", [clip(0, clip_text='"#C C says ""hi""\tand\nwaves"'), clip(1)])
    first, second = rows(path)
    assert isinstance(first, EgoClipRow)
    assert first.clip_text == '#C C says "hi"\tand\nwaves'
    assert first.narration == 'C says "hi" and waves'
    assert isinstance(second, EgoClipRow)


@pytest.mark.parametrize(
    ("text", "narration", "is_wearer", "is_unsure"),
    [
        ("#C C picks a bag", "C picks a bag", True, False),
        ("#c C picks", "C picks", True, False),
        ("# C C picks", "C picks", True, False),
        ("#O A man X walks", "A man X walks", False, False),
        ("#C C holds a #unsure", "C holds a #unsure", True, True),
        ("#C C holds # Unsure", "C holds # Unsure", True, True),
        ("C picks", "C picks", True, False),
        ("C's hand moves", "C's hand moves", True, False),
        ("Cups fall", "Cups fall", False, False),
        ("#C", "", True, False),
        ("#summary C cooks", "#summary C cooks", False, False),
    ],
)
def test_tags_of_texts(tmp_path: Path, text: str, narration: str, is_wearer: bool, is_unsure: bool) -> None:
    (row,) = rows(write_table(tmp_path / "e.csv", [clip(0, clip_text=text)]))
    assert isinstance(row, EgoClipRow)
    assert (row.narration, row.is_about_wearer, row.is_unsure) == (narration, is_wearer, is_unsure)


@given(st.text(st.sampled_from("[], 0123456789-x."), max_size=12))
def test_lists_of_numbers_are_read_as_python_reads_them(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = write_table(tmp_path_factory.getbasetemp() / "tags.csv", [clip(0, tag_noun=text)])
    (row,) = rows(path)
    try:
        value = ast.literal_eval(text.strip())
    except (SyntaxError, ValueError):
        value = None
    is_list = isinstance(value, list) and all(type(item) is int and item >= 0 for item in value)
    if isinstance(row, EgoClipRow):
        if value is None:  # "[007]" is a list of numbers to everyone but Python
            value = [int(item) for item in text.strip(" []").split(",") if item.strip()]
        assert row.nouns == tuple(value)
    else:
        assert not is_list or text.rstrip("] ").endswith(",")


def test_columns_are_found_by_name(tmp_path: Path) -> None:
    path = write_table(tmp_path / "e.csv", [clip(7)])
    lines = [line.split("\t") for line in path.read_text().splitlines()]
    moved = [["index", *line[::-1]] for line in lines]
    path.write_text("\ufeff" + "\r\n".join("\t".join(line) for line in moved), encoding="utf-8")
    (row,) = rows(path)
    assert isinstance(row, EgoClipRow)
    assert (row.clip_idx, row.nouns) == (7, (192, 115, 12))


def test_a_file_that_is_no_such_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    for content, found in (("a,b\n1,2\n", "found: a,b"), ("", "found: nothing")):
        path.write_text(content)
        with pytest.raises(FormatError, match=f"no column 'clip_idx' in its first line .*{found}"):
            EgoClipTable(path)
    with pytest.raises(MissingFileError, match="no such file"):
        EgoClipTable(tmp_path / "gone.csv")


def test_rows_are_read_again_at_their_places_and_a_changed_file_is_noticed(tmp_path: Path) -> None:
    path = write_table(tmp_path / "e.csv", [clip(n, clip_text=f'"#C C lifts\n{n}"') for n in range(5)])
    table = EgoClipTable(path)
    found = [entry for entry in table.rows() if isinstance(entry, Placed)]
    places = [(entry.offset, entry.size) for entry in reversed(found)]
    assert list(table.at(places)) == [entry.row for entry in reversed(found)]
    path.write_text(path.read_text()[20:])
    with pytest.raises(FormatError, match=r"has changed at byte \d+ while it was read"):
        list(table.at(places))


def test_memory_does_not_grow_with_the_table(tmp_path: Path) -> None:
    path = write_table(tmp_path / "e.csv", (clip(n, UIDS[n // 7000]) for n in range(20_000)))
    seen: list[tuple[int, int]] = []
    tracemalloc.start()
    try:
        assert sum(1 for _ in EgoClipTable(path).rows(lambda done, total: seen.append((done, total)))) == 20_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 500_000 < path.stat().st_size
    assert seen[-1] == (path.stat().st_size, path.stat().st_size)
