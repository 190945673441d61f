"""`exo2ego data clips|instruct|inspect`: builds shards of clips and instructions, and looks at them."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from exo2ego.cli.common import VerbParser, at_least, console, progress
from exo2ego.errors import InputError

if TYPE_CHECKING:
    from exo2ego.data.pairs import FilterReport
    from exo2ego.data.shard_group import ClipFormat, Planned
    from exo2ego.data.shards import ShardSet

USAGE = """usage: exo2ego data VERB ...      (exo2ego data VERB --help says more)

verbs:
  clips      an Ego-Exo4D download (or a simulated one) -> shards of synchronized ego-exo clips
  instruct   conversations about videos (LLaVA / VideoLLaMA2 JSON) -> shards
  inspect    statistics of shards, and a page of examples

example:
  exo2ego data clips --source world/ego_exo4d --out shards/pairs"""


def main(argv: Sequence[str]) -> int:
    """Runs a sub-verb; returns the exit code. Errors meant for users are raised."""
    verbs: dict[str, Callable[[Sequence[str]], int]] = {"clips": clips, "instruct": instruct, "inspect": inspect}
    if not argv or argv[0] in ("-h", "--help"):
        print(USAGE)
        return 0 if argv else 2
    verb, *rest = argv
    if verb not in verbs:
        raise InputError(f"unknown verb 'data {verb}'; known are {', '.join(verbs)}")
    return verbs[verb](rest)


def clips(argv: Sequence[str]) -> int:
    """`data clips`."""
    options = _clips_parser().parse_args(argv)
    from exo2ego.data.clips import ClipRule
    from exo2ego.data.egoexo4d import PROBLEMS, read_root
    from exo2ego.data.pairs import FilterRule, make_clips
    from exo2ego.data.shard_group import ClipFormat
    from exo2ego.data.shard_writer import plan_pairs

    rule = ClipRule(
        alpha=options.alpha, pool=cast(Literal["annotation", "take"], options.pool), min_width_s=options.min_width
    )
    filters = FilterRule(
        splits=tuple(options.splits),
        keep_rejected=options.keep_rejected,
        keep_unsure=options.keep_unsure,
        keep_not_ego_visible=options.keep_not_ego_visible,
        keep_other_subjects=options.keep_other_subjects,
        rewrite_subject=options.rewrite_subject,
    )
    dataset = read_root(options.source, {"auto": None, "yes": True, "no": False}[options.downscaled])
    found, report = make_clips(dataset, rule, filters)
    out = console()
    for kind, count in dataset.problem_counts().items():
        out.print(f"note: {count} x {kind}: {PROBLEMS[kind]}")
    print_report(report)
    clip_format = ClipFormat(num_frames=options.frames, size_px=options.size)
    settings = {"kind": "pairs", "source": str(options.source), "rule": asdict(rule), "filters": asdict(filters)}
    planned = plan_pairs(found, options.source, clip_format)
    shards = _build("clips", options, planned, clip_format, settings, report)
    out.print(f"{len(shards.pairs)} ego-exo pairs of {len(shards)} narrations are in {options.out}")
    out.print(f"look at them: exo2ego data inspect {options.out}")
    return 0


def instruct(argv: Sequence[str]) -> int:
    """`data instruct`."""
    options = _instruct_parser().parse_args(argv)
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
    shards = _build("instructions", options, planned, clip_format, settings, report)
    out.print(f"{len(shards)} video spans are in {options.out}")
    return 0


def inspect(argv: Sequence[str]) -> int:
    """`data inspect`."""
    parser = VerbParser(
        prog="exo2ego data inspect",
        description="Statistics of a shard directory, and a self-contained HTML page of examples.",
        example="exo2ego data inspect shards/pairs --html pairs.html",
    )
    parser.add_argument("shards", type=Path, help="folder written by data clips or data instruct")
    parser.add_argument("--html", type=Path, help="where to write the page of examples (default: SHARDS/sheet.html)")
    parser.add_argument("--json", type=Path, help="write the statistics there as JSON")
    parser.add_argument("--examples", type=at_least(1), default=12, help="examples on the page (default 12)")
    parser.add_argument("--verify", action="store_true", help="read everything and check every checksum")
    options = parser.parse_args(argv)
    from exo2ego.data.atomic import write_atomic
    from exo2ego.data.inspect import contact_sheet, statistics, statistics_text
    from exo2ego.data.jsonfile import write_json
    from exo2ego.data.shards import open_shards, verify_shards

    shards = open_shards(options.shards)
    figures = statistics(shards)
    print(statistics_text(figures))
    if options.verify:
        print(f"verified: {verify_shards(options.shards)} members, every checksum is right")
    if options.json:
        write_json(options.json, figures)
    page = options.html or options.shards / "sheet.html"
    write_atomic(page, contact_sheet(shards, options.examples).encode())
    print(f"examples: {page}")
    return 0


def print_report(report: "FilterReport") -> None:
    """What became of all narrations, as lines."""
    out = console()
    out.print(f"narrations: {report.total}, kept: {report.kept} (alpha {report.alpha_s:.3f} s)")
    for reason, count in report.dropped.items():
        out.print(f"  left out, {reason}: {count}")
    out.print(f"  exo videos missing for kept narrations: {report.missing_exo_videos}")
    out.print(f"  takes without narrations: {report.takes_without_narrations}")


def _build(
    title: str,
    options: argparse.Namespace,
    planned: "Sequence[Planned]",
    clip_format: "ClipFormat",
    settings: Mapping[str, object],
    report: "FilterReport | Mapping[str, object]",
) -> "ShardSet":
    """Builds with a progress bar; says how many clips were quarantined."""
    from time import monotonic

    from exo2ego.data.shard_writer import build_shards
    from exo2ego.data.shards import QUARANTINE

    started: list[tuple[float, int]] = []
    with progress(console()) as bar:
        task = bar.add_task(f"storing {title}", total=len(planned), note="")

        def show(done: int, total: int) -> None:
            started[:] = started or [(monotonic(), done)]
            rate = (done - started[0][1]) / max(1e-3, monotonic() - started[0][0])
            bar.update(task, completed=done, total=total, note=f"{rate:.1f} samples/s")

        shards = build_shards(
            options.out,
            planned,
            clip_format,
            settings=settings,
            report=report,
            workers=options.workers,
            progress=show,
        )
        bar.update(task, completed=len(planned))
    lost = shards.manifest["counts"]["quarantined"]
    if lost:
        console().print(f"warning: {lost} clips could not be stored; reasons in {options.out / QUARANTINE}")
    return shards


def _common(parser: VerbParser) -> None:
    parser.add_argument("--out", type=Path, required=True, help="folder for the shards; resumes what it holds")
    parser.add_argument("--frames", type=at_least(1), default=16, help="frames of a stored clip (default 16)")
    parser.add_argument("--size", type=at_least(16), default=64, help="width and height in pixels, even (default 64)")
    parser.add_argument("--workers", type=at_least(1), default=1, help="processes (default 1)")


def _clips_parser() -> VerbParser:
    parser = VerbParser(
        prog="exo2ego data clips",
        description="Ego-ExoClip: one sample per narration, with its ego clip and every exo clip of the same interval.",
        example="exo2ego data clips --source world/ego_exo4d --out shards/pairs --workers 2",
    )
    parser.add_argument("--source", type=Path, required=True, help="Ego-Exo4D folder (holds takes.json)")
    _common(parser)
    parser.add_argument("--splits", nargs="+", default=["train"], help="train, val (default train)")
    parser.add_argument("--alpha", type=_alpha, default=None, help="EgoClip's alpha: auto (default) or seconds")
    parser.add_argument("--pool", choices=("annotation", "take"), default="take", help="narrations that give beta")
    parser.add_argument("--min-width", type=float, default=0.1, help="shortest clip in seconds (default 0.1)")
    parser.add_argument("--downscaled", choices=("auto", "yes", "no"), default="auto", help="use downscaled/448 videos")
    parser.add_argument("--rewrite-subject", action="store_true", help='"C lifts" becomes "Camera-wearer lifts"')
    parser.add_argument("--keep-rejected", action="store_true", help="also rejected annotations")
    parser.add_argument("--keep-unsure", action="store_true", help="also narrations marked unsure")
    parser.add_argument("--keep-not-ego-visible", action="store_true", help="also what the ego camera does not see")
    parser.add_argument("--keep-other-subjects", action="store_true", help="also narrations about other people")
    return parser


def _instruct_parser() -> VerbParser:
    parser = VerbParser(
        prog="exo2ego data instruct",
        description="Conversations about videos (LLaVA / VideoLLaMA2 JSON); one stored clip per span.",
        example="exo2ego data instruct --source world/instruct/ego.json --videos world/ego_exo4d --out shards/ego",
    )
    parser.add_argument("--source", type=Path, required=True, help="JSON list, or .jsonl, of conversations")
    parser.add_argument("--videos", type=Path, required=True, help="folder that the video paths are relative to")
    _common(parser)
    return parser


def _alpha(text: str) -> float | None:
    if text == "auto":
        return None
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither auto nor a number of seconds") from None
