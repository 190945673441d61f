"""The whole plan of a download as one record: needs by stage, what to leave out, the takes chosen for a budget."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from exo2ego.data.download_budget import choose
from exo2ego.data.download_needs import (
    COSTS,
    VIEWS_OF_STAGE,
    Saving,
    TakeNeed,
    Totals,
    needs,
    savings,
    totals,
    unneeded_files,
)
from exo2ego.data.download_sizes import FULL_PART, SMALL_PART, Size, Sizes, published_rate
from exo2ego.data.download_sources import INSTRUCTION_SOURCES
from exo2ego.data.egoexo4d import EgoExo4D
from exo2ego.data.pairs import EVERYTHING, FilterRule
from exo2ego.data.subset import Subset

PLAN_VERSION = 1
"""Of the JSON record; grows when a field changes its meaning or goes."""
STAGES = ("init", "teacher", "guidance", "practice")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSpec:
    """What is asked of a plan."""

    stages: tuple[str, ...] = STAGES
    filters: FilterRule
    subset: Subset = EVERYTHING
    part: str = SMALL_PART
    """Of the downloader, from which the videos come: small or full ones."""
    bytes_per_second: float | None = None
    """Of a video whose file is not there; None: as published for the part."""
    budget_bytes: int | None = None
    budget_for: str = "fetched"
    """Key of `COSTS`."""

    def __post_init__(self) -> None:
        assert self.part in (SMALL_PART, FULL_PART)
        assert self.budget_for in COSTS
        assert set(self.stages) <= set(STAGES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The answer."""

    root: Path
    spec: PlanSpec
    bytes_per_second: float
    narrations: int
    """In the files, of takes that can be used."""
    dropped: Mapping[str, int]
    """Narrations left out, by reason."""
    problems: Mapping[str, int]
    """Of the download's own files, by kind."""
    needed: tuple[TakeNeed, ...]
    """All takes that are of use."""
    chosen: tuple[TakeNeed, ...]
    """Those of them within the budget; all where there is none."""
    needed_totals: Totals
    stage_totals: Mapping[str, Totals]
    """Stage that reads Ego-ExoClip -> what it reads of the takes chosen."""
    fetched: Size
    """What the downloader brings for the takes chosen."""
    kept: Size
    """What has to stay of it."""
    savings: tuple[Saving, ...]
    unneeded: tuple[str, ...]
    """Videos that come with the takes chosen and can be deleted."""

    @property
    def missing_scenarios(self) -> tuple[str, ...]:
        """Scenarios of which the budget holds no take."""
        chosen = {need.take.scenario for need in self.chosen}
        return tuple(sorted({need.take.scenario for need in self.needed} - chosen))


def make_plan(dataset: EgoExo4D, spec: PlanSpec) -> Plan:
    """Raises InputError for a budget that holds nothing."""
    rate = published_rate(spec.part) if spec.bytes_per_second is None else spec.bytes_per_second
    sizes = Sizes(dataset.root, rate)
    found, dropped = needs(dataset, spec.filters, sizes, spec.subset)
    chosen = found if spec.budget_bytes is None else choose(found, spec.budget_bytes, COSTS[spec.budget_for])
    return Plan(
        root=dataset.root,
        spec=spec,
        bytes_per_second=rate,
        narrations=len(dataset.narrations),
        dropped=dropped,
        problems=dataset.problem_counts(),
        needed=tuple(found),
        chosen=tuple(chosen),
        needed_totals=totals(found, ("ego", "exo"), sizes),
        stage_totals={
            stage: totals(chosen, views, sizes) for stage, views in VIEWS_OF_STAGE.items() if stage in spec.stages
        },
        fetched=sum((need.fetched for need in chosen), Size()),
        kept=sum((need.kept for need in chosen), Size()),
        savings=tuple(savings(dataset, spec.filters, found, sizes, spec.subset)),
        unneeded=tuple(unneeded_files(dataset, chosen)),
    )


def needed_files(plan: Plan) -> list[str]:
    """Videos of the takes chosen that must be there, relative to the root, in the order of take names."""
    takes = sorted(plan.chosen, key=lambda need: need.take.take_name)
    return [stream.path for need in takes for stream in (need.ego, *need.exos)]


def by_scenario(found: Sequence[TakeNeed]) -> list[tuple[str, int, int, int, int, Size]]:
    """(scenario, takes, universities, narrations, pairs, fetched) of each scenario, ordered by name."""
    rows = []
    for scenario in sorted({need.take.scenario for need in found}):
        of_it = [need for need in found if need.take.scenario == scenario]
        rows.append(
            (
                scenario,
                len(of_it),
                len({need.take.university for need in of_it}),
                sum(need.narrations for need in of_it),
                sum(need.pairs for need in of_it),
                sum((need.fetched for need in of_it), Size()),
            )
        )
    return rows


def plan_record(plan: Plan) -> dict[str, Any]:
    """The plan as JSON; docs/data/download.md says what each field is."""
    spec = plan.spec
    reads_instructions = [source for source in INSTRUCTION_SOURCES if source.stage in spec.stages]
    return {
        "version": PLAN_VERSION,
        "root": str(plan.root),
        "settings": {
            "stages": list(spec.stages),
            "filters": {**asdict(spec.filters), "splits": list(spec.filters.splits)},
            "part": spec.part,
            "bytes_per_second": plan.bytes_per_second,
            "bytes_per_second_is_published": spec.bytes_per_second is None,
            "budget_bytes": spec.budget_bytes,
            "budget_for": spec.budget_for,
        },
        "problems": dict(plan.problems),
        "narrations": {"total": plan.narrations, "left_out": dict(plan.dropped)},
        "needed": asdict(plan.needed_totals),
        "stages": {stage: asdict(figures) for stage, figures in plan.stage_totals.items()},
        "fetched": asdict(plan.fetched),
        "kept": asdict(plan.kept),
        "savings": [asdict(saving) for saving in plan.savings],
        "scenarios": [
            dict(
                zip(("scenario", "takes", "universities", "narrations", "pairs"), row[:5], strict=True),
                size=asdict(row[5]),
            )
            for row in by_scenario(plan.chosen)
        ],
        "missing_scenarios": list(plan.missing_scenarios),
        "instruction_sources": [asdict(source) | {"files": list(source.files)} for source in reads_instructions],
        "takes": [_take_record(need) for need in plan.chosen],
        "unneeded_files": list(plan.unneeded),
    }


def _take_record(need: TakeNeed) -> dict[str, Any]:
    take = need.take
    return {
        "take_uid": take.take_uid,
        "take_name": take.take_name,
        "scenario": take.scenario,
        "university": take.university,
        "split": take.split,
        "duration_s": take.duration_s,
        "narrations": need.narrations,
        "pairs": need.pairs,
        "ego": need.ego.path,
        "exos": [stream.path for stream in need.exos],
        "fetched": asdict(need.fetched),
        "kept": asdict(need.kept),
    }
