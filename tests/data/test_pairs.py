"""Filters: each reason counted once, totals that add up, leakage refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_tree import CAMERAS, SPLITS, TAKES, Tree, annotation, description, take_row

from exo2ego.data.clips import ClipRule
from exo2ego.data.egoexo4d import EgoExo4D, read_root
from exo2ego.data.pairs import DROP_REASONS, FilterReport, FilterRule, make_clips, rewrite_subject
from exo2ego.data.subset import Subset
from exo2ego.errors import FormatError
from exo2ego.records import Narration

RULE = ClipRule(alpha=4.0)


def test_clean_tree_keeps_all_of_train(tree: Tree) -> None:
    clips, report = make_clips(read_root(tree.root), RULE, FilterRule())
    assert (report.total, report.kept, report.dropped["other split"]) == (7, 5, 2)
    assert [clip.text for clip in clips if clip.take_name == "kitchen_1"] == [
        "C lifts the cup.",
        "C holds a <b>cup</b>.",
        "C drops the cup.",
    ]
    # beta of kitchen_1 is 1 s over both annotators, so clips are 1 / 4 s wide.
    assert (clips[2].start_s, clips[2].end_s) == (0.875, 1.125)
    assert [clip.best_exo for clip in clips if clip.take_name == "kitchen_1"] == ["cam02", "cam01", "cam02"]
    assert all("." not in clip.clip_id for clip in clips)


def test_every_reason_is_counted_once(tree: Tree) -> None:
    tree.train["uid-a"] += [
        annotation("bad", [description("C nods.", 1.0)], rejected=True),
        annotation(
            "mixed",
            [
                description("C nods.", 1.0, unsure="1"),
                description("O nods.", 1.0, subject="O", ego_visible=False),
                description("  ", 1.0),
                description("#C ", 1.0),
                description("C nods.", 1.0, ego_visible="0"),
                description("C nods.", 6.5),
                description("C nods.", -0.5),
            ],
        ),
    ]
    tree.video("uid-b", "aria01").unlink()
    tree.video("uid-v", "cam01").unlink()
    tree.video("uid-v", "cam02").unlink()
    dataset = read_root(tree.save())
    _, report = make_clips(dataset, RULE, FilterRule(splits=("train", "val")))
    assert dict(report.dropped) == {
        "other split": 0,
        "other take": 0,
        "rejected": 1,
        "unsure": 1,
        "other subject": 1,
        "empty": 2,
        "not ego-visible": 1,
        "outside the take": 2,
        "missing video": 2,
        "quarantined video": 0,
        "no best exo": 0,
        "missing exo": 2,
    }
    assert report.total == report.kept + sum(report.dropped.values())
    keep = FilterRule(keep_rejected=True, keep_unsure=True, keep_other_subjects=True, keep_not_ego_visible=True)
    assert make_clips(dataset, RULE, keep)[1].kept == 3 + 4
    assert tuple(report.dropped) == DROP_REASONS


def test_narrations_left_out_for_their_place_do_not_stretch_the_others(tree: Tree) -> None:
    before, _ = make_clips(read_root(tree.root), RULE, FilterRule())
    tree.train["uid-a"][0]["descriptions"].append(description("C nods.", 500.0))
    after, _ = make_clips(read_root(tree.save()), RULE, FilterRule())
    assert after == before


def test_one_missing_exo_leaves_the_narration_and_is_counted(tree: Tree) -> None:
    tree.video("uid-a", "cam01").unlink()
    clips, report = make_clips(read_root(tree.root), RULE, FilterRule())
    assert report.kept == 5
    assert report.missing_exo_videos == 3
    assert {len(clip.exos) for clip in clips if clip.take_uid == "uid-a"} == {1}


def views_of(tree: Tree, views: Any) -> tuple[dict[str, tuple[str, ...]], FilterReport]:
    """Exo cameras of each kept narration by its text."""
    clips, report = make_clips(read_root(tree.save()), RULE, FilterRule(views=views))
    return {clip.text: tuple(exo.cam_id for exo in clip.exos) for clip in clips}, report


def test_the_best_view_is_the_narrations_own_then_the_takes_and_never_another(tree: Tree) -> None:
    tree.takes[1]["best_exo"] = None
    tree.train["uid-b"][0]["descriptions"][0]["best_exo"] = {"cam_id": "cam01"}
    found, report = views_of(tree, "best")
    assert found == {
        "C lifts the cup.": ("cam02",),
        "C holds a <b>cup</b>.": ("cam01",),
        "C drops the cup.": ("cam02",),
        "C turns the bolt.": ("cam01",),
    }
    assert (report.dropped["no best exo"], report.without_best_exo) == (1, 0)
    tree.video("uid-a", "cam02").unlink()
    found, report = views_of(tree, "best")
    assert set(found) == {"C holds a <b>cup</b>.", "C turns the bolt."}
    assert (report.dropped["no best exo"], report.dropped["missing exo"]) == (1, 2)


def test_k_views_are_the_best_one_then_by_camera_id(tree: Tree) -> None:
    tree.takes[1]["best_exo"] = None
    found, report = views_of(tree, 1)
    assert found["C lifts the cup."] == ("cam02",)
    assert found["C taps it."] == ("cam01",)
    assert (report.kept, report.without_best_exo) == (5, 2)
    assert views_of(tree, 2)[0] == views_of(tree, "all")[0] == views_of(tree, 9)[0]
    tree.video("uid-a", "cam02").unlink()
    assert views_of(tree, 1)[0]["C lifts the cup."] == ("cam01",)


@pytest.mark.parametrize("views", [0, -1, "some", 1.5])
def test_impossible_numbers_of_views_are_refused(views: Any) -> None:
    with pytest.raises(FormatError, match="expected all, best, or a number"):
        FilterRule(views=views)


def test_a_part_of_the_takes_has_the_very_clips_of_the_whole(tree: Tree) -> None:
    dataset = read_root(tree.root)
    whole, _ = make_clips(dataset, ClipRule(), FilterRule())
    part, report = make_clips(dataset, ClipRule(), FilterRule(), Subset(takes=frozenset({"uid-b"})))
    assert part == [clip for clip in whole if clip.take_uid == "uid-b"]
    assert (report.kept, report.dropped["other take"], report.takes_without_narrations) == (2, 3, 0)


def test_quarantined_videos_are_left_out_and_counted(tree: Tree) -> None:
    def names(*videos: tuple[str, str]) -> Subset:
        return Subset(quarantined=frozenset(str(tree.video(*v).relative_to(tree.root)) for v in videos))

    dataset = read_root(tree.root)
    clips, report = make_clips(dataset, RULE, FilterRule(), names(("uid-a", "cam01")))
    assert (report.kept, report.quarantined_exo_videos, report.dropped["quarantined video"]) == (5, 3, 0)
    assert {len(clip.exos) for clip in clips if clip.take_uid == "uid-a"} == {1}
    for videos in ([("uid-a", "aria01")], [("uid-a", "cam01"), ("uid-a", "cam02")]):
        _, report = make_clips(dataset, RULE, FilterRule(), names(*videos))
        assert (report.kept, report.dropped["quarantined video"], report.dropped["missing exo"]) == (2, 3, 0)


def test_takes_nobody_described_are_counted(tree: Tree) -> None:
    del tree.train["uid-b"]
    assert make_clips(read_root(tree.save()), RULE, FilterRule())[1].takes_without_narrations == 1


def test_two_annotations_of_one_uid_are_refused(tree: Tree) -> None:
    tree.train["uid-a"][1]["annotation_uid"] = "ann-1"
    with pytest.raises(FormatError, match="annotation uids of a take must differ"):
        make_clips(read_root(tree.save()), RULE, FilterRule())


@pytest.mark.parametrize("splits", [("test",), ("train", "test"), ("all",), ()])
def test_splits_without_descriptions_are_refused(splits: tuple[str, ...]) -> None:
    with pytest.raises(FormatError, match="split"):
        FilterRule(splits=splits)


@pytest.mark.parametrize(
    ("text", "rewritten"),
    [
        ("C lifts the cup.", "Camera-wearer lifts the cup."),
        ("#C C lifts the cup.", "Camera-wearer lifts the cup."),
        ("#cC lifts", "#cC lifts"),
        ("C lifts. C drops it.", "Camera-wearer lifts. Camera-wearer drops it."),
        ("C's hand lifts", "Camera-wearer's hand lifts"),
        ("CC lifts C", "CC lifts C"),
        ("Man X gives C a cup of vitamin C.", "Man X gives C a cup of vitamin C."),
        ("C-clamp falls", "C-clamp falls"),
        ("Cuts C", "Cuts C"),
        ("#O man X walks", "man X walks"),
    ],
)
def test_rewriting(text: str, rewritten: str) -> None:
    assert rewrite_subject(text) == rewritten


@given(st.text(max_size=60))
def test_rewriting_twice_changes_nothing_more_without_tags(text: str) -> None:
    once = rewrite_subject(text.replace("#", ""))
    assert rewrite_subject(once) == once


def test_a_clean_root_is_not_written_to(tree: Tree) -> None:
    before = sorted(Path(tree.root).rglob("*"))
    make_clips(read_root(tree.root), RULE, FilterRule())
    assert sorted(Path(tree.root).rglob("*")) == before


flags = st.tuples(st.booleans(), st.booleans(), st.booleans(), st.sampled_from("CO"), st.sampled_from(["C nods.", " "]))


@given(
    rows=st.lists(st.tuples(st.sampled_from(["uid-a", "uid-v"]), st.floats(-1, 7), flags), max_size=12),
    kept=st.tuples(*[st.booleans()] * 4),
    views=st.sampled_from(["all", "best", 1]),
)
def test_whatever_the_flags_nothing_is_lost_or_counted_twice(
    pretend: EgoExo4D,
    rows: list[tuple[str, float, tuple[bool, bool, bool, str, str]]],
    kept: tuple[bool, ...],
    views: Any,
) -> None:
    narrations = tuple(
        Narration(
            take_uid=uid,
            annotation_uid=f"ann-{number}",
            annotator_id="1",
            index=0,
            text=text,
            timestamp_s=time_s,
            subject=subject,
            ego_visible=visible,
            unsure=unsure,
            rejected=rejected,
            best_exo=None,
        )
        for number, (uid, time_s, (visible, unsure, rejected, subject, text)) in enumerate(rows)
    )
    names = ("keep_rejected", "keep_unsure", "keep_not_ego_visible", "keep_other_subjects")
    rule = FilterRule(views=views, **dict(zip(names, kept, strict=True)))
    clips, report = make_clips(replace(pretend, narrations=narrations), RULE, rule)
    assert report.total == len(rows) == report.kept + sum(report.dropped.values())
    assert report.kept == len(clips) == len({clip.clip_id for clip in clips})
    for clip in clips:
        said = next(n for n in narrations if clip.clip_id.startswith(f"kitchen_1-{n.annotation_uid}-"))
        assert clip.take_uid == "uid-a"
        assert clip.start_s <= said.timestamp_s <= clip.end_s
        assert said.text.strip()
        assert not (said.rejected and not rule.keep_rejected)
        assert not (said.unsure and not rule.keep_unsure)
        assert said.ego_visible or rule.keep_not_ego_visible
        assert said.subject == "C" or rule.keep_other_subjects


@pytest.fixture(scope="module")
def pretend(tmp_path_factory: pytest.TempPathFactory) -> EgoExo4D:
    """A download whose video files are there and empty: filters do not look into them."""
    rows = [take_row(uid, name) for uid, name in TAKES.items()]
    made = Tree(root=tmp_path_factory.mktemp("pretend"), takes=rows, train={}, val={}, splits=dict(SPLITS))
    made.write_videos(dict.fromkeys(CAMERAS, b""))
    return read_root(made.save())
