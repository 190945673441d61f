"""`exo2ego data egoclip`: EgoClip's table of narrated clips -> shards for the stage Init."""

import argparse
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING

from exo2ego.cli.common import VerbParser, add_bar, at_least, console, in_units, progress
from exo2ego.cli.data_common import MB, add_common, build_with_progress, clip_format_of

if TYPE_CHECKING:
    from exo2ego.data.sources.egoclip_select import EgoClipRule, Selection


def main(argv: Sequence[str]) -> int:
    """Runs the sub-verb; returns the exit code. Errors meant for users are raised."""
    options = _parser().parse_args(argv)
    options.command = ("exo2ego", "data", "egoclip", *argv)
    from exo2ego.data.sources.egoclip_select import KINDS, SOURCE, plan_clips
    from exo2ego.data.sources.templates import load_templates

    clip_format = clip_format_of(options)
    rule = _rule(options)
    templates = load_templates(SOURCE, KINDS, options.templates)
    selection = _select(options, rule)
    _print_report(selection, rule)
    chosen = {field.name: getattr(rule, field.name) for field in fields(rule) if field.name != "exclude"}
    chosen |= {"verbs": sorted(rule.verbs), "nouns": sorted(rule.nouns), "exclude": len(rule.exclude)}
    settings = {
        "kind": "instructions",
        "source": str(options.csv),
        "origin": "ego4d",
        "videos": str(options.videos),
        "video_layout": selection.layout.name,
        "rule": chosen,
    }
    report = {
        "rows": selection.total,
        "malformed": selection.bad,
        "dropped": dict(selection.dropped),
        "excluded_videos": selection.excluded_videos,
        "bad_rows": [asdict(row) for row in selection.bad_rows],
    }
    planned = plan_clips(selection, options.videos, rule, templates, clip_format)
    shards = build_with_progress("clips", options, planned, clip_format, settings, report)
    console().print(f"{len(shards)} clips are in {options.out}", markup=False)
    console().print(f"train Init on them: exo2ego train ... --stage initial --data {options.out}", markup=False)
    return 0


def _rule(options: argparse.Namespace) -> "EgoClipRule":
    from exo2ego.data.sources.egoclip_exclude import read_excluded
    from exo2ego.data.sources.egoclip_select import EgoClipRule

    return EgoClipRule(
        narration_source=options.narration_source,
        verbs=frozenset(options.verb),
        nouns=frozenset(options.noun),
        exclude=read_excluded(options.exclude),
        keep_other_subjects=options.keep_other_subjects,
        keep_unsure=options.keep_unsure,
        rewrite_subject=options.rewrite_subject,
        first_person=options.first_person,
        min_width_s=options.min_width,
        crossing=options.crossing,
        limit=options.limit,
        seed=options.seed,
    )


def _select(options: argparse.Namespace, rule: "EgoClipRule") -> "Selection":
    """The rows of the table that become clips, found under a progress bar."""
    from exo2ego.data.sources.egoclip import EgoClipTable
    from exo2ego.data.sources.egoclip_select import select
    from exo2ego.data.sources.egoclip_videos import find_layout

    table = EgoClipTable(options.csv)
    layout = find_layout(options.videos, options.video_layout)
    with progress() as bars:
        show = add_bar(bars, "reading the table", unit="MB")
        return select(table, options.videos, layout, rule, in_units(show, MB))


def _print_report(selection: "Selection", rule: "EgoClipRule") -> None:
    """What became of all rows, as lines."""
    out = console()
    out.print(f"rows: {selection.total}, kept: {len(selection.places)}; videos stored as {selection.layout.name}")
    first = f"; the first: {selection.bad_rows[0].reason}" if selection.bad_rows else ""
    out.print(f"  malformed: {selection.bad}{first}", markup=False)
    for reason, count in selection.dropped.items():
        if count:
            out.print(f"  left out, {reason}: {count}")
    named = len(rule.exclude.by_video)
    if named:
        out.print(f"  excluded videos that the table has: {selection.excluded_videos} of {named} named")
    else:
        out.print("note: no --exclude: EgoMCQ and EgoSchema show videos of Ego4D too; name theirs to keep them out")


def _parser() -> VerbParser:
    parser = VerbParser(
        prog="exo2ego data egoclip",
        description="EgoClip (Init): one stored clip per narration, asked for in the words of a template.",
        example="exo2ego data egoclip --csv egoclip.csv --videos ego4d --exclude egomcq.json --out shards/egoclip",
    )
    parser.add_argument("--csv", type=Path, required=True, help="egoclip.csv, separated by tabs")
    parser.add_argument("--videos", type=Path, required=True, help="folder of Ego4D's videos")
    add_common(parser)
    parser.add_argument(
        "--video-layout",
        choices=("auto", "chunks600", "chunks300", "whole"),
        default="auto",
        help="UID/K.mp4 of 600 s, UID.mp4/START.mp4 of 300 s, or UID.mp4; auto (default): what the folder holds",
    )
    parser.add_argument(
        "--exclude",
        type=Path,
        nargs="+",
        default=[],
        help="videos not to train on: uids one a line, .json that holds them (egomcq.json), or a held-out .jsonl",
    )
    parser.add_argument("--limit", type=at_least(1), help="so many clips, chosen by --seed (default all)")
    parser.add_argument("--seed", type=at_least(0), default=0, help="of the choice that --limit makes (default 0)")
    parser.add_argument("--narration-source", help="narration_pass_1 or narration_pass_2 (default both)")
    parser.add_argument("--verb", type=at_least(0), nargs="+", default=[], help="only with one of these verb classes")
    parser.add_argument("--noun", type=at_least(0), nargs="+", default=[], help="only with one of these noun classes")
    parser.add_argument("--keep-other-subjects", action="store_true", help="also narrations about others (#O)")
    parser.add_argument("--keep-unsure", action="store_true", help="also narrations with #unsure in them")
    parser.add_argument("--rewrite-subject", action="store_true", help='"C picks" becomes "Camera-wearer picks"')
    parser.add_argument(
        "--first-person", action="store_true", help='"C picks" becomes "I pick", asked as "What do I do?"'
    )
    parser.add_argument("--min-width", type=float, default=0.1, help="shortest clip in seconds (default 0.1)")
    parser.add_argument(
        "--crossing",
        choices=("drop", "clamp"),
        default="drop",
        help="clips that need two pieces of a video: left out (default), or cut to that of the narration's time",
    )
    parser.add_argument("--templates", type=Path, help="folder with egoclip/{wearer,me,others}.txt of your own")
    return parser
