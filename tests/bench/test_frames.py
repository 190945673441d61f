"""Frames for other models: the picture's own shape, times within the clip, the same frames as our engine reads."""

import gc
import os
from pathlib import Path

import numpy as np
import pytest

from exo2ego.bench.frames import frame_times, guarded, sample
from exo2ego.data.video import read_frames
from exo2ego.errors import MissingFileError, VideoError
from exo2ego.records import VideoSpan


def test_middles_of_equal_parts_in_the_pictures_own_shape(noise_clips: tuple[Path, Path]) -> None:
    path = str(noise_clips[0])
    clip = VideoSpan(path=path, start_s=0.5, end_s=1.5)
    frames = sample(clip, 4)
    assert frames.pictures.shape == (4, 48, 64, 3)
    assert frames.times_s == pytest.approx([0.125, 0.375, 0.625, 0.875])
    assert (frames.duration_s, frames.fps) == (1.0, 4.0)
    assert frame_times(clip, 4) == pytest.approx([0.625, 0.875, 1.125, 1.375])
    assert (frames.pictures == read_frames(path, frame_times(clip, 4))).all()
    whole = sample(VideoSpan(path=path), 20)
    assert whole.duration_s == pytest.approx(2.0, abs=0.05)
    assert len(np.unique(whole.pictures.reshape(20, -1), axis=0)) == 20


def test_clips_that_are_not_in_the_file(noise_clips: tuple[Path, Path], tmp_path: Path) -> None:
    for start_s, end_s in ((1.0, 3.0), (-1.0, 1.0), (1.0, 1.0)):
        for ask in (sample, frame_times):
            with pytest.raises(VideoError):
                ask(VideoSpan(path=str(noise_clips[0]), start_s=start_s, end_s=end_s), 2)
    with pytest.raises(MissingFileError):
        sample(VideoSpan(path=str(tmp_path / "none.mp4")), 2)


class Owner:
    """Stands for the model whose videos are read."""


def test_a_file_that_takes_the_decoder_down_costs_one_line_and_the_next_is_read(noise_clips: tuple[Path, Path]) -> None:
    owner, clip = Owner(), VideoSpan(path=str(noise_clips[0]), start_s=0.5, end_s=1.5)
    call = guarded(owner, 1)
    with pytest.raises(VideoError, match=r"^bad\.mp4: the decoder crashed \(signal 6\)"):
        call(os.abort, name="bad.mp4")
    assert (sample(clip, 4, call).pictures == sample(clip, 4).pictures).all()
    assert frame_times(clip, 4, call) == frame_times(clip, 4)
    with pytest.raises(VideoError, match=r"a\.mp4: the span"):
        sample(VideoSpan(path=clip.path, end_s=9.0), 4, call)


def test_the_process_that_reads_ends_with_its_owner() -> None:
    owner = Owner()
    pid = guarded(owner, 1)(os.getpid)
    assert pid != os.getpid()
    del owner
    gc.collect()
    assert not Path(f"/proc/{pid}").exists()
