"""EgoClip as written: clips by EgoVLP's rule, three stores that show the same, dirt in measure."""

import statistics
from pathlib import Path

import pytest
from coded_sources import CodedSources

from exo2ego.data.video import probe
from exo2ego.sim.source_egoclip import COLUMNS, files, recordings
from exo2ego.sim.spec import SimSpec
from exo2ego.sim.world import TakePlan


def rows_of(text: str) -> tuple[list[dict[str, str]], list[list[str]]]:
    """Good rows, and the fields of the lines that have too many."""
    header, *lines = [line.split("\t") for line in text.splitlines()]
    assert tuple(header) == COLUMNS
    good = [dict(zip(COLUMNS, line, strict=True)) for line in lines if len(line) == len(COLUMNS)]
    return good, [line for line in lines if len(line) != len(COLUMNS)]


def actions(good: list[dict[str, str]]) -> list[dict[str, str]]:
    """The rows about events: those with a verb and a noun."""
    return [row for row in good if row["tag_verb"] != "[]"]


@pytest.fixture(scope="module")
def good(coded: CodedSources) -> list[dict[str, str]]:
    return rows_of((coded.root / "egoclip" / "egoclip.csv").read_text())[0]


def in_600(root: Path, row: dict[str, str], time_s: float) -> tuple[Path, float]:
    """Where EgoVLP looks for a time."""
    chunk = int(time_s // 600)
    return root / "chunks600" / row["video_uid"] / f"{chunk}.mp4", time_s - 600 * chunk


def in_300(root: Path, row: dict[str, str], time_s: float) -> tuple[Path, float]:
    """Where LaViLa looks for it."""
    start = int(time_s) // 300 * 300
    return root / "chunks300" / f"{row['video_uid']}.mp4" / f"{start}.mp4", time_s - start


def in_whole(root: Path, row: dict[str, str], time_s: float) -> tuple[Path, float]:
    return root / "whole" / f"{row['video_uid']}.mp4", time_s


def test_clips_lie_within_the_act_that_they_tell(coded: CodedSources, good: list[dict[str, str]]) -> None:
    """Also in the recording that joins takes; both annotators told every event."""
    found = {one.uid: one for one in recordings(coded.spec, coded.plans)}
    told = actions(good)
    for row in told:
        start_s, end_s = float(row["clip_start"]), float(row["clip_end"])
        acts = [
            event
            for event, at_s in found[row["video_uid"]].events()
            if event.act_start_s + at_s <= start_s < end_s <= event.act_end_s + at_s
        ]
        assert len(acts) == 1
        assert acts[0].kind in row["clip_text"]
        assert row["clip_text"].startswith(f"#C C {acts[0].verb} the ")


@pytest.mark.parametrize("place", [in_600, in_300, in_whole])
def test_every_store_shows_the_narrated_instant(place, coded: CodedSources, good: list[dict[str, str]]) -> None:
    """Each clip's middle, found by the arithmetic of those who read that store, is the frame of the take."""
    root = coded.root / "egoclip"
    found = {one.uid: one for one in recordings(coded.spec, coded.plans)}
    wanted: dict[Path, list[tuple[float, int]]] = {}
    for row in actions(good):
        time_s = float(row["narration_time"])
        path, inside_s = place(root, row, time_s)
        plan, at_s = next(
            (plan, at_s) for plan, at_s in found[row["video_uid"]].placed() if 0 <= time_s - at_s < plan.duration_s
        )
        wanted.setdefault(path, []).append((inside_s, coded.expected(plan, time_s - at_s)))
    for path, times in wanted.items():
        times.sort()
        assert coded.near(coded.shown(path, [one for one, _ in times]), [number for _, number in times])


def test_chunks_add_up_and_a_clip_lies_across_a_border(coded: CodedSources, good: list[dict[str, str]]) -> None:
    """The first recording has three chunks of 300 s and two of 600 s; the last ones are shorter."""
    root = coded.root / "egoclip"
    long = recordings(coded.spec, coded.plans)[0]
    whole = probe(root / "whole" / f"{long.uid}.mp4")
    assert whole.duration_s == pytest.approx(long.duration_s, abs=0.06)
    for folder, length_s in ((root / "chunks600" / long.uid, 600), (root / "chunks300" / f"{long.uid}.mp4", 300)):
        chunks = sorted(folder.iterdir(), key=lambda path: int(path.stem))
        frames = [probe(path).frames for path in chunks]
        assert frames[:-1] == [length_s * coded.spec.fps] * (len(frames) - 1)
        assert sum(frames) == whole.frames
    across = [row for row in actions(good) if float(row["clip_start"]) < 600 < float(row["clip_end"])]
    assert {row["video_uid"] for row in across} == {long.uid}


def test_the_rule_of_widths(coded: CodedSources, plan_spec: SimSpec, plans: list[TakePlan]) -> None:
    """As wide as the recording's mean distance of narrations over the mean of all: about a second."""
    good, _ = rows_of(files(plan_spec, plans).texts["egoclip.csv"])
    widths = {(row["video_uid"], row["narration_source"]): set() for row in good}
    for row in good:
        width = float(row["clip_end"]) - float(row["clip_start"])
        widths[row["video_uid"], row["narration_source"]].add(round(width, 4))
    assert all(len(one) == 1 or max(one) - min(one) < 2e-4 for one in widths.values())
    assert statistics.mean(max(one) for one in widths.values()) == pytest.approx(1.0, abs=1e-3)


def test_dirt_is_what_the_real_file_has(plan_spec: SimSpec, plans: list[TakePlan]) -> None:
    """Lines with a field too many, others' actions, unsure ones, clips that begin too early; a little of each."""
    good, torn = rows_of(files(plan_spec, plans).texts["egoclip.csv"])
    total = len(good) + len(torn)
    assert all(len(line) == len(COLUMNS) + 1 for line in torn)
    assert 0 < len(torn) < 0.06 * total
    assert 0 < sum(row["clip_text"].startswith("#O ") for row in good) < 0.15 * total
    assert 0 < sum("#unsure" in row["clip_text"] for row in good) < 0.1 * total
    early = [row for row in good if float(row["clip_start"]) < 0]
    assert {row["narration_ind"] for row in early} == {"0"}
    assert {row["narration_source"] for row in good} == {"narration_pass_1", "narration_pass_2"}


def test_one_take_is_enough(plan_spec: SimSpec, plans: list[TakePlan]) -> None:
    """A take is joined with itself until it is long enough."""
    train = next(plan for plan in plans if plan.split == "train")
    (only,) = recordings(plan_spec, [train])
    assert only.duration_s >= 600
    assert set(only.takes) == {train}
