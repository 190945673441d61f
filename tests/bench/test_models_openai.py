"""`openai:` against a real server: what it is sent, outages that are neither right nor wrong, resuming, scoring."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chat_server import Answer, chat_server, completion
from PIL import Image

from exo2ego.bench.model_options import parse_options
from exo2ego.bench.models_openai import ServerModel, load_server
from exo2ego.bench.openai_client import OpenAIClient, ServerOptions
from exo2ego.bench.predictions import read_predictions
from exo2ego.bench.run import RunSettings, run
from exo2ego.bench.score import score_folder
from exo2ego.bench.tasks import TASKS
from exo2ego.cli.bench import main
from exo2ego.data.video import probe
from exo2ego.errors import InputError, VideoError
from exo2ego.records import Usage, VideoSpan


def served(url: str, **options: Any) -> ServerModel:
    return ServerModel(OpenAIClient(url, "m", ServerOptions(**options), sleep=lambda _: None))


@pytest.fixture(scope="module")
def clip(noise_clips: tuple[Path, Path]) -> VideoSpan:
    return VideoSpan(path=str(noise_clips[0]), start_s=0.5, end_s=1.5)


def content(uri: str, kind: str) -> bytes:
    assert uri.startswith(f"data:{kind};base64,")
    return base64.b64decode(uri.partition(",")[2])


def test_a_clip_is_sent_as_pictures_in_order_then_the_question(clip: VideoSpan) -> None:
    with chat_server(lambda *_: completion(" (B) ")) as server:
        model = served(server.url, frames=3, size_px=32)
        assert model.generate(clip, "Which?", 5) == "(B)"
        (message,) = server.requests[0]["messages"]
    told, *pictures, asked = message["content"]
    assert "3 pictures" in told["text"]
    assert asked == {"type": "text", "text": "Which?"}
    sizes = {Image.open(io.BytesIO(content(p["image_url"]["url"], "image/jpeg"))).size for p in pictures}
    assert len(pictures) == 3
    assert sizes == {(32, 24)}
    assert model.frame_times(clip) == pytest.approx([0.5 + 1 / 6, 1.0, 1.5 - 1 / 6])


def test_or_as_a_video_that_lasts_as_long(clip: VideoSpan, tmp_path: Path) -> None:
    with chat_server(lambda *_: completion("x")) as server:
        served(server.url, frames=4, size_px=33, send="video").generate(clip, "Which?")
        shown, asked = server.requests[0]["messages"][0]["content"]
    (tmp_path / "v.mp4").write_bytes(content(shown["video_url"]["url"], "video/mp4"))
    info = probe(tmp_path / "v.mp4")
    assert (info.frames, info.width_px, info.height_px) == (4, 32, 24)
    assert info.duration_s == pytest.approx(1.0, abs=0.01)
    assert asked["text"] == "Which?"


def test_without_a_video_only_the_question_is_sent(clip: VideoSpan) -> None:
    with chat_server(lambda *_: completion("x")) as server:
        served(server.url).generate(None, "Which?", 32)
        assert server.requests[0]["messages"][0]["content"] == [{"type": "text", "text": "Which?"}]
        assert server.requests[0]["max_tokens"] == 32
        with pytest.raises(VideoError, match="outside the video"):
            served(server.url).generate(VideoSpan(path=clip.path, start_s=0.0, end_s=60.0), "Which?")
        assert len(server.requests) == 1


def test_models_that_think_first_get_room_for_it() -> None:
    with chat_server(lambda *_: completion("x")) as server:
        served(server.url, least_tokens=4000).generate(None, "Which?", 16)
        assert server.requests[0]["max_tokens"] == 4000


def schema(bench_root: Path, protocol: str = "letter") -> tuple[Any, Path, RunSettings, list[Any]]:
    task, root = TASKS["egoschema"], bench_root / "egoschema"
    return task, root, RunSettings(task=task.name, protocol=protocol, model="openai"), task.load(root)


def test_an_outage_is_unscored_and_asked_again_nothing_else_is(bench_root: Path, tmp_path: Path) -> None:
    task, root, settings, items = schema(bench_root)
    down = {items[2].question, items[5].question}

    def rule(number: int, request: dict[str, Any]) -> Answer:
        text = request["messages"][0]["content"][-1]["text"]
        return Answer(status=503) if any(text.startswith(name) for name in down) else completion("(A)", 100, 3)

    out = tmp_path / "run"
    with chat_server(rule) as server:
        model = served(server.url, frames=1, attempts=1, price_in=10_000.0)
        run(model, task, items, root, out, settings)
        kept = read_predictions(out / "predictions.jsonl")
        failed = {name for name, prediction in kept.items() if prediction.error}
        assert failed == {items[2].item_id, items[5].item_id}
        assert all("OutageError" in (kept[name].error or "") and kept[name].text is None for name in failed)
        spent = Usage(requests=1, prompt_tokens=100, completion_tokens=3, cost=1.0)
        assert {prediction.usage for prediction in kept.values() if not prediction.error} == {spent}
        score = score_folder(out).measures[0].score
        assert (score.n, score.unscored, score.unparsed) == (len(items) - 2, 2, 0)
        before = len(server.requests)
        run(model, task, items, root, out, settings)
        assert len(server.requests) == before
        down.clear()
        run(model, task, items, root, out, settings, retry_errors=True)
        assert len(server.requests) == before + 2
    assert score_folder(out).measures[0].score.unscored == 0


def test_the_command_tells_what_the_answers_have_cost(
    bench_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with chat_server(lambda *_: completion("(A)", 100, 2)) as server:
        spec = f"openai:{server.url}#m,frames=1,price_in=2"
        asked = [
            "--tasks",
            "vln_qa",
            "--protocol",
            "letter",
            "--root",
            str(bench_root / "vln_qa"),
            "--out",
            str(tmp_path),
        ]
        assert main(["run", "--model", spec, *asked]) == 0
    assert "vln_qa: asked with 8 requests, 800 + 16 tokens, cost 0.0016" in capsys.readouterr().out


def test_answers_without_a_letter_are_unparsed_and_wrong(bench_root: Path, tmp_path: Path) -> None:
    task, root, settings, items = schema(bench_root)
    with chat_server(lambda *_: completion("I cannot tell.")) as server:
        run(served(server.url, frames=1), task, items, root, tmp_path / "run", settings)
        assert server.most_at_once <= 4
    score = score_folder(tmp_path / "run").measures[0].score
    assert (score.value, score.unparsed, score.unscored) == (0.0, len(items), 0)


def test_a_wrong_key_ends_the_run_and_what_came_before_is_kept(bench_root: Path, tmp_path: Path) -> None:
    task, root, settings, items = schema(bench_root)
    told = pytest.raises(InputError, match="the key in OPENAI_API_KEY is missing")
    with chat_server(lambda n, _: completion("(A)") if n < 3 else Answer(status=401)) as server, told:
        run(served(server.url, frames=1, concurrency=1), task, items, root, tmp_path / "run", settings)
    assert len(read_predictions(tmp_path / "run/predictions.jsonl")) == 3


def test_without_log_probabilities_only_protocols_that_read_words_are_possible(
    bench_root: Path, tmp_path: Path
) -> None:
    task, root, settings, items = schema(bench_root, "likelihood")
    with chat_server(lambda *_: completion("x")) as server:
        model = served(server.url)
        assert model.capabilities == {"text"}
        with pytest.raises(InputError, match=r"m has no logprobs: .*choose --protocol letter"):
            run(model, task, items, root, tmp_path / "run", settings)
        with pytest.raises(InputError, match="gives no prompt_logprobs"):
            load_server(f"{server.url}#m,logprobs=prompt")
        assert len(server.requests) == 1


def tokens(request: dict[str, Any]) -> list[str]:
    """A chat template with a token a character: <user turn>|A:answer;\\n"""
    out = []
    for message in request["messages"]:
        texts = message["content"]
        if isinstance(texts, list):
            texts = "".join(part.get("text", "#" * 7) for part in texts)
        out += [*f"{message['role'][0].upper()}:", *texts]
        closed = message is not request["messages"][-1] or not request["continue_final_message"]
        out += [";", "\n"] if closed else []
    return out + ([*"A:"] if request["add_generation_prompt"] else [])


def logprob(before: list[str], token: str) -> float:
    """Any function of everything before and of the token."""
    return -((sum(map(ord, before)) * 7 + ord(token)) % 97) / 10


def vllm(number: int, request: dict[str, Any]) -> Answer:
    """Answers as vLLM does: the log-probability of every token of the prompt but the first."""
    assert request["prompt_logprobs"] == 0
    ids = tokens(request)
    listed = [
        None if place == 0 else {str(ord(token)): {"logprob": logprob(ids[:place], token), "rank": 1}}
        for place, token in enumerate(ids)
    ]
    return completion("x", len(ids), 1, prompt_logprobs=listed)


def test_options_are_scored_from_the_log_probabilities_of_prompts(clip: VideoSpan) -> None:
    options = ["cup", "c", "red cup "]
    with chat_server(vllm) as server:
        model = load_server(f"{server.url}#m,logprobs=prompt,frames=2")
        assert model.capabilities == {"text", "logprobs"}
        assert model.take_usage() is None
        for video in (clip, None):
            asked = {"messages": [model.message(video, "Which?")], "add_generation_prompt": True}
            prompt = tokens({**asked, "continue_final_message": False})
            for option, score in zip(options, model.option_logprobs(video, "Which?", options), strict=True):
                answer = [*option.strip(), ";"]
                wanted = sum(logprob(prompt + answer[:place], token) for place, token in enumerate(answer))
                assert score.logprob == pytest.approx(wanted)
                assert score.tokens == len(answer)
        spent = model.take_usage()
        assert spent is not None
        assert spent.requests == 2 * (1 + len(options))


def test_a_template_that_writes_answers_otherwise_is_refused(clip: VideoSpan) -> None:
    def thinking(number: int, request: dict[str, Any]) -> Answer:
        answer = vllm(number, request)
        body = json.loads(answer.body)
        if request["add_generation_prompt"]:
            body["prompt_logprobs"].append({"999": {"logprob": -1.0}})
        return Answer(body=json.dumps(body).encode())

    with chat_server(thinking) as server, pytest.raises(InputError, match="writes answers otherwise"):
        load_server(f"{server.url}#m,logprobs=prompt").option_logprobs(None, "Which?", ["cup"])


@pytest.mark.parametrize("listed", [[], "x", [None, 3], [None, {}], [None, {"1": {"logprob": None}}], [{"1": 2}]])
def test_log_probabilities_of_another_form_are_refused(listed: object) -> None:
    with (
        chat_server(lambda *_: completion("x", prompt_logprobs=listed)) as server,
        pytest.raises(InputError, match="m: "),
    ):
        load_server(f"{server.url}#m,logprobs=prompt")


def test_pictures_are_never_enlarged_and_always_even() -> None:
    from exo2ego.bench.models_openai import reduced

    assert reduced(np.zeros((51, 100, 3), np.uint8), 512).shape == (50, 100, 3)
    assert reduced(np.zeros((2000, 1, 3), np.uint8), 100).shape == (100, 2, 3)


def test_settings_reach_the_client() -> None:
    argument, options = parse_options("http://127.0.0.1:1/v1#m,frames=2,concurrency=9", ServerOptions)
    model = load_server(f"{argument},frames=2,concurrency=9")
    assert model.concurrency == options.concurrency == 9
