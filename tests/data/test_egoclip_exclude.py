"""What must not be trained on, in the forms that people have: lines, the benchmarks' own files, a held-out list."""

import json
from pathlib import Path

import pytest

from exo2ego.data.sources.egoclip_exclude import read_excluded
from exo2ego.errors import FormatError, MissingFileError

UID = "001e3e4e-2743-47fc-8564-d5efd11f9e90"
REAL = Path(__file__).parents[3] / "shared" / "data" / "egoschema" / "uid_to_ego4d.json"


def test_uids_are_read_from_lines_from_json_and_from_a_held_out_list(tmp_path: Path) -> None:
    lines, table, spans = tmp_path / "uids.txt", tmp_path / "egomcq.json", tmp_path / "held-out.jsonl"
    lines.write_text("# of EgoMCQ\naaaa1111-0000\n\nbbbb2222-0000  # twice\n")
    table.write_text(json.dumps({"0": {"query": {"video_uid": UID, "clip_text": "#C C waves"}}}))
    spans.write_text(json.dumps({"video": "cccc3333-0000", "start_s": 1.0, "end_s": 2.0}))
    found = read_excluded([lines, table, spans])
    assert set(found.by_video) == {"aaaa1111-0000", "bbbb2222-0000", UID, "cccc3333-0000"}
    assert found.by_video[UID][0].meets(1e6, 2e6)
    assert not found.by_video["cccc3333-0000"][0].meets(2.0, 3.0)
    assert len(read_excluded([])) == 0


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.txt", b"", "names no video"),
        ("a.json", b'{"x": 1}', "names no video"),
        ("a.txt", b"a b\n", '"a b" is no uid'),
        ("a.txt", b"\xff", "not UTF-8"),
        ("a.jsonl", b"{", "row 1: not a line of JSON"),
    ],
)
def test_files_that_name_no_video_are_refused(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FormatError, match=says):
        read_excluded([tmp_path / name])
    with pytest.raises(MissingFileError, match="cannot be read"):
        read_excluded([tmp_path / f"gone-{name}"])


@pytest.mark.skipif(not REAL.is_file(), reason="no ../shared/data/egoschema")
def test_egoschemas_own_table_of_videos() -> None:
    videos = {entry["video_uid"] for entry in json.loads(REAL.read_text()).values()}
    assert videos <= set(read_excluded([REAL]).by_video)
