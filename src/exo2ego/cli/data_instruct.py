"""`exo2ego data instruct`: conversations about videos (LLaVA / VideoLLaMA2 JSON) -> shards."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from exo2ego.cli.common import VerbParser, console
from exo2ego.cli.data_common import add_common, build_with_progress


def main(argv: Sequence[str]) -> int:
    """Runs the sub-verb; returns the exit code. Errors meant for users are raised."""
    options = _parser().parse_args(argv)
    from exo2ego.data.shard_group import ClipFormat
    from exo2ego.data.shard_writer import plan_instructions
    from exo2ego.data.sources.conversations import group_spans, read_conversations

    conversations, bad_rows = read_conversations(options.source)
    spans, bad_videos = group_spans(conversations, options.videos)
    out = console()
    stored = sum(len(group) for group in spans.values())
    out.print(f"conversations: {len(conversations) + len(bad_rows)}, stored: {stored} about {len(spans)} spans")
    for title, bad in (("bad rows", bad_rows), ("missing or unreadable videos", bad_videos)):
        out.print(f"  {title}: {len(bad)}" + (f"; the first: {bad[0].reason}" if bad else ""), markup=False)
    clip_format = ClipFormat(num_frames=options.frames, size_px=options.size)
    name = options.source.stem
    settings = {"kind": "instructions", "source": str(options.source), "videos": str(options.videos)}
    report = {
        "conversations": stored,
        "bad_rows": [asdict(row) for row in bad_rows],
        "bad_videos": [asdict(row) for row in bad_videos],
    }
    planned = plan_instructions(spans, options.videos, name, clip_format)
    shards = build_with_progress("instructions", options, planned, clip_format, settings, report)
    out.print(f"{len(shards)} video spans are in {options.out}")
    return 0


def _parser() -> VerbParser:
    parser = VerbParser(
        prog="exo2ego data instruct",
        description="Conversations about videos (LLaVA / VideoLLaMA2 JSON); one stored clip per span.",
        example="exo2ego data instruct --source world/instruct/ego.json --videos world/ego_exo4d --out shards/ego",
    )
    parser.add_argument("--source", type=Path, required=True, help="JSON list, or .jsonl, of conversations")
    parser.add_argument("--videos", type=Path, required=True, help="folder that the video paths are relative to")
    add_common(parser)
    return parser
