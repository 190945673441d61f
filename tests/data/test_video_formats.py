"""Every codec in every container that people have: a frame asked for alone is the one with that number burned in."""

from collections.abc import Sequence

import numpy as np
import pytest
from coded_video import coded_stream, number_of, numbers_of, retimed, steady

from exo2ego.data.video import decode_at, probe, read_frames, sample_times
from exo2ego.errors import VideoError

COUNT = 26
HOLDS = {
    "libx264": ("mp4", "mov", "matroska", "avi", "mpegts"),
    "libx265": ("mp4", "mov", "matroska", "mpegts"),
    "libvpx": ("matroska", "webm", "avi"),
    "libvpx-vp9": ("mp4", "matroska", "webm", "avi"),
    "libsvtav1": ("mp4", "matroska", "webm", "avi"),
    "mpeg4": ("mp4", "mov", "matroska", "avi", "mpegts"),
    "mjpeg": ("mp4", "mov", "matroska", "avi"),
    "mpeg2video": ("mp4", "matroska", "avi", "mpegts", "mpeg"),
    "mpeg1video": ("mp4", "avi", "mpeg"),
    "prores_ks": ("mov", "matroska"),
    "ffv1": ("mp4", "matroska", "avi"),
    "huffyuv": ("avi",),
    "msmpeg4": ("avi", "matroska"),
    "wmv2": ("avi",),
    "rawvideo": ("matroska", "avi"),
}
"""What the encoders and writers of the library can make of each other."""
PIXELS = {"mjpeg": "yuvj420p", "prores_ks": "yuv422p10le", "huffyuv": "yuv422p"}
ONE_RATE = {"avi", "mpeg"}
"""Containers in which a rate of their own is the unit of time."""
FIXED_RATE = {"mpeg1video", "mpeg2video"}
"""Their standards know 25 a second, and not 10."""
REORDERS = ("libx264", "libx265", "mpeg4", "mpeg2video", "mpeg1video")
TEN_BIT = {"libx264": "yuv420p10le", "libx265": "yuv420p10le", "libsvtav1": "yuv420p10le", "prores_ks": "yuv422p10le"}
"""The VP9 encoder of the library makes 8 bits only."""

PAIRS = [(codec, container) for codec, containers in HOLDS.items() for container in containers]
REORDERED = [pair for pair in PAIRS if pair[0] in REORDERS]


def height_of(codec: str) -> int:
    """The AV1 encoder needs 64 px on each side."""
    return 64 if codec == "libsvtav1" else 48


def rate_of(codec: str) -> int:
    return 25 if codec in FIXED_RATE else 10


def encoded(codec: str, container: str, times_s: Sequence[float] | None = None, **options: object) -> bytes:
    """With the unit of time that the pair can keep."""
    fps = rate_of(codec)
    ticks = fps if container in ONE_RATE or codec in FIXED_RATE or codec == "mpeg4" else 1000
    chosen: dict[str, object] = {"pix_fmt": PIXELS.get(codec, "yuv420p"), "ticks_per_s": ticks, "fps": fps}
    chosen["height"] = height_of(codec)
    return coded_stream(codec, container, times_s or steady(COUNT, fps), **(chosen | options))


def check(content: bytes, times_s: Sequence[float], step: int = 1) -> None:
    """Alone and in one pass, forwards and backwards, every frame is the one whose number it shows."""
    times = np.array(times_s) - times_s[0]
    alone = {number: number_of(read_frames(content, [times[number]])[0]) for number in range(0, len(times), step)}
    assert alone == {number: number for number in alone}
    assert numbers_of(read_frames(content, times[::-1])) == list(range(len(times)))[::-1]


@pytest.mark.parametrize(("codec", "container"), PAIRS)
def test_each_frame_of_each_codec_in_each_container(codec: str, container: str) -> None:
    content = encoded(codec, container)
    fps = rate_of(codec)
    check(content, steady(COUNT, fps))
    info = probe(content)
    assert info.duration_s == pytest.approx(COUNT / fps, abs=1.01 / fps)
    assert (info.width_px, info.height_px, info.frames) == (64, height_of(codec), pytest.approx(COUNT, abs=1))
    middles = sample_times(0, COUNT / fps, COUNT)
    assert numbers_of(read_frames(content, middles)) == list(range(COUNT))


@pytest.mark.parametrize("open_gop", [False, True], ids=["closed", "open"])
@pytest.mark.parametrize(("codec", "container"), REORDERED)
def test_b_frames(codec: str, container: str, open_gop: bool) -> None:
    """Decoded in another order than displayed; in open groups, frames before a key frame need the group before."""
    check(encoded(codec, container, b_frames=2, open_gop=open_gop), steady(COUNT, rate_of(codec)))


@pytest.mark.parametrize(("codec", "container"), [pair for pair in PAIRS if pair[0] in TEN_BIT])
def test_ten_bit(codec: str, container: str) -> None:
    check(encoded(codec, container, pix_fmt=TEN_BIT[codec]), steady(COUNT), step=5)


@pytest.mark.parametrize(
    ("codec", "size"),
    [
        *((codec, (65, 47)) for codec in ("libx264", "libx265", "libvpx", "libvpx-vp9", "mpeg4", "mjpeg", "ffv1")),
        *((codec, (33, 95)) for codec in ("libx264", "libvpx", "libvpx-vp9", "mpeg4", "mjpeg", "ffv1")),
        ("libsvtav1", (97, 71)),
    ],
    ids=str,
)
def test_odd_sizes(codec: str, size: tuple[int, int]) -> None:
    width, height = size
    # H.264 and HEVC crop by two pixels where colours are halved, so that only 4:4:4 can be odd.
    pixels = "yuv444p" if codec in ("libx264", "libx265") else PIXELS.get(codec, "yuv420p")
    content = encoded(codec, "matroska", width=width, height=height, pix_fmt=pixels)
    assert read_frames(content, [0.3]).shape == (1, height, width, 3)
    check(content, steady(COUNT), step=5)


VARIABLE = [0, 0.1, 0.133, 0.5, 0.54, 1.2, 1.25, 2.0, 2.04, 2.08, 2.9, 3.0, 3.001, 3.5, 3.9, 4.0]


@pytest.mark.parametrize(
    ("codec", "container"),
    [pair for pair in PAIRS if pair[1] not in ONE_RATE and pair[0] not in {*FIXED_RATE, "mpeg4"}],
)
def test_variable_rate(codec: str, container: str) -> None:
    check(encoded(codec, container, VARIABLE), VARIABLE)


@pytest.mark.parametrize("start_s", [0.4, 7.0, 5000.0])
@pytest.mark.parametrize(
    ("codec", "container"),
    [("libx264", "mp4"), ("libx265", "mov"), ("libx264", "matroska"), ("libvpx-vp9", "webm"), ("libx264", "mpegts")],
)
def test_a_clock_that_starts_anywhere(codec: str, container: str, start_s: float) -> None:
    times = [start_s + time for time in steady(COUNT)]
    content = encoded(codec, container, times, b_frames=2)
    check(content, times, step=3)
    assert probe(content).duration_s == pytest.approx(COUNT / 10, abs=0.11)


TOO_SHORT = ("mpeg2video", "mpegts")
"""Four packets of a transport stream: FFmpeg does not recognise it."""


@pytest.mark.parametrize(("codec", "container"), [pair for pair in PAIRS if pair != TOO_SHORT])
def test_one_frame(codec: str, container: str) -> None:
    content = encoded(codec, container, [0.0])
    info = probe(content)
    assert info.frames == 1
    assert 0 < info.duration_s <= 1.01
    assert numbers_of(read_frames(content, [0.0])) == [0]
    with pytest.raises(VideoError, match=r"no frame at 9\.000 s"):
        read_frames(content, [9.0])


@pytest.mark.parametrize(("codec", "container"), [("libx264", "mp4"), ("libx265", "matroska"), ("mpeg4", "avi")])
def test_one_key_frame_at_the_start_only(codec: str, container: str) -> None:
    times = steady(300)
    content = encoded(codec, container, times, gop=600, b_frames=2)
    found = dict(decode_at(content, np.array([29.9, 0.1, 15.0, 7.3])))
    assert [number_of(found[place]) for place in range(4)] == [299, 1, 150, 73]


def test_more_than_one_reordered_group_without_display_times_is_read_from_the_start() -> None:
    """AVI keeps no display times: FFmpeg makes some up, which are wrong where there are B-frames."""
    for codec in ("libx264", "mpeg4"):
        content = encoded(codec, "avi", steady(200), gop=12, b_frames=2)
        found = dict(decode_at(content, np.array([19.9, 0.1, 12.3])))
        assert [number_of(found[place]) for place in range(3)] == [199, 1, 123]


@pytest.mark.parametrize("container", ["matroska", "mp4", "mpegts"])
def test_a_pause_is_bridged_up_to_a_second(container: str) -> None:
    times = [0, 0.1, 0.2, 0.3, 1.1, 1.2, 9.0, 9.1]
    content = retimed(encoded("libx264", "mp4", steady(len(times))), container, times)
    assert numbers_of(read_frames(content, [0.1, 0.3, 0.6, 0.8, 1.2, 9.0])) == [1, 3, 3, 4, 5, 6]
    with pytest.raises(VideoError, match=r"no frame at 5\.000 s"):
        read_frames(content, [5.0])


def test_of_two_frames_at_one_time_the_last_stays_on_display() -> None:
    content = retimed(encoded("mjpeg", "mp4", steady(6)), "matroska", [0, 0.1, 0.2, 0.2, 0.2, 0.3])
    assert numbers_of(read_frames(content, [0.2])) == [4]
    assert numbers_of(read_frames(content, [0.1, 0.2, 0.3])) == [1, 4, 5]


def test_a_frame_that_comes_too_late_is_not_displayed_as_in_players() -> None:
    content = retimed(encoded("mjpeg", "mp4", steady(6)), "matroska", [0, 0.1, 0.5, 0.3, 0.6, 0.7])
    assert numbers_of(read_frames(content, [0.1, 0.5, 0.6, 0.7])) == [1, 2, 4, 5]
    assert numbers_of(read_frames(content, [0.6])) == [4]
