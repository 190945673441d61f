"""The simulated sources through the readers of the real downloads: nothing but the dirt is bad, pictures fit texts."""

from pathlib import Path

import pytest
from coded_sources import CodedSources

from exo2ego.data.sources import SOURCES
from exo2ego.data.sources.reading import SourceRead
from exo2ego.data.sources.source import ReadOptions
from exo2ego.data.sources.templates import load_templates
from exo2ego.sim.bench_qaego4d import PAST
from exo2ego.sim.narrate import gerund
from exo2ego.sim.spec import SOURCES as WRITTEN
from exo2ego.sim.spec import VERBS
from exo2ego.sim.world import Event

ROOTS = {"egtea": "egtea", "egtea rulstm": "egtea/rulstm"} | {
    name: name for name in ("ssv2", "egotimeqa", "openeqa", "egoexolearn")
}
"""Case -> folder below `sources/`."""


def read(coded: CodedSources, case: str) -> tuple[SourceRead, Path]:
    """What the reader makes of a folder, with the templates that ship."""
    source, root = SOURCES[case.split()[0]], coded.root / ROOTS[case]
    return source.read(root, ReadOptions(templates=load_templates(source.name, source.kinds))), root


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
    assert len(done.bad_rows) == (1 if case == "egoexolearn" else 0)
    assert all("a letter of ABCD, or the text of one option" in row.reason for row in done.bad_rows)
    assert len({one.conversation_id for one in done.conversations}) == len(done.conversations) > 5
    most = {"openeqa": 2, "egoexolearn": 4}.get(case, 1)
    for conversation in done.conversations:
        events = coded.events_shown(conversation.video, root)
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
