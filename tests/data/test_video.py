"""Frames at timestamps: exact on every kind of file that users bring, or a one-line refusal."""

import contextlib
import os
from pathlib import Path

import numpy as np
import pytest
from coded_video import audio_only, coded_frame, cut_by_copy, make_video, number_of, numbers_of, steady, turned
from hypothesis import given, settings
from hypothesis import strategies as st

from exo2ego.data import video_rules
from exo2ego.data.atomic import temporary
from exo2ego.data.video import decode_at, probe, read_clip, read_frames, sample_times, write_video
from exo2ego.errors import Exo2EgoError, MissingFileError, OutputError, VideoError

LONG = make_video(steady(120), gop=250, b_frames=3)
SHORT_GOP = make_video(steady(120), gop=4)


@pytest.mark.parametrize("content", [LONG, SHORT_GOP], ids=["one long GOP, B-frames", "short GOP"])
@settings(max_examples=15, deadline=None)
@given(numbers=st.lists(st.integers(0, 119), min_size=1, max_size=6))
def test_any_frames_in_any_order(content: bytes, numbers: list[int]) -> None:
    assert numbers_of(read_frames(content, np.array(numbers) / 10)) == numbers


@pytest.mark.parametrize(
    ("codec", "container", "suffix"),
    [("libx264", "matroska", "mkv"), ("libvpx", "webm", "webm"), ("libx264", "mpegts", "ts")],
)
def test_other_containers(codec: str, container: str, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(make_video(steady(30), codec=codec, container=container))
    assert numbers_of(read_frames(path, np.array([0, 1.1, 2.9]))) == [0, 11, 29]
    assert probe(path).duration_s == pytest.approx(3.0, abs=0.11)


def test_nearest_frame_and_the_earlier_of_two_equally_near() -> None:
    assert numbers_of(read_frames(SHORT_GOP, [1.04, 1.05, 1.06])) == [10, 10, 11]


def test_middles_of_as_many_parts_as_frames_are_all_the_frames() -> None:
    info = probe(SHORT_GOP)
    assert (info.frames, info.fps, info.width_px, info.height_px) == (120, 10, 64, 48)
    assert numbers_of(read_frames(SHORT_GOP, sample_times(0, info.duration_s, 120))) == list(range(120))


def test_variable_frame_rate_is_read_by_timestamp_not_by_count() -> None:
    times = [0, 0.1, 0.133, 0.5, 0.54, 1.2, 1.25, 2.0]
    content = make_video(times)
    assert numbers_of(read_frames(content, times)) == list(range(8))
    assert numbers_of(read_frames(content, [0.3, 0.33, 0.9])) == [2, 3, 5]
    with pytest.raises(VideoError, match=r"no frame at 0.900 s; the nearest is at 1.200 s"):
        read_frames(content, [0.9], tolerance_s=0.1)


def test_a_long_pause_is_not_bridged() -> None:
    content = make_video([*steady(10), *(5 + t for t in steady(10))])
    with pytest.raises(VideoError, match=r"no frame at 3.000 s"):
        read_frames(content, [3.0])


@pytest.mark.parametrize(
    ("matrix", "degrees", "quarter_turns"),
    [((0, 1, -1, 0, 48, 0), 270, -1), ((-1, 0, 0, -1, 64, 48), 180, 2), ((0, -1, 1, 0, 0, 64), 90, 1)],
)
def test_rotation_is_applied(matrix: tuple[int, ...], degrees: int, quarter_turns: int) -> None:
    content = turned(make_video(steady(8)), matrix)
    info = probe(content)
    assert info.rotation_deg == degrees
    picture = read_frames(content, [0.5])[0]
    assert picture.shape[:2] == (info.height_px, info.width_px)
    assert number_of(np.rot90(picture, -quarter_turns)) == 5
    # A picture with a bright corner: the player's matrix says where the corner of the stored picture goes.
    corner = {270: picture[:16, -12:], 180: picture[-16:, -16:], 90: picture[-16:, :16]}[degrees]
    assert corner.mean() > 180  # bit 0 of 5 is set and sits in the stored picture's top left
    clip = read_clip(content, None, None, 2, 32)
    assert clip.shape == (2, 32, 32, 3)


def test_edit_list_hides_what_was_cut(tmp_path: Path) -> None:
    path = tmp_path / "cut.mp4"
    cut_by_copy(make_video(steady(60), gop=20), 2.5, path)
    assert number_of(read_frames(path, [0.0])[0]) == 25
    assert number_of(read_frames(path, [1.0])[0]) == 35


def test_far_apart_times_are_reached_by_seeking() -> None:
    content = make_video(steady(400), gop=10)
    found = dict(decode_at(content, np.array([35.0, 0.2, 18.0])))
    assert [number_of(found[i]) for i in range(3)] == [350, 2, 180]


def test_decode_at_names_single_failures_and_goes_on() -> None:
    found = dict(decode_at(SHORT_GOP, np.array([1.0, 99.0, 2.0])))
    assert number_of(found[0]) == 10
    assert number_of(found[2]) == 20
    assert isinstance(found[1], VideoError)


def test_clip_is_padded_to_a_square_with_black() -> None:
    clip = read_clip(SHORT_GOP, 1.0, 2.0, 10, 32)
    assert numbers_of(clip[:, 4:28]) == list(range(10, 20))
    assert clip[:, :4].max() == 0
    assert clip[:, 28:].max() == 0


def test_shrinking_averages_over_areas() -> None:
    stripes = np.zeros((4, 64, 64, 3), dtype=np.uint8)
    stripes[:, :, ::2] = 200
    small = read_clip(write_video(None, stripes, 10), None, None, 4, 16)
    assert abs(float(small.mean()) - 100) < 6
    assert small.std() < 12


@pytest.mark.parametrize("span", [(-0.5, 1.0), (11.0, 12.2), (20.0, 21.0), (2.0, 2.0), (3.0, 1.0), (0.0, float("nan"))])
def test_spans_outside_or_reversed_are_refused(span: tuple[float, float]) -> None:
    with pytest.raises(VideoError):
        read_clip(SHORT_GOP, *span, 4, 32)


def test_odd_sizes_are_read_and_not_written() -> None:
    content = make_video(steady(5), width=63, height=47, pix_fmt="yuv444p")
    assert read_frames(content, [0.2]).shape == (1, 47, 63, 3)
    with pytest.raises(VideoError, match="needs even sizes"):
        write_video(None, np.zeros((2, 47, 64, 3), dtype=np.uint8), 10)


def broken_files(folder: Path) -> dict[str, Path]:
    whole = make_video(steady(100), gop=10)
    contents = {
        "zero": b"",
        "no_moov": whole[: len(whole) // 2],
        "text": b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n",
        "noise": os.urandom(5000),
        "audio": audio_only(),
        "html": b"<html><body>404 not found</body></html>",
    }
    for name, content in contents.items():
        (folder / f"{name}.mp4").write_bytes(content)
    return {name: folder / f"{name}.mp4" for name in contents}


@pytest.mark.parametrize("name", ["zero", "no_moov", "text", "noise", "audio", "html"])
def test_what_is_no_video_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    path = broken_files(tmp_path)[name]
    for attempt in (lambda: probe(path), lambda: read_frames(path, [0.0]), lambda: read_clip(path, None, None, 4, 32)):
        with pytest.raises(VideoError) as caught:
            attempt()
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_cut_short_in_the_middle(tmp_path: Path) -> None:
    """Header in front, pictures missing: what is there is read, what is not is refused, nothing is guessed."""
    whole = make_video(steady(100), gop=10, container="matroska")
    path = tmp_path / "cut.mkv"
    path.write_bytes(whole[: len(whole) * 2 // 3])
    assert number_of(read_frames(path, [1.0])[0]) == 10
    with pytest.raises(VideoError, match=r"cut\.mkv: no frame"):
        read_frames(path, [9.5])


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such file"):
        probe(tmp_path / "absent.mp4")
    with pytest.raises(MissingFileError, match="not a file"):
        probe(tmp_path)
    with pytest.raises(VideoError, match="cannot be opened \\(File name too long\\)"):
        probe(tmp_path / ("x" * 300))


def test_caps_hold_before_memory_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(VideoError, match="frames asked"):
        read_frames(SHORT_GOP, np.zeros(video_rules.MAX_FRAMES + 1))
    monkeypatch.setattr(video_rules, "MAX_BYTES", 3 * 64 * 48 * 3)
    with pytest.raises(VideoError, match="ask for fewer"):
        read_frames(SHORT_GOP, [0.0, 0.1, 0.2, 0.3])
    monkeypatch.setattr(video_rules, "MAX_PIXELS", 1000)
    with pytest.raises(VideoError, match="more than 1000 px"):
        probe(SHORT_GOP)
    monkeypatch.setattr(video_rules, "MAX_PIXELS", 10**6)
    monkeypatch.setattr(video_rules, "MAX_DURATION_S", 5.0)
    with pytest.raises(VideoError, match="at most 5 s"):
        probe(SHORT_GOP)


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 2000))
def test_damaged_bytes_never_end_in_a_traceback(noise: bytes, at: int) -> None:
    content = SHORT_GOP[:at] + noise + SHORT_GOP[at + len(noise) :]
    with contextlib.suppress(Exo2EgoError):
        assert read_frames(content, [1.0, 5.0]).shape[0] == 2


@settings(max_examples=50)
@given(st.floats(0, 1e4), st.floats(1e-3, 1e3), st.integers(1, 64))
def test_sample_times_are_the_middles(start: float, width: float, count: int) -> None:
    times = sample_times(start, start + width, count)
    part = width / count
    assert times[0] - start == pytest.approx(part / 2, abs=1e-6)
    assert start + width - times[-1] == pytest.approx(part / 2, abs=1e-6)
    assert np.allclose(np.diff(times), part, atol=1e-6)


def test_written_clips_read_back_whole_at_odd_rates() -> None:
    frames = np.stack([coded_frame(n, 64, 64) for n in range(16)])
    for width_s in (0.1, 0.68, 0.7536, 60.0):
        content = write_video(None, frames, 16 / width_s)
        assert probe(content).duration_s == pytest.approx(width_s, rel=0.01)
        assert numbers_of(read_clip(content, None, None, 16, 64)) == list(range(16))
    assert write_video(None, frames, 10) == write_video(None, frames, 10)


def test_write_is_atomic_when_the_disk_is_full(tmp_path: Path) -> None:
    target = tmp_path / "a.mp4"
    target.write_bytes(b"before")
    temporary(target).symlink_to("/dev/full")
    with pytest.raises(OutputError, match="No space left"):
        write_video(target, np.zeros((2, 32, 32, 3), dtype=np.uint8), 10)
    assert target.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [target]
