"""One stage from start to exported model: the function behind `exo2ego train` and the demo."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType

import torch

from exo2ego.data.atomic import held, make_folder, remove_leftovers
from exo2ego.data.held_out import HeldOut
from exo2ego.data.jsonfile import Fields, load_json, write_json
from exo2ego.data.mixture import Mixture, by_size
from exo2ego.errors import CheckpointError, InputError
from exo2ego.models.language import add_lora, fold_lora
from exo2ego.models.processing import Exo2EgoProcessor
from exo2ego.models.roles import Roles, set_trainable
from exo2ego.models.weights import export, load_roles, save_roles
from exo2ego.training.checkpoint import fingerprint, list_fingerprint, weights_fingerprint, write_weights
from exo2ego.training.config import Recipe, StageConfig
from exo2ego.training.data_report import data_summary, warned
from exo2ego.training.distributed import World, join_world, own_device, wait_for_all
from exo2ego.training.examples import Example, TrainingData, training_data
from exo2ego.training.loop import LoopSpec, StepReport, run_loop
from exo2ego.training.shard_fit import require_size
from exo2ego.training.stages import STAGES
from exo2ego.training.stages.stage import Stage
from exo2ego.training.stream import Stream, StreamSpec

LOCK = "run.lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRun:
    """Where the results of a stage are."""

    out: Path

    @property
    def final(self) -> Path:
        """All roles: the start of the next stage."""
        return self.out / "final"

    @property
    def model(self) -> Path:
        """Exported Hugging Face model."""
        return self.out / "model"

    @property
    def log(self) -> Path:
        """One JSON line a step."""
        return self.out / "log.jsonl"

    @property
    def data(self) -> Path:
        """What was trained on: a JSON object, `training/data_report.py`."""
        return self.out / "data.json"


def train_stage(
    recipe: Recipe,
    stage_name: str,
    *,
    start: Path,
    data: Mixture | Sequence[Path],
    out: Path,
    seed: int = 0,
    report: Callable[[StepReport], None] = lambda row: None,
    device: str = "cpu",
    held_out: HeldOut | None = None,
    drop_held_out: bool = False,
    note: Callable[[str], None] = lambda line: None,
) -> StageRun:
    """Run (or resume) one stage of a recipe.

    `start` is an exported model or the `final` folder of the stage before; `data` are shard folders of the kind the
    stage reads, or sources with weights. Samples that meet `held_out` are refused, or left out and counted. `note` gets
    lines for the user: what was left out, which source repeats often.

    Returns at once when the stage is finished under the same settings. Raises CheckpointError when `out` holds a run of
    other settings, InputError for an unknown stage or data of the wrong kind, LeakageError, DivergedError.
    """
    stage, config = stage_of(recipe, stage_name)
    run, world = StageRun(out=out), join_world()
    mixture = data if isinstance(data, Mixture) else by_size(data)
    found = training_data(stage, mixture, recipe, seed, held_out=held_out, drop_held_out=drop_held_out)
    if found.left_out and world.is_main:
        note(f"{found.left_out} samples are held out and not trained on")
    torch.manual_seed(seed)
    roles, processor = load_roles(start, recipe.mapping)
    require_fit(start, processor, recipe)
    require_size(found.shards, recipe)
    shares = {n: (w, size) for (n, w), size in zip(mixture.shares().items(), found.order.sizes, strict=False)}
    settings = run_settings(recipe, stage_name, roles, found.examples, seed, shares)
    stream = build_stream(found, recipe, stage, config, roles, processor, seed)
    with claimed(out, settings, world):
        wait_for_all(world)
        if not (run.model / "config.json").is_file():
            prepare(roles, config, topics=len(recipe.question_groups))
            spec = LoopSpec(
                stage=stage_name,
                out=out,
                optim=config.optim,
                objectives=config.objectives,
                precision=recipe.precision,
                checkpoint_every=recipe.checkpoint_every,
                divergence_factor=recipe.divergence_factor,
                seed=seed,
                world=world,
                settings=settings,
            )
            run_loop(roles.to(own_device(device)), stream, stage.losses, spec, warned(report, stream, spec, note))
            if world.is_main:
                write_json(run.data, data_summary(found, mixture, stream, config.optim.steps, run.log))
                finish(run, roles.cpu(), processor, recipe, student=stage.exports == "student")
        wait_for_all(world)
    return run


def stage_of(recipe: Recipe, name: str) -> tuple[Stage, StageConfig]:
    """The stage and its settings; InputError lists what there is."""
    if name not in STAGES or name not in recipe.stages:
        raise InputError(f"recipe {recipe.name} has no stage {name!r}; available: {', '.join(recipe.stages)}")
    return STAGES[name], recipe.stages[name]


def require_fit(start: Path, processor: Exo2EgoProcessor, recipe: Recipe) -> None:
    """Raises CheckpointError for a start that reads other videos than the recipe gives it.

    Another size breaks its grid of tokens; another number of frames would be trained and never be asked for.
    """
    reads, gives = (processor.num_frames, processor.image_size), (recipe.num_frames, recipe.size_px)
    if reads != gives:
        raise CheckpointError(
            f"{start} reads {reads[0]} frames of {reads[1]} px, recipe {recipe.name} gives {gives[0]} of {gives[1]}; "
            "name a model of that kind with --init-from, or another --recipe"
        )


def run_settings(
    recipe: Recipe,
    stage: str,
    roles: Roles,
    examples: Sequence[Example],
    seed: int,
    shares: Mapping[str, tuple[str, int]] = MappingProxyType({}),
) -> str:
    """Fingerprint of all that decides the numbers: recipe, stage, start weights, data, seed, shares of the sources.

    What is not given does not count: runs of versions without token budgets and mixtures go on.
    """
    stage_values = recipe.as_json()
    stage_values["stages"] = {stage: stage_values["stages"][stage]}
    optim = stage_values["stages"][stage]["optim"]
    stage_values["stages"][stage]["optim"] = {name: value for name, value in optim.items() if value is not None}
    data = list_fingerprint([e.sample.key, e.views, e.conversations] for e in examples)
    values = [stage_values, stage, weights_fingerprint(roles), data, seed]
    return fingerprint([*values, dict(shares)] if shares else values)


@contextmanager
def claimed(out: Path, settings: str, world: World) -> Iterator[None]:
    """Makes `out` this run's folder, or finds that it already is, and keeps other runs out of it meanwhile.

    Raises CheckpointError when it is another run's, OutputError when it cannot be written or is in use.
    """
    if not world.is_main:
        yield
        return
    make_folder(out)
    with held(out, LOCK):
        marker = out / "settings.json"
        if marker.is_file():
            found = Fields(load_json(marker), str(marker)).text("settings")
            if found != settings:
                raise CheckpointError(
                    f"{out} holds a run of another recipe, start, data or seed (settings {found}, this run "
                    f"{settings}); choose another --out or delete it"
                )
        else:
            write_json(marker, {"settings": settings})
        for folder in (out, out / "checkpoints"):
            remove_leftovers(folder)
        yield


def prepare(roles: Roles, config: StageConfig, topics: int) -> None:
    """Adapters in, then exactly what the stage names trains."""
    if config.lora is not None:
        add_lora(roles.language, config.lora)
    if config.tag_reader_width is not None:
        roles.add_tag_reader(config.tag_reader_width, topics)
    set_trainable(roles, config.trains)


def build_stream(
    data: TrainingData,
    recipe: Recipe,
    stage: Stage,
    config: StageConfig,
    roles: Roles,
    processor: Exo2EgoProcessor,
    seed: int,
) -> Stream:
    """Batches of a stage."""
    spec = StreamSpec(
        seed=seed,
        optim=config.optim,
        num_frames=recipe.num_frames,
        size_px=recipe.size_px,
        segments=config.segments,
        probes=config.probes,
        probe_questions=recipe.probe_questions,
        jitter_px=recipe.jitter_px,
        pad_id=processor.tokenizer.pad_token_id,
        visual_tokens=visual_tokens(roles, recipe, stage, config),
        question_groups=recipe.question_groups,
    )
    return Stream(data, spec, processor.tokenizer, processor.chat)


def visual_tokens(roles: Roles, recipe: Recipe, stage: Stage, config: StageConfig) -> int:
    """How many visual tokens the LLM reads before a sample's text: twice the encoder's where it reads a concat."""
    twice = stage.exports == "student" or config.objectives.read_twice
    return roles.exo.grid(recipe.num_frames).tokens * (2 if twice else 1)


def finish(run: StageRun, roles: Roles, processor: Exo2EgoProcessor, recipe: Recipe, *, student: bool) -> None:
    """Fold adapters, write the roles, then the exported model: its presence says that the stage is complete."""
    fold_lora(roles.language)
    roles.tag_reader = None
    write_json(run.out / "recipe.json", recipe.as_json() | {"mapping": asdict(recipe.mapping)})
    write_weights(run.final, lambda folder: save_roles(folder, roles, processor, recipe.mapping))
    write_weights(run.model, lambda folder: export(folder, roles, processor, recipe.mapping, student=student))
