"""Rows of a table in EgoClip's form, for tests."""

from collections.abc import Iterable
from pathlib import Path

from exo2ego.data.sources.egoclip import COLUMNS

UIDS = ("aaaa1111-0000", "bbbb2222-0000", "cccc3333-0000")


Row = dict[str, object]


def clip(idx: int, uid: str = UIDS[0], start_s: float = 1.0, end_s: float = 2.0, **changes: object) -> Row:
    """A row; `changes` replace columns."""
    row: Row = {
        "clip_idx": idx,
        "video_uid": uid,
        "video_dur": 6.0,
        "narration_source": f"narration_pass_{1 + idx % 2}",
        "narration_ind": idx,
        "narration_time": (start_s + end_s) / 2,
        "clip_start": start_s,
        "clip_end": end_s,
        "clip_text": f"#C C lifts cup {idx}",
        "tag_verb": "[93]",
        "tag_noun": "[192, 115, 12]",
    }
    return row | changes


def write_table(path: Path, rows: Iterable[Row]) -> Path:
    lines = ["\t".join(COLUMNS), *("\t".join(str(row[name]) for name in COLUMNS) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
