"""Sizes: as people write them, of files, and estimated from what the release publishes."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo2ego.data.download_sizes import SMALL_PART, Size, Sizes, parse_bytes, published_rate, show_bytes
from exo2ego.errors import FormatError
from exo2ego.records import Stream, Take

CAM = Stream(cam_id="cam01", is_ego=False, path="takes/a/cam01.mp4")
TAKE = Take(
    take_uid="u",
    take_name="a",
    duration_s=10.01,
    scenario="Cooking",
    university="cmu",
    split="train",
    ego=None,
    exos=(CAM,),
    best_exo=None,
)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("200GB", 200 * 10**9),
        ("200 gb", 200 * 10**9),
        ("1.5TB", 15 * 10**11),
        ("500GiB", 500 * 2**30),
        ("1TiB", 2**40),
        (".5kB", 500),
        ("12", 12),
        ("12 B", 12),
    ],
)
def test_sizes_as_people_write_them(text: str, count: int) -> None:
    assert parse_bytes(text) == count


@pytest.mark.parametrize("text", ["", "GB", "200 apples", "-5GB", "0GB", "0.1B", "1e9", "nan", "inf", "1,5GB", "5GBs"])
def test_what_is_no_size_is_refused_by_its_own_text(text: str) -> None:
    with pytest.raises(FormatError, match=f"'{text}'"):
        parse_bytes(text)


@given(st.integers(1, 10**15))
def test_a_size_shown_and_read_again_is_the_same_within_its_digits(count: int) -> None:
    assert abs(parse_bytes(show_bytes(count)) - count) <= 0.051 * max(1, count)


def test_the_published_rate_is_the_part_over_the_hours() -> None:
    """438.556 GB and 1,286.30 h: 94.7 kB/s, so that the whole of the release comes out at its own size."""
    assert published_rate(SMALL_PART) * 1286.30 * 3600 == pytest.approx(438.556e9)
    assert round(published_rate(SMALL_PART)) == 94_707


def test_a_file_counts_with_its_size_and_an_absent_or_empty_one_is_estimated(tmp_path: Path) -> None:
    path = tmp_path / CAM.path
    path.parent.mkdir(parents=True)
    assert Sizes(tmp_path, 100.0).video(TAKE, CAM) == Size(1001, 1001)
    path.touch()
    assert Sizes(tmp_path, 100.0).video(TAKE, CAM) == Size(1001, 1001)
    path.write_bytes(b"x" * 77)
    found = Sizes(tmp_path, 100.0).video(TAKE, CAM)
    assert (found, str(found)) == (Size(77), "77 B")
    assert str(Size(77) + Size(1001, 1001)) == "about 1.1 kB"
