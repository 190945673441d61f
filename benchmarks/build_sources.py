"""Synthetic download for the benchmarks of building: videos as Ego-Exo4D's are coded, and a plan of narrations.

Smooth moving texture with a sharp object, neither trivial nor impossible to compress; one ego and four exo views of a
take share one file, since content does not matter to the clock.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from exo2ego.data.shard_plan import Planned
from exo2ego.data.shards import ShardSample

VIEWS = ("ego", "cam01", "cam02", "cam03", "cam04")
CLIP_S = 0.68
"""The mean length of Ego-ExoClip's clips."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One kind of source video."""

    width_px: int
    height_px: int
    seconds: float
    fps: int = 30
    gop: int = 30


def write_source(path: Path, source: Source) -> None:
    """H.264 with two B-frames, as downloads have it."""
    rng = np.random.default_rng(0)
    width, height = source.width_px, source.height_px
    coarse = rng.integers(0, 255, (height // 16 + 1, width // 16 + 9, 3)).astype(np.uint8)
    texture = coarse.repeat(16, axis=0).repeat(16, axis=1)
    with av.open(str(path), "w") as out:
        options = {"preset": "veryfast", "crf": "26", "g": str(source.gop), "bf": "2", "threads": "1"}
        stream = out.add_stream("libx264", rate=Fraction(source.fps), options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(round(source.seconds * source.fps)):
            shift = number % 128
            picture = np.ascontiguousarray(texture[:height, shift : shift + width])
            at = int((0.1 + 0.6 * abs((number / 90) % 2 - 1)) * width)
            picture[height // 4 : height // 2, at : at + width // 8] = (200, 40, 60)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode(None))


def plan(paths: list[Path], seconds: float, every_s: float, num_frames: int) -> Iterator[Planned]:
    """Narrations at random distances about `every_s` apart; one take a path, all its views in that file."""
    for take, path in enumerate(paths):
        rng = np.random.default_rng(take)
        times = np.cumsum(rng.exponential(every_s, round(2 * seconds / every_s)) + 0.05)
        for number, time_s in enumerate(times[(times > CLIP_S) & (times < seconds - CLIP_S)]):
            start = round(float(time_s) - CLIP_S / 2, 6)
            sample = ShardSample(
                key=f"t{take}-{number:05d}",
                split="train",
                take_uid=f"take-{take}",
                scenario="noise",
                text="C waits.",
                start_s=start,
                end_s=start + CLIP_S,
                fps=num_frames / CLIP_S,
                views=VIEWS,
                best_exo="cam01",
                source="benchmark",
            )
            yield Planned(sample=sample, videos=tuple((view, str(path.with_suffix(f".{view}.mp4"))) for view in VIEWS))
