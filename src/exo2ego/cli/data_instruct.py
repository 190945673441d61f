"""`exo2ego data instruct`: the five sources of EgoIT, or a file of conversations about videos -> shards."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from exo2ego.cli.common import VerbParser, add_bar, at_least, console, progress
from exo2ego.cli.data_common import add_common, build_with_progress, clip_format_of
from exo2ego.errors import InputError, LeakageError, MissingFileError

if TYPE_CHECKING:
    from exo2ego.data.sources.reading import BadRow, SourceRead
    from exo2ego.data.sources.source import ReadOptions, Source
    from exo2ego.records import Conversation

OF_SOURCES = ("templates", "first_person", "leave_out", "split", "views", "window", "extra_answers")
"""Flags that a file of conversations has no use for."""


def main(argv: Sequence[str]) -> int:
    """Runs the sub-verb; returns the exit code. Errors meant for users are raised."""
    options = _parser().parse_args(argv)
    options.command = ("exo2ego", "data", "instruct", *argv)
    options.clips = clip_format_of(options)
    named = _named(options.source)
    if not named:
        return _store_file(options)
    if options.videos is not None:
        raise InputError("--videos goes with a file of conversations; the folder of NAME=ROOT holds its own videos")
    if options.system is not None:
        raise InputError("--system goes with a file of conversations; the sources of EgoIT have no system texts")
    if options.drop_held_out:
        raise InputError(
            "--drop-held-out goes with a file of conversations; the sources of EgoIT read training rows only"
        )
    _refuse_unknown(options, named)
    for name, root in named.items():
        own = argparse.Namespace(**vars(options))
        own.out = options.out / name if options.out is not None and len(named) > 1 else options.out
        _store_source(name, root, own)
    return 0


def _named(sources: Sequence[str]) -> dict[str, Path]:
    """Name -> root where the sources are of that form; empty for one file. Raises InputError for a mixture."""
    from exo2ego.data.sources import SOURCES

    known = ", ".join(SOURCES)
    named: dict[str, Path] = {}
    for text in sources:
        name, sign, root = text.partition("=")
        if sign and not root:
            raise InputError(f"--source {text}: give the folder too, e.g. {name}=data/{name}")
        if sign and name in SOURCES:
            if name in named:
                raise InputError(f"--source {name} is given twice; one folder a source")
            named[name] = Path(root)
        elif text in SOURCES and not Path(text).exists():
            raise InputError(f"--source {text}: give its folder, e.g. {text}=data/{text}")
        elif sign and not Path(text).exists():
            raise InputError(f"--source {text}: unknown source '{name}'; known are {known}")
        elif len(sources) > 1:
            raise InputError(f"--source {text}: a file of conversations stands alone; run the verb once for each")
    return named


def _refuse_unknown(options: argparse.Namespace, named: dict[str, Path]) -> None:
    """What would be found wrong only after the sources before it have been built. Raises InputError."""
    from exo2ego.data.sources import SOURCES

    known = [f"{name}/{kind.name}" for name in named for kind in SOURCES[name].kinds]
    for text in options.leave_out or []:
        if text not in known:
            raise InputError(f"--leave-out {text}: no kind of question of these sources; known are {', '.join(known)}")
    for root in named.values():
        if not root.is_dir():
            raise MissingFileError(f"{root}: no such folder")
    if options.templates is not None:
        folders = [path.name for path in sorted(options.templates.glob("*/")) if not path.name.startswith(".")]
        for folder in folders:
            if folder not in SOURCES:
                raise InputError(f"{options.templates / folder}: no source; known are {', '.join(SOURCES)}")
        if folders and not set(folders) & set(named):
            raise InputError(f"{options.templates}: holds no instructions for {', '.join(named)}")


def _store_source(name: str, root: Path, options: argparse.Namespace) -> None:
    from exo2ego.data.sources import SOURCES
    from exo2ego.data.sources.instruct import chosen, lines_of

    source = SOURCES[name]
    chosen_options = _read_options(source, options)
    read = source.read(root, chosen_options)
    for line in lines_of(read, f"{name} ({source.title})"):
        console().print(line, markup=False)
    settings: dict[str, object] = {"kind": "instructions", "source": name, "root": str(root)}
    settings["licence"] = source.licence
    settings |= chosen_options.as_settings() | {"limit": options.limit, "seed": options.seed}
    wanted = chosen(read.conversations, options.limit, options.seed)
    if options.dry_run:
        return _show_examples(wanted, options.seed)
    measured, unreadable = _measured(wanted, root, options)
    return _store(name, root, read, measured, unreadable, settings, options)


def _read_options(source: "Source", options: argparse.Namespace) -> "ReadOptions":
    from exo2ego.data.sources.source import ReadOptions
    from exo2ego.data.sources.templates import load_templates

    left_out = [text.split("/", 1) for text in options.leave_out or []]
    return ReadOptions(
        templates=load_templates(source.name, source.kinds, options.templates),
        first_person=options.first_person != "no",
        skip=frozenset(kind for name, kind in left_out if name == source.name),
        split=options.split or 1,
        views=tuple(options.views or ("ego",)),
        window=options.window or "moment",
        extra_answers=options.extra_answers,
    )


def _store_file(options: argparse.Namespace) -> int:
    from exo2ego.data.sources.conversations import located, read_conversations
    from exo2ego.data.sources.instruct import bad_rows_line, chosen
    from exo2ego.data.sources.reading import SourceRead

    given = [flag for flag in OF_SOURCES if getattr(options, flag) not in (None, False)]
    if given:
        flag = given[0].replace("_", "-")
        raise InputError(f"--{flag} goes with --source NAME=ROOT, not with a file of conversations")
    if options.videos is None:
        raise InputError("--videos is missing: the folder that the video paths of the file are relative to")
    path = Path(options.source[0])
    conversations, bad_rows = read_conversations(path, options.system or "refuse")
    wanted = chosen(conversations, options.limit, options.seed)
    console().print(bad_rows_line(bad_rows), markup=False)
    settings: dict[str, object] = {"kind": "instructions", "source": str(path), "videos": str(options.videos)}
    if options.limit is not None:
        settings |= {"limit": options.limit, "seed": options.seed}
    if options.system is not None:
        settings["system"] = options.system
    if options.dry_run:
        _show_examples(wanted, options.seed)
        return 0
    there, missing = located(wanted, options.videos)
    there, left_out = _trainable(there, options)
    read = SourceRead(conversations=tuple(conversations), bad_rows=tuple(bad_rows), left_out=left_out)
    measured, unreadable = _measured(there, options.videos, options)
    _store(path.stem, options.videos, read, measured, [*missing, *unreadable], settings, options)
    return 0


def _trainable(
    wanted: "list[Conversation]", options: argparse.Namespace
) -> "tuple[list[Conversation], dict[str, int]]":
    """Conversations that are not about val or test takes of Ego-Exo4D, and how many are. Raises LeakageError."""
    from exo2ego.data.leakage import without_held_out

    good, held_out = without_held_out(wanted, options.videos)
    counts = {kind: len(rows) for kind, rows in sorted(held_out.items())}
    if held_out and not options.drop_held_out:
        first = next(iter(held_out.values()))[0].reason
        raise LeakageError(
            f"{sum(counts.values())} of {len(wanted)} conversations must not be trained on, the first: {first}; "
            "--drop-held-out leaves them out"
        )
    for kind, count in counts.items():
        console().print(f"  left out, {kind}: {count}; the first: {held_out[kind][0].reason}", markup=False)
    return good, counts


def _store(
    name: str,
    root: Path,
    read: "SourceRead",
    wanted: "list[Conversation]",
    unreadable: "list[BadRow]",
    settings: dict[str, object],
    options: argparse.Namespace,
) -> None:
    """Groups by stretch of video and builds."""
    from exo2ego.data.shard_writer import plan_instructions
    from exo2ego.data.sources.conversations import group_spans
    from exo2ego.data.sources.instruct import bad_videos_line, report_of

    if options.out is None:
        raise InputError("--out is missing: the folder for the shards (or give --dry-run)")
    spans, missing = group_spans(wanted, root)
    bad_videos = [*unreadable, *missing]
    stored = sum(len(group) for group in spans.values())
    out = console()
    out.print(
        f"conversations: {len(read.conversations) + len(read.bad_rows)}, stored: {stored} about {len(spans)} spans"
    )
    out.print(bad_videos_line(bad_videos), markup=False)
    if not stored and bad_videos:
        raise InputError(f"there is nothing to store: no conversation has its video; the first: {bad_videos[0].reason}")
    planned = plan_instructions(spans, root, name, options.clips)
    shards = build_with_progress(name, options, planned, options.clips, settings, report_of(read, stored, bad_videos))
    out.print(f"{len(shards)} video spans are in {options.out}")


def _show_examples(wanted: "list[Conversation]", seed: int) -> None:
    from exo2ego.data.sources.instruct import examples

    for text in examples(wanted, seed):
        console().print(f"\n{text}", markup=False)


def _measured(
    wanted: "list[Conversation]", root: Path, options: argparse.Namespace
) -> "tuple[list[Conversation], list[BadRow]]":
    """Whole videos get their lengths, with a progress bar."""
    from exo2ego.data.sources.durations import with_durations

    if options.out is None:
        raise InputError("--out is missing: the folder for the shards (or give --dry-run)")
    if all(conversation.video.end_s is not None for conversation in wanted):
        return wanted, []
    memory = Path(f"{options.out.resolve()}.durations.jsonl")
    with progress() as bars:
        show = add_bar(bars, "measuring videos", unit="videos")
        return with_durations(wanted, root, memory, workers=options.workers or 1, progress=show)


def _parser() -> VerbParser:
    parser = VerbParser(
        prog="exo2ego data instruct",
        description="Questions and answers about videos, one stored clip per stretch of video, from\n"
        "  NAME=ROOT   a source of EgoIT in its own files: egtea, ssv2, egotimeqa, openeqa, egoexolearn\n"
        "              (docs/data/egoit.md says which files); several at once go to OUT/NAME each\n"
        "  FILE        JSON list or .jsonl as LLaVA, VideoLLaMA2, ShareGPT, OpenAI or Video-ChatGPT have it, with\n"
        "              --videos (docs/data/conversations.md)",
        example="exo2ego data instruct --source egtea=data/EGTEA --source ssv2=data/SSv2 --dry-run\n"
        "  exo2ego data instruct --source egtea=data/EGTEA --source ssv2=data/SSv2 --out shards/egoit --workers 8\n"
        "  exo2ego data instruct --source world/instruct/ego.json --videos world/ego_exo4d --out shards/ego",
    )
    parser.add_argument("--source", action="append", required=True, metavar="NAME=ROOT|FILE", help="what to read")
    parser.add_argument("--videos", type=Path, help="with FILE: folder that the video paths are relative to")
    parser.add_argument(
        "--system",
        choices=("refuse", "drop", "keep"),
        help="with FILE: entries with a system text: left out and counted (default), without it, or with it in front",
    )
    parser.add_argument(
        "--drop-held-out",
        action="store_true",
        help="with FILE: leave out, and count, conversations about val and test takes of Ego-Exo4D instead of refusing",
    )
    add_common(parser, out_required=False)
    parser.add_argument("--dry-run", action="store_true", help="only counts and ten examples; needs no video")
    parser.add_argument("--limit", type=at_least(1), help="so many conversations of each source, chosen by --seed")
    parser.add_argument("--seed", type=at_least(0), default=0, help="which ones --limit takes (default 0)")
    parser.add_argument("--templates", type=Path, help="folder of your own instructions: NAME/KIND.txt, one a line")
    parser.add_argument(
        "--first-person", choices=("yes", "no"), help="answers as the camera wearer tells (default yes)"
    )
    parser.add_argument(
        "--leave-out", nargs="+", metavar="NAME/KIND", help="kinds of questions not to ask, e.g. ssv2/fill"
    )
    parser.add_argument("--split", type=int, choices=(1, 2, 3), help="egtea: whose training rows (default 1)")
    parser.add_argument("--views", nargs="+", choices=("ego", "exo"), help="egoexolearn: recordings (default ego)")
    parser.add_argument(
        "--window", choices=("moment", "clip"), help="egotimeqa: the moment (default) or the whole clip"
    )
    parser.add_argument("--extra-answers", action="store_true", help="openeqa: also the further answers of a question")
    return parser
