"""`exo2ego train`: what each flag changes in recipe and run, where training starts, what is said at its end."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import pytest

from exo2ego.cli import common, train_steps
from exo2ego.cli.__main__ import main
from exo2ego.cli.train import TrainCommand
from exo2ego.cli.train_steps import chosen_held_out, chosen_recipe, start_folder
from exo2ego.data.mixture import Mixture
from exo2ego.errors import InputError
from exo2ego.models.weights import START
from exo2ego.records import Turn
from exo2ego.training import run as training_run
from exo2ego.training.config import Optim, Recipe
from exo2ego.training.recipes import RECIPES
from exo2ego.training.run import StageRun


def optim_of(changes: Mapping[str, float], stage: str = "guidance") -> Optim:
    return chosen_recipe("tiny", stage, changes).stages[stage].optim


@pytest.mark.parametrize("name", ["steps", "batch_size", "lr", "bucket_samples"])
def test_a_change_changes_one_number_of_one_stage(name: str) -> None:
    value = {"steps": 7, "batch_size": 4, "lr": 0.5, "bucket_samples": 160}[name]
    before, after = RECIPES["tiny"]().as_json(), chosen_recipe("tiny", "teacher", {name: value}).as_json()
    assert before["stages"]["teacher"]["optim"][name] != value
    before["stages"]["teacher"]["optim"][name] = value
    assert after == before


def test_no_change_is_the_recipe_itself() -> None:
    for name, make in RECIPES.items():
        assert chosen_recipe(name, "teacher", {}) == make()


def test_another_precision_changes_nothing_else() -> None:
    before, after = RECIPES["tiny"]().as_json(), chosen_recipe("tiny", "teacher", {}, "bf16").as_json()
    assert (before.pop("precision"), after.pop("precision")) == ("fp32", "bf16")
    assert before == after


def test_a_token_budget_takes_the_place_of_the_batch_size_and_back() -> None:
    budget = optim_of({"tokens_per_batch": 4096})
    assert (budget.batch_size, budget.tokens_per_batch) == (None, 4096)
    assert optim_of({"batch_size": 4}).tokens_per_batch is None


def test_a_token_budget_may_have_windows_of_its_own() -> None:
    """Free of the rule that a window holds whole batches: there is no batch size."""
    changed = optim_of({"tokens_per_batch": 4096, "bucket_samples": 999})
    assert (changed.bucket_samples, changed.batch_size) == (999, None)


def test_recipes_and_stages_that_are_not_there_name_those_that_are() -> None:
    with pytest.raises(InputError, match=re.escape(f"available: {', '.join(RECIPES)}")):
        chosen_recipe("tyni", "teacher", {})
    with pytest.raises(InputError, match="recipe paper has no stage 'vision'; available: initial, teacher, guidance"):
        chosen_recipe("paper", "vision", {})


def test_without_a_list_nothing_is_held_out() -> None:
    assert chosen_held_out(None, False) is None
    with pytest.raises(InputError, match=re.escape("(exo2ego bench contamination --export FILE)")):
        chosen_held_out(None, True)


@dataclass
class FakeSample:
    conversations: tuple[tuple[Turn, ...], ...]


@dataclass
class FakeShards:
    samples: list[FakeSample]


@dataclass
class Fresh:
    """What `fresh_model` was asked for."""

    calls: list[tuple[str, list[str], Path, int]] = field(default_factory=list)

    def __call__(self, recipe: Recipe, texts: list[str], out: Path, *, seed: int) -> Path:
        self.calls.append((recipe.name, texts, out, seed))
        out.mkdir(parents=True)
        (out / "config.json").write_text("{}")
        return out


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Fresh:
    turns = (Turn(question="What now?", answer="A cup."), Turn(question="And then?", answer="Two."))
    made = Fresh()
    monkeypatch.setattr(train_steps, "open_shards", lambda folder: FakeShards([FakeSample((turns,))]))
    monkeypatch.setattr(train_steps, "fresh_model", made)
    return made


def test_training_starts_where_the_user_says_else_at_the_shipped_weights(fresh: Fresh, tmp_path: Path) -> None:
    tiny, given = RECIPES["tiny"](), tmp_path / "mine"
    for stage in tiny.stages:
        assert start_folder(tiny, stage, given, [], tmp_path, 0) == given
    for stage in ("teacher", "guidance", "practice", "ego_only", "mixed"):
        assert start_folder(tiny, stage, None, [], tmp_path, 0) == START
    assert fresh.calls == []


@pytest.mark.parametrize("stage", ["vision", "initial"])
def test_the_first_stages_start_at_random_weights_that_are_made_once(fresh: Fresh, tmp_path: Path, stage: str) -> None:
    """With a tokenizer of all questions and answers, each as it stands behind another word."""
    for _ in range(2):
        assert start_folder(RECIPES["tiny"](), stage, None, [Path("a"), Path("b")], tmp_path, 5) == tmp_path / "random"
    texts = [" What now?", " A cup.", " And then?", " Two."] * 2
    assert fresh.calls == [("tiny", texts, tmp_path / "random", 5)]


@pytest.mark.parametrize("name", [name for name in RECIPES if name != "tiny"])
def test_no_other_recipe_starts_at_random(name: str, fresh: Fresh, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"recipe {name} has no random start; give --init-from a model folder"):
        start_folder(RECIPES[name](), "initial", None, [], tmp_path, 0)
    assert fresh.calls == []


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What `train_stage` is told; nothing is trained, and the run it returns has written no `data.json`."""
    seen: dict[str, Any] = {}

    def train_stage(recipe: Recipe, stage: str, **more: Any) -> StageRun:
        seen.update(more, recipe=recipe, stage=stage)
        return StageRun(out=more["out"])

    monkeypatch.setattr(training_run, "train_stage", train_stage)
    monkeypatch.setattr(common, "quiet_libraries", lambda: None)
    return seen


def test_every_flag_reaches_the_run(told: dict[str, Any], tmp_path: Path) -> None:
    held = tmp_path / "held.jsonl"
    held.write_text('{"video": "take-7", "bench": "egomcq", "item": "17"}\n')
    words = ["--recipe", "tiny-no-kl", "--stage", "guidance", "--init-from", "s", "--out", str(tmp_path / "run")]
    words += ["--data", "few=a:0.25", "--data", "many=b:0.75", "--seed", "3", "--device", "cpu"]
    words += ["--held-out", str(held), "--drop-held-out", "--steps", "9", "--lr", "0.25"]
    words += ["--tokens-per-batch", "512", "--bucket-samples", "64", "--precision", "bf16"]
    assert main(["train", *words]) == 0
    optim = Optim(steps=9, lr=0.25, tokens_per_batch=512, bucket_samples=64)
    changes = {"steps": 9, "lr": 0.25, "tokens_per_batch": 512, "bucket_samples": 64}
    assert told["recipe"] == chosen_recipe("tiny-no-kl", "guidance", changes, "bf16")
    assert told["recipe"].precision == "bf16"
    assert told["recipe"].stages["guidance"].optim == optim
    plain = {name: told[name] for name in ("stage", "start", "out", "seed", "device", "drop_held_out")}
    assert plain == {
        "stage": "guidance",
        "start": Path("s"),
        "out": tmp_path / "run",
        "seed": 3,
        "device": "cpu",
        "drop_held_out": True,
    }
    assert isinstance(told["data"], Mixture)
    assert [(source.name, source.folders) for source in told["data"].sources] == [
        ("few", (Path("a"),)),
        ("many", (Path("b"),)),
    ]
    assert set(told["held_out"].by_video) == {"take-7"}


def test_flags_left_out_leave_the_recipe_alone(told: dict[str, Any], tmp_path: Path) -> None:
    assert main(["train", "--stage", "teacher", "--data", "a", "--out", str(tmp_path / "run"), "--device", "cpu"]) == 0
    assert told["recipe"] == RECIPES["tiny"]()
    assert (told["start"], told["seed"], told["held_out"], told["drop_held_out"]) == (START, 0, None, False)


def test_every_field_of_the_command_is_tried_above() -> None:
    """A flag that is added needs a line there."""
    tried = {"recipe", "stage", "init_from", "out", "data", "seed", "device", "held_out", "drop_held_out", "steps"}
    tried |= {"lr", "tokens_per_batch", "bucket_samples", "precision"}
    elsewhere = {"mix", "batch_size", "print_recipe"}  # in the tests of training, and below
    assert {f.name for f in fields(TrainCommand)} == tried | elsewhere


def test_the_printed_recipe_is_the_one_that_would_run(told: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "--stage", "practice", "--out", "x", "--batch-size", "2", "--print-recipe"]
    assert main(words) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown == json.loads(json.dumps(chosen_recipe("tiny", "practice", {"batch_size": 2}).as_json()))
    assert told == {}


def test_the_end_names_what_comes_next(
    told: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Notes of the run stand above; what was read is summed up where it is known."""
    out = tmp_path / "run"
    words = ["train", "--stage", "teacher", "--data", "a", "--out", str(out), "--device", "cpu"]
    assert main(words) == 0
    run = StageRun(out=out)
    places = f"model: {run.model}\nstart of the next stage: {run.final}\nlog: {run.log}\ndata: {run.data}\n"
    assert capsys.readouterr().out.lstrip() == places
    source = {"name": "pairs", "shards": ["a"], "weight": None, "examples": 8, "seen": 16, "epochs": 2.0}
    summary = {"steps": 4, "sources": [source], "samples": 16, "held_out_samples": 3, "tokens": 99, "padding": 0.125}
    out.mkdir()
    run.data.write_text(json.dumps(summary))
    assert main(words) == 0
    assert capsys.readouterr().out.lstrip() == (
        "pairs: 16 samples of 8 examples, 2.00 epochs\n"
        "16 samples in 4 steps, 12.5% of the text cells were padding\n"
        "3 held-out samples were left out\n" + places
    )
    told["note"]("[a]: left out")
    assert "[a]: left out" in capsys.readouterr().out, "square brackets in a note are no markup"
