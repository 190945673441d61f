"""Films: frame i of the grid is frame i of the clip, whatever the rate, the count and the size."""

import io

import numpy as np
import pytest
from coded_video import coded_frame, number_of
from PIL import Image

from exo2ego.data import view_film
from exo2ego.data.video import write_video
from exo2ego.data.view_film import Film, film, fitted, thumb
from exo2ego.errors import VideoError


def clip(frames: int, fps: float, width: int = 64, height: int = 48) -> bytes:
    return write_video(None, np.stack([coded_frame(n, width, height) for n in range(frames)]), fps)


def numbers(made: Film) -> list[int]:
    """What each frame of the grid shows."""
    sheet = np.asarray(Image.open(io.BytesIO(made.content)))
    out = []
    for frame in range(made.frames):
        row, column = divmod(frame, made.columns)
        top, left = row * made.height_px, column * made.width_px
        out.append(number_of(sheet[top : top + made.height_px, left : left + made.width_px]))
    return out


@pytest.mark.parametrize("frames", [1, 2, 16, 17, 64])
@pytest.mark.parametrize("fps", [0.5, 10.0, 16 / 0.68, 29.97, 160.0])
def test_every_frame_is_in_its_place(frames: int, fps: float) -> None:
    made = film(clip(frames, fps))
    assert made.frames == frames
    assert (made.width_px, made.height_px) == (64, 48)
    assert numbers(made) == list(range(frames))


def test_a_grid_that_would_be_too_large_shows_smaller_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view_film, "MAX_SHEET_PX", 128)
    made = film(clip(16, 10))
    assert (made.columns, made.width_px, made.height_px) == (4, 32, 24)
    assert numbers(made) == list(range(16))


def test_too_many_frames_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view_film, "MAX_FILM_FRAMES", 8)
    with pytest.raises(VideoError, match="9 frames"):
        film(clip(9, 10))


def test_thumb_is_the_middle_frame() -> None:
    picture = np.asarray(Image.open(io.BytesIO(thumb(clip(16, 10)))))
    assert number_of(picture) == 8
    assert Image.open(io.BytesIO(thumb(clip(3, 10, 640, 480)))).size == (160, 120)


def test_what_is_no_video_is_told() -> None:
    for make in (film, thumb):
        with pytest.raises(VideoError):
            make(b"not a video")


def test_fitted_keeps_the_shape_and_never_enlarges() -> None:
    assert fitted(640, 480, 160) == (160, 120)
    assert fitted(64, 48, 160) == (64, 48)
    assert fitted(4000, 1, 100) == (100, 1)
