"""EgoTimeQA as written: moments at 30 frames a second in files of another rate, answers that are told."""

import json
from dataclasses import replace

from coded_sources import CodedSources

from exo2ego.data.video import probe
from exo2ego.sim.bench_qaego4d import PAST, clip_uid
from exo2ego.sim.source_egotimeqa import files
from exo2ego.sim.spec import COLOURS, SimSpec
from exo2ego.sim.world import TakePlan


def test_moments_are_seconds_times_30_whatever_the_file_has(coded: CodedSources) -> None:
    """The act of one event, in a file of ten frames a second."""
    rows = json.loads((coded.root / "egotimeqa" / "annotations.EgoTimeQA.json").read_text())
    takes = {clip_uid(coded.spec, plan): plan for plan in coded.takes}
    assert {path.stem for path in (coded.root / "egotimeqa" / "videos").iterdir()} == set(takes)
    for row in rows:
        assert list(row) == [
            *("video_id", "sample_id", "answer", "question"),
            *("moment_start_frame", "moment_end_frame", "wrong_answers"),
        ]
        assert row["sample_id"] == row["video_id"]
        plan = takes[row["video_id"]]
        start_s, end_s = row["moment_start_frame"] / 30, row["moment_end_frame"] / 30
        event = coded.event_at(plan, start_s, end_s)
        assert row["answer"] in (f"{PAST[event.verb]} it", f"the {event.kind}")
        video = coded.root / "egotimeqa" / "videos" / f"{row['video_id']}.mp4"
        assert probe(video).fps == 10
        assert coded.near(coded.shown(video, [start_s, end_s]), [coded.expected(plan, one) for one in (start_s, end_s)])


def test_questions_hold_no_comma_and_never_what_is_untold(plan_spec: SimSpec, plans: list[TakePlan]) -> None:
    """Unless all facts are asked for."""
    listed = json.loads(files(plan_spec, plans).texts["annotations.EgoTimeQA.json"])
    words = set()
    for row in listed:
        assert len({row["answer"], *row["wrong_answers"]}) == 4
        assert not any("," in text for text in (row["question"], row["answer"], *row["wrong_answers"]))
        words |= set(f"{row['question']} {row['answer']}".rstrip("?").split())
    assert not words & {*COLOURS, "hand", "left", "right"}
    told = {row["question"] for row in listed}
    more = json.loads(files(replace(plan_spec, source_facts="all"), plans).texts["annotations.EgoTimeQA.json"])
    assert {row["answer"] for row in more} > set(COLOURS)
    assert told < {row["question"] for row in more}


def test_qaego4ds_train_file_has_the_same_questions_with_ids_of_their_own(coded: CodedSources) -> None:
    """With the keys that EgoTimeQA lacks."""
    folder = coded.root / "egotimeqa"
    rows = json.loads((folder / "annotations.EgoTimeQA.json").read_text())
    others = json.loads((folder / "annotations.QaEgo4D_train.json").read_text())
    assert [row["question"] for row in others] == [row["question"] for row in rows]
    assert len({row["sample_id"] for row in others}) == len(others)
    assert all(row["video_end_sec"] > row["video_start_sec"] == 0 for row in others)
