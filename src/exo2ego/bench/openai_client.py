"""Client of one model on an OpenAI-compatible server: bounded concurrency, time-outs, retries, token counts.

It gives an answer or raises: `OutageError` for a question that got none (it can be asked again later), `InputError` for
what no repetition mends (key, address, name of the model). The key comes from the environment only, and is never
written: neither to files, nor to messages, not even where the server repeats it.
"""

import ipaddress
import json
import os
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx2

from exo2ego.bench.model_options import check_choice, check_range, parse_options
from exo2ego.bench.retry import FIRST_WAIT_S, LONGEST_ASKED_S, RETRIED_STATUSES, asked_wait_s, backoff_s
from exo2ego.errors import InputError, OutageError
from exo2ego.records import Usage

KEY_VARIABLE = "OPENAI_API_KEY"
MAX_REPLY_BYTES = 64 << 20
"""A reply with the log-probabilities of a long prompt has a few MB; more is not an answer."""
MAX_SHOWN_BYTES = 64 << 10
SHOWN_CHARACTERS = 200
"""Of a server's complaint, in a message."""

Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """How a server is asked; the settings behind `openai:URL#MODEL,key=value`."""

    frames: int = 16
    """Pictures sent of one clip: middles of equal parts."""
    size_px: int = 512
    """Longest side of a picture; larger ones are reduced."""
    send: str = "frames"
    """`frames`: JPEG pictures as `image_url`; `video`: the same frames as one mp4, as `video_url` (vLLM)."""
    concurrency: int = 4
    """Requests under way at once."""
    timeout_s: float = 120.0
    """For one attempt, from connecting to the last byte."""
    attempts: int = 6
    """Times that one question is sent before it counts as an outage."""
    logprobs: str = "none"
    """`prompt`: the server gives `prompt_logprobs` with chat completions (vLLM), so options can be scored."""
    limit_field: str = "max_tokens"
    """Name of the field that limits the answer; some servers take `max_completion_tokens` only."""
    least_tokens: int = 0
    """Tokens that every answer may have at least; models that think before they answer need some thousands."""
    temperature: float = 0.0
    """0 is greedy; a negative number is not sent, for servers that take none."""
    price_in: float = 0.0
    """Money for a million prompt tokens, for the recorded cost; in which currency is yours to know."""
    price_out: float = 0.0
    """Money for a million tokens of answers."""

    def __post_init__(self) -> None:
        check_range("frames", self.frames, 1, 4096)
        check_range("size_px", self.size_px, 16, 4096)
        check_choice("send", self.send, ("frames", "video"))
        check_range("concurrency", self.concurrency, 1, 256)
        check_range("timeout_s", self.timeout_s, 0.001, 86_400)
        check_range("attempts", self.attempts, 1, 100)
        check_choice("logprobs", self.logprobs, ("none", "prompt"))
        check_choice("limit_field", self.limit_field, ("max_tokens", "max_completion_tokens"))
        check_range("least_tokens", self.least_tokens, 0, 1_000_000)
        check_range("temperature", self.temperature, -1, 2)
        check_range("price_in", self.price_in, 0, 1e9)
        check_range("price_out", self.price_out, 0, 1e9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back."""

    text: str
    prompt_tokens: int
    """0 where the server does not count."""
    completion_tokens: int
    body: Mapping[str, Any]
    """The whole answer, for what only some servers give."""


def parse_server(spec: str) -> tuple[str, str, ServerOptions]:
    """`URL#MODEL[,key=value...]` -> (base URL without a final slash, model, settings).

    Raises:
        InputError: no http(s) address, no model, or an address with a password or a query (files would hold it).
    """
    argument, options = parse_options(spec, ServerOptions)
    url, _, model = argument.partition("#")
    try:
        parts = urlsplit(url)
        _ = parts.port  # a ValueError where it is no number of a port
    except ValueError as error:
        raise InputError(f"openai:{_bare(url)}: no http address ({error})") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"openai:{_bare(url)}: no http address; give openai:http://HOST:PORT/v1#MODEL")
    if parts.username or parts.password or parts.query:
        raise InputError(
            f"openai:{_bare(url)}: an address with a password or a query would be written to files; "
            f"put the key into the environment variable {KEY_VARIABLE}"
        )
    if not model:
        raise InputError(f"openai:{url}: which model of the server? Give openai:{url}#MODEL")
    return url.rstrip("/"), model, options


class OpenAIClient:
    """One model on one server. May be used from many threads."""

    def __init__(
        self,
        base_url: str,
        model: str,
        options: ServerOptions | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        first_wait_s: float = FIRST_WAIT_S,
    ) -> None:
        """Connects to nothing yet. `sleep` and `first_wait_s` are for tests.

        Raises:
            InputError: the key cannot be sent, or would travel unencrypted to another machine.
        """
        self.base_url, self.model, self.options = base_url.rstrip("/"), model, options or ServerOptions()
        self._key = os.environ.get(KEY_VARIABLE, "").strip()
        if not (self._key.isascii() and self._key.isprintable()):
            raise InputError(f"{KEY_VARIABLE} holds characters that no key has; set it anew")
        local = _is_local(urlsplit(base_url).hostname or "")
        if self._key and not local and urlsplit(base_url).scheme != "https":
            raise InputError(
                f"{self.base_url}: {KEY_VARIABLE} would travel unencrypted; use https, or unset it if no key is needed"
            )
        self._http = httpx2.Client(
            headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
            timeout=self.options.timeout_s,
            trust_env=not local,  # a proxy of the environment cannot reach this machine's own servers
            follow_redirects=False,
        )
        self._sleep, self._first_wait_s, self._lot = sleep, first_wait_s, random.Random()
        self._slots = threading.BoundedSemaphore(self.options.concurrency)
        self._thread = threading.local()
        self._down = False

    @classmethod
    def from_spec(cls, spec: str) -> "OpenAIClient":
        """The client of `URL#MODEL[,key=value...]`. Raises InputError as `parse_server`."""
        return cls(*parse_server(spec))

    def complete(self, messages: Sequence[Message], max_tokens: int = 512, **extra: Any) -> Reply:
        """The model's next message, as the server's own chat template asks for it.

        Args:
            messages: OpenAI chat messages.
            max_tokens: the longest answer.
            extra: further fields of the request, e.g. `response_format`.

        Raises:
            OutageError: no usable answer after all attempts, or the server refuses this very question.
            InputError: the key, the address or the name of the model is wrong.
        """
        request: dict[str, Any] = {"model": self.model, "messages": list(messages), **extra}
        request[self.options.limit_field] = max_tokens
        if self.options.temperature >= 0:
            request["temperature"] = self.options.temperature
        return self._count(self._ask(request))

    def take_usage(self) -> Usage | None:
        """What this thread has spent since it last asked; None where it has asked nothing."""
        usage: Usage | None = getattr(self._thread, "usage", None)
        self._thread.usage = None
        return usage

    def _count(self, reply: Reply) -> Reply:
        spent: Usage = getattr(self._thread, "usage", None) or Usage()
        o = self.options
        cost = (reply.prompt_tokens * o.price_in + reply.completion_tokens * o.price_out) / 1e6
        self._thread.usage = Usage(
            requests=spent.requests + 1,
            prompt_tokens=spent.prompt_tokens + reply.prompt_tokens,
            completion_tokens=spent.completion_tokens + reply.completion_tokens,
            cost=spent.cost + cost,
        )
        return reply

    def _ask(self, request: Mapping[str, Any]) -> Reply:
        # Once the server is down, later questions try it once and do not wait: an outage costs minutes, not days.
        attempts = 1 if self._down else self.options.attempts
        for failures in range(1, attempts + 1):
            try:
                with self._slots:
                    reply = self._attempt(request)
            except _TryAgainError as reason:
                wait_s = (
                    reason.wait_s if reason.wait_s is not None else backoff_s(failures, self._lot, self._first_wait_s)
                )
                if failures == attempts or wait_s > LONGEST_ASKED_S:
                    self._down = reason.down
                    asked = f" (it asks to wait {wait_s:.0f} s)" if reason.wait_s is not None else ""
                    raise OutageError(f"{self.base_url}: {reason} after {failures} attempt(s){asked}") from reason
                self._sleep(wait_s)
            else:
                self._down = False
                return reply
        raise AssertionError("attempts is at least 1")

    def _attempt(self, request: Mapping[str, Any]) -> Reply:
        try:
            status, headers, content = self._post(request)
        except httpx2.TimeoutException as error:
            raise _TryAgainError(f"no answer within {self.options.timeout_s:g} s", down=True) from error
        except httpx2.RequestError as error:
            raise _TryAgainError(
                f"not reachable ({self._hide(str(error)) or type(error).__name__})", down=True
            ) from error
        if status in RETRIED_STATUSES:
            wait_s = asked_wait_s(headers.get("retry-after"))
            raise _TryAgainError(f"status {status}: {self._said(content)}", wait_s, down=status not in (409, 429))
        if status != 200:
            raise self._refusal(status, content, headers)
        return self._parse(content)

    def _post(self, request: Mapping[str, Any]) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers, body. The time-out holds for the whole: a server that drips bytes is not waited for."""
        deadline = time.monotonic() + self.options.timeout_s
        content = bytearray()
        with self._http.stream("POST", f"{self.base_url}/chat/completions", json=request) as response:
            for chunk in response.iter_bytes():
                content += chunk
                if time.monotonic() > deadline:
                    raise httpx2.ReadTimeout("the answer did not end in time")
                if len(content) > MAX_REPLY_BYTES:
                    raise _TryAgainError(f"an answer of more than {MAX_REPLY_BYTES >> 20} MiB", down=False)
        return response.status_code, response.headers, bytes(content)

    def _refusal(self, status: int, content: bytes, headers: Mapping[str, str]) -> InputError | OutageError:
        said = self._said(content)
        if status in (401, 403):
            how = "wrong or without the rights" if self._key else "missing"
            return InputError(f"{self.base_url}: status {status}: {said}; the key in {KEY_VARIABLE} is {how}")
        if status == 404:
            return InputError(f"{self.base_url}: status 404: {said}; check the address and the model {self.model!r}")
        if 300 <= status < 400:
            return InputError(
                f"{self.base_url}: moved to {self._hide(headers.get('location', '?'))}; give that address"
            )
        return OutageError(f"{self.base_url}: refuses the question with status {status}: {said}")

    def _parse(self, content: bytes) -> Reply:
        try:
            body = json.loads(content)
            text = body["choices"][0]["message"]["content"]
            usage = body.get("usage")
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
            raise _TryAgainError(f"not a chat completion: {self._said(content)}", down=False) from error
        if not isinstance(text, str | None):
            raise _TryAgainError(f"not a chat completion: {self._said(content)}", down=False)
        return Reply(
            # Half a surrogate pair is valid JSON and cannot be written to a file.
            text=(text or "").encode("utf-8", "replace").decode(),
            prompt_tokens=_tokens(usage, "prompt_tokens"),
            completion_tokens=_tokens(usage, "completion_tokens"),
            body=body,
        )

    def _said(self, content: bytes) -> str:
        """The first words of a body on one line, without the key."""
        text = " ".join(self._hide(content[:MAX_SHOWN_BYTES].decode("utf-8", "replace")).split())
        return text[:SHOWN_CHARACTERS] + "..." if len(text) > SHOWN_CHARACTERS else text or "(empty)"

    def _hide(self, text: str) -> str:
        return text.replace(self._key, "***") if self._key else text


class _TryAgainError(Exception):
    """One attempt failed in a way that another may not."""

    def __init__(self, reason: str, wait_s: float | None = None, *, down: bool) -> None:
        super().__init__(reason)
        self.wait_s, self.down = wait_s, down


def _tokens(usage: object, field: str) -> int:
    count = usage.get(field) if isinstance(usage, dict) else None
    return count if isinstance(count, int) and count > 0 else 0


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _bare(url: str) -> str:
    """An address as it may be shown: without what stands before `@` and after `?`."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}" if rest else url.partition("?")[0]
