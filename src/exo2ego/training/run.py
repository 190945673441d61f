"""One stage from start to exported model: the function behind `exo2ego train` and the demo."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from exo2ego.data.atomic import held, make_folder, remove_leftovers
from exo2ego.data.jsonfile import Fields, load_json, write_json
from exo2ego.data.shards import ShardSet, open_shards
from exo2ego.errors import CheckpointError, FormatError, InputError
from exo2ego.models.language import add_lora, fold_lora
from exo2ego.models.processing import Exo2EgoProcessor
from exo2ego.models.roles import Roles, set_trainable
from exo2ego.models.weights import export, load_roles, save_roles
from exo2ego.training.checkpoint import fingerprint, weights_fingerprint, write_weights
from exo2ego.training.config import Recipe, StageConfig
from exo2ego.training.distributed import World, join_world, own_device, wait_for_all
from exo2ego.training.loop import LoopSpec, StepReport, run_loop
from exo2ego.training.stages import STAGES
from exo2ego.training.stages.stage import Stage
from exo2ego.training.stream import Example, Stream, StreamSpec, instruction_examples, pair_examples

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


def train_stage(
    recipe: Recipe,
    stage_name: str,
    *,
    start: Path,
    data: Sequence[Path],
    out: Path,
    seed: int = 0,
    report: Callable[[StepReport], None] = lambda row: None,
    device: str = "cpu",
) -> StageRun:
    """Run (or resume) one stage of a recipe.

    `start` is an exported model or the `final` folder of the stage before; `data` are shard folders of the kind the
    stage reads. Returns at once when the stage is finished under the same settings. Raises CheckpointError when `out`
    holds a run of other settings, InputError for an unknown stage or data of the wrong kind, DivergedError.
    """
    stage, config = stage_of(recipe, stage_name)
    run, world = StageRun(out=out), join_world()
    examples = stage_examples(stage, [open_shards(folder) for folder in data], recipe)
    torch.manual_seed(seed)
    roles, processor = load_roles(start, recipe.mapping)
    settings = run_settings(recipe, stage_name, roles, examples, seed)
    with claimed(out, settings, world):
        wait_for_all(world)
        if not (run.model / "config.json").is_file():
            prepare(roles, config, topics=len(recipe.question_groups))
            stream = build_stream(examples, recipe, config, processor, seed)
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
            run_loop(roles.to(own_device(device)), stream, stage.losses, spec, report)
            if world.is_main:
                finish(run, roles.cpu(), processor, recipe, student=stage.exports == "student")
        wait_for_all(world)
    return run


def stage_of(recipe: Recipe, name: str) -> tuple[Stage, StageConfig]:
    """The stage and its settings; InputError lists what there is."""
    if name not in STAGES or name not in recipe.stages:
        raise InputError(f"recipe {recipe.name} has no stage {name!r}; available: {', '.join(recipe.stages)}")
    return STAGES[name], recipe.stages[name]


def stage_examples(stage: Stage, shards: Sequence[ShardSet], recipe: Recipe) -> list[Example]:
    """All examples of a stage from its shard folders."""
    if not shards:
        raise InputError("no data was given; name at least one shard folder with --data")
    out: list[Example] = []
    for shard in shards:
        if stage.data == "pairs":
            out += pair_examples(shard, stage.views, recipe.narration_question)
        else:
            out += instruction_examples(shard, stage.views[0])
    if not out:
        raise FormatError(
            f"the shards hold no example for {stage.title}: it needs "
            + (
                "ego-exo pairs (`exo2ego data clips`)"
                if stage.data == "pairs"
                else "instructions (`exo2ego data instruct`)"
            )
        )
    return out


def run_settings(recipe: Recipe, stage: str, roles: Roles, examples: Sequence[Example], seed: int) -> str:
    """Fingerprint of all that decides the numbers: recipe, stage, start weights, data, seed."""
    stage_values = recipe.as_json()
    stage_values["stages"] = {stage: stage_values["stages"][stage]}
    data = [(e.sample.key, e.views, e.conversations) for e in examples]
    return fingerprint([stage_values, stage, weights_fingerprint(roles), fingerprint(data), seed])


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
    examples: Sequence[Example], recipe: Recipe, config: StageConfig, processor: Exo2EgoProcessor, seed: int
) -> Stream:
    """Batches of a stage."""
    spec = StreamSpec(
        seed=seed,
        batch_size=config.optim.batch_size,
        num_frames=recipe.num_frames,
        size_px=recipe.size_px,
        segments=config.segments,
        probes=config.probes,
        probe_questions=recipe.probe_questions,
        jitter_px=recipe.jitter_px,
        question_groups=recipe.question_groups,
    )
    return Stream(examples, spec, processor.tokenizer, processor.chat, processor.tokenizer.pad_token_id)


def finish(run: StageRun, roles: Roles, processor: Exo2EgoProcessor, recipe: Recipe, *, student: bool) -> None:
    """Fold adapters, write the roles, then the exported model: its presence says that the stage is complete."""
    fold_lora(roles.language)
    roles.tag_reader = None
    write_json(run.out / "recipe.json", recipe.as_json() | {"mapping": asdict(recipe.mapping)})
    write_weights(run.final, lambda folder: save_roles(folder, roles, processor, recipe.mapping))
    write_weights(run.model, lambda folder: export(folder, roles, processor, recipe.mapping, student=student))
