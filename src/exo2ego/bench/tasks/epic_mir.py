"""EPIC-KITCHENS-100 multi-instance retrieval: every clip against every sentence, both directions, mAP and nDCG.

Files (epic-kitchens-100-annotations, retrieval_annotations/): `EPIC_100_retrieval_test.csv`,
`EPIC_100_retrieval_test_sentence.csv`; `videos/P01/P01_11.MP4`. Column j is row j of the sentence file, with the
classes of the clip that has its `narration_id`. The relevancy is computed here; the official pickle is not loaded.

The first item is the text prior: all sentences, no video. A language model finds short or frequent sentences likely
whatever it sees, so video to text ranks by log P(sentence | clip) - alpha log P(sentence); text to video needs no such
correction.
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from exo2ego.bench.files import fail, read_csv
from exo2ego.bench.items import Item, pick, read_groups
from exo2ego.bench.metrics import Floats, Retrieval, relevancy, retrieval
from exo2ego.bench.model import AnswerModel
from exo2ego.bench.prompts import QUESTION, action_sentence, styled
from exo2ego.bench.stats import Stratum
from exo2ego.bench.tasks.base import (
    Ask,
    Measure,
    Published,
    ScoreSettings,
    Task,
    as_prediction,
    measure,
    require_scores,
    subsets,
)
from exo2ego.errors import InputError
from exo2ego.records import Prediction, VideoSpan

PRIOR_ID = "text-prior"
CLIPS_FILE = "EPIC_100_retrieval_test.csv"
SENTENCES_FILE = "EPIC_100_retrieval_test_sentence.csv"
CLIP_COLUMNS = (
    "narration_id",
    "video_id",
    "start_timestamp",
    "stop_timestamp",
    "narration",
    "verb_class",
    "all_noun_classes",
)
_TIMESTAMP = re.compile(r"(\d+):([0-5]\d):([0-5]\d(?:\.\d+)?)")
_VIDEO_ID = re.compile(r"(P\d+)_\d+")

CHANCE_SCORES = 2_000_000
"""Random similarities drawn to know what chance gives."""

Classes = tuple[int, frozenset[int]]


def load(root: Path, limit: int | None = None, seed: int = 0, full: bool = False) -> list[Item]:
    """The text prior, then one item a clip; `limit` draws that many clips and keeps the sentences that fit one of them.

    Raises:
        MissingFileError, FormatError: a file is absent or breaks the format (file, line, column, value named).
    """
    clips_path, sentences_path = root / CLIPS_FILE, root / SENTENCES_FILE
    rows: dict[str, tuple[int, dict[str, str]]] = {}
    for line, row in read_csv(clips_path, CLIP_COLUMNS):
        if row["narration_id"] in rows:
            raise fail(clips_path, f"line {line}", "narration_id", row["narration_id"], "occurs twice; keep one line")
        rows[row["narration_id"]] = (line, row)
    classes = {name: _classes(clips_path, line, row) for name, (line, row) in rows.items()}
    sentences = _sentences(sentences_path, classes)
    covered = {classes[name] for name, _ in sentences}
    for name, (line, _) in rows.items():
        if classes[name] not in covered:
            raise fail(clips_path, f"line {line}", "narration_id", name, f"fits no sentence of {SENTENCES_FILE}")
    ids = list(rows)
    kept = [ids[index] for index in pick(ids, limit, seed)]
    wanted = {classes[name] for name in kept}
    sentences = [(name, text) for name, text in sentences if classes[name] in wanted]
    options = tuple(text for _, text in sentences)
    groups = read_groups(root)
    prior = Item(
        item_id=PRIOR_ID,
        question=QUESTION,
        videos=(),
        options=options,
        cluster="",
        meta={"sentences": [_class_record(name, classes[name]) for name, _ in sentences]},
    )
    return [prior, *(_clip(clips_path, *rows[name], options, classes[name], groups.get(name, {})) for name in kept)]


def _classes(path: Path, line: int, row: Mapping[str, str]) -> Classes:
    """(verb class, noun classes); nouns are a set: 19 rows of the real file repeat one."""
    try:
        verb = int(row["verb_class"])
    except ValueError as error:
        raise fail(path, f"line {line}", "verb_class", row["verb_class"], "must be a number") from error
    try:
        nouns = json.loads(row["all_noun_classes"])
    except json.JSONDecodeError:
        nouns = None
    if not isinstance(nouns, list) or not nouns or not all(isinstance(noun, int) and noun >= 0 for noun in nouns):
        raise fail(path, f"line {line}", "all_noun_classes", row["all_noun_classes"], "must be a list like [2, 7]")
    return verb, frozenset(nouns)


def _sentences(path: Path, classes: Mapping[str, Classes]) -> list[tuple[str, str]]:
    """(narration_id, sentence) in file order. The same sentence may occur twice; a narration_id may not."""
    sentences: list[tuple[str, str]] = []
    seen: set[str] = set()
    for line, row in read_csv(path, ("narration_id", "narration")):
        name, text = row["narration_id"], row["narration"]
        if name in seen:
            raise fail(path, f"line {line}", "narration_id", name, "occurs twice; keep one line")
        if name not in classes:
            raise fail(path, f"line {line}", "narration_id", name, f"is not in {CLIPS_FILE}, so it has no classes")
        if not text.strip():
            raise fail(path, f"line {line}", "narration", text, "must be a text")
        seen.add(name)
        sentences.append((name, text))
    return sentences


def _class_record(name: str, classes: Classes) -> dict[str, Any]:
    return {"narration_id": name, "verb": classes[0], "nouns": sorted(classes[1])}


def _clip(
    path: Path,
    line: int,
    row: Mapping[str, str],
    options: tuple[str, ...],
    classes: Classes,
    labels: Mapping[str, str],
) -> Item:
    start_s, stop_s = (seconds(path, line, name, row[name]) for name in ("start_timestamp", "stop_timestamp"))
    if not start_s < stop_s:
        raise fail(path, f"line {line}", "stop_timestamp", row["stop_timestamp"], "must be after start_timestamp")
    video = _VIDEO_ID.fullmatch(row["video_id"])
    if video is None:
        raise fail(path, f"line {line}", "video_id", row["video_id"], "must look like P01_11")
    name = f"videos/{video.group(1)}/{video.group()}.MP4"
    if not os.path.isfile(path.parent / name) and os.path.isfile(path.parent / name.replace(".MP4", ".mp4")):
        name = name.replace(".MP4", ".mp4")
    return Item(
        item_id=row["narration_id"],
        question=QUESTION,
        videos=(VideoSpan(path=name, start_s=start_s, end_s=stop_s),),
        options=options,
        cluster=row["video_id"],
        groups=dict(labels),
        meta=_class_record(row["narration_id"], classes),
    )


def seconds(path: Path, line: int, field: str, text: str) -> float:
    """`HH:MM:SS.ss` in seconds.

    Raises:
        FormatError: the text has another form.
    """
    match = _TIMESTAMP.fullmatch(text.strip())
    if match is None:
        raise fail(path, f"line {line}", field, text, "must look like 00:01:23.45")
    hours, minutes, rest = match.groups()
    return int(hours) * 3600 + int(minutes) * 60 + float(rest)


@lru_cache(maxsize=2)
def as_narrations(options: tuple[str, ...]) -> tuple[str, ...]:
    """All sentences in the form of training narrations; kept, since thousands of clips ask for the same tuple."""
    return tuple(action_sentence(option) for option in options)


def ask_matrix(model: AnswerModel, item: Item, style: str) -> Prediction:
    """log P(sentence | clip) of every sentence as given: one row of the matrix, one encoding of the video."""
    return _row(model, item, style, item.options)


def ask_matrix_narration(model: AnswerModel, item: Item, style: str) -> Prediction:
    """As `matrix`, each `lift cup` asked as `Camera-wearer lifts the cup.`"""
    return _row(model, item, style, as_narrations(item.options))


def _row(model: AnswerModel, item: Item, style: str, options: tuple[str, ...]) -> Prediction:
    video = item.videos[0] if item.videos else None
    scores = model.option_logprobs(video, styled(item.question, "epic_mir", style), options)
    return as_prediction(item, [score.logprob for score in scores])


def score(items: Sequence[Item], predictions: Mapping[str, Prediction], settings: ScoreSettings) -> list[Measure]:
    """mAP and nDCG: video to text (V->T), text to video (T->V) and their mean, which is the headline.

    Raises:
        InputError: the text prior or every clip is without scores.
        FormatError: a prediction's length is not the number of sentences.
    """
    prior, clips = items[0], list(items[1:])
    given = {name: p for name, p in predictions.items() if p.error is None}
    if prior.item_id not in given:
        raise InputError("epic_mir: the text prior has no scores; complete the run with the same command")
    scored = [clip for clip in clips if clip.item_id in given]
    if not scored:
        raise InputError(f"epic_mir: none of {len(clips)} clips has scores; see the errors in predictions.jsonl")
    for item in (prior, *scored):
        require_scores(given[item.item_id].scores, len(prior.options), item.item_id)
    sentences = prior.meta["sentences"]
    relevance = relevancy(
        [clip.meta["verb"] for clip in scored],
        [frozenset(clip.meta["nouns"]) for clip in scored],
        [sentence["verb"] for sentence in sentences],
        [frozenset(sentence["nouns"]) for sentence in sentences],
    )
    # Without its clips a sentence is no longer a query that has an answer.
    fits = (relevance == 1.0).any(axis=0)
    matrix = np.array([given[clip.item_id].scores for clip in scored], dtype=np.float64)[:, fits]
    text_prior = np.array(given[prior.item_id].scores, dtype=np.float64)[fits]
    queries = [sentence["narration_id"] for sentence, kept in zip(sentences, fits, strict=True) if kept]
    lost = (len(clips) - len(scored), len(sentences) - len(queries))
    return _measures(matrix, text_prior, relevance[:, fits], scored, queries, lost, settings)


def _measures(
    matrix: Floats,
    text_prior: Floats,
    relevance: Floats,
    clips: Sequence[Item],
    queries: Sequence[str],
    lost: tuple[int, int],
    settings: ScoreSettings,
) -> list[Measure]:
    seed, protocol, alpha = settings.seed, settings.protocol, settings.alpha
    to_video = retrieval(matrix.T, relevance.T, seed)
    chance = (_by_lot(relevance, seed), _by_lot(relevance.T, seed))
    recordings = [query.rsplit("_", 1)[0] for query in queries]
    measures: list[Measure] = []
    for weight in dict.fromkeys((alpha, 0.0)):
        to_text = retrieval(matrix - weight * text_prior, relevance, seed)
        for metric, name in (("average_precision", "mAP"), ("ndcg", "nDCG")):
            v2t = _stratum([clip.item_id for clip in clips], [clip.cluster for clip in clips], to_text, metric)
            t2v = _stratum(queries, recordings, to_video, metric)
            by_lot = [float(getattr(direction, metric).mean()) for direction in chance]
            label = f"({protocol}, alpha={weight:g})"
            both, one = f"epic_mir {name} {label}", f"epic_mir {name} V->T {label}"
            mean = sum(by_lot) / 2
            headline = weight == alpha
            measures += [
                measure(both, (v2t, t2v), seed=seed, unscored=lost[0], chance=mean, headline=headline),
                measure(one, (v2t,), seed=seed, unscored=lost[0], chance=by_lot[0]),
            ]
            if headline:
                title = f"epic_mir {name} T->V ({protocol})"
                measures.append(measure(title, (t2v,), seed=seed, unscored=lost[1], chance=by_lot[1]))
                lot = dict(zip(v2t.item_ids, getattr(chance[0], metric).tolist(), strict=True))
                measures += _by_label(one, v2t, lot, clips, seed)
    return measures


def _by_lot(relevance: Floats, seed: int) -> Retrieval:
    """Per-query figures of uniform random similarities: many draws for a small matrix, one for the full."""
    generator = np.random.default_rng(seed)
    count = int(np.clip(CHANCE_SCORES // relevance.size, 1, 50))
    draws = [retrieval(generator.random(relevance.shape), relevance, seed) for _ in range(count)]
    return Retrieval(
        average_precision=np.mean([draw.average_precision for draw in draws], axis=0),
        ndcg=np.mean([draw.ndcg for draw in draws], axis=0),
    )


def _stratum(names: Sequence[str], clusters: Sequence[str], direction: Retrieval, metric: str) -> Stratum:
    values = getattr(direction, metric).tolist()
    return Stratum(item_ids=tuple(names), clusters=tuple(clusters), values=tuple(values))


def _by_label(name: str, rows: Stratum, lot: Mapping[str, float], clips: Sequence[Item], seed: int) -> list[Measure]:
    values = dict(zip(rows.item_ids, rows.values, strict=True))
    measures: list[Measure] = []
    for labels, members in subsets(clips):
        if labels:
            stratum = Stratum(
                item_ids=tuple(clip.item_id for clip in members),
                clusters=tuple(clip.cluster for clip in members),
                values=tuple(values[clip.item_id] for clip in members),
            )
            chance = sum(lot[clip.item_id] for clip in members) / len(members)
            measures.append(measure(name, (stratum,), seed=seed, groups=labels, chance=chance))
    return measures


PROTOCOLS: dict[str, Ask] = {
    "matrix_narration": Ask(
        describe="clips x sentences, log P('Camera-wearer lifts the cup.' | clip); V->T minus alpha log P(sentence)",
        ask=ask_matrix_narration,
        example=lambda style: f"{styled(QUESTION, 'epic_mir', style)}\n-> {action_sentence('lift cup')}",
    ),
    "matrix": Ask(
        describe="clips x sentences as given, log P('lift cup' | clip); V->T minus alpha log P(sentence)",
        ask=ask_matrix,
        example=lambda style: f"{styled(QUESTION, 'epic_mir', style)}\n-> lift cup",
    ),
}

TASK = Task(
    name="epic_mir",
    title="EPIC-KITCHENS-100 MIR",
    load=load,
    protocols=PROTOCOLS,
    default_protocol="matrix_narration",
    score=score,
    official_sizes=(9_669, 9_669),
    published=(
        Published(measure="epic_mir mAP (", value=0.497, who="Exo2Ego (paper)", caution="its scoring is not described"),
        Published(
            measure="epic_mir nDCG (", value=0.636, who="Exo2Ego (paper)", caution="its scoring is not described"
        ),
        Published(measure="epic_mir mAP (", value=0.418, who="EgoVideo-L", caution="zero-shot dual encoder"),
    ),
)
