"""EGTEA Gaze+ as written: labels as dirty as the real ones, ids that name their frames, both forms about one truth."""

import re

import pytest
from coded_sources import CodedSources

from exo2ego.data.video import probe
from exo2ego.sim.source_egtea import RARE_SHARE, SPLITS, VERB_LABELS, files, session
from exo2ego.sim.spec import SimSpec
from exo2ego.sim.world import TakePlan

CLIP = re.compile(r"((?:P|OP)\d\d-R0[1-7]-[A-Za-z]+)-(\d+)-(\d+)-F(\d{6})-F(\d{6})")


def labels(coded: CodedSources) -> list[list[str]]:
    """Rows of `action_labels.csv` without its header."""
    path = coded.root / "egtea" / "action_annotation" / "raw_annotations" / "action_labels.csv"
    return [line.split("; ") for line in path.read_text().splitlines()[1:]]


def test_rows_are_events_in_the_real_form(coded: CodedSources) -> None:
    """Every train event has its row; prefix, session and times agree; the verb is told, the colour is not."""
    sessions = {session(plan): plan for plan in coded.takes}
    seen = set()
    for number, prefix, name, start, end, action, verb, nouns in labels(coded):
        assert prefix == f"{name}-{start}-{end}"
        assert action == f"{verb} {nouns}"
        event = coded.event_at(sessions[name], int(start) / 1000, int(end) / 1000)
        assert VERB_LABELS[event.verb] == verb
        assert event.kind in nouns
        assert event.colour not in action
        seen.add((event.event_id, number))
    assert len({one for one, _ in seen}) == len(seen) == sum(len(plan.events) for plan in coded.takes)


def test_clips_show_their_action_and_a_margin(coded: CodedSources) -> None:
    """The F numbers are frames of the session at 24 a second; the action begins five frames after the clip's start."""
    sessions = {session(plan): plan for plan in coded.takes}
    clips = sorted((coded.root / "egtea" / "cropped_clips").glob("*/*.mp4"))
    assert len(clips) == len(labels(coded))
    for path in clips:
        match = CLIP.fullmatch(path.stem)
        assert match is not None
        assert match[1] == path.parent.name
        start_ms, end_ms, first, end = map(int, match.groups()[1:])
        info = probe(path)
        assert (info.fps, info.frames) == (24, end - first)
        assert start_ms / 1000 - first / 24 == pytest.approx(5 / 24, abs=0.51 / 24)
        times_s = [start_ms / 1000, (start_ms + end_ms) / 2000, end_ms / 1000]
        wanted = [coded.expected(sessions[match[1]], time_s) for time_s in times_s]
        assert coded.near(coded.shown(path, [time_s - first / 24 for time_s in times_s]), wanted)


def test_splits_hold_each_common_action_once_and_indices_are_those_of_the_index(coded: CodedSources) -> None:
    """The three splits differ; rare actions stand in the table of labels alone."""
    folder = coded.root / "egtea" / "action_annotation"
    index = dict(line.rsplit(" ", 1) for line in (folder / "action_idx.txt").read_text().splitlines())
    verbs = dict(line.rsplit(" ", 1) for line in (folder / "verb_idx.txt").read_text().splitlines())
    nouns = dict(line.rsplit(" ", 1) for line in (folder / "noun_idx.txt").read_text().splitlines())
    by_prefix = {row[1]: row for row in labels(coded)}
    tests = set()
    for split in SPLITS:
        parts = [(folder / f"{part}_split{split}.txt").read_text().splitlines() for part in ("train", "test")]
        lines = parts[0] + parts[1]
        assert parts[0]
        common = [row for row in by_prefix.values() if row[5] in index]
        assert len({line.split()[0] for line in lines}) == len(lines) == len(common)
        for line in lines:
            clip, action, verb, *things = line.split()
            row = by_prefix[clip.rsplit("-F", 2)[0]]
            assert (action, verb) == (index[row[5]], verbs[row[6]])
            assert things == [nouns[noun] for noun in row[7].split(",")]
        tests.add(tuple(parts[1]))
    assert len(tests) == 3


def test_rulstm_has_the_same_actions_at_30_frames_a_second(coded: CodedSources) -> None:
    """Ids are those of the labels; labels have colons for underscores and the first noun only."""
    folder = coded.root / "egtea" / "rulstm"
    by_id = {row[0]: row for row in labels(coded)}
    names = [line.split(", ") for line in (folder / "actions.csv").read_text().splitlines()]
    assert [int(one[0]) for one in names] == list(range(len(names)))
    rows = [line.split(",") for part in ("training1", "validation1") for line in _lines(folder / f"{part}.csv")]
    sessions = {session(plan): plan for plan in coded.takes}
    for identity, name, start, stop, verb, noun, action in rows:
        official = by_id[identity]
        assert (name, int(start)) == (official[2], int(official[3]) * 30 // 1000)
        assert int(stop) == int(official[4]) * 30 // 1000
        assert names[int(action)][1] == f"{verb}_{noun}"
        assert names[int(action)][2] == f"{official[6]}_{official[7].split(',')[0].replace('_', ':')}"
        video = folder / "videos" / f"{name}.mp4"
        plan = sessions[name]
        assert coded.near(coded.shown(video, [int(start) / 30]), [coded.expected(plan, int(start) / 30)])
    assert {probe(path).fps for path in (folder / "videos").iterdir()} == {24}


def test_labels_are_as_dirty_as_the_real_ones(plan_spec: SimSpec, plans: list[TakePlan]) -> None:
    """In a world of the usual size: underscores, commas, slashes and blanks within labels, and rare actions."""
    texts = files(plan_spec, plans).texts
    rows = texts["action_annotation/raw_annotations/action_labels.csv"].splitlines()[1:]
    actions = {row.split("; ")[5] for row in rows}
    for dirt in ("_", ",", "/", "Turn Around "):
        assert any(dirt in action for action in actions), dirt
    listed = sum(texts[f"action_annotation/{part}_split1.txt"].count("\n") for part in ("train", "test"))
    assert 0.3 * RARE_SHARE < 1 - listed / len(rows) < 3 * RARE_SHARE


def test_no_two_takes_have_the_same_session(plans: list[TakePlan]) -> None:
    """A session is a file name."""
    assert len({session(plan) for plan in plans}) == len(plans)


def _lines(path) -> list[str]:
    return path.read_text().splitlines()
