"""The simulated sources through the readers of the real downloads: nothing is bad but the dirt, and pictures fit texts."""

import math
from collections import Counter
from pathlib import Path

import pytest
from coded_sources import CodedSources
from coded_video import number_of

from exo2ego.data.sources import SOURCES
from exo2ego.data.sources.egoclip import EgoClipTable
from exo2ego.data.sources.egoclip_select import EgoClipRule, locate, select
from exo2ego.data.sources.egoclip_videos import find_layout
from exo2ego.data.sources.reading import SourceRead
from exo2ego.data.sources.source import ReadOptions
from exo2ego.data.sources.templates import load_templates
from exo2ego.data.video import probe, read_frames, sample_times
from exo2ego.records import Conversation
from exo2ego.sim.bench_qaego4d import PAST
from exo2ego.sim.narrate import gerund
from exo2ego.sim.source_egoclip import recordings
from exo2ego.sim.spec import SOURCES as WRITTEN
from exo2ego.sim.spec import VERBS
from exo2ego.sim.world import Event

ROOTS = {"egtea": "egtea", "egtea rulstm": "egtea/rulstm"} | {
    name: name for name in ("ssv2", "egotimeqa", "openeqa", "egoexolearn")
}
"""Case -> folder below `sources/`."""
FRAMES = 9


def read(coded: CodedSources, case: str) -> tuple[SourceRead, Path]:
    """What the reader makes of a folder, with the templates that ship."""
    source, root = SOURCES[case.split()[0]], coded.root / ROOTS[case]
    return source.read(root, ReadOptions(templates=load_templates(source.name, source.kinds))), root


def events_shown(coded: CodedSources, conversation: Conversation, root: Path) -> list[Event]:
    """The events in whose steps frames of the conversation's span lie, told by the numbers in the frames."""
    video = conversation.video
    path = root / video.path
    duration_s = probe(path).duration_s
    start_s, end_s = video.start_s or 0.0, duration_s if video.end_s is None else video.end_s
    assert 0 <= start_s < end_s <= duration_s + 0.05, conversation
    numbers = [number_of(picture) for picture in read_frames(path, sample_times(start_s, end_s, FRAMES))]
    assert numbers == sorted(numbers)
    places = [coded.taken(number) for number in numbers]
    assert len({plan.index for plan, _ in places}) == 1, "frames of two takes"
    found = [event for plan, at_s in places for event in plan.events if event.start_s - 0.1 <= at_s < event.end_s]
    return list(dict.fromkeys(found))


def names(text: str, event: Event) -> bool:
    """Whether a text speaks of an event: of its object, or of what is done to it."""
    forms = (event.verb, VERBS[event.verb], PAST[event.verb], gerund(event.verb))
    return event.kind in text.lower() or any(form in text.lower() for form in forms)


def test_every_source_of_egoit_is_simulated() -> None:
    """And EgoClip, which has a verb of its own."""
    assert {*SOURCES, "egoclip"} == set(WRITTEN)


@pytest.mark.parametrize("case", ROOTS)
def test_conversations_are_about_what_their_span_shows(coded: CodedSources, case: str) -> None:
    """No row is bad, no file is missing, and the frames of each span are of the events that the words are about."""
    done, root = read(coded, case)
    assert done.bad_rows == ()
    assert len({one.conversation_id for one in done.conversations}) == len(done.conversations) > 5
    most = {"openeqa": 2, "egoexolearn": 4}.get(case, 1)
    for conversation in done.conversations:
        events = events_shown(coded, conversation, root)
        assert 1 <= len(events) <= most, conversation
        words = " ".join(f"{turn.question} {turn.answer}" for turn in conversation.turns)
        assert any(names(words, event) for event in events), conversation
        assert not any(f" {event.colour} " in words or f"{event.hand} hand" in words for event in events)


def test_what_is_left_out_is_left_out_for_its_reason(coded: CodedSources) -> None:
    """Test splits, by the numbers that the files have."""
    folder = coded.root / "egtea" / "action_annotation"
    tests = len((folder / "test_split1.txt").read_text().splitlines())
    for case in ("egtea", "egtea rulstm"):
        assert dict(read(coded, case)[0].left_out) == ({"test split": tests} if tests else {})


@pytest.mark.parametrize("store", ["chunks600", "chunks300", "whole"])
def test_egoclips_dirt_is_counted_exactly(coded: CodedSources, store: str) -> None:
    """By the reader of the real table: torn lines, others, unsure ones, clips across the border of two chunks."""
    root = coded.root / "egoclip"
    lines = [line.split("\t") for line in (root / "egoclip.csv").read_text().splitlines()[1:]]
    good = [line for line in lines if len(line) == 11]
    layout = find_layout(root / store, {line[1] for line in good})
    assert layout.name == store
    selection = select(EgoClipTable(root / "egoclip.csv"), root / store, layout, EgoClipRule())
    length_s = {"chunks600": 600, "chunks300": 300, "whole": math.inf}[store]
    wanted = Counter(
        {"other subject": sum(line[8].startswith("#O") for line in good), "unsure": sum("#unsure" in line[8] for line in good)}
    )
    told = [line for line in good if line[8].startswith("#C C ") and "#unsure" not in line[8]]
    spans = [(max(0.0, float(line[6])), float(line[7])) for line in told]
    wanted["crosses a chunk boundary"] = sum(start // length_s < end // length_s for start, end in spans)
    assert Counter({reason: count for reason, count in selection.dropped.items() if count}) == +wanted
    assert (selection.total, selection.bad) == (len(lines), len(lines) - len(good))
    assert store == "whole" or wanted["crosses a chunk boundary"] > 0
    assert len(selection.places) == len(told) - wanted["crosses a chunk boundary"]


@pytest.mark.parametrize("store", ["chunks600", "chunks300", "whole"])
def test_egoclips_narrations_are_about_what_their_clips_show(coded: CodedSources, store: str) -> None:
    """Sixty clips of every store, by the numbers in their frames."""
    root = coded.root / "egoclip"
    rule = EgoClipRule(limit=60)
    layout = find_layout(root / store, [one.uid for one in recordings(coded.spec, coded.plans)])
    selection = select(EgoClipTable(root / "egoclip.csv"), root / store, layout, rule)
    checked = 0
    for row in selection.table.at((int(offset), int(size)) for offset, size in selection.places):
        place = locate(row, layout, rule)
        assert not isinstance(place, str)
        if not row.verbs:
            continue
        conversation = Conversation(conversation_id=str(row.clip_idx), video=place, turns=())
        events = events_shown(coded, conversation, root / store)
        assert len(events) == 1
        assert row.narration.startswith(f"C {events[0].verb} ")
        assert events[0].kind in row.narration
        checked += 1
    assert checked > 40
