"""`exo2ego data export`: shards -> conversations and mp4 clips that other trainers read."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from exo2ego.cli.common import VerbParser, add_bar, console, progress

if TYPE_CHECKING:
    from exo2ego.data.export_plan import ExportReport
    from exo2ego.data.shards import ShardSet


def main(argv: Sequence[str]) -> int:
    """Runs the sub-verb; returns the exit code. Errors meant for users are raised."""
    options = _parser().parse_args(argv)
    from exo2ego.data.export import export
    from exo2ego.data.export_plan import ExportRule
    from exo2ego.data.shards import open_shards

    shards = open_shards(options.shards)
    is_pairs = len(shards.pairs) > 0
    rule = ExportRule(
        form=options.format,
        view=options.view or ("ego" if is_pairs else "video"),
        question=_question(options) if is_pairs else "",
        splits=tuple(options.splits),
        marker=f"<{options.marker}>",
    )
    with progress() as bars:
        report = export(
            shards,
            options.out,
            rule,
            copy_videos=options.copy_videos,
            progress=add_bar(bars, "exporting", total=len(shards), unit="samples"),
        )
    _print_report(options, shards, report)
    return 0


def _question(options: argparse.Namespace) -> str:
    """What narrations answer: as told, or as the recipe asks."""
    if options.question is not None:
        return str(options.question)
    from exo2ego.training.recipes import recipe_named

    return recipe_named(options.recipe).narration_question


def _print_report(options: argparse.Namespace, shards: "ShardSet", report: "ExportReport") -> None:
    out = console()
    out.print(f"conversations: {report.conversations} about {report.clips} clips of {len(shards)} samples")
    if report.told_drops():
        out.print(f"  left out: {report.told_drops()}")
    if report.marked_answers:
        out.print(
            f"note: {report.marked_answers} answers hold <video> or <image>: other trainers may stumble over them"
        )
    if options.copy_videos:
        out.print(f"clips written: {report.copied}, there already: {report.clips - report.copied}")
    else:
        out.print("the clips are not copied; run again with --copy-videos to have them too")
    out.print(f"all is in {options.out}; what it is: {options.out}/README.md", markup=False)


def _parser() -> VerbParser:
    parser = VerbParser(
        prog="exo2ego data export",
        description="Shards as conversation files of other trainers, with the clips as mp4 and a card.",
        example="exo2ego data export shards/pairs --format sharegpt --view best-exo --copy-videos --out export/pairs",
    )
    parser.add_argument("shards", type=Path, help="folder written by data clips, instruct or egoclip")
    parser.add_argument(
        "--format",
        choices=("llava", "sharegpt", "videollama2", "openai"),
        required=True,
        help="llava and videollama2: a JSON list; sharegpt: LLaMA-Factory; openai: messages, an entry a line",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write; resumes what it holds")
    parser.add_argument("--view", help="ego, a camera as cam01, best-exo, or video (default: ego, or video)")
    parser.add_argument("--copy-videos", action="store_true", help="also the clips, byte for byte")
    parser.add_argument("--splits", nargs="+", default=["train"], help="train, val, test (default train)")
    parser.add_argument(
        "--marker", choices=("video", "image"), default="video", help="llava: <image> as LLaVA-Video has"
    )
    parser.add_argument("--question", help="pairs: what narrations answer (default: the question of --recipe)")
    parser.add_argument("--recipe", default="tiny", help="pairs: whose narration question is asked (default tiny)")
    return parser
