"""A real HTTP server on loopback that speaks chat completions, and misbehaves as told."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(slots=True, kw_only=True)
class Answer:
    """One reply: what goes over the wire, and how slowly."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    stall_s: float = 0.0
    """Pause before the first byte, cut short when the server ends."""
    drip_s: float = 0.0
    """Pause after every byte, cut short when the server ends."""
    hang_up: bool = False


def completion(text: str, prompt_tokens: int = 10, completion_tokens: int = 2, **extra: Any) -> Answer:
    """A well-formed answer."""
    usage = {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens}
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return Answer(body=json.dumps({"choices": [choice], "usage": usage, **extra}).encode())


Rule = Callable[[int, dict[str, Any]], Answer]
"""(number of the request from 0, its body) -> what comes back."""


@dataclass(slots=True, kw_only=True)
class ChatServer:
    """What a test sees of the server."""

    url: str
    rule: Rule
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    over: threading.Event = field(default_factory=threading.Event)
    """Set when the block ends: nobody waits for an answer any more."""


@contextmanager
def chat_server(rule: Rule) -> Iterator[ChatServer]:
    """Serves on a free port of 127.0.0.1 until the block ends."""
    state = ChatServer(url="", rule=rule)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with state.lock:
                number = len(state.requests)
                state.requests.append({"path": self.path, **request})
                state.keys.append(self.headers.get("Authorization"))
                state.at_once += 1
                state.most_at_once = max(state.most_at_once, state.at_once)
            try:
                answer = state.rule(number, request)
                state.over.wait(answer.stall_s)
            finally:
                # Before the first byte goes out: who has the answer may ask again before this thread runs on.
                with state.lock:
                    state.at_once -= 1
            with suppress(BrokenPipeError, ConnectionResetError):
                self._reply(answer)

        def _reply(self, answer: Answer) -> None:
            if answer.hang_up:
                self.connection.close()
                return
            self.send_response(answer.status)
            for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            for byte in answer.body if answer.drip_s else ():
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                state.over.wait(answer.drip_s)
            if not answer.drip_s:
                self.wfile.write(answer.body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.over.set()
        server.shutdown()
        server.server_close()
