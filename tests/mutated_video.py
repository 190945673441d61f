"""Damaged videos: a few small films of known frames, bytes changed by a seeded recipe, and what reading them gives.

`examine` runs in a guarded child. For every damage it is known which frames it can have touched; any other frame has to
come back as itself or not at all.
"""

import io
import itertools
import random
import resource
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
from coded_video import coded_stream, number_of, retimed, steady

from exo2ego.data.video import decode_at, probe, read_clip
from exo2ego.errors import InputError

COUNT, FPS, GOP = 20, 10, 5
EXTREMES = (0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 2**64 - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """An undamaged file: frame n is on display from n / FPS on and shows n."""

    name: str
    content: bytes
    cuts: tuple[int, ...]
    """Where its boxes, elements or packets begin."""
    packets: tuple[tuple[int, int, frozenset[int]], ...]
    """(first byte, last byte + 1, frames that need it) of each coded frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A damaged file; `touched`: frames that may come back wrong, None where the damage may move any frame."""

    film: str
    damage: str
    content: bytes
    touched: frozenset[int] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of reading a file."""

    shown: dict[int, int]
    """Asked frame -> the number on the picture that came."""
    reasons: tuple[str, ...]
    peak_bytes: int


def films() -> list[Film]:
    """Of every container and of the codecs that people have."""
    times = steady(COUNT, FPS)

    def make(codec: str, container: str, **options: object) -> bytes:
        ticks = FPS if container in ("avi", "mpeg") or codec == "mpeg4" else 1000
        chosen: dict[str, object] = {"gop": GOP, "width": 64, "height": 48, "ticks_per_s": ticks, "fps": FPS}
        return coded_stream(codec, container, times, **(chosen | options))

    fragments = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
    plain = make("libx264", "mp4")
    contents = {
        "h264.mp4": make("libx264", "mp4", b_frames=2),
        "h264-front.mp4": _header_in_front(plain),
        "h264-fragments.mp4": retimed(plain, "mp4", times, fragments),
        "hevc.mov": make("libx265", "mov", b_frames=2),
        "h264.mkv": make("libx264", "matroska"),
        "vp9.webm": make("libvpx-vp9", "webm"),
        "vp8.webm": make("libvpx", "webm"),
        "av1.mp4": make("libsvtav1", "mp4", height=64),
        "mpeg4.avi": make("mpeg4", "avi"),
        "h264-reordered.avi": make("libx264", "avi", b_frames=2),
        "mjpeg.avi": make("mjpeg", "avi", pix_fmt="yuvj420p"),
        "h264.ts": make("libx264", "mpegts", b_frames=2),
        "mpeg4.ts": make("mpeg4", "mpegts"),
    }
    return [_film(name, content) for name, content in contents.items()]


def _header_in_front(content: bytes) -> bytes:
    """The mp4 as the web has it, which FFmpeg writes by reading its own file again."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "front.mp4")
        with av.open(io.BytesIO(content)) as source, av.open(str(path), "w", options={"movflags": "faststart"}) as out:
            stream = source.streams.video[0]
            copy = out.add_stream_from_template(stream)
            for packet in source.demux(stream):
                if packet.size:
                    packet.stream = copy
                    out.mux(packet)
        return path.read_bytes()


def _film(name: str, content: bytes) -> Film:
    packets: list[tuple[int, int, int, bool]] = []
    with av.open(io.BytesIO(content)) as container:
        stream = container.streams.video[0]
        for packet in container.demux(stream):
            if packet.size:
                packets.append((packet.pos or 0, packet.size, len(packets), packet.is_keyframe))
    starts = [place for place, packet in enumerate(packets) if packet[3]] + [len(packets)]
    needed: list[tuple[int, int, frozenset[int]]] = []
    for first, after in itertools.pairwise(starts):
        # Closed groups: decoded and displayed as the same run of numbers.
        needed += [(pos, pos + size, frozenset(range(first, after))) for pos, size, _, _ in packets[first:after]]
    return Film(name=name, content=content, cuts=tuple(_cuts(name, content)), packets=tuple(needed))


def _cuts(name: str, content: bytes) -> list[int]:
    ending = name.rsplit(".", 1)[1]
    if ending in ("mp4", "mov"):
        return sorted(_boxes(content, 0, len(content)))
    if ending == "ts":
        return list(range(0, len(content), 188))
    if ending == "avi":
        marks = (b"LIST", b"RIFF", b"idx1", b"00dc", b"strh", b"strf", b"avih", b"movi", b"hdrl", b"strl", b"JUNK")
    else:
        marks = (
            b"\x1aE\xdf\xa3",
            b"\x18S\x80g",
            b"\x11M\x9bt",
            b"\x15I\xa9f",
            b"\x16T\xaek",
            b"\xae",
            b"\x1fC\xb6u",
            b"\x1cS\xbbk",
            b"\xa3",
        )
    found: set[int] = set()
    for mark in marks:
        at = content.find(mark)
        while at >= 0:
            found.add(at)
            at = content.find(mark, at + 1)
    return sorted(found)


def _boxes(content: bytes, at: int, end: int) -> Iterator[int]:
    nests = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf", b"edts", b"dinf", b"udta", b"mvex")
    while end - at >= 8:
        size = int.from_bytes(content[at : at + 4], "big")
        if size < 8:
            return
        yield at
        if content[at + 4 : at + 8] in nests:
            yield from _boxes(content, at + 8, min(end, at + size))
        at += size


def _touched(film: Film, first: int, after: int) -> frozenset[int] | None:
    """Frames that need the bytes, where these lie inside of one coded frame; None where they are structure."""
    for begin, end, needing in film.packets:
        # The first bytes of a packet may be structure (a start code, a length, a header of a transport packet).
        if film.name.endswith((".mp4", ".mov")) and begin + 8 <= first and after <= end:
            return needing
    return None


def flip(film: Film, rng: random.Random) -> Case:
    """One to eight bytes changed, near each other or anywhere."""
    out = bytearray(film.content)
    places = [rng.randrange(len(out)) for _ in range(rng.choice((1, 1, 1, 2, 8)))]
    for place in places:
        out[place] ^= 1 << rng.randrange(8)
    touched: frozenset[int] | None = frozenset()
    for place in places:
        mine = _touched(film, place, place + 1)
        touched = None if touched is None or mine is None else touched | mine
    return Case(film=film.name, damage="flip", content=bytes(out), touched=touched)


def truncate(film: Film, rng: random.Random) -> Case:
    """Cut short at a box or anywhere."""
    at = rng.choice(film.cuts) if rng.random() < 0.6 else rng.randrange(len(film.content))
    if not film.name.endswith((".mp4", ".mov")):
        return Case(film=film.name, damage="truncate", content=film.content[:at], touched=None)
    lost = [needing for begin, end, needing in film.packets if end > at]
    return Case(film=film.name, damage="truncate", content=film.content[:at], touched=frozenset().union(*lost))


def lie_about_size(film: Film, rng: random.Random) -> Case:
    """A box, chunk or element says another length."""
    out, at = bytearray(film.content), rng.choice(film.cuts)
    width = rng.choice((1, 4, 4, 8))
    place = at + (4 if film.name.endswith(".avi") else 0)
    order = "little" if film.name.endswith(".avi") else "big"
    value = rng.choice((*EXTREMES, len(out), rng.randrange(2**16))) % 256**width
    out[place : place + width] = value.to_bytes(width, order)
    return Case(film=film.name, damage="size", content=bytes(out), touched=None)


def extreme_field(film: Film, rng: random.Random) -> Case:
    """A number of the structure is the smallest or largest there is."""
    out = bytearray(film.content)
    at = min(len(out) - 1, rng.choice(film.cuts) + rng.randrange(64))
    width = rng.choice((1, 2, 4, 4, 8))
    out[at : at + width] = (rng.choice(EXTREMES) % 256**width).to_bytes(width, rng.choice(("big", "little")))
    return Case(film=film.name, damage="field", content=bytes(out), touched=None)


def swap(film: Film, rng: random.Random) -> Case:
    """Two neighbouring boxes in the other order."""
    place = rng.randrange(max(1, len(film.cuts) - 2))
    a, b, c = (*film.cuts, len(film.content), len(film.content))[place : place + 3]
    content = film.content
    return Case(
        film=film.name, damage="swap", content=content[:a] + content[b:c] + content[a:b] + content[c:], touched=None
    )


def zero(film: Film, rng: random.Random) -> Case:
    """A stretch of zeros, as a download with holes has."""
    out, at = bytearray(film.content), rng.randrange(len(film.content))
    after = min(len(out), at + rng.choice((4, 16, 64, 512, 4096)))
    out[at:after] = bytes(after - at)
    return Case(film=film.name, damage="zero", content=bytes(out), touched=_touched(film, at, after))


def duplicate(film: Film, rng: random.Random) -> Case:
    """A stretch twice."""
    first = rng.choice(film.cuts)
    after = min(len(film.content), first + rng.choice((8, 64, 188, 1024, 8192)))
    content = film.content[:after] + film.content[first:after] * rng.choice((1, 1, 50)) + film.content[after:]
    return Case(film=film.name, damage="duplicate", content=content, touched=None)


def cut_out(film: Film, rng: random.Random) -> Case:
    """A stretch is missing."""
    first = rng.choice(film.cuts) if rng.random() < 0.5 else rng.randrange(len(film.content))
    after = min(len(film.content), first + rng.choice((1, 2, 8, 64, 188, 1024)))
    return Case(film=film.name, damage="cut out", content=film.content[:first] + film.content[after:], touched=None)


DAMAGES: tuple[Callable[[Film, random.Random], Case], ...] = (
    flip,
    truncate,
    lie_about_size,
    extreme_field,
    swap,
    zero,
    duplicate,
    cut_out,
)


def cases(count: int, seed: int, sources: Sequence[Film] | None = None) -> Iterator[Case]:
    """`count` damaged files, the same ones for the same seed: every film and every damage in turn."""
    sources = sources or films()
    for number in range(count):
        rng = random.Random(seed * 1_000_003 + number)
        film = sources[number % len(sources)]
        yield DAMAGES[(number // len(sources)) % len(DAMAGES)](film, rng)


def examine(path: str) -> Outcome:
    """Everything that the package does with a video: header, every frame, a clip of the whole."""
    shown: dict[int, int] = {}
    reasons: list[str] = []
    try:
        info = probe(path)
        for place, picture in decode_at(path, steady(COUNT, FPS)):
            if isinstance(picture, InputError):
                reasons.append(str(picture))
            else:
                shown[place] = number_of(picture)
        read_clip(path, None, min(info.duration_s, 2.0), 4, 32)
    except InputError as error:
        reasons.append(str(error))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Outcome(shown=shown, reasons=tuple(reasons), peak_bytes=peak)


def complaints(case: Case, outcome: Outcome, path: Path) -> list[str]:
    """What is wrong with an outcome: a reason that helps nobody, or a wrong picture given out as right."""
    out = []
    for reason in outcome.reasons:
        if "\n" in reason or str(path) not in reason or len(reason) < len(str(path)) + 10:
            out.append(f"unclear reason: {reason!r}")
    if case.touched is not None:
        wrong = {asked: got for asked, got in outcome.shown.items() if asked not in case.touched and asked != got}
        if wrong:
            out.append(f"wrong frames: {wrong}")
    return out
