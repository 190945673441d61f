"""The simulated EgoClip through the reader of the real table: its dirt is counted, its clips show what they tell."""

import math
from collections import Counter
from pathlib import Path

import pytest
from coded_sources import CodedSources

from exo2ego.data.shard_group import ClipFormat
from exo2ego.data.shard_writer import build_shards
from exo2ego.data.sources.egoclip import EgoClipTable
from exo2ego.data.sources.egoclip_select import KINDS, SOURCE, EgoClipRule, plan_clips, select
from exo2ego.data.sources.egoclip_videos import find_layout
from exo2ego.data.sources.templates import load_templates
from exo2ego.data.video import read_frames


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
def test_stored_clips_show_what_is_told(coded: CodedSources, store: str, tmp_path: Path) -> None:
    """Sixty clips of every store, from the table to the shard, by the numbers in their frames."""
    root = coded.root / "egoclip"
    rule, clip_format = EgoClipRule(limit=60), ClipFormat(num_frames=4, size_px=coded.spec.size_px)
    selection = select(EgoClipTable(root / "egoclip.csv"), root / store, find_layout(root / store), rule)
    planned = plan_clips(selection, root / store, rule, load_templates(SOURCE, KINDS), clip_format)
    shards = build_shards(tmp_path / "shards", planned, clip_format, settings={}, report={})
    assert shards.manifest["counts"]["quarantined"] == 0
    checked = 0
    for sample in shards.samples:
        told = sample.conversations[0][0].answer
        events = coded.events_of(read_frames(shards.read(sample, "video"), [n / sample.fps for n in range(4)]))
        if told != "C looks at the table":
            assert len(events) == 1
            assert told.startswith(f"C {events[0].verb} ")
            assert events[0].kind in told
            checked += 1
    assert checked > 40
