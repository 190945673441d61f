"""How fast clips are cut: our build against a process or a seek for each clip, and against pure decoding.

    python benchmarks/clip_build.py                       448 px, key frames every 30 and every 250 frames
    python benchmarks/clip_build.py --full                1408 px ego and 1080p exo videos
    python benchmarks/clip_build.py --processes           1 against 2 processes; needs an idle machine

All ways cut the same clips of the same files, in turns (`--repeats`), so that a busy machine slows all alike. Prints
JSON: CPU seconds (own and of children) and wall seconds, medians of the repeats, and their ratios. Needs no data.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import av
from build_sources import CLIP_S, VIEWS, Source, plan, write_source

from exo2ego.data.shard_clips import Cut, Limits, cut_video, encode_clips
from exo2ego.data.shard_group import ClipFormat
from exo2ego.data.shard_writer import build_shards
from exo2ego.data.video import read_clip, write_video

FRAMES = 16


def times() -> tuple[float, float]:
    """(CPU seconds of this process and its ended children, wall seconds)."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system, time.perf_counter()


def cuts_of(seconds: float, every_s: float) -> list[Cut]:
    """The clips of one video."""
    planned = plan([Path("x")], seconds, every_s, FRAMES)
    return [Cut(start_s=p.sample.start_s, end_s=p.sample.end_s, fps=p.sample.fps) for p in planned]


def by_pass(path: Path, cuts: Sequence[Cut], size_px: int) -> int:
    """Ours, without a guard."""
    return sum(isinstance(clip, bytes) for clip in encode_clips(str(path), cuts, FRAMES, size_px))


def by_guarded_pass(path: Path, cuts: Sequence[Cut], size_px: int) -> int:
    """Ours, as `data clips` does it: in a killable process, its start included."""
    limits = Limits()
    with limits.guard() as guard:
        return sum(isinstance(clip, bytes) for clip in cut_video(guard, limits, str(path), cuts, FRAMES, size_px))


def by_seeks(path: Path, cuts: Sequence[Cut], size_px: int) -> int:
    """One open, one seek and one encoding for each clip, with PyAV."""
    for cut in cuts:
        write_video(None, read_clip(path, cut.start_s, cut.end_s, FRAMES, size_px), cut.fps)
    return len(cuts)


def by_ffmpeg(path: Path, cuts: Sequence[Cut], size_px: int) -> int:
    """One process for each clip, as scripts do it; the same size, rate, codec and preset."""
    scale = f"fps={FRAMES / CLIP_S:.4f},scale={size_px}:{size_px}:flags=area"
    for cut in cuts:
        span = ["-ss", f"{cut.start_s:.3f}", "-t", f"{cut.end_s - cut.start_s:.3f}"]
        codec = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "21", "-threads", "1", "-an"]
        shape = ["-i", str(path), "-vf", scale]
        command = ["ffmpeg", "-v", "error", "-nostdin", "-y", "-threads", "1", *span, *shape, *codec]
        subprocess.run([*command, str(path.with_suffix(".cut.mp4"))], check=True)
    return len(cuts)


def by_decoding(path: Path, cuts: Sequence[Cut], size_px: int) -> int:
    """The limit: every frame of the file decoded once, none converted."""
    with av.open(str(path)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        for _ in container.decode(video=0):
            pass
    return len(cuts)


def by_encoding(path: Path, cuts: Sequence[Cut], size_px: int) -> int:
    """The encoding alone, of as many clips."""
    frames = read_clip(path, cuts[0].start_s, cuts[0].end_s, FRAMES, size_px)
    for cut in cuts:
        write_video(None, frames, cut.fps)
    return len(cuts)


WAYS: dict[str, Callable[[Path, Sequence[Cut], int], int]] = {
    "build": by_pass,
    "build_guarded": by_guarded_pass,
    "seeks": by_seeks,
    "ffmpeg": by_ffmpeg,
    "decode_only": by_decoding,
    "encode_only": by_encoding,
}


def compare(path: Path, source: Source, every_s: float, size_px: int, repeats: int) -> dict[str, object]:
    """CPU and wall seconds of each way over the same clips, and what the aims ask."""
    cuts = cuts_of(source.seconds, every_s)
    ways = {name: way for name, way in WAYS.items() if name != "ffmpeg" or shutil.which("ffmpeg")}
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            cpu, wall = times()
            if way(path, cuts, size_px) != len(cuts):
                raise RuntimeError(f"{name} lost a clip")
            after_cpu, after_wall = times()
            spent[name].append((after_cpu - cpu, after_wall - wall))
    cpu_s = {name: statistics.median(cpu for cpu, _ in runs) for name, runs in spent.items()}
    wall_s = {name: statistics.median(wall for _, wall in runs) for name, runs in spent.items()}
    less_encoding = cpu_s["build"] - cpu_s["encode_only"]
    return {
        "source": f"{source.width_px} x {source.height_px}, {source.seconds:.0f} s, key frame every {source.gop}",
        "clips": len(cuts),
        "cpu_s": {name: round(value, 3) for name, value in cpu_s.items()},
        "wall_s": {name: round(value, 3) for name, value in wall_s.items()},
        "clips_per_cpu_s": round(len(cuts) / cpu_s["build"], 1),
        "times_ffmpeg": round(cpu_s["ffmpeg"] / cpu_s["build"], 2) if "ffmpeg" in ways else "no ffmpeg on this machine",
        "times_seeks": round(cpu_s["seeks"] / cpu_s["build"], 2),
        "share_of_decoding_rate_less_encoding": round(cpu_s["decode_only"] / less_encoding, 3),
        "guard_costs": round(cpu_s["build_guarded"] / cpu_s["build"] - 1, 3),
    }


def processes(folder: Path, path: Path, source: Source, every_s: float, size_px: int) -> dict[str, object]:
    """A whole build with one and with two processes, and what two plain decoders at once gain on this machine."""
    takes = 8
    paths = [folder / f"take{number}.mp4" for number in range(takes)]
    for take in paths:
        for view in VIEWS:
            take.with_suffix(f".{view}.mp4").symlink_to(path)
    wall_s = {}
    for workers in (1, 2):
        start = time.perf_counter()
        build_shards(
            folder / f"out{workers}",
            plan(paths, source.seconds, every_s, FRAMES),
            ClipFormat(num_frames=FRAMES, size_px=size_px),
            settings={},
            report={},
            workers=workers,
            limits=Limits(),
        )
        wall_s[workers] = time.perf_counter() - start
    return {"wall_s": wall_s, "gain_of_2_processes": round(wall_s[1] / wall_s[2], 2), "load": os.getloadavg()[0]}


def main() -> None:
    """Parses flags, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120.0, help="length of a video")
    parser.add_argument("--every", type=float, default=1.62, help="between narrations, mean; 261.3K in 117.9 h")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--full", action="store_true", help="full-size sources")
    parser.add_argument("--processes", action="store_true", help="1 against 2 processes")
    options = parser.parse_args()
    shapes = [(1408, 1408, 30), (1920, 1080, 30)] if options.full else [(448, 448, 30), (448, 448, 250)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for width, height, gop in shapes:
            source = Source(width_px=width, height_px=height, seconds=options.seconds, gop=gop)
            path = folder / f"{width}x{height}g{gop}.mp4"
            write_source(path, source)
            if options.processes:
                print(json.dumps(processes(folder, path, source, options.every, options.size)))
                return
            print(json.dumps(compare(path, source, options.every, options.size, options.repeats), indent=1), flush=True)


if __name__ == "__main__":
    main()
