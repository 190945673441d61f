"""Files made to harm, or only odd: refused before memory is taken, nothing but the file itself is opened."""

import base64
import io
import socket
import struct
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from coded_video import (
    audio_only,
    coded_frame,
    coded_stream,
    number_of,
    numbers_of,
    retimed,
    steady,
    turned,
    with_child,
)
from mutated_video import examine

from exo2ego.data import video_rules
from exo2ego.data.guard import Guard
from exo2ego.data.video import decode_at, probe, read_clip, read_frames
from exo2ego.data.video_open import opened
from exo2ego.errors import VideoError

PLAIN = coded_stream("libx264", "mp4", steady(30))
FRAGMENTS = retimed(PLAIN, "mp4", steady(30), {"movflags": "frag_keyframe+empty_moov+default_base_moof"})
MJPEG = {"pix_fmt": "yuvj420p", "ticks_per_s": 10}


def patched(content: bytes, mark: bytes, offset: int, value: bytes) -> bytes:
    """Bytes replaced so far behind the first place of a mark."""
    at = content.index(mark) + offset
    return content[:at] + value + content[at + len(value) :]


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + kind + body


BILLION = struct.pack(">I", 10**9)
RAW = coded_stream("rawvideo", "avi", steady(5), ticks_per_s=10)
HARMFUL = {
    "a billion frames of one size": (
        patched(PLAIN, b"stsz", 8, struct.pack(">I", 1) + BILLION),
        "1000000000 frames in one track",
    ),
    "a billion frames": (patched(PLAIN, b"stsz", 12, BILLION), "1000000000 frames in one track"),
    "a billion frames in a fragment": (patched(FRAGMENTS, b"trun", 8, BILLION), "1000000000 frames in one fragment"),
    "a fragment too short": (patched(FRAGMENTS, b"trun", 8, struct.pack(">I", 10**6)), "too short for them"),
    "a compressed header": (box(b"ftyp", b"qt  ") + box(b"moov", box(b"cmov", bytes(40))), "a compressed header"),
    "65 tracks": (box(b"ftyp", b"isom") + box(b"moov", box(b"trak", b"") * 65), "more than 64 tracks"),
    "10 billion pixels": (patched(RAW, b"strf", 12, struct.pack("<ii", 10**5, 10**5)), "picture size is absent or"),
    "900 million pixels": (
        patched(RAW, b"strf", 12, struct.pack("<ii", 30_000, 30_000)),
        "its picture size is absent or",
    ),
    "half a million years": (patched(PLAIN, b"mdhd", 20, struct.pack(">I", 0xFFFFFFFF)), "a duration of"),
}


@pytest.mark.parametrize("kind", HARMFUL)
def test_a_header_that_lies_is_refused_before_the_decoder_believes_it(kind: str, tmp_path: Path) -> None:
    content, says = HARMFUL[kind]
    path = tmp_path / "bad.mp4"
    path.write_bytes(content)
    with Guard(time_limit_s=20, memory_limit_bytes=100 << 20) as guard:
        for source in (str(path), content):
            with pytest.raises(VideoError, match=says) as caught:
                guard.call(probe, source)
            assert "\n" not in str(caught.value)


def test_of_many_streams_the_first_64_are_looked_at() -> None:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as out:
        streams = [out.add_stream("mjpeg", rate=10) for _ in range(video_rules.MAX_STREAMS + 6)]
        for stream in streams:
            stream.width, stream.height, stream.pix_fmt = 16, 16, "yuvj420p"
        for stream in streams:
            out.mux(stream.encode(av.VideoFrame(16, 16, "yuvj420p")))
            out.mux(stream.encode(None))
    with opened(buffer.getvalue()) as video:
        assert len(video.container.streams) == video_rules.MAX_STREAMS


def test_a_picture_that_grows_in_the_middle_is_not_allocated() -> None:
    """A JPEG of the stream says 60,000 x 60,000 px: 10 GB as RGB."""
    content = coded_stream("mjpeg", "avi", steady(10), **MJPEG)
    frames = [at for at in range(len(content)) if content.startswith(b"\xff\xc0\x00\x11", at)]
    assert len(frames) == 10
    at = frames[6] + 5
    bomb = content[:at] + struct.pack(">HH", 60_000, 60_000) + content[at + 4 :]
    with Guard(time_limit_s=20, memory_limit_bytes=200 << 20) as guard:
        assert numbers_of(guard.call(read_frames, bomb, [0.5, 0.8])) == [5, 8]
        with pytest.raises(VideoError, match=r"no frame at 0\.600 s|damaged"):
            guard.call(read_frames, bomb, [0.6])


def test_a_size_that_changes_is_refused_as_one_array_and_read_as_squares() -> None:
    sizes = ((64, 48), (48, 40))
    large, small = (coded_stream("mjpeg", "mp4", steady(5), width=w, height=h, **MJPEG) for w, h in sizes)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as out:
        copy = None
        for part, content in enumerate((large, small)):
            with av.open(io.BytesIO(content)) as source:
                stream = source.streams.video[0]
                copy = copy or out.add_stream_from_template(stream)
                for packet in source.demux(stream):
                    if packet.size:
                        packet.pts += int(part / 2 / packet.time_base)
                        packet.dts = packet.pts
                        packet.stream = copy
                        out.mux(packet)
    content = buffer.getvalue()
    with pytest.raises(VideoError, match="the picture size changes within the video"):
        read_frames(content, [0.3, 0.7])
    assert read_frames(content, [0.7]).shape == (1, 40, 48, 3)
    assert numbers_of(read_clip(content, None, None, 10, 64)[:, 8:56]) == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]


def test_a_codec_that_is_not_on_the_list_is_named() -> None:
    content = coded_stream("qtrle", "mov", steady(5), pix_fmt="rgb24")
    with pytest.raises(VideoError, match=r"coded as qtrle, which is not read; re-encode it \(ffmpeg"):
        probe(content)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (coded_stream("flv", "flv", steady(5)), "this is Flash video"),
        (b"\x00\x00\x00\x01\x67\x42" + bytes(80), "a bare stream without a container, which has no timestamps"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "a git-lfs pointer"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (coded_stream("libx264", "asf", steady(5)), "Windows Media"),
        (coded_stream("libx264", "h264", steady(5))[3:], "cannot be opened as a video"),
    ],
)
def test_what_else_is_found_under_the_name_of_a_video(content: bytes, says: str) -> None:
    with pytest.raises(VideoError, match=says):
        probe(content)


@pytest.fixture
def listener() -> Iterator[tuple[int, list[object]]]:
    """A port of this machine, and who has called there."""
    calls: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def wait() -> None:
            try:
                while True:
                    connection, who = server.accept()
                    calls.append(who)
                    connection.close()
            except OSError:
                return

        threading.Thread(target=wait, daemon=True).start()
        yield server.getsockname()[1], calls
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("name", ["a.mp4", "a.m3u8", "a.ts", "a.mkv", "a.ffconcat", "a.sdp", "a.mpd"])
def test_no_address_in_a_file_is_followed(name: str, listener: tuple[int, list[object]], tmp_path: Path) -> None:
    port, calls = listener
    (tmp_path / "real.ts").write_bytes(coded_stream("libx264", "mpegts", steady(10)))
    texts = [
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:{port}/a.ts\n#EXT-X-ENDLIST\n",
        f"\n#EXTM3U\n#EXTINF:1,\n{tmp_path / 'real.ts'}\n#EXT-X-ENDLIST\n",
        f"ffconcat version 1.0\nfile '{tmp_path / 'real.ts'}'\nfile 'http://127.0.0.1:{port}/b.ts'\n",
        f"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video {port} RTP/AVP 96\na=rtpmap:96 H264/90000\n",
        f"<MPD><Period><BaseURL>http://127.0.0.1:{port}/</BaseURL></Period></MPD>",
    ]
    for text in texts:
        path = tmp_path / name
        path.write_text(text)
        with pytest.raises(VideoError):
            probe(path)
    for address in (f"http://127.0.0.1:{port}/a.mp4", f"tcp://127.0.0.1:{port}", "concat:a.mp4|b.mp4"):
        with pytest.raises(Exception, match="no such file"):
            probe(address)
    assert calls == []


def test_an_mp4_that_points_to_another_file_gets_nothing_of_it(tmp_path: Path) -> None:
    """QuickTime's external references (`dref` of type `alis`): FFmpeg would decode the other file's bytes."""
    secret = tmp_path / "secret.mp4"
    secret.write_bytes(PLAIN)
    path = str(secret).encode()
    alias = bytes(10) + b"\x01v" + bytes(26) + bytes(12) + b"\x01f" + bytes(62) + bytes(16) + struct.pack(">HH", 1, 1)
    alias += bytes(16) + struct.pack(">hH", 2, len(path)) + path + bytes(len(path) % 2) + struct.pack(">hH", -1, 0)
    references = bytes(4) + struct.pack(">I", 1) + box(b"alis", bytes(4) + alias)
    content = with_child(PLAIN, (b"moov", b"trak", b"mdia", b"minf", b"dinf"), box(b"dref", references), b"dref")
    at, length = content.index(b"mdat") + 4, int.from_bytes(content[content.index(b"mdat") - 4 :][:4], "big") - 8
    emptied = tmp_path / "pointer.mov"
    emptied.write_bytes(content[:at] + bytes(length) + content[at + length :])
    with av.open(str(emptied), options={"enable_drefs": "1", "use_absolute_path": "1"}) as allowed:
        assert number_of(next(allowed.decode(video=0)).to_ndarray(format="rgb24")) == 0, "the attack works in principle"
    with pytest.raises(VideoError):
        read_frames(emptied, [0.5])


@pytest.mark.parametrize("container", ["webm", "matroska"])
def test_a_live_recording_says_no_duration(container: str) -> None:
    """As browsers record: no length, no index."""
    codec = "libvpx-vp9" if container == "webm" else "libx264"
    content = coded_stream(codec, container, steady(40), container_options={"live": "1"})
    info = probe(content)
    assert (info.duration_s, info.fps, info.frames) == (pytest.approx(4.0, abs=0.01), pytest.approx(10), 40)
    assert numbers_of(read_frames(content, [0.0, 3.9, 1.7])) == [0, 39, 17]


def covered(with_film: bool) -> bytes:
    """An mp4 with a cover picture (and a film behind it)."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as out:
        cover = out.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 32, 32, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        if with_film:
            film = out.add_stream("libx264", rate=10, options={"threads": "1"})
            film.width, film.height, film.pix_fmt = 64, 48, "yuv420p"
        sound = out.add_stream("aac", rate=16000)
        out.mux(cover.encode(av.VideoFrame(32, 32, "yuvj420p")))
        out.mux(cover.encode(None))
        for number in range(10 if with_film else 0):
            out.mux(film.encode(av.VideoFrame.from_ndarray(coded_frame(number), format="rgb24")))
        if with_film:
            out.mux(film.encode(None))
        quiet = av.AudioFrame.from_ndarray(np.zeros((1, 16000), dtype=np.float32), format="fltp", layout="mono")
        quiet.sample_rate = 16000
        out.mux(sound.encode(quiet))
        out.mux(sound.encode(None))
    return buffer.getvalue()


def test_a_cover_picture_is_no_film() -> None:
    with pytest.raises(VideoError, match="holds no video, only a cover picture, audio"):
        probe(covered(with_film=False))
    assert numbers_of(read_frames(covered(with_film=True), [0.0, 0.7])) == [0, 7]
    with pytest.raises(VideoError, match="holds no video, only audio"):
        probe(audio_only())


def edited(content: bytes, edits: list[tuple[int, int]]) -> bytes:
    """With an edit list: (milliseconds shown, from this millisecond of the media on; -1: nothing)."""
    with av.open(io.BytesIO(content)) as container:
        ticks = int(1 / container.streams.video[0].time_base)
    entries = b"".join(
        struct.pack(">Iii", shown, start if start < 0 else start * ticks // 1000, 1 << 16) for shown, start in edits
    )
    body = struct.pack(">II", 0, len(edits)) + entries
    return with_child(content, (b"moov", b"trak"), box(b"edts", box(b"elst", body)), b"edts")


@pytest.mark.parametrize(
    ("edits", "shown"),
    [
        ([(1000, 800)], list(range(8, 18))),
        ([(700, 0), (500, 2000)], [*range(7), *range(20, 25)]),
        ([(600, 1500), (500, 300)], [*range(15, 21), *range(3, 8)]),
        ([(500, 400), (500, 400)], [*range(4, 9), *range(4, 9)]),
        ([(2000, -1), (1000, 500)], list(range(5, 15))),
    ],
    ids=["from the middle", "a stretch left out", "later before earlier", "twice the same", "begins late"],
)
def test_edit_lists(edits: list[tuple[int, int]], shown: list[int]) -> None:
    content = edited(PLAIN, edits)
    times = np.arange(len(shown)) / 10
    assert [number_of(read_frames(content, [time])[0]) for time in times] == shown
    assert numbers_of(read_frames(content, times)) == shown
    if edits[0][1] >= 0:  # FFmpeg takes the empty time before the first frame for a part of the length
        assert probe(content).duration_s == pytest.approx(len(shown) / 10, abs=0.11)


def test_edit_lists_with_b_frames() -> None:
    """One stretch is exact. Of several, FFmpeg shows some a frame late: refused."""
    reordered = coded_stream("libx264", "mp4", steady(30), b_frames=2)
    late = 200  # B-frames are written with media times two frames late
    for start in range(0, 2000, 100):
        content = edited(reordered, [(1000, start + late)])
        assert numbers_of(read_frames(content, np.arange(10) / 10)) == list(range(start // 100, start // 100 + 10))
    with pytest.raises(VideoError, match=r"several stretches .* B-frames.*; re-encode it"):
        probe(edited(reordered, [(700, late), (500, 2000 + late)]))


TURNS = {
    "as it is": ((1, 0, 0, 1, 0, 0), lambda p: p),
    "right": ((0, 1, -1, 0, 48, 0), lambda p: np.rot90(p, -1)),
    "left": ((0, -1, 1, 0, 0, 64), lambda p: np.rot90(p, 1)),
    "upside down": ((-1, 0, 0, -1, 64, 48), lambda p: np.rot90(p, 2)),
    "mirrored": ((-1, 0, 0, 1, 64, 0), np.fliplr),
    "flipped": ((1, 0, 0, -1, 0, 48), np.flipud),
    "mirrored and left": ((0, 1, 1, 0, 0, 0), lambda p: np.swapaxes(p, 0, 1)),
    "mirrored and right": ((0, -1, -1, 0, 48, 64), lambda p: np.rot90(np.swapaxes(p, 0, 1), 2)),
}


MATROSKA_TURNS = ("as it is", "right", "left", "upside down")
"""Matroska knows no mirrors: the writer drops them."""


@pytest.mark.parametrize(
    ("container", "turn"),
    [
        *((container, turn) for container in ("mp4", "mov") for turn in TURNS),
        *(("matroska", turn) for turn in MATROSKA_TURNS),
    ],
)
def test_turns_and_mirrors(turn: str, container: str) -> None:
    matrix, as_shown = TURNS[turn]
    upright = read_frames(coded_stream("libx264", "mp4", steady(10)), [0.5])[0]
    content = turned(coded_stream("libx264", "mov" if container == "mov" else "mp4", steady(10)), matrix)
    if container == "matroska":
        content = retimed(content, "matroska", steady(10))
    assert np.array_equal(read_frames(content, [0.5])[0], as_shown(upright))
    info = probe(content)
    assert (info.height_px, info.width_px) == as_shown(upright).shape[:2]


def test_an_odd_turn_is_refused_with_the_name_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "tilted.mp4"
    path.write_bytes(patched(PLAIN, b"tkhd", 44, struct.pack(">iiiii", 46341, 46341, 0, -46341, 46341)))
    for call in (lambda: probe(path), lambda: read_frames(path, [0.1]), lambda: read_clip(path, None, None, 2, 32)):
        with pytest.raises(VideoError, match=r"tilted\.mp4: asks to be turned by 315 degrees"):
            call()


def test_a_damaged_frame_costs_its_group_and_no_more() -> None:
    """What refers to a damaged frame may look whole and is wrong: it is refused up to the next key frame."""
    content = coded_stream("libx264", "mp4", steady(30), gop=10)
    with av.open(io.BytesIO(content)) as container:
        packets = [(p.pos, p.size) for p in container.demux(container.streams.video[0]) if p.size]
    pos, size = packets[13]
    damaged = content[: pos + 5] + b"\xa5" * (size - 5) + content[pos + size :]
    found = dict(decode_at(damaged, np.array(steady(30))))
    shown = {place: number_of(picture) for place, picture in found.items() if not isinstance(picture, VideoError)}
    right = {place for place, number in shown.items() if place == number}
    assert set(shown) == right
    assert right >= {*range(13), *range(20, 30)}
    assert not right & set(range(13, 20)), "frames after the damage refer to it"


LONG = 100_000


@pytest.fixture(scope="session")
def long_film() -> bytes:
    """100,000 frames: 25 times the same 4,000, each group with its own key frames."""
    block = coded_stream("libx264", "mp4", steady(4000), gop=250, width=32, height=24)
    buffer = io.BytesIO()
    with av.open(io.BytesIO(block)) as source, av.open(buffer, "w", format="mp4") as out:
        stream = source.streams.video[0]
        copy = out.add_stream_from_template(stream)
        copy.time_base = stream.time_base
        packets = [(bytes(p), p.pts, p.is_keyframe) for p in source.demux(stream) if p.size]
        ticks = packets[1][1]
        for number in range(LONG):
            content, _, is_key = packets[number % 4000]
            packet = av.Packet(content)
            packet.pts = packet.dts = number * ticks
            packet.duration = ticks
            packet.time_base, packet.is_keyframe, packet.stream = stream.time_base, is_key, copy
            out.mux(packet)
    return buffer.getvalue()


def test_a_hundred_thousand_frames(long_film: bytes) -> None:
    info = probe(long_film)
    assert (info.frames, info.duration_s) == (LONG, pytest.approx(LONG / 10))
    places = [99_999, 0, 50_123, 4_000, 3_999, 77_777, 12_345, 99_750]
    with Guard(time_limit_s=20, memory_limit_bytes=150 << 20) as guard:
        pictures = guard.call(read_frames, long_film, [place / 10 for place in places])
    assert numbers_of(pictures) == [place % 4000 for place in places]
    assert numbers_of(read_clip(long_film, 9_999.0, 10_000.0, 10, 32)[:, 4:28]) == [*range(3990, 4000)]


BEGINS_LATE = zlib.decompress(
    base64.b85decode(
        "c-nJ!U=U?s*ucxcc#wgCf$;-_)<%|1|Az)}4*<HIX@d~h?GG6~FbIH%e&<KWhk)B18BDDM7#PBz)G?5w9~f5;7#JEFSQQzV<0k@n8yJDa)=ps{"
        "35rMsh9kWl453UcY$DD;?k1navSc$OJtGS}LjxnAz-9&kbs)7(^uS`a#rcn!mfikw;F{S#1FhWs^$ZLPCN|C8{&Cy=W4G(2bAK~196;d%-EPq@"
        "z`)S6fIPR;0w9G4t5GA!XAuuPA0+*L*dx^o@=<_4kVx>acXwcr9Kz{catNn)%c;OLGtY#aG*eHflv8mLlyV{uv=}xAZvV@`uuzVH;h>zmgP;(D"
        "(+5>>xc_JT&%pSnLBvCdk<HC5w;(m0GdQ)VEHgRPz_7f=`P5(wcLxTkA)MZ&hHQEdWUvC2@9R%cT)wmJS0t-^PY0!CfrG}Z*7=W_BY@@m%5DD)"
        "Ou?n$LP6B>{U8b-04qj~od"
    )
)
"""Found by the fuzzer and cut down to eleven packets: a transport stream in which a second stream begins."""


def test_a_stream_that_begins_in_the_middle_ends_in_a_reason_or_frames() -> None:
    """PyAV stumbles over it when the file ends (IndexError)."""
    for _ in range(5):
        found = list(decode_at(BEGINS_LATE, [0.0, 0.5, 1.0]))
        assert len(found) == 3
    assert probe(BEGINS_LATE).width_px == 64


def test_a_matroska_cut_short_before_its_index_is_read_from_where_it_begins() -> None:
    """Found by the fuzzer: without an index it cannot be sought to its own start."""
    whole = coded_stream("libx264", "matroska", steady(30))
    for end in range(len(whole) * 2 // 5, len(whole), 97):
        for time, picture in decode_at(whole[:end], steady(30)):
            assert isinstance(picture, VideoError) or number_of(picture) == time
    assert numbers_of(read_frames(whole[: len(whole) * 3 // 4], [0.0, 1.0])) == [0, 10]


def test_the_fuzzers_reader_sees_what_there_is(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(PLAIN)
    assert examine(str(path)).shown == {number: number for number in range(20)}
