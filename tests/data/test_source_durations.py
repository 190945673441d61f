"""Lengths of whole videos: measured once, remembered across runs and kills, a bad file costs its own conversations."""

import json
from pathlib import Path

import pytest
from coded_video import make_video, steady
from PIL import Image

from exo2ego.data.sources import durations
from exo2ego.data.sources.durations import with_durations
from exo2ego.records import Conversation, Turn, VideoSpan


def about(path: str, start_s: float | None = None, end_s: float | None = None) -> Conversation:
    video = VideoSpan(path=path, start_s=start_s, end_s=end_s)
    return Conversation(conversation_id=f"id-{path}", video=video, turns=(Turn(question="q", answer="a"),))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two videos, one that is none, and a folder of frames."""
    folder = tmp_path / "root"
    (folder / "frames").mkdir(parents=True)
    for name, frames in (("a.mp4", 20), ("b.mp4", 30)):
        (folder / name).write_bytes(make_video(steady(frames)))
    (folder / "bad.mp4").write_bytes(b"no video")
    for number in range(6):
        Image.new("RGB", (8, 8)).save(folder / f"frames/{number}-rgb.png")
    return folder


def test_whole_videos_get_their_length_and_others_keep_their_span(root: Path, tmp_path: Path) -> None:
    wanted = [
        about("a.mp4"),
        about("b.mp4", 0.5, 1.0),
        about("frames"),
        about("bad.mp4"),
        about("gone.mp4"),
        about("a.mp4"),
    ]
    shown: list[tuple[int, int]] = []
    good, bad = with_durations(
        wanted, root, tmp_path / "memory.jsonl", workers=2, progress=lambda done, total: shown.append((done, total))
    )
    spans = [(c.video.path, c.video.start_s, c.video.end_s) for c in good]
    assert spans[0] == spans[3] == ("a.mp4", 0.0, pytest.approx(2.0, abs=0.11))
    assert spans[1:3] == [("b.mp4", 0.5, 1.0), ("frames", 0.0, pytest.approx(0.2))]
    assert [row.row for row in bad] == [3, 4]
    assert "id-bad.mp4: " in bad[0].reason
    assert "gone.mp4: no such file" in bad[1].reason
    assert shown[0] == (0, 4)
    assert shown[-1] == (4, 4)


def test_a_second_run_opens_only_what_is_new_or_changed(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = tmp_path / "memory.jsonl"
    with_durations([about("a.mp4"), about("b.mp4"), about("bad.mp4")], root, memory)
    with memory.open("a") as file:
        file.write('{"torn": ')
    (root / "b.mp4").write_bytes(make_video(steady(40)))
    opened: list[str] = []
    measure = durations._measure
    monkeypatch.setattr(durations, "_measure", lambda *about: (opened.append(about[-1]), measure(*about))[1])
    good, bad = with_durations([about("a.mp4"), about("b.mp4"), about("bad.mp4")], root, memory)
    assert opened == ["b.mp4", "bad.mp4"]
    assert good[1].video.end_s == pytest.approx(4.0, abs=0.11)
    assert len(bad) == 1
    assert {json.loads(line)["path"] for line in memory.read_text().splitlines()} == {"a.mp4", "b.mp4"}


def test_spans_that_are_known_open_nothing(tmp_path: Path) -> None:
    wanted = [about("gone.mp4", 0.0, 1.0)]
    assert with_durations(wanted, tmp_path, tmp_path / "memory.jsonl") == (wanted, [])
    assert not (tmp_path / "memory.jsonl").exists()
