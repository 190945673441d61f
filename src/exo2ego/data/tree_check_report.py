"""A check of a download as people read it, as JSON, and as the list of videos to leave out."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from exo2ego.data.atomic import write_text
from exo2ego.data.text_table import text_table
from exo2ego.data.tree_check import TreeCheck
from exo2ego.data.tree_findings import FAULTS, NOTES

CHECK_VERSION = 1
"""Of the JSON record; grows when a field changes its meaning or goes."""
QUARANTINE = "quarantine.jsonl"


def check_text(check: TreeCheck, shown: int) -> str:
    """Counts, then up to `shown` findings of each kind."""
    facts = [checked.facts for checked in check.videos.values() if checked.facts is not None]
    hours = sum(one.duration_s for one in facts) / 3600
    missing = len(check.take_of) - len(check.videos)
    lines = [
        f"needed: {len(check.take_of):,} videos of {check.takes:,} takes; there: {len(check.videos):,}, "
        f"readable: {len(facts):,} ({hours:.1f} h), bad: {len(check.bad):,}, missing: {missing:,}",
        f"opened now: {check.opened:,}; known from before: {len(check.videos) - check.opened:,}; "
        f"clock tables there: {check.clocks:,}",
    ]
    for what, values in _kinds(check).items():
        lines.append(f"{what}: " + ", ".join(f"{value} x {count:,}" for value, count in values.items()))
    counts = Counter(finding.kind for finding in check.findings)
    if counts:
        rows = [
            ["fault" if kind in FAULTS else "note", kind, counts[kind], (FAULTS | NOTES)[kind]]
            for kind in (*FAULTS, *NOTES)
            if counts[kind]
        ]
        lines += ["", text_table(["", "what", "how many", "what it means"], rows), ""]
    for kind in (*FAULTS, *NOTES):
        of_it = [finding for finding in check.findings if finding.kind == kind]
        lines += [f"{kind}: {one.take} {one.video}: {one.detail}".replace(" : ", ": ") for one in of_it[:shown]]
        if len(of_it) > shown:
            lines.append(f"{kind}: {len(of_it) - shown:,} more (all are in the JSON; --show N shows more)")
    return "\n".join(lines).rstrip()


def _kinds(check: TreeCheck) -> dict[str, dict[str, int]]:
    """How many readable videos have each codec, picture, rate and turn, the most frequent first."""
    facts = [checked.facts for checked in check.videos.values() if checked.facts is not None]
    values = {
        "codecs": [one.codec for one in facts],
        "pictures": [f"{one.width_px} x {one.height_px} px" for one in facts],
        "frames a second": [f"{one.fps:.3f}".rstrip("0").rstrip(".") for one in facts],
        "turned": [f"{one.rotation_deg} degrees" for one in facts if one.rotation_deg],
    }
    return {what: dict(Counter(found).most_common()) for what, found in values.items() if found}


def check_record(check: TreeCheck) -> dict[str, Any]:
    """The check as JSON; docs/data/download.md says what each field is."""
    videos = []
    for path in sorted(check.take_of):
        checked = check.videos.get(path)
        videos.append(
            {
                "video": path,
                "take_uid": check.take_of[path].take_uid,
                "state": "missing" if checked is None else "fine" if checked.facts is not None else "bad",
                "size_bytes": None if checked is None else checked.size_bytes,
                "facts": None if checked is None or checked.facts is None else checked.facts.record(),
                "reason": None if checked is None else checked.reason,
            }
        )
    kinds = Counter(finding.kind for finding in check.findings)
    return {
        "version": CHECK_VERSION,
        "root": str(check.root),
        "is_whole": check.is_whole,
        "takes": check.takes,
        "opened": check.opened,
        "clock_tables": check.clocks,
        "states": dict(Counter(video["state"] for video in videos)),
        "kinds": _kinds(check),
        "counts": dict(kinds),
        "findings": [finding.record() for finding in check.findings],
        "videos": videos,
    }


def write_quarantine(path: Path, check: TreeCheck) -> None:
    """The bad videos, a line each, as `--quarantine` of the other verbs reads them. Raises OutputError."""
    rows = [
        {
            "video": checked.video,
            "take_uid": check.take_of[checked.video].take_uid,
            "reason": checked.reason,
            "size_bytes": checked.size_bytes,
            "mtime_ns": checked.mtime_ns,
        }
        for checked in check.bad
    ]
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
