"""Open answers graded by a language model: the question put to it, the one reader of its reply, who may be a judge.

The scheme is Video-ChatGPT's, as VideoLLaMA2 uses it (yes or no, and 0 to 5); our words are in `judge_prompt.txt`.
"""

import ast
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from exo2ego.bench.answers import normal_answer, spoken
from exo2ego.bench.files import read_text
from exo2ego.bench.text_metrics import token_f1
from exo2ego.errors import FormatError, InputError

if TYPE_CHECKING:
    from exo2ego.bench.model import AnswerModel
    from exo2ego.records import Usage

PROMPT_FILE = Path(__file__).with_name("judge_prompt.txt")
FULL_MARKS = 5
REPLY_TOKENS = 64
_LONGEST_REPLY = 20_000
"""Characters that are looked at: no expected object is longer, and a parser of Python literals may choke on more."""
_FIELDS = ("question", "answer", "predicted")


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgePrompt:
    """The two messages, with `{question}`, `{answer}` and `{predicted}` in the second one."""

    system: str
    user: str

    @property
    def digest(self) -> str:
        """sha256 of both, first 8 digits: two wordings are two judges."""
        return hashlib.sha256(f"{self.system}\0{self.user}".encode()).hexdigest()[:8]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeRequest:
    """One answer to be graded."""

    prompt: JudgePrompt
    question: str
    answer: str
    predicted: str

    @property
    def messages(self) -> list[dict[str, str]]:
        """As a chat: system, user. Line breaks in the texts become blanks, so that no answer can forge a line."""
        texts = {name: " ".join(getattr(self, name).split()) for name in _FIELDS}
        user = self.prompt.user.format(**texts)
        return [{"role": "system", "content": self.prompt.system}, {"role": "user", "content": user}]

    @property
    def digest(self) -> str:
        """sha256 of the three texts, first 16 digits: a verdict belongs to these words only."""
        return hashlib.sha256("\0".join((self.question, self.answer, self.predicted)).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a judge said. Both None: its reply was not the expected object, and the item is `unjudged`."""

    correct: bool | None
    score: int | None
    """0..FULL_MARKS."""


class Judge(Protocol):
    """Anything that grades one answer."""

    @property
    def name(self) -> str:
        """What results call it."""
        ...

    @property
    def concurrency(self) -> int:
        """How many requests it takes at once, from as many threads."""
        ...

    def complete(self, request: JudgeRequest) -> str:
        """Its reply, whatever it is.

        Raises:
            OutageError, ConnectionError, TimeoutError: it gives none now; the item stays unscored and is asked again.
        """
        ...


class RuleJudge:
    """No model: right if the normal forms are equal, points by shared words. Works offline and never changes."""

    name = "rule"
    concurrency = 1

    def complete(self, request: JudgeRequest) -> str:
        """The expected object, by `normal_answer` and `token_f1`."""
        same = normal_answer(request.predicted) == normal_answer(request.answer) != ""
        (overlap,) = token_f1([request.predicted], [request.answer])
        return json.dumps({"pred": "yes" if same else "no", "score": FULL_MARKS if same else int(overlap * FULL_MARKS)})


class ModelJudge:
    """Any model that the bench can ask in words, asked without a video."""

    def __init__(self, model: "AnswerModel") -> None:
        """Raises InputError for a model that writes nothing."""
        if "text" not in model.capabilities:
            raise InputError(f"--judge: {model.name} does not answer in words; choose another judge")
        self._model = model

    @property
    def name(self) -> str:
        """The model's name."""
        return self._model.name

    @property
    def concurrency(self) -> int:
        """As the model's."""
        return self._model.concurrency

    def complete(self, request: JudgeRequest) -> str:
        """The model's words on both messages, one below the other."""
        question = "\n\n".join(message["content"] for message in request.messages)
        return self._model.generate(None, question, max_new_tokens=REPLY_TOKENS)


class ServerJudge:
    """A model on an OpenAI-compatible server, asked with a system and a user message."""

    def __init__(self, spec: str) -> None:
        """`URL#MODEL[,key=value...]` as `OpenAIClient` reads it; raises InputError as it does."""
        from exo2ego.bench.openai_client import OpenAIClient

        self._client = OpenAIClient.from_spec(spec)

    @property
    def name(self) -> str:
        """The server's name of the model."""
        return self._client.model

    @property
    def concurrency(self) -> int:
        """As set with the model."""
        return self._client.options.concurrency

    def complete(self, request: JudgeRequest) -> str:
        """The text of the server's message."""
        limit = max(REPLY_TOKENS, self._client.options.least_tokens)
        return self._client.complete(request.messages, max_tokens=limit).text

    def take_usage(self) -> "Usage | None":
        """What this thread's requests have cost since it last asked."""
        return self._client.take_usage()


def read_prompt(path: Path = PROMPT_FILE) -> JudgePrompt:
    """A prompt file: `[system]` and the first message, `[user]` and the second one.

    Raises:
        MissingFileError: it is not there.
        FormatError: a part or one of the three fields is missing, or another field is in it.
    """
    parts = re.split(r"^\[(system|user)\][ \t]*\n", read_text(path), flags=re.MULTILINE)
    if parts[0].strip() or parts[1::2] != ["system", "user"]:
        raise FormatError(f"{path}: a judge's prompt is a line [system], a text, a line [user], a text")
    prompt = JudgePrompt(system=parts[2].strip(), user=parts[4].strip())
    try:
        filled = prompt.user.format(question="\1", answer="\2", predicted="\3")
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        raise FormatError(f"{path}: [user] has a stray brace ({error}); write {{{{ and }}}} for braces") from error
    missing = [name for name, mark in zip(_FIELDS, "\1\2\3", strict=True) if mark not in filled]
    if missing:
        raise FormatError(f"{path}: [user] lacks {{{missing[0]}}}; the judge must see question, answer and predicted")
    return prompt


def parse_verdict(reply: str) -> Verdict:
    """The one object `{"pred": "yes" | "no", "score": 0..5}` in a reply, as JSON or as Python prints a dict.

    Text or a code fence around it is allowed, a thought before it is left out (`answers.spoken`). Anything else (no
    object, two, another value, half a point) is unjudged: never an exception, never right.

    >>> parse_verdict("{'pred': 'yes', 'score': 4}")
    Verdict(correct=True, score=4)
    >>> parse_verdict('{"pred": "yes"}')
    Verdict(correct=None, score=None)
    """
    unjudged = Verdict(correct=None, score=None)
    found = _object(spoken(reply))
    if found is None:
        return unjudged
    pred, score = found.get("pred"), _points(found.get("score"))
    said = pred.strip().casefold() if isinstance(pred, str) else None
    if said not in ("yes", "no") or score is None:
        return unjudged
    return Verdict(correct=said == "yes", score=score)


def _object(reply: str) -> dict[Any, Any] | None:
    start, end = reply.find("{"), reply.rfind("}")
    if start < 0 or end < start or len(reply) > _LONGEST_REPLY:
        return None
    text = reply[start : end + 1]
    if any(len(re.findall(rf"[\"']{key}[\"']\s*:", text)) != 1 for key in ("pred", "score")):
        return None
    readers: tuple[Callable[[str], Any], ...] = (json.loads, ast.literal_eval)
    for read in readers:
        try:
            found = read(text)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
        if isinstance(found, dict):
            return found
    return None


def _points(value: object) -> int | None:
    """4, 4.0 and "4" are four points; None for what is no whole number from 0 to FULL_MARKS."""
    if isinstance(value, str) and re.fullmatch(r"\s*\d+(?:\.0+)?\s*", value, re.ASCII):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value not in range(FULL_MARKS + 1):
        return None
    return int(value)


def load_judge(spec: str) -> Judge:
    """`rule`, or any model of `bench run` that answers in words, e.g. `openai:http://127.0.0.1:8000/v1#qwen3`.

    Raises:
        InputError, MissingFileError: no such judge.
    """
    kind, _, argument = spec.partition(":")
    if spec == "rule":
        return RuleJudge()
    if kind == "openai":
        return ServerJudge(argument)
    from exo2ego.bench.models import KINDS, load_model

    if kind not in KINDS:
        forms = ", ".join(known.form for known in KINDS.values())
        raise InputError(f"--judge {spec}: unknown kind {kind!r}; use rule, or a model that answers: {forms}")
    return ModelJudge(load_model(spec, seed=0))
