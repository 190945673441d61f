"""What was computed of the most recent videos, as far as memory allows: benchmarks ask about one clip many times."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from exo2ego.records import VideoSpan

Value = TypeVar("Value")

KEPT_BYTES = 256 << 20


class Recent(Generic[Value]):
    """Results by video; the least recently used go first when they take more than `KEPT_BYTES` together."""

    def __init__(self, compute: Callable[[VideoSpan], Value], size_bytes: Callable[[Value], int]) -> None:
        self._compute, self._size_bytes = compute, size_bytes
        self._kept: OrderedDict[VideoSpan, Value] = OrderedDict()

    def get(self, video: VideoSpan) -> Value:
        """The result for a video, computed where it is not kept. Errors of `compute` pass through."""
        if video not in self._kept:
            self._kept[video] = self._compute(video)
            while len(self._kept) > 1 and sum(map(self._size_bytes, self._kept.values())) > KEPT_BYTES:
                self._kept.popitem(last=False)
        self._kept.move_to_end(video)
        return self._kept[video]
