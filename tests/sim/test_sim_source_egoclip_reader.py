"""The simulated EgoClip through the reader of the real table: its dirt is counted, its clips show what they tell."""

import math
from collections import Counter

import pytest
from coded_sources import CodedSources

from exo2ego.data.sources.egoclip import EgoClipTable
from exo2ego.data.sources.egoclip_select import EgoClipRule, locate, select
from exo2ego.data.sources.egoclip_videos import find_layout


@pytest.mark.parametrize("store", ["chunks600", "chunks300", "whole"])
def test_egoclips_dirt_is_counted_exactly(coded: CodedSources, store: str) -> None:
    """By the reader of the real table: torn lines, others, unsure ones, clips across the border of two chunks."""
    root = coded.root / "egoclip"
    lines = [line.split("\t") for line in (root / "egoclip.csv").read_text().splitlines()[1:]]
    good = [line for line in lines if len(line) == 11]
    layout = find_layout(root / store)
    assert layout.name == store
    selection = select(EgoClipTable(root / "egoclip.csv"), root / store, layout, EgoClipRule())
    length_s = {"chunks600": 600, "chunks300": 300, "whole": math.inf}[store]
    wanted = Counter(
        {
            "other subject": sum(line[8].startswith("#O") for line in good),
            "unsure": sum("#unsure" in line[8] for line in good),
        }
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
    layout = find_layout(root / store)
    selection = select(EgoClipTable(root / "egoclip.csv"), root / store, layout, rule)
    checked = 0
    for row in selection.table.at((int(offset), int(size)) for offset, size in selection.places):
        place = locate(row, layout, rule)
        assert not isinstance(place, str)
        if not row.verbs:
            continue
        events = coded.events_shown(place, root / store)
        assert len(events) == 1
        assert row.narration.startswith(f"C {events[0].verb} ")
        assert events[0].kind in row.narration
        checked += 1
    assert checked > 40
