"""What the sub-verbs of `exo2ego data` that store clips share: flags, and the build with its progress bar."""

import argparse
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from exo2ego.cli.common import VerbParser, add_bar, at_least, console, in_units, progress, seconds
from exo2ego.errors import EnvironmentUnfitError, InputError

if TYPE_CHECKING:
    from exo2ego.data.egoexo4d import EgoExo4D
    from exo2ego.data.pairs import FilterReport, FilterRule
    from exo2ego.data.shard_group import ClipFormat
    from exo2ego.data.shard_plan import Planned
    from exo2ego.data.shard_writer import Run
    from exo2ego.data.shards import ShardSet
    from exo2ego.data.subset import Subset

MB = 1_000_000
DOWNSCALED: dict[str, bool | None] = {"auto": None, "yes": True, "no": False}
"""`--downscaled` -> what `read_root` takes."""


def add_common(parser: VerbParser, out_required: bool = True) -> None:
    """What every verb that stores clips asks."""
    parser.add_argument("--out", type=Path, required=out_required, help="folder for the shards; resumes what it holds")
    parser.add_argument("--recipe", help="store clips as this recipe of `exo2ego train` reads them, e.g. paper")
    parser.add_argument("--frames", type=at_least(1), help="frames of a stored clip, without --recipe (default 16)")
    parser.add_argument(
        "--size", type=at_least(16), help="width and height in pixels, even, without --recipe (default 64)"
    )
    parser.add_argument(
        "--workers", type=at_least(1), help="processes (default 1; with --engine ray one for each CPU of the cluster)"
    )
    parser.add_argument("--licence", help="of the source, in words, for the card (default: by the kind of source)")
    parser.add_argument("--engine", choices=("local", "ray"), default="local", help="ray: on a Ray cluster")
    parser.add_argument("--address", help="of the Ray cluster, as HOST:PORT or auto (default: one on this machine)")
    parser.add_argument(
        "--time-limit",
        type=seconds,
        default=600.0,
        help="seconds for each 10 minutes of a video; one that takes longer is quarantined (default 600: real time)",
    )
    parser.add_argument(
        "--memory-limit",
        type=at_least(1),
        default=2048,
        help="MiB for the decoder of a video; one that needs more is quarantined (default 2048)",
    )


def clip_format_of(options: argparse.Namespace) -> "ClipFormat":
    """How clips are stored: as a recipe reads them, or as told. Raises InputError for both, or an unknown recipe."""
    from exo2ego.data.shard_group import ClipFormat

    told = {name: getattr(options, name) for name in ("frames", "size") if getattr(options, name) is not None}
    if options.recipe is None:
        plain = ClipFormat()
        return ClipFormat(num_frames=told.get("frames", plain.num_frames), size_px=told.get("size", plain.size_px))
    if told:
        given = " and ".join(f"--{name}" for name in told)
        raise InputError(f"--recipe {options.recipe} gives frames and size: leave out {given}")
    from exo2ego.training.recipes import recipe_named

    recipe = recipe_named(options.recipe)
    return ClipFormat(num_frames=recipe.num_frames, size_px=recipe.size_px)


def add_filters(parser: VerbParser, splits: Sequence[str] = ("train",)) -> None:
    """Which narrations and videos of Ego-Exo4D are used: what `data clips` builds, `data plan` plans and `data check`
    needs is the same for the same flags."""
    default = " ".join(splits)
    parser.add_argument("--splits", nargs="+", default=list(splits), help=f"train, val (default {default})")
    parser.add_argument(
        "--views", type=_views, default="all", help="exo cameras: all (default), best, or K (best first, then by id)"
    )
    parser.add_argument(
        "--downscaled",
        choices=tuple(DOWNSCALED),
        default="auto",
        help="use downscaled/448 videos; auto (default): where the full one is not there",
    )
    parser.add_argument("--keep-rejected", action="store_true", help="also rejected annotations")
    parser.add_argument("--keep-unsure", action="store_true", help="also narrations marked unsure")
    parser.add_argument("--keep-not-ego-visible", action="store_true", help="also what the ego camera does not see")
    parser.add_argument("--keep-other-subjects", action="store_true", help="also narrations about other people")


def add_subset(parser: VerbParser) -> None:
    """Which takes are used, and which videos are not."""
    parser.add_argument("--takes", type=Path, help="file of take uids, one a line: use these takes only")
    parser.add_argument("--quarantine", type=Path, help="file of {video, reason} lines: do not use these videos")


def subset_of(options: argparse.Namespace, root: Path, dataset: "EgoExo4D") -> "Subset":
    """What `--takes` and `--quarantine` leave of a download; says how much that is."""
    from exo2ego.data.subset import Subset, read_quarantine, read_takes

    takes = None
    if options.takes is not None:
        takes, strange = read_takes(options.takes, dataset.takes)
        console().print(f"takes: {len(takes)} of {options.takes}", markup=False)
        if strange:
            also = f"{len(strange)} listed takes are dropped, without split or unknown, as {strange[0]}"
            console().print(f"note: {also}; left out", markup=False)
    banned = frozenset() if options.quarantine is None else read_quarantine(options.quarantine, root)
    if options.quarantine is not None:
        console().print(f"quarantine: {len(banned)} videos of {options.quarantine}", markup=False)
    return Subset(takes=takes, quarantined=banned)


def filters_of(options: argparse.Namespace) -> "FilterRule":
    """The rule that the flags of `add_filters` ask for. Raises FormatError for a split without descriptions."""
    from exo2ego.data.pairs import FilterRule

    return FilterRule(
        splits=tuple(options.splits),
        keep_rejected=options.keep_rejected,
        keep_unsure=options.keep_unsure,
        keep_not_ego_visible=options.keep_not_ego_visible,
        keep_other_subjects=options.keep_other_subjects,
        views=options.views,
    )


def _views(text: str) -> int | str:
    if text in ("all", "best"):
        return text
    try:
        return at_least(1)(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither all, best nor a number of exo cameras") from None


def build_with_progress(
    title: str,
    options: argparse.Namespace,
    planned: "Iterable[Planned]",
    clip_format: "ClipFormat",
    settings: Mapping[str, object],
    report: "FilterReport | Mapping[str, object]",
) -> "ShardSet":
    """Builds with a progress bar, says how many clips were quarantined, and writes the card.

    `options` are those of `add_common`, with the command line as `options.command`.
    """
    from exo2ego.data.shard_clips import Limits
    from exo2ego.data.shard_writer import build_shards
    from exo2ego.data.shards import QUARANTINE

    run = _engine(options)
    with progress() as bars:
        show = add_bar(bars, f"storing {title}", unit="samples")
        shards = build_shards(
            options.out,
            planned,
            clip_format,
            settings=settings,
            report=report,
            workers=options.workers or 1,
            run=run,
            limits=Limits(time_limit_s=options.time_limit, memory_limit_bytes=options.memory_limit << 20),
            progress=show,
        )
        show(len(shards), len(shards))
    lost = shards.manifest["counts"]["quarantined"]
    if lost:
        console().print(f"warning: {lost} clips could not be stored; reasons in {options.out / QUARANTINE}")
    _write_card(shards, options, settings)
    return shards


def _write_card(shards: "ShardSet", options: argparse.Namespace, settings: Mapping[str, object]) -> None:
    from exo2ego.data.atomic import write_text
    from exo2ego.data.shard_card import CARD, card, licence_of, shown_command

    stated = options.licence or settings.get("licence")
    licence = licence_of(str(settings.get("origin", "")), str(stated) if stated else None)
    write_text(options.out / CARD, card(shards, licence, shown_command(options.command)))


def _engine(options: argparse.Namespace) -> "Run | None":
    """Where shards are built: None for processes of this machine. Raises EnvironmentUnfitError without Ray."""
    if options.engine == "local":
        if options.address is not None:
            raise InputError("--address names a Ray cluster; give --engine ray with it")
        return None
    try:
        from exo2ego.data.ray_build import run_on_ray
    except ImportError as error:
        raise EnvironmentUnfitError(f"--engine ray: {error}; pip install 'exo2ego[ray]'") from None
    return partial(run_on_ray, workers=options.workers, address=options.address)


def read_source(root: Path, downscaled: str) -> "EgoExo4D":
    """An Ego-Exo4D folder, read under a bar; `downscaled` is a name of `DOWNSCALED`."""
    from exo2ego.data.egoexo4d import read_root

    with progress() as bars:
        show = add_bar(bars, "reading annotations", unit="MB")
        return read_root(root, DOWNSCALED[downscaled], in_units(show, MB))


def print_problems(dataset: "EgoExo4D") -> None:
    """What was irregular in a download and worked around: how often, and where the first is."""
    from exo2ego.data.egoexo4d import PROBLEMS

    for kind, count in dataset.problem_counts().items():
        first = next(problem for problem in dataset.problems if problem.kind == kind)
        where = f" (the first: {first.detail or first.take})"
        console().print(f"note: {count} x {kind}: {PROBLEMS[kind]}{where}", markup=False)
