"""A plan as people read it, and the downloader's commands.

What the commands rely on, all in facebookresearch/Ego4d `ego4d/internal/download/{cli,manifest_gen}.py`: `--uids`
filters every part, also metadata and annotations (whose uids are no takes), so those have a command of their own; the
videos of `downscaled_takes/448` carry no view, so `--views` does not thin them out.
"""

import shlex
from collections.abc import Iterator
from pathlib import Path

from exo2ego.data.download_needs import Totals
from exo2ego.data.download_plan import Plan, by_scenario
from exo2ego.data.download_sizes import PART_BYTES, SMALL_PART, VIDEO_HOURS, show_bytes
from exo2ego.data.download_sources import INSTRUCTION_SOURCES
from exo2ego.data.pairs import FilterRule
from exo2ego.data.text_table import text_table

SHOWN_TAKES = 5
"""Takes whose files are shown; all are in the files that the command writes."""
NEVER_NEEDED = ("take_vrs", "take_point_cloud", "take_audio", "take_vrs_noimagestream", "take_trajectory", "captures")
"""Other large parts of the release."""


def commands(plan: Plan, uids_file: Path | None) -> list[tuple[str, str]]:
    """(what it brings, command line) of each part; without a list of uids the videos of all takes come."""
    out = f"egoexo -o {shlex.quote(str(plan.root))}"
    only = f" --uids $(cat {shlex.quote(str(uids_file))})" if uids_file else ""
    return [
        ("metadata and annotations", f"{out} --parts metadata annotations"),
        ("videos", f"{out} --parts {plan.spec.part} --views ego exo{only}"),
    ]


def plan_text(plan: Plan, uids_file: Path | None) -> str:
    """Everything but notes on the download's own irregularities."""
    parts = list(_instructions(plan))
    if plan.stage_totals:
        parts = [*_needs(plan), *_chosen(plan), *_savings(plan), *_commands(plan, uids_file), *parts]
    return "\n".join(parts).strip()


def _needs(plan: Plan) -> Iterator[str]:
    kept = plan.needed_totals
    splits = ", ".join(plan.spec.filters.splits)
    yield f"narrations: {plan.narrations:,}, of use: {kept.narrations:,} ({splits}; every video assumed present)"
    left = [f"{reason} {count:,}" for reason, count in plan.dropped.items() if count]
    if left:
        yield f"  left out: {'; '.join(left)}"
    rate = f"{plan.bytes_per_second:,.0f} bytes a second of video"
    if plan.spec.bytes_per_second is None:
        whole = show_bytes(PART_BYTES[plan.spec.part])
        rate += f", as published: {plan.spec.part} is {whole} for {VIDEO_HOURS:,.2f} h of ego and exo video"
    else:
        rate += ", as given"
    yield f"sizes: of the files that are there; 'about' = estimated at {rate}"
    yield ""
    rows = [[f"all takes of use ({splits})", *_figures(kept)]]
    rows += [[f"{stage} reads", *_figures(figures)] for stage, figures in plan.stage_totals.items()]
    yield text_table(["", "takes", "ego videos", "exo videos", "hours", "size", "narrations", "pairs"], rows)


def _figures(figures: Totals) -> list[object]:
    return [
        figures.takes,
        figures.ego_videos,
        figures.exo_videos,
        figures.hours,
        str(figures.size),
        figures.narrations,
        figures.pairs,
    ]


def _chosen(plan: Plan) -> Iterator[str]:
    yield ""
    budget = plan.spec.budget_bytes
    if budget is None:
        yield f"all {len(plan.chosen):,} takes of use, by scenario (--budget 200GB would choose a part):"
    else:
        used = plan.fetched if plan.spec.budget_for == "fetched" else plan.kept
        yield (
            f"chosen for a budget of {show_bytes(budget)}: {len(plan.chosen):,} of {len(plan.needed):,} takes, "
            f"{used} {plan.spec.budget_for}, by scenario:"
        )
    rows = [[*row[:5], str(row[5])] for row in by_scenario(plan.chosen)]
    yield text_table(["scenario", "takes", "universities", "narrations", "pairs", "fetched"], rows)
    if plan.missing_scenarios:
        yield f"warning: the budget holds no take of {', '.join(plan.missing_scenarios)}"
    there = plan.fetched.total - plan.fetched.estimated
    yield (
        f"the downloader brings {plan.fetched} of videos ({show_bytes(there)} is there already); "
        f"{plan.kept} of it must stay"
    )
    if plan.chosen:
        yield "the first takes and their files (all: --files-out, --json):"
    for need in sorted(plan.chosen, key=lambda need: need.take.take_name)[:SHOWN_TAKES]:
        take = need.take
        folder, _, name = need.ego.path.rpartition("/")
        names = " ".join([name, *(stream.path.rpartition("/")[2] for stream in need.exos)])
        yield f"  {take.take_uid}  {folder}/: {names}"


def _savings(plan: Plan) -> Iterator[str]:
    yield ""
    yield "what need not be downloaded, or can be deleted after it:"
    rows = [
        [
            saving.what,
            saving.takes,
            saving.videos,
            saving.hours,
            str(saving.size) if saving.size.total else "",
            saving.why,
        ]
        for saving in plan.savings
    ]
    yield text_table(["", "takes", "videos", "hours", "size", "why"], rows)
    parts = [f"{part} {show_bytes(PART_BYTES[part])}" for part in NEVER_NEEDED]
    if plan.spec.part == SMALL_PART:
        parts.insert(0, f"full-size videos (takes) {show_bytes(PART_BYTES['takes'])}")
    yield f"other parts of the release that nothing here needs, as published: {', '.join(parts)}"


def _commands(plan: Plan, uids_file: Path | None) -> Iterator[str]:
    yield ""
    yield "download with the official tool (pip install ego4d; it needs the keys of your licence):"
    for what, line in commands(plan, uids_file):
        yield f"  {line}    # {what}"
    if uids_file is None:
        yield "  the last line brings every take; write the list with --uids-out FILE to bring only those above"
    if plan.spec.part == SMALL_PART:
        yield "  it brings all cameras of a take whatever --views says; --unneeded-out FILE lists what to delete then"
    listed = f" --takes {shlex.quote(str(uids_file))}" if uids_file else ""
    yield f"afterwards: exo2ego data check {shlex.quote(str(plan.root))}{listed}{_flags(plan.spec.filters)}"


def _flags(filters: FilterRule) -> str:
    """What makes `data check` and `data clips` need the same as this plan; nothing where all is as by default."""
    plain = FilterRule()
    flags = "" if filters.splits == plain.splits else f" --splits {' '.join(filters.splits)}"
    flags += "" if filters.views == plain.views else f" --views {filters.views}"
    names = ("keep_rejected", "keep_unsure", "keep_not_ego_visible", "keep_other_subjects")
    return flags + "".join(f" --{name.replace('_', '-')}" for name in names if getattr(filters, name))


def _instructions(plan: Plan) -> Iterator[str]:
    found = [source for source in INSTRUCTION_SOURCES if source.stage in plan.spec.stages]
    if not found:
        return
    yield ""
    yield "instructions, which come from elsewhere (paths are below the folder given to the command):"
    for source in found:
        yield f"  {source.stage}: {source.name}, from {source.origin}"
        yield f"    annotations: {', '.join(source.files)}"
        yield f"    videos: {source.videos}"
        yield f"    read by: {source.reader}"
