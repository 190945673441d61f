"""The plugin for lmms-eval: `--model exo2ego --model_args pretrained=DIR`. Its only importer; loaded by it alone.

Contract (lmms-eval 0.7): an entry point of the group `lmms_eval.models` gives a `ModelManifest`; a chat class gets
requests whose `args` are (context, doc_to_messages, settings, number of the document, task, split). lmms-eval is no
dependency: it needs torchvision.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from lmms_eval.api.model import lmms
from lmms_eval.models.registry_v2 import ModelManifest

from exo2ego.bench.models import KINDS, load_model
from exo2ego.errors import InputError
from exo2ego.records import VideoSpan

MAX_NEW_TOKENS = 32


def manifest() -> ModelManifest:
    """What the entry point gives."""
    return ModelManifest(model_id="exo2ego", chat_class_path=f"{__name__}.Exo2EgoLMM")


class Exo2EgoLMM(lmms):  # type: ignore[misc]
    """Any model of `exo2ego bench run` inside lmms-eval."""

    is_simple = False

    def __init__(self, pretrained: str, batch_size: int | str = 1, device: str | None = None, **unknown: Any) -> None:
        """`pretrained` is the folder of an exported model, or a model as `exo2ego bench run --model` names it.

        Raises:
            InputError, MissingFileError: no such model, or settings that it does not have.
        """
        super().__init__()
        unknown.pop("max_batch_size", None)
        if unknown:
            raise InputError(f"--model_args {', '.join(sorted(unknown))}: there is only pretrained=DIR")
        known = pretrained.partition(":")[0] in KINDS
        self._asked = load_model(pretrained if known else f"exo2ego:{pretrained}", seed=0)

    def generate_until(self, requests: Sequence[Any]) -> list[str]:
        """One answer a request, greedy; `until` cuts it off, sampling settings are refused.

        Raises:
            InputError: a conversation of another form than one clip and one text.
        """
        out = []
        for request in requests:
            context, doc_to_messages, settings, doc_id, task, split = request.args
            if settings.get("do_sample") or (settings.get("temperature") or 0) > 0:
                raise InputError(f"{task}: asks for sampling; this model is deterministic (temperature 0)")
            video, question = one_clip(doc_to_messages(self.task_dict[task][split][doc_id]))
            limit = int(settings.get("max_new_tokens", MAX_NEW_TOKENS))
            answer = cut(self._asked.generate(video, question, max_new_tokens=limit), settings.get("until"))
            self.cache_hook.add_partial("generate_until", (context, settings), answer)
            out.append(answer)
        return out

    def loglikelihood(self, requests: Sequence[Any]) -> list[tuple[float, bool]]:
        """(log P(continuation | context, video), whether it is what the model would say) of each request.

        A true log-probability, as lmms-eval documents it: greater is better. Tasks that take the least of these
        numbers (`egoschema_mcppl`) expect losses and must not be used with this model.
        """
        out: list[tuple[float, bool]] = []
        for request in requests:
            context, continuation, doc_to_visual, doc_id, task, split = request.args
            doc = self.task_dict[task][split][doc_id]
            option = continuation(doc) if callable(continuation) else str(continuation)
            shown = doc_to_visual(doc)
            if len(shown) != 1 or not isinstance(shown[0], str):
                raise InputError(
                    f"{task}: document {doc_id} shows {len(shown)} things; this model takes one video file"
                )
            video = VideoSpan(path=shown[0])
            (score,) = self._asked.option_logprobs(video, context, [option])
            said = self._asked.generate(video, context, max_new_tokens=score.tokens)
            out.append((score.logprob, said == option.strip()))
        return out

    def generate_until_multi_round(self, requests: Sequence[Any]) -> list[str]:
        """Not possible: one clip and one question make a conversation here."""
        raise NotImplementedError("exo2ego answers one question about one clip; it has no multi-round conversations")


def one_clip(messages: Sequence[Mapping[str, Any]]) -> tuple[VideoSpan, str]:
    """The clip and the words of a conversation of one turn.

    Raises:
        InputError: it holds anything else.
    """
    parts = [part for message in messages for part in message["content"]]
    kinds = sorted({part["type"] for part in parts} | {message["role"] for message in messages})
    clips = [part for part in parts if part["type"] == "video"]
    if kinds != ["text", "user", "video"] or len(clips) != 1 or not isinstance(clips[0]["url"], str):
        raise InputError(
            f"a conversation of {', '.join(kinds)} with {len(clips)} video(s); this model takes one of each"
        )
    span = VideoSpan(path=clips[0]["url"], start_s=clips[0].get("start_time"), end_s=clips[0].get("end_time"))
    return span, "\n".join(part["text"] for part in parts if part["type"] == "text")


def cut(answer: str, until: str | Sequence[str] | None) -> str:
    """The answer up to the first of the stop texts."""
    stops = [until] if isinstance(until, str) else list(until or ())
    for stop in stops:
        if stop:
            answer = answer.split(stop)[0]
    return answer
