"""lmms-eval: its task files give the very words and scores of `exo2ego bench`, its plugin answers as it documents.

lmms-eval itself needs torchvision, so here stands what it documents (version 0.7): how it reads task files, and what it
calls a chat model with. Where it is installed, its own registry is asked too.
"""

import importlib
import importlib.metadata
import json
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from bench_fakes import FakeModel, sees_the_kind

from exo2ego.bench import lmms_docs
from exo2ego.bench.run import RunSettings, run
from exo2ego.bench.score import score_folder
from exo2ego.bench.tasks import TASKS
from exo2ego.errors import InputError, MissingFileError
from exo2ego.records import VideoSpan

FOLDER = Path(lmms_docs.__file__).parent / "lmms_tasks"
FILES = sorted(FOLDER.glob("*.yaml"))
HERE = ("qaego4d_closed", "qaego4d_open", "vln_qa", "egomcq")
every = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


class Rows(list):
    """What is used of a `datasets.Dataset`."""

    @classmethod
    def from_list(cls, rows: list[dict[str, Any]]) -> "Rows":
        return cls(json.loads(json.dumps(rows)))


def read_task(file: Path) -> dict[str, Any]:
    """A task file as lmms-eval reads it: what it includes first, functions by their absolute names."""

    class Loader(yaml.SafeLoader):
        pass

    def function(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Any:
        module, _, name = loader.construct_scalar(node).rpartition(".")
        return getattr(importlib.import_module(module), name)

    Loader.add_constructor("!function", function)
    own = yaml.load(file.read_text(), Loader)
    common = yaml.load((FOLDER / own.pop("include")).read_text(), Loader)
    return {**common, **own}


def rows_of(task: dict[str, Any]) -> Rows:
    named = FOLDER / task["dataset_kwargs"]["data_files"]["test"]
    return task["process_docs"](Rows(json.loads(line) for line in named.read_text().splitlines()))


@pytest.fixture
def bench(bench_root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(lmms_docs.ROOT_VARIABLE, str(bench_root))
    lmms_docs.items.cache_clear()
    return bench_root


def test_the_tasks_that_lmms_eval_lacks_are_there() -> None:
    told = [json.loads(file.read_text()) for file in sorted(FOLDER.glob("*.jsonl"))]
    assert {row["task"] for row in told} == set(HERE)
    assert all(TASKS[row["task"]].protocols[row["protocol"]].needs == {"text"} for row in told)
    assert {read_task(file)["task"] for file in FILES} == {file.stem for file in FILES}


@every
def test_words_and_score_are_those_of_bench_run(file: Path, bench: Path, tmp_path: Path) -> None:
    task = read_task(file)
    rows = rows_of(task)
    name, protocol = rows[0]["task"], rows[0]["protocol"]
    root = bench / TASKS[name].directory
    items = TASKS[name].load(root)
    model = FakeModel(sees_the_kind, text="(B)")
    run(model, TASKS[name], items, root, tmp_path / "run", RunSettings(task=name, protocol=protocol, model="fake"))
    asked = [task["doc_to_messages"](row) for row in rows]
    assert [(video, words) for video, words, _ in model.asked] == [
        (VideoSpan(path=clip["url"], start_s=clip.get("start_time"), end_s=clip.get("end_time")), text["text"])
        for ((clip, text),) in ([message["content"] for message in turn] for turn in asked)
    ]
    assert [text["content"][1]["text"] for (text,) in asked] == [task["doc_to_text"](row) for row in rows]
    results = [task["process_results"](row, ["(B)"])["exo2ego"] for row in rows]
    headlines = [m.score.value for m in score_folder(tmp_path / "run").measures if m.headline]
    (metric,) = task["metric_list"]
    assert metric["aggregation"](results) == pytest.approx(sum(headlines) / len(headlines))
    # A part of the items (--limit) is scored over that part.
    assert 0 <= metric["aggregation"](results[:2]) <= 1
    assert {row["max_new_tokens"] for row in rows} == {task["generation_kwargs"]["max_new_tokens"]}
    assert all(task["doc_to_target"](row) for row in rows)


def test_data_that_are_not_there_are_one_line(bench: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = read_task(FOLDER / "exo2ego_vln_qa.yaml")
    next((bench / "vln_qa").rglob("*.mp4")).unlink()
    with pytest.raises(MissingFileError):
        rows_of(task)
    monkeypatch.delenv(lmms_docs.ROOT_VARIABLE)
    with pytest.raises(InputError, match="EXO2EGO_BENCH"):
        rows_of(task)


def test_models_of_the_older_interface_get_whole_files_only(bench: Path) -> None:
    row = rows_of(read_task(FOLDER / "exo2ego_vln_qa.yaml"))[0]
    assert lmms_docs.visual(row) == [row["path"]]
    with pytest.raises(InputError, match="stretches"):
        lmms_docs.visual({**row, "start_s": 1.0})


@dataclass
class Request:
    """lmms-eval's Instance, as far as a model sees it."""

    args: tuple[Any, ...]


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Our plugin beside what lmms-eval documents of itself; the real one where it is installed."""
    name = "exo2ego.bench.lmms_plugin"
    try:
        importlib.import_module("lmms_eval.models.registry_v2")
    except ImportError:
        model, registry = types.ModuleType("lmms_eval.api.model"), types.ModuleType("lmms_eval.models.registry_v2")

        class Base:
            def __init__(self) -> None:
                self.task_dict: dict[str, Any] = {}
                self.cache_hook = types.SimpleNamespace(add_partial=lambda *_: None)

        @dataclass(frozen=True)
        class ModelManifest:
            model_id: str
            simple_class_path: str | None = None
            chat_class_path: str | None = None

        model.lmms, registry.ModelManifest = Base, ModelManifest  # type: ignore[attr-defined]
        for part in ("lmms_eval", "lmms_eval.api", "lmms_eval.models"):
            monkeypatch.setitem(sys.modules, part, types.ModuleType(part))
        monkeypatch.setitem(sys.modules, "lmms_eval.api.model", model)
        monkeypatch.setitem(sys.modules, "lmms_eval.models.registry_v2", registry)
    monkeypatch.delitem(sys.modules, name, raising=False)
    yield importlib.import_module(name)
    sys.modules.pop(name, None)


@pytest.fixture
def served(plugin: Any, monkeypatch: pytest.MonkeyPatch, bench: Path) -> Any:
    """The plugin's model with a fake underneath, and one document."""
    asked = FakeModel(sees_the_kind, text="the cup. Nothing else")
    monkeypatch.setattr(plugin, "load_model", lambda spec, seed: asked)
    model = plugin.Exo2EgoLMM(pretrained="somewhere", batch_size="1", device="cpu", max_batch_size=None)
    model.task_dict = {"t": {"test": rows_of(read_task(FOLDER / "exo2ego_egomcq_reversed.yaml"))}}
    return model


def test_the_entry_point_names_a_chat_class(plugin: Any) -> None:
    manifest = plugin.manifest()
    assert manifest.model_id == "exo2ego"
    module, _, name = manifest.chat_class_path.rpartition(".")
    assert getattr(importlib.import_module(module), name).is_simple is False
    pyproject = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert '[project.entry-points."lmms_eval.models"]\nexo2ego = "exo2ego.bench.lmms_plugin:manifest"' in pyproject


def test_any_model_can_be_named_and_other_settings_are_refused(plugin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    specs: list[str] = []
    monkeypatch.setattr(plugin, "load_model", lambda spec, seed: specs.append(spec))
    for pretrained in ("out/student", "hf:owner/model", "random"):
        plugin.Exo2EgoLMM(pretrained=pretrained)
    assert specs == ["exo2ego:out/student", "hf:owner/model", "random"]
    with pytest.raises(InputError, match="frames: there is only pretrained"):
        plugin.Exo2EgoLMM(pretrained="x", frames=3)


def test_answers_are_greedy_and_cut_at_stop_texts(served: Any) -> None:
    def asked(**settings: Any) -> list[str]:
        return served.generate_until([Request(("ctx", lmms_docs.messages, settings, n, "t", "test")) for n in (0, 1)])

    assert asked(max_new_tokens=5, temperature=0) == ["the cup. Nothing else"] * 2
    assert asked(until=[".", "\n"]) == ["the cup"] * 2
    video, words, _ = served._asked.asked[0]
    row = served.task_dict["t"]["test"][0]
    assert video == VideoSpan(path=row["path"], start_s=row["start_s"], end_s=row["end_s"])
    assert words == row["question"]
    with pytest.raises(InputError, match="asks for sampling"):
        asked(do_sample=True)


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "text", "text": "?"}],
        [{"type": "image", "url": "x"}, {"type": "text", "text": "?"}],
        [{"type": "video", "url": "x"}, {"type": "video", "url": "x"}, {"type": "text", "text": "?"}],
        [{"type": "video", "url": [1, 2]}, {"type": "text", "text": "?"}],
    ],
)
def test_other_conversations_are_refused(plugin: Any, content: list[dict[str, Any]]) -> None:
    with pytest.raises(InputError, match="one of each"):
        plugin.one_clip([{"role": "user", "content": content}])


def test_log_probabilities_are_true_ones(served: Any) -> None:
    served._asked.text = "a cup"
    options = ["a cup", "ab"]
    rows = served.task_dict["t"]["test"]
    shown = [Request(("what?", option, lambda doc: [doc["path"]], 0, "t", "test")) for option in options]
    assert served.loglikelihood(shown) == [
        (sees_the_kind(VideoSpan(path=rows[0]["path"]), "a cup"), True),
        (-2.0, False),
    ]
    by_doc = Request(("what?", lambda doc: "ab", lambda doc: [doc["path"]], 0, "t", "test"))
    assert served.loglikelihood([by_doc]) == [(-2.0, False)]
    with pytest.raises(InputError, match="shows 2 things"):
        served.loglikelihood([Request(("what?", "ab", lambda doc: ["x", "y"], 0, "t", "test"))])
    with pytest.raises(NotImplementedError, match="multi-round"):
        served.generate_until_multi_round([])
