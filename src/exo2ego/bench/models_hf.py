"""`hf:ID` or `hf:FOLDER`: video chat models of Transformers, from this machine's files only, never with remote code.

Video and question are read once; options share their keys and values (`inference/shared_prefix.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor
from transformers import AutoModelForImageTextToText, AutoTokenizer, DynamicCache
from transformers.utils import logging as transformers_logging

from exo2ego.bench.files import read_json
from exo2ego.bench.frames import frame_times, guarded, sample
from exo2ego.bench.hf_families import FAMILIES, Context, Family
from exo2ego.bench.hf_folder import find_folder, read_chat_template, read_video_settings
from exo2ego.bench.hf_options import HFOptions
from exo2ego.errors import FormatError, InputError
from exo2ego.inference.recent import Recent
from exo2ego.inference.shared_prefix import SharedPrefix
from exo2ego.records import OptionScore, VideoSpan

_PROBE = "\N{SNOWMAN}"
"""A text that no template writes: shows where an answer stands in a rendered conversation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """One clip, encoded."""

    text: str
    forward: Mapping[str, Tensor]
    encoded: SimpleNamespace


class HFModel:
    """One model behind `AnswerModel`. Deterministic: greedy decoding, fixed frames."""

    def __init__(self, folder: Path, name: str, options: HFOptions) -> None:
        """Loads it.

        Raises:
            InputError: the kind of model is not supported, or its files cannot be loaded.
        """
        self._family = family_of(folder)
        self._name, self._options = name, options
        self._settings = read_video_settings(folder)
        self._model = _load(folder, options)
        self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        own = self._family.template() if self._family.template else read_chat_template(folder)
        self._template = own or self._tokenizer.chat_template
        if not self._template:
            raise InputError(f"{folder}: no chat template, so no chat model; get chat_template.jinja")
        self._before, self._end = self._answer_form()
        self._call = guarded(self, self.concurrency)
        self._recent = Recent(self._see, lambda seen: sum(t.nbytes for t in _tensors(seen.encoded)))

    @property
    def name(self) -> str:
        """`hf:` and the id or the folder's name."""
        return self._name

    @property
    def capabilities(self) -> frozenset[str]:
        """Words; log-probabilities where the template shows how an answer is written."""
        return frozenset({"text"} if self._end is None else {"text", "logprobs"})

    @property
    def concurrency(self) -> int:
        """One: it computes here."""
        return 1

    def frame_times(self, video: VideoSpan) -> tuple[float, ...]:
        """Seconds of the frames read of a clip."""
        return frame_times(video, self._options.frames, self._call)

    def generate(self, video: VideoSpan | None, question: str, max_new_tokens: int = 32) -> str:
        """See `AnswerModel.generate`; greedy, whatever the model's own generation settings say."""
        ids = self.read(video, question).write(max_new_tokens, self._stop_ids())
        text: str = self._tokenizer.decode(ids, skip_special_tokens=True)
        return text.strip()

    def option_logprobs(self, video: VideoSpan | None, question: str, options: Sequence[str]) -> Sequence[OptionScore]:
        """See `AnswerModel.option_logprobs`; the token that ends a turn is part of every option."""
        if self._end is None:
            raise InputError(f"{self.name}: its chat template writes answers otherwise than it asks for them")
        return self.read(video, question).score([self.answer_ids(option) for option in options])

    def answer_ids(self, answer: str) -> list[int]:
        """Token ids of an answer as the template writes it, the end of the turn last."""
        ids: list[int] = self._tokenizer.encode(self._before + answer.strip(), add_special_tokens=False)
        return [*ids, *([] if self._end is None else [self._end])]

    @torch.inference_mode()
    def read(self, video: VideoSpan | None, question: str) -> SharedPrefix:
        """The prompt up to the place where an answer starts, read by the model."""
        inputs, cache = self.inputs(video, question), DynamicCache()
        out = self._model.model(**inputs, past_key_values=cache, use_cache=True)
        next_position = inputs["input_ids"].shape[1]
        if video is not None and self._family.typed_tokens:
            next_position += int(self._model.model.rope_deltas)
        return SharedPrefix(self._model.model, self._model.lm_head, cache, out.last_hidden_state[0, -1], next_position)

    def inputs(self, video: VideoSpan | None, question: str) -> dict[str, Any]:
        """Arguments of the model's forward for one prompt."""
        prompt = self._render(video is not None, question)
        extra: dict[str, Any] = {}
        if video is not None:
            seen = self._recent.get(video)
            prompt = prompt.replace(self._marker(), seen.text)
            extra = {**seen.forward, "mm_encoder_outputs": {self._family.modality: seen.encoded}}
        ids = torch.tensor([self._tokenizer.encode(prompt, add_special_tokens=False)], device=self._model.device)
        if video is not None and self._family.typed_tokens:
            extra["mm_token_type_ids"] = (ids == self._model.config.video_token_id).int() * 2
        return {"input_ids": ids, **extra}

    def _render(self, has_video: bool, question: str) -> str:
        if not question.strip():
            raise FormatError("the question is empty; ask something")
        shown = [{"type": "video"}] if has_video else []
        prompt = self._template_text([{"role": "user", "content": [*shown, {"type": "text", "text": question}]}], True)
        if prompt.count(self._marker()) != len(shown):
            raise FormatError(
                f"{self.name}: the prompt has {prompt.count(self._marker())} places for {len(shown)} video(s); "
                f"does the question hold the text {self._marker()!r}, or is the chat template for text only?"
            )
        return prompt

    def _template_text(self, messages: list[dict[str, Any]], asking: bool) -> str:
        text: str = self._tokenizer.apply_chat_template(
            messages, chat_template=self._template, tokenize=False, add_generation_prompt=asking
        )
        return text

    def _marker(self) -> str:
        token = getattr(self._model.config, "video_token_id", None)
        return self._family.marker.format(video="" if token is None else self._token(token))

    def _token(self, token_id: int) -> str:
        text: str = self._tokenizer.convert_ids_to_tokens(token_id)
        return text

    def _answer_form(self) -> tuple[str, int | None]:
        """What stands between the request for an answer and the answer, and the token after it; None where unknown."""
        asked = [{"role": "user", "content": [{"type": "text", "text": "?"}]}]
        prompt = self._template_text(asked, True)
        told = self._template_text(
            [*asked, {"role": "assistant", "content": [{"type": "text", "text": _PROBE}]}], False
        )
        if not told.startswith(prompt) or told.count(_PROBE) != 1:
            return "", None
        before, _, after = told[len(prompt) :].partition(_PROBE)
        ends = self._tokenizer.encode(after, add_special_tokens=False) or [self._tokenizer.eos_token_id]
        return before, ends[0]

    def _stop_ids(self) -> frozenset[int]:
        ids = {self._end, self._tokenizer.eos_token_id}
        configured = self._model.generation_config.eos_token_id
        ids.update(configured if isinstance(configured, list) else [configured])
        return frozenset(token for token in ids if token is not None)

    @torch.inference_mode()
    def _see(self, video: VideoSpan) -> _Seen:
        frames = sample(video, self._options.frames, self._call)
        context = Context(
            config=self._model.config,
            settings=self._settings,
            token=self._token,
            max_pixels=self._options.max_pixels,
        )
        inputs = self._family.prepare(frames, context)
        device = self._model.device
        encode = getattr(self._model.model, f"get_{self._family.modality}_features")
        out = encode(**{name: tensor.to(device) for name, tensor in inputs.encode.items()}, return_dict=True)
        # Only what the LLM reads is kept: all hidden states of the tower would be many times as large.
        kept = {"pooler_output": out.pooler_output}
        if hasattr(out, "deepstack_features"):
            kept["deepstack_features"] = out.deepstack_features
        forward = {name: tensor.to(device) for name, tensor in inputs.forward.items()}
        return _Seen(text=inputs.text, forward=forward, encoded=SimpleNamespace(**kept))


def _tensors(value: Any) -> list[Tensor]:
    """All tensors in nested sequences and namespaces."""
    if isinstance(value, Tensor):
        return [value]
    parts = vars(value).values() if isinstance(value, SimpleNamespace) else value
    return [tensor for part in parts or () for tensor in _tensors(part)]


def family_of(folder: Path) -> Family:
    """The family of the model in a folder, by its own `config.json`.

    Raises:
        MissingFileError, FormatError: no such file, or no JSON.
        InputError: a kind of model that is not supported; names those that are.
    """
    config = read_json(folder / "config.json")
    kind = config.get("model_type") if isinstance(config, dict) else None
    if kind not in FAMILIES:
        raise InputError(f"{folder}: model_type {kind!r} is not supported; supported are {', '.join(FAMILIES)}")
    return FAMILIES[kind]


def _load(folder: Path, options: HFOptions) -> Any:
    """The model in evaluation mode on its device; weights that are missing are refused, not drawn by lot."""
    device = options.device if options.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
    # Half precision costs speed on a processor and saves it on an accelerator.
    dtype = options.dtype if options.dtype != "auto" or device != "cpu" else "float32"
    transformers_logging.disable_progress_bar()  # the run has a bar of its own
    try:
        model, report = AutoModelForImageTextToText.from_pretrained(
            folder,
            dtype=dtype,
            attn_implementation="sdpa",
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise InputError(f"{folder}: cannot be loaded ({str(error).splitlines()[0][:200]}); get it anew") from error
    missing = sorted(report["missing_keys"])
    if missing:
        raise InputError(f"{folder}: {len(missing)} weights are missing, e.g. {missing[0]}; get it anew")
    kinds = set(getattr(model.config.get_text_config(), "layer_types", None) or ["full_attention"])
    if kinds != {"full_attention"}:
        raise InputError(f"{folder}: layers of {', '.join(sorted(kinds))} cannot share one reading of a prompt")
    return model.eval().to(device)


def load_hf(argument: str, options: HFOptions) -> HFModel:
    """The model of `hf:ARGUMENT`.

    Raises:
        MissingFileError, InputError: it is not on this machine, not supported, or damaged.
    """
    folder = find_folder(argument, options.revision)
    # A path of this machine says nothing to the readers of a report.
    shown = folder.resolve().name if Path(argument).is_dir() else argument
    return HFModel(folder, f"hf:{shown}", options)
