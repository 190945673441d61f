"""The list of what must not be trained on: names and seconds compared, files checked row by row."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo2ego.data.egoexo4d import read_take_names
from exo2ego.data.held_out import HeldOutSpan, dump_held_out, held_out, read_held_out, with_other_names
from exo2ego.data.shards import ShardSample
from exo2ego.errors import FormatError, MissingFileError

TIMES = st.tuples(st.integers(0, 30), st.integers(1, 9))


def sample(video: str, start_s: float, end_s: float) -> ShardSample:
    return ShardSample(
        key="k", split="train", take_uid=video, scenario="", text="", start_s=start_s, end_s=end_s, fps=8.0,
        views=("video",), best_exo=None, source="test",
    )  # fmt: skip


def span(video: str, start_s: float | None = None, end_s: float | None = None, item: str = "i") -> HeldOutSpan:
    return HeldOutSpan(video=video, start_s=start_s, end_s=end_s, bench="b", item=item)


@given(spans=st.lists(TIMES, max_size=6), asked=TIMES)
def test_a_sample_is_found_exactly_where_it_shares_a_second(spans, asked):
    listed = held_out(span("v", float(low), float(low + width)) for low, width in spans)
    seconds = {second for low, width in spans for second in range(low, low + width)}
    wanted = set(range(asked[0], sum(asked)))
    found = listed.find(sample("x/V.mp4", float(asked[0]), float(sum(asked))))
    assert (found is not None) == bool(seconds & wanted)
    assert listed.find(sample("w", 0.0, 99.0)) is None


def test_unknown_places_hold_out_all_of_a_recording_and_open_ends_the_rest_of_it():
    assert held_out([span("v")]).find(sample("v", 100.0, 101.0)) is not None
    rest = held_out([span("v", 50.0)])
    assert rest.find(sample("v", 100.0, 101.0)) is not None
    assert rest.find(sample("v", 1.0, 50.0)) is None


@pytest.mark.parametrize("path", ["ego4d/UID-1/2.mp4", "ego4d/uid-1.mp4/1200.mp4"])
def test_pieces_of_a_recording_are_put_back_into_it(path):
    listed = held_out([span("uid-1", 1210.0, 1215.0)])
    assert listed.find(sample(path, 11.0, 12.0)) is not None
    assert listed.find(sample(path, 20.0, 22.0)) is None
    assert held_out([span("2")]).find(sample("ssv2/2.mp4", 0.0, 1.0)) is not None


def test_a_file_is_read_back_and_equal_stretches_are_listed_once(tmp_path):
    spans = held_out([span("v", 1.0, 2.0, "first"), span("v", 1.0, 2.0, "second"), span("ü"), span("w", 3.0)])
    assert len(spans) == 3
    (tmp_path / "ids.jsonl").write_text(dump_held_out(spans) + "\n")
    assert read_held_out(tmp_path / "ids.jsonl") == spans
    assert spans.by_video["v"][0].told() == "b item first, from 1 s to 2 s"
    assert (spans.by_video["ü"][0].told(), spans.by_video["w"][0].told()) == (
        "b item i, somewhere in it",
        "b item i, from 3 s to its end",
    )


def test_a_line_by_hand_needs_only_the_recording(tmp_path):
    (tmp_path / "mine.jsonl").write_text('{"video": "takes/CMU_1.MP4"}\n')
    found = read_held_out(tmp_path / "mine.jsonl").find(sample("cmu_1", 0.0, 1.0))
    assert found is not None
    assert found.told() == "the list, somewhere in it"


def test_takes_are_listed_under_both_their_names(tmp_path):
    rows = [{"take_uid": "0A1B", "take_name": "cmu_bike01_2"}, {"take_uid": "ff", "take_name": "other"}]
    (tmp_path / "takes.json").write_text(json.dumps(rows))
    both = with_other_names(held_out([span("0a1b", 1.0, 2.0), span("other"), span("p01")]),
                            read_take_names(tmp_path / "takes.json"))  # fmt: skip
    assert set(both.by_video) == {"0a1b", "cmu_bike01_2", "other", "ff", "p01"}
    assert both.find(sample("cmu_bike01_2", 1.5, 1.6)) is not None
    assert both.find(sample("cmu_bike01_2", 2.5, 2.6)) is None


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "row 2: not a line of JSON"),
        ("[]", "row 2: expected an object"),
        ("{}", "row 2: field 'video' is missing"),
        ('{"video": 3}', "row 2: field 'video' is 3"),
        ('{"video": "/"}', "field 'video'"),
        ('{"video": "v", "start": 1}', "unknown field 'start'"),
        ('{"video": "v", "start_s": 2, "end_s": 2}', "field 'end_s' is 2; expected a time after start_s"),
        ('{"video": "v", "end_s": 2}', "field 'end_s' is 2"),
        ('{"video": "v", "start_s": -1}', "field 'start_s' is -1"),
        ('{"video": "v", "start_s": NaN}', "field 'start_s' is NaN"),
        ('{"video": "v", "start_s": "1"}', "field 'start_s'"),
    ],
)
def test_mistakes_name_file_row_and_field(tmp_path: Path, line: str, says: str):
    path = tmp_path / "ids.jsonl"
    path.write_text(f'{{"video": "v"}}\n{line}\n')
    with pytest.raises(FormatError) as raised:
        read_held_out(path)
    assert says in str(raised.value)
    assert str(path) in str(raised.value)


def test_lists_that_are_not_there_or_empty(tmp_path):
    with pytest.raises(MissingFileError, match=r"gone\.jsonl"):
        read_held_out(tmp_path / "gone.jsonl")
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(FormatError, match="holds no line"):
        read_held_out(tmp_path / "empty.jsonl")
