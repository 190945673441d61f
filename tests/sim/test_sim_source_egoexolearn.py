"""EgoExoLearn as written: asynchronous views, times within acts, hands in no text, two answers that are no letters."""

import csv
import io
import json
import re
from collections import Counter
from dataclasses import replace

from coded_sources import CodedSources

from exo2ego.data.video import probe
from exo2ego.sim.source_egoexolearn import FINE, TEXTS, files, videos
from exo2ego.sim.source_video_qa import LETTERS
from exo2ego.sim.spec import COLOURS, HANDS, VERBS, SimSpec
from exo2ego.sim.world import TakePlan


def table(text: str) -> list[dict[str, str]]:
    """Rows of a csv."""
    return list(csv.DictReader(io.StringIO(text)))


def test_times_are_those_of_the_view_that_is_named(coded: CodedSources) -> None:
    """An exo row's video shows the fixed camera of its take, an ego row's the head camera; 25 frames a second."""
    root = coded.root / "egoexolearn"
    found = {video.uid: video for video in videos(coded.spec, coded.plans)}
    rows = table((root / "annotations" / "fine_annotation_trainvaltest_en.csv").read_text())
    assert tuple(rows[0]) == (*FINE, *TEXTS)
    assert len(rows) == sum(len(plan.events) for plan in coded.takes)
    for row in rows:
        video = found[row["video_uid"]]
        assert (row["view"], row["scene"], row["subset"]) == (video.view, video.scene, video.subset)
        start_s, end_s = float(row["start_sec"]), float(row["end_sec"])
        event = coded.event_at(video.plan, start_s, end_s)
        assert row["narration_en"] == f"Use your hand to {VERBS[event.verb]} the {event.kind}."
        wanted = [coded.expected(video.plan, time_s, exo=video.view == "exo") for time_s in (start_s, end_s)]
        assert coded.near(coded.shown(root / "videos" / f"{video.uid}.mp4", [start_s, end_s]), wanted)
    assert {row["view"] for row in rows} == {"ego", "exo"}


def test_no_take_is_seen_from_both_sides_and_meta_tells_the_view(coded: CodedSources) -> None:
    """Ego and exo share a task only."""
    meta = json.loads((coded.root / "egoexolearn" / "video_meta_downsampled.json").read_text())
    assert len(meta) == len(coded.takes)
    for row in meta:
        info = probe(coded.root / "egoexolearn" / "videos" / f"{row['video_uid']}.mp4")
        assert (info.fps, info.frames, info.width_px) == (row["fps"], row["num_frames"], row["width"])


def test_the_test_file_has_no_narration_and_another_name_for_ids(plan_spec: SimSpec, plans: list[TakePlan]) -> None:
    """Its rows are in no other subset; the association files hold train rows of one view each."""
    texts = files(plan_spec, plans).texts
    test = table(texts["annotations/fine_annotation_test.csv"])
    assert tuple(test[0]) == tuple("annotation_id" if name == "annotation_uid" else name for name in FINE)
    trainval = table(texts["annotations/fine_annotation_trainval_en.csv"])
    assert not {row["annotation_id"] for row in test} & {row["annotation_uid"] for row in trainval}
    assert {row["subset"] for row in trainval} == {"train", "val"}
    for view in ("ego", "exo"):
        rows = table(texts[f"association_benchmark/annotations/{view}_train.csv"])
        wanted = {row["annotation_uid"] for row in trainval if (row["subset"], row["view"]) == ("train", view)}
        assert {row["annotation_id"] for row in rows} == wanted
        assert rows[0]["narration_ch"].startswith("用手")


def test_hands_and_colours_are_told_on_request_only(plan_spec: SimSpec, plans: list[TakePlan]) -> None:
    """`told` repeats the text without hands in the column for hands."""
    rows = table(files(plan_spec, plans).texts["annotations/fine_annotation_trainval_en.csv"])
    assert all(row["narration_en_hand_prompt"] == row["narration_en_no_hand_prompt"] for row in rows)
    everything = "".join(files(plan_spec, plans).texts.values())
    assert not {*COLOURS, *HANDS, "左手", "右手"} & set(re.findall(r"[a-z]+|[左右]手", everything.lower()))
    rows = table(
        files(replace(plan_spec, source_facts="all"), plans).texts["annotations/fine_annotation_trainval_en.csv"]
    )
    assert all(" hand " in row["narration_en_hand_prompt"] for row in rows)
    assert any("left hand" in row["narration_en"] for row in rows)


def test_answers_are_letters_of_the_right_option_but_two(plan_spec: SimSpec, plans: list[TakePlan]) -> None:
    """The open file asks the same and answers with what the letter stands for."""
    texts = files(plan_spec, plans).texts
    asked, answered = (
        [json.loads(line) for line in texts[f"Video_QA/vid_vqa_video_tag_egoexolearn_video_{kind}.jsonl"].splitlines()]
        for kind in ("mcq", "qa")
    )
    free, letters, options_seen = [], Counter(), Counter()
    for row, other in zip(asked, answered, strict=True):
        assert list(row) == ["id", "conversations", "image"]
        assert row["id"] == other["id"]
        question, *options, order = row["conversations"][0]["value"].split("\n")[1:]
        assert order.startswith("Answer with the option's letter")
        assert f"<video>\n{question}" == other["conversations"][0]["value"]
        answer, truth = row["conversations"][1]["value"], other["conversations"][1]["value"]
        options_seen[len(options)] += 1
        if answer not in LETTERS:
            free.append((answer, truth))
            continue
        letters[answer] += 1
        assert options[LETTERS.index(answer)] == f"({answer}) {truth}"
        assert len(set(options)) == len(options)
    (option, right), (text, truth) = free
    assert option == right
    assert f"The {text.lower()}" == f"{truth} on the table"
    assert options_seen[5] < options_seen[4] / 5
    assert min(letters[letter] for letter in "ABCD") > 0.15 * letters.total()
    test = {video.uid for video in videos(plan_spec, plans) if video.subset == "test"}
    assert not test & {row["image"]["video"].removesuffix(".mp4") for row in asked}
