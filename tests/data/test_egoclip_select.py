"""From EgoClip's table to shards: layouts of videos, every reason of leaving out, the right frames, no leak."""

import json
import math
import random
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from coded_video import make_video, numbers_of, steady
from egoclip_table import UIDS, Row, clip, write_table
from hypothesis import given
from hypothesis import strategies as st

from exo2ego.cli.__main__ import main
from exo2ego.data.held_out import HeldOutSpan, held_out
from exo2ego.data.shard_group import ClipFormat
from exo2ego.data.shards import ShardSet, open_shards
from exo2ego.data.sources.egoclip import EgoClipRow, EgoClipTable
from exo2ego.data.sources.egoclip_exclude import read_excluded
from exo2ego.data.sources.egoclip_select import (
    DROP_REASONS,
    KINDS,
    EgoClipRule,
    Selection,
    locate,
    plan_clips,
    select,
)
from exo2ego.data.sources.egoclip_videos import LAYOUTS, find_layout
from exo2ego.data.sources.templates import load_templates
from exo2ego.data.video import read_frames
from exo2ego.errors import FormatError, MissingFileError

WHOLE = LAYOUTS["whole"]
CHUNKED = ("chunks600", "chunks300")


@pytest.fixture(scope="module")
def numbered() -> Callable[[int], bytes]:
    """Six seconds at 10 frames a second whose first frame shows a number."""
    made: dict[int, bytes] = {}

    def video(first: int) -> bytes:
        if first not in made:
            made[first] = make_video(steady(60), width=48, first_number=first)
        return made[first]

    return video


@pytest.fixture
def whole(tmp_path: Path, numbered: Callable[[int], bytes]) -> Path:
    """Three whole videos."""
    root = tmp_path / "whole"
    root.mkdir()
    for position, uid in enumerate(UIDS):
        (root / f"{uid}.mp4").write_bytes(numbered(100 * position))
    return root


def selected(folder: Path, root: Path, rows: list[Row], **rule: object) -> Selection:
    table = EgoClipTable(write_table(folder / "e.csv", rows))
    return select(table, root, WHOLE, EgoClipRule(**rule))  # type: ignore[arg-type]


def keys(selection: Selection, root: Path, **rule: object) -> list[str]:
    chosen = EgoClipRule(**rule)  # type: ignore[arg-type]
    planned = plan_clips(selection, root, chosen, load_templates("egoclip", KINDS), ClipFormat())
    return [item.sample.key for item in planned]


def test_every_row_left_out_is_counted_under_its_reason(tmp_path: Path, whole: Path) -> None:
    rows = [
        clip(0),
        clip(1, UIDS[1]),
        clip(2, clip_text="#O A man X walks"),
        clip(4, clip_text="#C C lifts the #unsure"),
        clip(6, clip_text="#C  "),
        clip(8, tag_verb="[94]"),
        clip(10, start_s=6.5, end_s=7.0),
        clip(12, "gone-0000"),
        clip(0),
        clip(14, narration_source="narration_pass_2"),
        clip(16, clip_end="x"),
    ]
    spans = [HeldOutSpan(video=name, start_s=None, end_s=None, bench="", item="") for name in (UIDS[1], "never")]
    rule = {"exclude": held_out(spans), "verbs": frozenset({93}), "narration_source": "narration_pass_1"}
    found = selected(tmp_path, whole, rows, **rule)
    assert found.dropped == {
        "excluded video": 1,
        "other narration pass": 1,
        "other subject": 1,
        "unsure": 1,
        "empty": 1,
        "other tags": 1,
        "outside the video": 1,
        "missing video": 1,
        "crosses a chunk boundary": 0,
        "repeated row": 1,
        "beyond the limit": 0,
    }
    assert tuple(found.dropped) == DROP_REASONS
    assert (found.total, found.bad, found.excluded_videos, len(found.places)) == (11, 1, 1, 1)
    assert "line 12" in found.bad_rows[0].reason
    kept = selected(tmp_path, whole, rows, keep_other_subjects=True, keep_unsure=True, nouns=frozenset({12}))
    assert len(kept.places) == 6


def test_a_table_without_a_usable_row_is_refused(tmp_path: Path, whole: Path) -> None:
    with pytest.raises(FormatError, match=r"not one usable row in 2; the first: .*line 2: field 'clip_idx'"):
        selected(tmp_path, whole, [clip(0, clip_idx="a"), clip(1, clip_idx="b")])


@given(st.integers(0, 5), st.integers(1, 40), st.randoms(use_true_random=False))
def test_a_limit_chooses_the_same_clips_in_whatever_order_the_rows_stand(
    tmp_path_factory: pytest.TempPathFactory, seed: int, limit: int, shuffler: random.Random
) -> None:
    root = tmp_path_factory.getbasetemp() / "empty-videos"
    root.mkdir(exist_ok=True)
    for uid in UIDS:
        (root / f"{uid}.mp4").touch()
    rows = [clip(n, UIDS[n % 3], start_s=(n * 7 % 40) / 10, end_s=5.0) for n in range(40)]
    rule = {"limit": limit, "seed": seed}
    straight = keys(selected(root, root, rows, **rule), root, **rule)
    assert len(straight) == limit
    larger = keys(selected(root, root, rows, limit=limit + 3, seed=seed), root)
    assert set(straight) <= set(larger)
    shuffler.shuffle(rows)
    again = keys(selected(root, root, rows, **rule), root, **rule)
    assert set(again) == set(straight)
    videos = [key.rpartition("-")[0] for key in again]
    assert sum(a != b for a, b in pairwise(videos)) < 3, "clips of a video stand together"


def test_seeds_choose_differently(tmp_path: Path, whole: Path) -> None:
    rows = [clip(n) for n in range(40)]
    first, second = (
        keys(selected(tmp_path, whole, rows, limit=10, seed=seed), whole, limit=10, seed=seed) for seed in (0, 1)
    )
    assert set(first) != set(second)


def row_of(start_s: float, end_s: float, duration_s: float, time_s: float | None = None) -> EgoClipRow:
    return EgoClipRow(
        clip_idx=0,
        video_uid="u",
        video_dur_s=duration_s,
        narration_source="",
        narration_ind=0,
        narration_time_s=(start_s + end_s) / 2 if time_s is None else time_s,
        clip_start_s=start_s,
        clip_end_s=end_s,
        clip_text="#C C waves",
        verbs=(),
        nouns=(),
    )


seconds = st.floats(-5, 2000, allow_nan=False)


@given(
    seconds, st.floats(0, 60), st.floats(0.01, 2000), st.sampled_from(list(LAYOUTS)), st.sampled_from(["drop", "clamp"])
)
def test_a_clip_lies_in_its_piece_and_is_as_wide_as_asked_where_that_is_possible(
    start_s: float, width_s: float, duration_s: float, layout: str, crossing: str
) -> None:
    row = row_of(start_s, start_s + width_s, duration_s)
    rule = EgoClipRule(crossing=crossing)
    place = locate(row, LAYOUTS[layout], rule)
    if isinstance(place, str):
        is_outside = start_s > duration_s or start_s + width_s < 0
        assert place == ("outside the video" if is_outside else "crosses a chunk boundary")
        if place.startswith("crosses"):
            assert layout != "whole"
        return
    length = LAYOUTS[layout].chunk_s
    begin = 0.0
    if length is not None:
        stem = int(Path(place.path).stem)
        begin = stem * length if layout == "chunks600" else float(stem)
        assert place.end_s <= begin + length + 1e-6
    assert place.begins_s == begin
    assert begin <= place.start_s < place.end_s <= duration_s + 1e-9
    assert place.end_s - place.start_s >= min(rule.min_width_s, duration_s) - 1e-9
    middle = min(max(place.start_s, start_s), start_s + width_s)
    assert math.isclose(middle, place.start_s, abs_tol=rule.min_width_s + 1e-6), "no clip wanders from its narration"


@pytest.mark.parametrize(
    ("start", "end", "time", "layout", "crossing", "expected"),
    [
        (599.0, 600.0, 599.5, "chunks600", "drop", ("u/0.mp4", 599.0, 600.0)),
        (600.0, 601.0, 600.5, "chunks600", "drop", ("u/1.mp4", 0.0, 1.0)),
        (300.5, 301.5, 301.0, "chunks300", "drop", ("u.mp4/300.mp4", 0.5, 1.5)),
        (900.0, 901.0, 900.5, "chunks300", "drop", ("u.mp4/900.mp4", 0.0, 1.0)),
        (599.0, 601.0, 600.0, "whole", "drop", ("u.mp4", 599.0, 601.0)),
        (599.0, 601.0, 599.9, "chunks600", "drop", "crosses a chunk boundary"),
        (599.0, 601.0, 599.9, "chunks600", "clamp", ("u/0.mp4", 599.0, 600.0)),
        (599.0, 601.0, 600.1, "chunks600", "clamp", ("u/1.mp4", 0.0, 1.0)),
        (599.97, 601.0, 599.98, "chunks600", "clamp", "crosses a chunk boundary"),
        (5.0, 5.0, 5.0, "whole", "drop", ("u.mp4", 4.95, 5.05)),
        (0.0, 0.0, 0.0, "whole", "drop", ("u.mp4", 0.0, 0.1)),
        (-0.4, 0.3, 0.0, "whole", "drop", ("u.mp4", 0.0, 0.3)),
        (1299.9, 1301.0, 1300.0, "whole", "drop", ("u.mp4", 1299.9, 1300.0)),
    ],
)
def test_where_a_clip_is_cut(
    start: float, end: float, time: float, layout: str, crossing: str, expected: tuple[str, float, float] | str
) -> None:
    place = locate(row_of(start, end, 1300.0, time), LAYOUTS[layout], EgoClipRule(crossing=crossing))
    if isinstance(expected, str):
        assert place == expected
    else:
        assert not isinstance(place, str)
        found = (place.path, place.start_s - place.begins_s, place.end_s - place.begins_s)
        assert found == (expected[0], *map(pytest.approx, expected[1:]))


def test_the_layout_is_found_or_asked_for(tmp_path: Path, whole: Path) -> None:
    assert find_layout(whole).name == "whole"
    (whole / "notes").mkdir()
    assert find_layout(whole).name == "whole"
    (whole / "notes/3.mp4").touch()
    with pytest.raises(FormatError, match=r"more than one layout: .*whole \(aaaa.*say which with --video-layout"):
        find_layout(whole)
    assert find_layout(whole, "chunks300").name == "chunks300"
    with pytest.raises(FormatError, match="video layout 'cubes'; expected auto, chunks600"):
        find_layout(whole, "cubes")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(MissingFileError, match="holds no videos as EgoClip's are stored"):
        find_layout(empty)
    with pytest.raises(MissingFileError, match="no such folder"):
        find_layout(tmp_path / "gone")


def test_seconds_of_a_video_can_be_excluded(tmp_path: Path, whole: Path) -> None:
    path = tmp_path / "held-out.jsonl"
    path.write_text(json.dumps({"video": f"{UIDS[0].upper()}.mp4", "start_s": 2.0, "end_s": 3.0}) + "\n")
    times = [(0.5, 1.5), (1.8, 2.2), (2.4, 2.4), (3.0, 3.0), (3.2, 4.0)]
    rows = [clip(n, start_s=start, end_s=end) for n, (start, end) in enumerate(times)]
    found = selected(tmp_path, whole, [*rows, clip(9, UIDS[1], 2.0, 3.0)], exclude=read_excluded([path]))
    assert found.dropped["excluded video"] == 3, "the one at 3.0 s is widened into what is excluded"
    assert [key[-1] for key in keys(found, whole)] == ["0", "4", "9"]
    assert found.excluded_videos == 1


def egoclip(csv: Path, root: Path, out: Path, *more: str) -> int:
    options = ["--frames", "4", "--size", "48", "--csv", str(csv), "--videos", str(root), "--out", str(out)]
    return main(["data", "egoclip", *options, *more])


def shown(shards: ShardSet) -> dict[str, list[int]]:
    """Numbers of the frames of every clip, by clip index."""
    return {
        sample.key.rpartition("-")[2]: numbers_of(
            read_frames(shards.read(sample, "video"), [(i + 0.5) / sample.fps for i in range(4)])
        )
        for sample in shards.samples
    }


def test_the_right_frames_are_stored_and_told(tmp_path: Path, whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        clip(0, start_s=1.0, end_s=1.4),
        clip(1, UIDS[2], start_s=4.0, end_s=4.4, clip_text="#O A man X waves"),
        clip(2, UIDS[0], start_s=0.2, end_s=0.6, clip_text="#C C lifts C's cup"),
        clip(3, UIDS[1]),
    ]
    csv = write_table(tmp_path / "e.csv", rows)
    (tmp_path / "ban.txt").write_text(UIDS[1])
    out = tmp_path / "out"
    options = ["--exclude", str(tmp_path / "ban.txt"), "--keep-other-subjects", "--rewrite-subject"]
    assert egoclip(csv, whole, out, *options) == 0
    printed = capsys.readouterr().out
    assert "rows: 4, kept: 3; videos stored as whole" in printed
    assert "left out, excluded video: 1" in printed
    assert "excluded videos that the table has: 1 of 1 named" in printed
    built = open_shards(out)
    assert shown(built) == {"0": [10, 11, 12, 13], "1": [240, 241, 242, 243], "2": [2, 3, 4, 5]}
    assert [(s.key, s.take_uid, s.split, s.views, s.source) for s in built.samples] == [
        (f"{UIDS[0]}-2", UIDS[0], "train", ("video",), "egoclip"),
        (f"{UIDS[0]}-0", UIDS[0], "train", ("video",), "egoclip"),
        (f"{UIDS[2]}-1", UIDS[2], "train", ("video",), "egoclip"),
    ]
    said = {s.key[-1]: s.conversations[0][0] for s in built.samples}
    assert said["0"].answer == "Camera-wearer lifts cup 0"
    assert said["2"].answer == "Camera-wearer lifts C's cup"
    assert said["1"].answer == "A man X waves"
    templates = load_templates("egoclip", KINDS)
    assert said["0"].question == templates.ask("wearer", f"{UIDS[0]}-0")
    assert said["1"].question == templates.ask("others", f"{UIDS[2]}-1")
    report = built.manifest["report"]
    assert (report["rows"], report["dropped"]["excluded video"], report["excluded_videos"]) == (4, 1, 1)
    assert egoclip(csv, whole, out, *options) == 0, "running it again finds it done"
    assert egoclip(csv, whole, out, *options, "--seed", "3") == 2, "other settings do not go into the same folder"


def test_the_wearer_tells_it_in_the_first_person(tmp_path: Path, whole: Path) -> None:
    texts = {
        "#C C picks a bag of clothes from the floor": "I pick a bag of clothes from the floor.",
        "#C C washes C's hands and dries the cup": "I wash my hands and dry the cup.",
        "#C C puts his phone beside cups and plates": "I put my phone beside cups and plates.",
        "#C C is looking around": "I am looking around.",
        "#O A man X lifts his cup": "A man X lifts his cup",
    }
    rows = [clip(n, clip_text=text) for n, text in enumerate([*texts, "#C C"])]
    rule = EgoClipRule(first_person=True, keep_other_subjects=True)
    table = EgoClipTable(write_table(tmp_path / "e.csv", rows))
    found = select(table, whole, WHOLE, rule)
    assert found.dropped["empty"] == 1
    templates = load_templates("egoclip", KINDS)
    planned = list(plan_clips(found, whole, rule, templates, ClipFormat()))
    said = {item.sample.key[-1]: item.sample.conversations[0][0] for item in planned}
    assert [said[str(n)].answer for n in range(5)] == list(texts.values())
    assert {said[str(n)].question for n in range(4)} <= set(templates.lines["me"])
    assert said["4"].question in templates.lines["others"]


@pytest.mark.parametrize("layout", CHUNKED)
def test_pieces_of_a_video_are_found_and_boundaries_kept(
    layout: str, tmp_path: Path, numbered: Callable[[int], bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    length = 600 if layout == "chunks600" else 300
    folder = tmp_path / "videos" / (UIDS[0] if layout == "chunks600" else f"{UIDS[0]}.mp4")
    folder.mkdir(parents=True)
    for piece in range(2):
        name = piece if layout == "chunks600" else piece * length
        (folder / f"{name}.mp4").write_bytes(numbered(100 * piece))
    rows = [
        clip(0, start_s=2.0, end_s=2.4, video_dur=2000),
        clip(1, start_s=length + 3.0, end_s=length + 3.4, video_dur=2000),
        clip(2, start_s=length - 0.2, end_s=length + 0.4, narration_time=length + 0.1, video_dur=2000),
        clip(3, start_s=2 * length + 1, end_s=2 * length + 2, video_dur=2000),
    ]
    csv = write_table(tmp_path / "e.csv", rows)
    assert egoclip(csv, tmp_path / "videos", tmp_path / "out") == 0
    printed = capsys.readouterr().out
    assert f"rows: 4, kept: 2; videos stored as {layout}" in printed
    assert "left out, crosses a chunk boundary: 1" in printed
    assert "left out, missing video: 1" in printed
    assert "no --exclude: EgoMCQ and EgoSchema show videos of Ego4D too" in printed
    both = {"0": [20, 21, 22, 23], "1": [130, 131, 132, 133]}
    starts = [sample.start_s for sample in open_shards(tmp_path / "out").samples]
    assert starts == pytest.approx([2.0, length + 3.0]), "seconds of the recording, not of the piece"
    assert shown(open_shards(tmp_path / "out")) == both
    assert egoclip(csv, tmp_path / "videos", tmp_path / "clamped", "--crossing", "clamp") == 0
    assert shown(open_shards(tmp_path / "clamped")) == both | {"2": [100, 101, 102, 103]}


def test_mistakes_are_one_line(tmp_path: Path, whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    csv = write_table(tmp_path / "e.csv", [clip(0)])
    out = tmp_path / "out"
    for arguments, says in (
        ((tmp_path / "gone.csv", whole), "gone.csv: no such file"),
        ((csv, tmp_path / "gone"), "gone: no such folder of videos"),
        ((csv, whole, "--min-width", "0"), "the minimum width is 0.0"),
        ((csv, whole, "--limit", "0"), "0 is below 1"),
        ((csv, whole, "--first-person", "--rewrite-subject"), "told as I (--first-person) or as Camera-wearer"),
        ((csv, whole, "--noun", "999"), "there is nothing to store"),
        ((csv, whole, "--exclude", str(tmp_path / "gone.txt")), "gone.txt: cannot be read"),
        ((csv, whole, "--templates", str(tmp_path / "none")), "none: no such folder of templates"),
    ):
        source, root, *more = arguments
        assert egoclip(Path(source), Path(root), out, *map(str, more)) == 2
        complaint = capsys.readouterr().err
        assert says in complaint
        assert complaint.count("\n") == 1
        assert not out.exists()


def test_there_are_enough_templates_and_none_tells_the_answer() -> None:
    lines = load_templates("egoclip", KINDS).lines
    for kind in ("wearer", "me", "others"):
        assert len(set(lines[kind])) >= 10
    assert len({line for kind in lines.values() for line in kind}) == sum(map(len, lines.values()))
    assert all(re.search(r"\b(I|my|mine|me|first person|first-person)\b", line, re.IGNORECASE) for line in lines["me"])
    assert not any(word in f" {line} " for line in lines["wearer"] for word in (" I ", " my ", " you "))
