"""Folders of pictures as videos: frames by name at 30 a second, as the video made of them; damage costs one frame."""

from pathlib import Path

import numpy as np
import pytest
from coded_video import coded_frame, make_video, number_of, steady
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from exo2ego.data import frame_folder
from exo2ego.data.frame_folder import decode_folder, decode_squares, frame_files, probe_folder, probe_source
from exo2ego.errors import MissingFileError, VideoError

COUNT = 40


@pytest.fixture(scope="module")
def episode(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty numbered frames, with depth maps and poses beside them as in OpenEQA."""
    folder = tmp_path_factory.mktemp("frames") / "000-hm3d-X"
    folder.mkdir()
    for number in range(COUNT):
        Image.fromarray(coded_frame(number, 64, 48)).save(folder / f"{number:05d}-rgb.png")
        (folder / f"{number:05d}-depth.png").write_bytes(b"not to be opened")
        (folder / f"{number:05d}.txt").write_text("pose")
    return folder


def shown(episode: Path, times_s: list[float], size_px: int = 64) -> dict[int, int | str]:
    """Position -> the number that the picture shows, or why there is none."""
    found: dict[int, int | str] = {}
    for position, picture in decode_folder(episode, times_s, size_px):
        bars = (size_px - size_px * 48 // 64) // 2
        found[position] = (
            str(picture) if isinstance(picture, VideoError) else number_of(picture[bars : size_px - bars or None])
        )
    return found


@given(st.lists(st.integers(0, COUNT * 100 - 1), min_size=1, max_size=12))
@example(list(range(50, COUNT * 100 - 100, 100)))
def test_each_time_gets_the_frame_on_display_nearest_to_it(episode: Path, ticks: list[int]) -> None:
    times = [tick / 3000 for tick in ticks]
    starts = np.arange(COUNT) / 30
    expected = {n: int(np.argmin(np.round(np.abs(starts - time), 9))) for n, time in enumerate(times)}
    assert shown(episode, times) == expected


def test_a_folder_and_the_video_made_of_it_are_cut_alike(episode: Path, tmp_path: Path) -> None:
    video = tmp_path / "episode-0.mp4"
    video.write_bytes(make_video(steady(COUNT, fps=30)))
    times = [0.0, 0.011, 0.5, 0.519, 1.0, 1.3]
    pictures = [dict(decode_squares(str(source), times, 64)) for source in (episode, video)]
    numbers = [[number_of(np.asarray(found[n])[8:56]) for n in range(len(times))] for found in pictures]
    assert numbers[0] == numbers[1]
    assert np.abs(np.asarray(pictures[0][2], dtype=int) - np.asarray(pictures[1][2], dtype=int)).mean() < 12
    assert probe_source(episode).duration_s == pytest.approx(probe_source(video).duration_s, abs=0.04)


def test_what_a_folder_says_of_itself(episode: Path, tmp_path: Path) -> None:
    info = probe_folder(episode)
    assert (info.frames, info.fps, info.width_px, info.height_px) == (COUNT, 30.0, 64, 48)
    assert info.duration_s == pytest.approx(COUNT / 30)
    with pytest.raises(MissingFileError, match="no such file"):
        probe_source(tmp_path / "gone")
    with pytest.raises(MissingFileError, match="no such folder of frames"):
        frame_files(tmp_path / "gone")
    with pytest.raises(VideoError, match=r"holds no frame, that is no file \*-rgb\.png"):
        probe_source(tmp_path)


def test_times_outside_and_damaged_frames_are_named(episode: Path, tmp_path: Path) -> None:
    (tmp_path / "0-rgb.png").write_bytes((episode / "00000-rgb.png").read_bytes())
    whole = (episode / "00001-rgb.png").read_bytes()
    (tmp_path / "1-rgb.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "2-rgb.png").write_bytes(b"GIF89a")
    (tmp_path / "3-rgb.jpg").write_bytes(b"")
    found = shown(tmp_path, [0.0, 1 / 30, 2 / 30, 3 / 30, 0.5, -1.0])
    assert found[0] == 0
    assert "1-rgb.png: the picture is damaged or cut short" in str(found[1])
    assert "2-rgb.png: cannot be read as a PNG or JPEG picture" in str(found[2])
    assert "3-rgb.jpg: cannot be read as a PNG or JPEG picture" in str(found[3])
    assert "no frame at 0.500 s; 4 frames are 0.133 s long" in str(found[4])
    assert "no frame at -1.000 s" in str(found[5])


def test_flipped_bytes_never_escape_as_another_error(episode: Path, tmp_path: Path) -> None:
    whole = bytearray((episode / "00001-rgb.png").read_bytes())
    random = np.random.default_rng(0)
    path = tmp_path / "0-rgb.png"
    outcomes = set()
    for _ in range(150):
        bad = bytearray(whole)
        for place in random.integers(0, len(bad), 3):
            bad[place] = random.integers(0, 256)
        path.write_bytes(bytes(bad))
        outcomes |= {type(picture) for _, picture in decode_folder(tmp_path, [0.0], 32)}
    assert outcomes == {np.ndarray, VideoError}


def test_a_picture_is_measured_before_it_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("1", (9000, 9000)).save(tmp_path / "0-rgb.png")
    with pytest.raises(VideoError, match="9000 x 9000 px"):
        probe_folder(tmp_path)
    monkeypatch.setattr(frame_folder, "MAX_FILE_BYTES", 100)
    assert "bytes are more than a picture may have" in str(next(decode_folder(tmp_path, [0.0], 32))[1])
    monkeypatch.setattr(frame_folder, "MAX_FILES", 0)
    with pytest.raises(VideoError, match="more than 0 frames"):
        frame_files(tmp_path)


def test_pictures_of_other_shapes_and_colours_fit_the_square(tmp_path: Path) -> None:
    Image.new("L", (10, 40), 200).save(tmp_path / "0-rgb.png")
    Image.new("RGBA", (40, 10), (10, 200, 10, 128)).save(tmp_path / "1-rgb.png")
    upright, flat = (np.asarray(picture) for _, picture in decode_folder(tmp_path, [0.0, 1 / 30], 32))
    assert upright[:, 12:20].min() == 200
    assert not upright[:, :12].any()
    assert not flat[:12].any()
    assert flat[12:20, :, 1].min() == 200
