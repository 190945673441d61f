"""What is kept of recent videos: computed once, the least recently used first to go, never more than allowed."""

import pytest

from exo2ego.errors import VideoError
from exo2ego.inference import recent as module
from exo2ego.inference.recent import Recent
from exo2ego.records import VideoSpan

A, B, C = (VideoSpan(path=name) for name in "abc")


def test_the_least_recently_used_goes_first(monkeypatch):
    monkeypatch.setattr(module, "KEPT_BYTES", 20)
    computed = []
    recent = Recent(lambda video: computed.append(video) or video.path * 10, len)
    assert recent.get(A) == recent.get(A) == "a" * 10
    recent.get(B)
    recent.get(A)
    recent.get(C)
    assert computed == [A, B, C]
    recent.get(A)
    recent.get(B)
    assert computed == [A, B, C, B]
    assert recent.get(VideoSpan(path="a", start_s=1.0, end_s=2.0)) == "a" * 10
    assert len(computed) == 5


def test_a_single_result_is_kept_however_large_and_a_failure_is_not(monkeypatch):
    monkeypatch.setattr(module, "KEPT_BYTES", 1)
    calls = []

    def compute(video):
        calls.append(video)
        if len(calls) == 1:
            raise VideoError("no frames")
        return "x" * 100

    recent = Recent(compute, len)
    with pytest.raises(VideoError):
        recent.get(A)
    assert recent.get(A) == recent.get(A)
    assert len(calls) == 2
