"""The client against a server that fails, stalls, limits, and answers garbage: an answer or a reason, never a guess."""

import gzip
import socket
import threading
from typing import Any

import pytest
from chat_server import Answer, ChatServer, Rule, chat_server, completion

from exo2ego.bench.openai_client import KEY_VARIABLE, OpenAIClient, ServerOptions, parse_server
from exo2ego.errors import InputError, OutageError
from exo2ego.records import Usage

ASKED = [{"role": "user", "content": "Which?"}]
KEY = "sk-very-secret"


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)


def client(server: ChatServer, waits: list[float] | None = None, **options: Any) -> OpenAIClient:
    return OpenAIClient(server.url, "m", ServerOptions(**options), sleep=([] if waits is None else waits).append)


def failing(times: int, answer: Answer) -> Rule:
    return lambda number, _: answer if number < times else completion("(B)")


def test_an_answer_with_its_tokens_and_cost() -> None:
    with chat_server(lambda *_: completion("(B)", 1000, 20)) as server:
        asker = client(server, price_in=2.0, price_out=10.0)
        reply = asker.complete(ASKED, max_tokens=7)
        asker.complete(ASKED)
        assert (reply.text, reply.prompt_tokens, reply.completion_tokens) == ("(B)", 1000, 20)
        request = server.requests[0]
        assert request["path"] == "/v1/chat/completions"
        assert (request["model"], request["max_tokens"], request["temperature"]) == ("m", 7, 0.0)
        assert request["messages"] == ASKED
        spent = Usage(requests=2, prompt_tokens=2000, completion_tokens=40, cost=pytest.approx(0.0044))
        assert asker.take_usage() == spent
        assert asker.take_usage() is None


def test_fields_that_some_servers_refuse_can_be_left_out() -> None:
    with chat_server(lambda *_: completion("x")) as server:
        client(server, limit_field="max_completion_tokens", temperature=-1.0).complete(ASKED, max_tokens=3)
        assert server.requests[0]["max_completion_tokens"] == 3
        assert not {"max_tokens", "temperature"} & set(server.requests[0])


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=500, body=b"oops"),
        Answer(status=529),
        Answer(hang_up=True),
        Answer(body=b"<html>gateway</html>"),
        Answer(body=b'{"choices": []}'),
        Answer(body=b'{"choices": [{"message": {"content": 3}}]}'),
        Answer(body=b"[" * 100_000),
        Answer(body=b"not gzip", headers={"Content-Encoding": "gzip"}),
    ],
    ids=["500", "529", "hang-up", "html", "no choice", "number", "nested", "bad gzip"],
)
def test_failures_of_the_moment_are_asked_again_after_growing_waits(answer: Answer) -> None:
    waits: list[float] = []
    with chat_server(failing(3, answer)) as server:
        assert client(server, waits).complete(ASKED).text == "(B)"
        assert len(server.requests) == 4
    assert [1 <= waits[0] * 2 <= 2, 2 <= waits[1] * 2 <= 4, 4 <= waits[2] * 2 <= 8] == [True] * 3


def test_retry_after_is_honoured_and_an_endless_one_is_an_outage() -> None:
    waits: list[float] = []
    with chat_server(failing(2, Answer(status=429, headers={"Retry-After": "3"}))) as server:
        assert client(server, waits).complete(ASKED).text == "(B)"
    assert waits == [3.0, 3.0]
    with chat_server(failing(9, Answer(status=429, headers={"Retry-After": "86400"}))) as server:
        with pytest.raises(OutageError, match="asks to wait 86400 s"):
            client(server, waits).complete(ASKED)
        assert len(server.requests) == 1


@pytest.mark.parametrize("answer", [Answer(stall_s=600, body=b"{}"), Answer(drip_s=0.02, body=b" " * 30_000)])
def test_a_server_that_stalls_or_drips_is_not_waited_for(answer: Answer) -> None:
    """Ten minutes each, so that a machine which stands still for a moment does not get the answer after all."""
    with chat_server(lambda *_: answer) as server, pytest.raises(OutageError, match=r"no answer within 0\.3 s after 2"):
        client(server, timeout_s=0.3, attempts=2).complete(ASKED)


def test_an_outage_costs_the_full_patience_once_and_ends_with_the_first_answer() -> None:
    up = False
    waits: list[float] = []
    with chat_server(lambda *_: completion("x") if up else Answer(status=503)) as server:
        asker = client(server, waits, attempts=4)
        for sent in (4, 5, 6):
            with pytest.raises(OutageError, match="status 503"):
                asker.complete(ASKED)
            assert len(server.requests) == sent
        assert len(waits) == 3
        up = True
        assert asker.complete(ASKED).text == "x"
        up = False
        with pytest.raises(OutageError, match="after 4 attempt"):
            asker.complete(ASKED)


def test_a_closed_port_is_an_outage() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        with pytest.raises(OutageError, match="not reachable"):
            OpenAIClient(url, "m", ServerOptions(attempts=2), sleep=lambda _: None).complete(ASKED)


def test_what_no_repetition_mends_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    cases = [
        (Answer(status=401, body=f"bad key {KEY}".encode()), InputError, rf"bad key \*\*\*; the key in {KEY_VARIABLE}"),
        (Answer(status=404, body=b"no such model"), InputError, "check the address and the model 'm'"),
        (Answer(status=307, headers={"Location": "http://127.0.0.1:1/x"}), InputError, "moved to http://127"),
        (Answer(status=400, body=b"too long"), OutageError, "refuses the question with status 400: too long"),
    ]
    for answer, kind, told in cases:
        with chat_server(lambda *_, answer=answer: answer) as server:
            with pytest.raises(kind, match=told) as caught:
                client(server).complete(ASKED)
            assert len(server.requests) == 1
            assert KEY not in str(caught.value)


def test_the_key_comes_from_the_environment_and_goes_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, f" {KEY}\n")
    with chat_server(lambda *_: Answer(status=500, body=b" " * 4000 + KEY.encode())) as server:
        asker = client(server, attempts=1)
        with pytest.raises(OutageError) as caught:
            asker.complete(ASKED)
        assert server.keys == [f"Bearer {KEY}"]
        assert KEY not in str(caught.value)
    assert KEY not in repr(asker)
    with pytest.raises(InputError, match="unencrypted"):
        OpenAIClient("http://example.org/v1", "m")
    monkeypatch.setenv(KEY_VARIABLE, "schlüssel")
    with pytest.raises(InputError, match="characters that no key has"):
        OpenAIClient("https://example.org/v1", "m")


def test_no_key_no_header() -> None:
    with chat_server(lambda *_: completion("x")) as server:
        client(server).complete(ASKED)
        assert server.keys == [None]


def test_never_more_requests_at_once_than_allowed_and_usage_is_each_threads_own() -> None:
    meeting = threading.Barrier(3, timeout=60)

    def three_by_three(number: int, _: dict[str, Any]) -> Answer:
        """Answers nobody before three have come: fewer at once would break the barrier, more are counted."""
        meeting.wait()
        answer = completion("x", prompt_tokens=5)
        answer.stall_s = 0.02
        return answer

    with chat_server(three_by_three) as server:
        asker = client(server, concurrency=3)
        usages: list[Usage | None] = []

        def ask() -> None:
            asker.complete(ASKED)
            usages.append(asker.take_usage())

        threads = [threading.Thread(target=ask) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert server.most_at_once == 3
    assert usages == [Usage(requests=1, prompt_tokens=5, completion_tokens=2)] * 12


def test_texts_and_counts_that_no_file_could_hold_are_mended() -> None:
    usage = rb'"usage": {"prompt_tokens": 1e999, "completion_tokens": -4}'
    body = rb'{"choices": [{"message": {"content": "\ud800(A)"}}], ' + usage + b"}"
    with chat_server(lambda *_: Answer(body=body)) as server:
        reply = client(server).complete(ASKED)
    assert reply.text.encode() == b"?(A)"
    assert (reply.prompt_tokens, reply.completion_tokens) == (0, 0)


def test_a_compressed_answer_is_read() -> None:
    plain = completion("packed")
    packed = Answer(body=gzip.compress(plain.body), headers={"Content-Encoding": "gzip"})
    with chat_server(lambda *_: packed) as server:
        assert client(server).complete(ASKED).text == "packed"


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("", "no http address"),
        ("ftp://x/v1#m", "no http address"),
        ("http://x:99999/v1#m", "no http address"),
        ("http://[::1/v1#m", "no http address"),
        ("http://127.0.0.1:1/v1", "which model"),
        ("http://me:secret@x/v1#m", "environment variable"),
        ("https://x/v1?key=secret#m", "environment variable"),
    ],
)
def test_addresses_that_cannot_be_used(spec: str, told: str) -> None:
    with pytest.raises(InputError, match=told) as caught:
        parse_server(spec)
    assert "secret" not in str(caught.value)


def test_an_address_a_model_and_settings() -> None:
    url, model, options = parse_server("https://host/v1/#org/name:7b,frames=8")
    assert (url, model, options) == ("https://host/v1", "org/name:7b", ServerOptions(frames=8))
