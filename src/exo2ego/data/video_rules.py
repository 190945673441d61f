"""What is read of videos and how much of it: containers, codecs, limits. No decoder is loaded here."""

from pathlib import Path

Source = str | Path | bytes

MAX_PIXELS = 8192 * 4320
"""Of one frame; larger frames are refused before they are decoded, also in the middle of a video."""
MAX_FRAMES = 4096
"""Frames that one call may ask for."""
MAX_BYTES = 4 << 30
"""Of one returned array."""
MAX_DURATION_S = 48 * 3600.0
MAX_STORED_FRAMES = 48 * 3600 * 60
"""Frames that a file may say it holds (48 h at 60 a second): its index takes about 50 bytes a frame."""
MAX_STREAMS = 64
MAX_BOXES = 100_000
"""Of an mp4 header that are looked at before the decoder sees it."""
MAX_GAP_S = 1.0
"""Variable frame rate: the longest pause between two frames that is bridged without an explicit tolerance."""
SKIP_S = 0.3
"""A seek costs as much as decoding so much video (the decoder starts anew); it is made where it saves more."""
RESEEK_S = 5.0
"""The same for files without an index: asked times further apart than this are reached by seeking."""
EPSILON_S = 1e-4

FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg"
"""Containers read. A list because FFmpeg would otherwise take a text file for a playlist and follow its addresses."""
PROTOCOLS = "file"
"""No address inside a file is ever followed."""
CODECS = (
    "h264",
    "hevc",
    "vp8",
    "vp9",
    "av1",
    "mpeg4",
    "mjpeg",
    "mpeg1video",
    "mpeg2video",
    "h263",
    "msmpeg4v1",
    "msmpeg4v2",
    "msmpeg4v3",
    "wmv1",
    "wmv2",
    "theora",
    "prores",
    "ffv1",
    "huffyuv",
    "rawvideo",
)
"""Codecs decoded, by FFmpeg's names. The other 200 decoders of the library are rare and seldom tested."""
DECODERS = ",".join((*CODECS, "libdav1d", "msmpeg4"))
"""The same as names of decoders: FFmpeg opens no other one while it looks at a file, not even for sound."""

OTHER_FILES = {
    b"FLV\x01": "Flash video",
    b"\x30\x26\xb2\x75": "Windows Media (asf, wmv)",
    b"OggS": "Ogg",
    b"GIF8": "a GIF picture",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"\x00\x00\x00\x01": "a bare stream without a container, which has no timestamps",
    b"PK\x03\x04": "a zip archive",
    b"version https://git-lfs": "a git-lfs pointer, not the file itself",
    b"<?xml": "an XML text",
    b"<html": "a web page",
    b"<!DOCTYPE": "a web page",
    b"#EXTM3U": "a playlist",
}
"""First bytes of what is often found under the name of a video."""


def name_of(source: Source) -> str:
    """What a message calls a source."""
    return f"video of {len(source)} bytes in memory" if isinstance(source, bytes) else str(source)
