"""EgoMCQ (EgoVLP): one narration, five clips, which clip shows it? Inter-video and intra-video.

Files: `egomcq.json` as EgoVLP publishes it; `videos/` with whole videos `<uid>.mp4`, or EgoVLP's 600 s chunks
`<uid>/<k>.mp4`, or LaViLa's 300 s chunks `<uid>.mp4/<start>.mp4`. Official code: showlab/EgoVLP, model/metric.py, which
swaps the names of the two types; here type 1 is inter and type 2 is intra, and each question is checked against it.

The protocol `reversed` is EgoThinker's: one clip, five narrations, a letter. It is another task (what is likely
as text helps, the other clips are not seen), so its figures have names of their own.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from exo2ego.bench.answers import parse_choice
from exo2ego.bench.files import fail, read_json
from exo2ego.bench.items import Item, chance_of, pick, read_groups
from exo2ego.bench.model import AnswerModel
from exo2ego.bench.prompts import QUESTION, normal_narration, styled, with_letters
from exo2ego.bench.tasks.base import Ask, Measure, Published, ScoreSettings, Task, as_prediction, best, choice_measures
from exo2ego.bench.tasks.choice import LETTER_TOKENS
from exo2ego.errors import FormatError
from exo2ego.records import Prediction, VideoSpan

TYPES = {1: "inter", 2: "intra"}
CHOICES = ("0", "1", "2", "3", "4")
EGOVLP_CHUNK_S = 600
LAVILA_CHUNK_S = 300


def load(root: Path, limit: int | None = None, seed: int = 0, full: bool = False) -> list[Item]:
    """Questions of `root/egomcq.json`; `limit` draws that many by lot. `full` changes nothing: all answers are public.

    Raises:
        MissingFileError, FormatError: the file is absent or breaks the format (file, question, field, value named).
    """
    path = root / "egomcq.json"
    questions = read_json(path)
    if not isinstance(questions, dict) or not questions:
        raise fail(
            path, "top level", "type", type(questions).__name__, "must be an object: question number -> question"
        )
    groups = read_groups(root)
    ids = list(questions)
    return [
        _item(path, ids[index], questions[ids[index]], groups.get(ids[index], {})) for index in pick(ids, limit, seed)
    ]


def _item(path: Path, key: str, question: Any, labels: Mapping[str, str]) -> Item:
    row = f"question {key}"
    if not isinstance(question, dict):
        raise fail(path, row, "question", question, "must be an object")
    answer, kind, choices = question.get("answer"), question.get("types"), question.get("choices")
    if not isinstance(answer, int) or isinstance(answer, bool) or not 0 <= answer < len(CHOICES):
        raise fail(path, row, "answer", answer, "must be a number from 0 to 4")
    if type(kind) is not int or kind not in TYPES:
        raise fail(path, row, "types", kind, "must be 1 (inter-video) or 2 (intra-video)")
    if not isinstance(choices, dict) or sorted(choices) != list(CHOICES):
        shown = sorted(choices) if isinstance(choices, dict) else choices
        raise fail(path, row, "choices", shown, 'must hold "0" to "4"')
    clips = [_clip(path, f"{row}, choice {number}", choices[number]) for number in CHOICES]
    if len(set(clips)) < len(clips):
        raise fail(path, row, "choices", clips, "repeats a clip, so the question has no single answer")
    _check_type(path, row, kind, {uid for uid, _, _ in clips})
    text = question["query"].get("clip_text") if isinstance(question.get("query"), dict) else None
    if not isinstance(text, str) or not text.strip():
        raise fail(path, row, "query.clip_text", text, "must be a narration")
    return Item(
        item_id=key,
        question=QUESTION,
        videos=tuple(locate(path.parent, uid, start, end) for uid, start, end in clips),
        options=(normal_narration(text),),
        answer=answer,
        cluster=clips[answer][0],
        chance=chance_of(labels, len(clips)),
        groups={"type": TYPES[kind], **labels},
        meta={"texts": _texts(choices)},
    )


def _texts(choices: Mapping[str, Any]) -> list[str]:
    """The narrations of the five choices; empty where a file, against the published form, leaves some out."""
    texts = [choices[number].get("clip_text") for number in CHOICES]
    whole = all(isinstance(text, str) and text.strip() for text in texts)
    return [normal_narration(text) for text in texts] if whole else []


def _clip(path: Path, row: str, clip: Any) -> tuple[str, float, float]:
    if not isinstance(clip, dict):
        raise fail(path, row, "choice", clip, "must be an object")
    uid = clip.get("video_uid")
    if not isinstance(uid, str) or not uid or os.path.basename(uid) != uid or uid in (".", ".."):
        raise fail(path, row, "video_uid", uid, "must be the name of a video")
    times = []
    for name in ("clip_start", "clip_end"):
        value = clip.get(name)
        try:
            times.append(float(value))  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError) as error:
            raise fail(path, row, name, value, "must be a number of seconds") from error
    start_s, end_s = times
    if not 0 <= start_s < end_s < float("inf"):
        raise fail(path, row, "clip_start, clip_end", (start_s, end_s), "must be seconds with 0 <= start < end")
    return uid, start_s, end_s


def _check_type(path: Path, row: str, kind: int, uids: set[str]) -> None:
    """Five clips of one video <=> intra. EgoVLP's metric code swaps the two names, so copies of the file may, too."""
    if (len(uids) == 1) != (TYPES[kind] == "intra"):
        raise fail(
            path,
            row,
            "types",
            kind,
            f"says {TYPES[kind]}-video, but the 5 choices come from {len(uids)} video(s); "
            "1 is inter and 2 is intra (EgoVLP's metric code swaps the names): use the published egomcq.json",
        )


def locate(root: Path, uid: str, start_s: float, end_s: float) -> VideoSpan:
    """Where a clip lies below `root`, in whichever of the three layouts of `videos/` is there.

    A clip across two chunks is cut to the chunk that holds the longer part: a span is one file.
    """
    whole = f"videos/{uid}.mp4"
    if os.path.isdir(root / whole):
        return _in_chunk(f"{whole}/{{start}}.mp4", LAVILA_CHUNK_S, start_s, end_s)
    if not os.path.isfile(root / whole) and os.path.isdir(root / "videos" / uid):
        return _in_chunk(f"videos/{uid}/{{index}}.mp4", EGOVLP_CHUNK_S, start_s, end_s)
    return VideoSpan(path=whole, start_s=start_s, end_s=end_s)


def _in_chunk(pattern: str, chunk_s: int, start_s: float, end_s: float) -> VideoSpan:
    index = int((start_s + end_s) / 2 // chunk_s)
    offset_s = index * chunk_s
    return VideoSpan(
        path=pattern.format(index=index, start=offset_s),
        start_s=max(start_s - offset_s, 0.0),
        end_s=min(end_s - offset_s, float(chunk_s)),
    )


def ask_likelihood(model: AnswerModel, item: Item, style: str) -> Prediction:
    """log P(narration | clip) of each of the five clips: one text, so neither length nor prior matters."""
    question = styled(item.question, "egomcq", style)
    return as_prediction(
        item, [model.option_logprobs(video, question, item.options)[0].logprob for video in item.videos]
    )


def ask_reversed(model: AnswerModel, item: Item, style: str) -> Prediction:
    """The right clip is shown, the five narrations are listed with letters; the model writes.

    Raises:
        FormatError: the file has no narration for some choice.
    """
    texts = item.meta["texts"]
    if item.answer is None or not texts:
        raise FormatError(
            f"egomcq.json: question {item.item_id}: a choice has no clip_text, which the protocol reversed lists; "
            "use the published egomcq.json, or --protocol likelihood"
        )
    question = with_letters(styled(item.question, "egomcq", style), texts)
    return Prediction(
        item_id=item.item_id, text=model.generate(item.videos[item.answer], question, max_new_tokens=LETTER_TOKENS)
    )


def choose_reversed(item: Item, prediction: Prediction) -> int | None:
    """The choice that an answer names; of choices with the same words as the right one, the right one."""
    texts = item.meta["texts"]
    choice = parse_choice(prediction.text or "", texts)
    if choice is not None and item.answer is not None and texts[choice] == texts[item.answer]:
        return item.answer
    return choice


def _reversed(items: Sequence[Item], predictions: Mapping[str, Prediction], settings: ScoreSettings) -> list[Measure]:
    """One pooled accuracy, as EgoThinker has it, then inter and intra."""
    pooled = choice_measures(items, predictions, "egomcq/reversed", settings, choose_reversed)
    for kind in TYPES.values():
        members = [item for item in items if item.groups["type"] == kind]
        name = f"egomcq/reversed {kind}"
        pooled += choice_measures(members, predictions, name, settings, choose_reversed, headline=False)
    return pooled


def score(items: Sequence[Item], predictions: Mapping[str, Prediction], settings: ScoreSettings) -> list[Measure]:
    """Accuracy of inter and of intra, each also by label; they are pooled in the protocol `reversed` only."""
    if settings.protocol == "reversed":
        return _reversed(items, predictions, settings)

    def choose(item: Item, prediction: Prediction) -> int:
        return best(prediction.scores, len(item.videos), item.item_id)

    measures: list[Measure] = []
    for kind in TYPES.values():
        members = [item for item in items if item.groups["type"] == kind]
        measures += choice_measures(members, predictions, f"egomcq/{kind}", settings, choose)
    return measures


_EXAMPLES = tuple(f"Camera-wearer lifts the {thing}." for thing in ("cup", "box", "jar", "pan", "book"))

PROTOCOLS: dict[str, Ask] = {
    "likelihood": Ask(
        describe="text to 5 clips: argmax of the summed log P(narration | clip)",
        ask=ask_likelihood,
        example=lambda style: f"{styled(QUESTION, 'egomcq', style)}\n-> Camera-wearer lifts the cup.",
    ),
    "reversed": Ask(
        describe="EgoThinker's: the right clip to 5 narrations as (A) to (E), the generated text is read; not EgoVLP's",
        ask=ask_reversed,
        example=lambda style: with_letters(styled(QUESTION, "egomcq", style), _EXAMPLES),
        needs=frozenset({"text"}),
    ),
}

TASK = Task(
    name="egomcq",
    title="EgoMCQ",
    load=load,
    protocols=PROTOCOLS,
    default_protocol="likelihood",
    score=score,
    official_sizes=(39_000, 40_000),
    published=(
        Published(measure="egomcq/inter", value=0.884, who="Exo2Ego (paper)", caution="its scoring is not described"),
        Published(measure="egomcq/intra", value=0.412, who="Exo2Ego (paper)", caution="its scoring is not described"),
        Published(measure="egomcq/inter", value=0.959, who="EgoVideo-L", caution="dual encoder"),
        Published(measure="egomcq/intra", value=0.655, who="EgoVideo-L", caution="dual encoder"),
        Published(measure="egomcq/inter", value=0.929, who="SViTT-Ego", caution="dual encoder"),
        Published(measure="egomcq/intra", value=0.659, who="SViTT-Ego", caution="dual encoder"),
        Published(measure="egomcq/inter", value=0.962, who="EVA02-AT-L", caution="dual encoder, EgoClip"),
        Published(measure="egomcq/intra", value=0.665, who="EVA02-AT-L", caution="dual encoder, EgoClip+"),
    ),
)
