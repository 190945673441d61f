"""Charades-Ego: half a minute at home in first person; which of 157 classes of action are in it? Official mAP.

Files (CharadesEgo.zip of the Charades-Ego home page): `CharadesEgo_v1_test_only1st.csv` (847 first-person videos; or
`CharadesEgo_v0_egocentric_test.csv` of the older release) and `Charades_v1_classes.txt`, the texts of the classes, a
line `c008 Opening a door` each; `videos/<id>.mp4` or, as it is unpacked, `CharadesEgo_v1_480/<id>.mp4`. The whole video
is shown. Videos are ranked for each class, so scores must be comparable between videos: log-likelihoods of the class
texts are therefore normalised over the classes of a video (as LaViLa does), after alpha times their prior is taken off.
"""

import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from exo2ego.bench.files import fail, inner_path, read_csv, read_text
from exo2ego.bench.items import GROUPS_FILE, Item, pick, read_groups
from exo2ego.bench.mean_ap import Labels, class_precisions, video_bootstrap
from exo2ego.bench.metrics import Floats
from exo2ego.bench.model import AnswerModel
from exo2ego.bench.prompts import QUESTION, styled
from exo2ego.bench.stats import Stratum
from exo2ego.bench.tasks.base import Ask, Measure, Published, ScoreSettings, Task, as_prediction, measure
from exo2ego.bench.tasks.matrix import Rows, answered, ask_cosines, mean_log_likelihoods, prior_item
from exo2ego.errors import InputError, MissingFileError
from exo2ego.records import Prediction, VideoSpan

FILES = ("CharadesEgo_v1_test_only1st.csv", "CharadesEgo_v0_egocentric_test.csv")
CLASSES_FILE = "Charades_v1_classes.txt"
CLASSES = 157
FOLDERS = ("videos", "CharadesEgo_v1_480")
CHANCE_DRAWS = 20

_CLASS_LINE = re.compile(r"(c\d{3}) (\S.*)")


def load(root: Path, limit: int | None = None, seed: int = 0, full: bool = False) -> list[Item]:
    """The text prior, then one item a video; `limit` draws that many by lot. `full` changes nothing.

    Raises:
        MissingFileError, FormatError: a file is absent or breaks the format (file, line, field, value named).
    """
    texts = read_classes(root / CLASSES_FILE, count=None if (root / GROUPS_FILE).exists() else CLASSES)
    path = _file(root)
    labels = read_actions(path, len(texts))
    groups = read_groups(root)
    prior = prior_item(QUESTION, texts, {})
    ids = list(labels)
    return [
        prior,
        *(_item(root, ids[i], labels[ids[i]], texts, groups.get(ids[i], {})) for i in pick(ids, limit, seed)),
    ]


def _file(root: Path) -> Path:
    for name in FILES:
        if (root / name).exists() or (root / name).with_suffix(".pkl").exists():
            return root / name
    raise MissingFileError(f"{root}: neither {FILES[0]} nor {FILES[1]} is there; they are in CharadesEgo.zip")


def read_classes(path: Path, count: int | None = CLASSES) -> tuple[str, ...]:
    """Texts of the classes c000, c001, ... in order; `count` is how many there must be, None: any number.

    Raises:
        MissingFileError, FormatError: the file is absent, or a line is not the next class with a text of its own.
    """
    if not path.exists():
        raise MissingFileError(
            f"{path} is not there: it holds the texts of the classes, a line 'c008 Opening a door' each, and is part "
            "of CharadesEgo.zip; copy it there"
        )
    texts: list[str] = []
    for line, text in enumerate(read_text(path).splitlines(), start=1):
        match = _CLASS_LINE.fullmatch(text.strip())
        if match is None or int(match.group(1)[1:]) != len(texts):
            raise fail(path, f"line {line}", "class", text, f"must be 'c{len(texts):03d}' and its text")
        if match.group(2) in texts:
            raise fail(path, f"line {line}", "class", text, f"repeats the text of c{texts.index(match.group(2)):03d}")
        texts.append(match.group(2))
    if count is not None and len(texts) != count:
        raise fail(path, "file", "classes", len(texts), f"must be {count}; is the file complete?")
    return tuple(texts)


def read_actions(path: Path, classes: int) -> dict[str, list[int]]:
    """Video id -> numbers of the classes that occur in it, ascending; many videos have none.

    Times of the actions are checked to be numbers and not used: the whole video is shown (and most of them
    run past its end).

    Raises:
        MissingFileError, FormatError: as `read_csv`; an id that is no name or occurs twice, an action that is none, a
        video that is not first-person.
    """
    found: dict[str, list[int]] = {}
    for line, row in read_csv(path, ("id", "actions", "length")):
        where, name = f"line {line}", row["id"]
        if not name or os.path.basename(name) != name or not inner_path(name):
            raise fail(path, where, "id", name, "must be the name of a video")
        if name in found:
            raise fail(path, where, "id", name, "occurs twice; keep one line")
        if row.get("egocentric", "Yes") != "Yes":
            raise fail(path, where, "egocentric", row["egocentric"], f"is no first-person video; use {FILES[0]}")
        if row["length"] and not _number(row["length"]) > 0:  # empty in some real rows, and used for nothing here
            raise fail(path, where, "length", row["length"], "must be a number of seconds")
        actions = [action for action in row["actions"].split(";") if action.strip()]
        found[name] = sorted({_class(path, where, action, classes) for action in actions})
    if not found:
        raise fail(path, "file", "rows", 0, "must be one at least; is the file complete?")
    return found


def _class(path: Path, where: str, action: str, classes: int) -> int:
    """`c092 11.90 21.20` -> 92."""
    parts = action.split()
    if len(parts) != 3 or not re.fullmatch(r"c\d{3}", parts[0]):
        raise fail(path, where, "actions", action, "must look like 'c092 11.90 21.20'")
    if not 0 <= _number(parts[1]) <= _number(parts[2]):
        raise fail(path, where, "actions", action, "must have its start before its end, in seconds")
    number = int(parts[0][1:])
    if number >= classes:
        raise fail(path, where, "actions", action, f"is no class of {CLASSES_FILE}, which ends with c{classes - 1:03d}")
    return number


def _number(text: str) -> float:
    """A finite number, else NaN, which no comparison lets through."""
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def _item(root: Path, name: str, actions: list[int], texts: tuple[str, ...], labels: Mapping[str, str]) -> Item:
    folder = next((one for one in FOLDERS if os.path.isfile(root / one / f"{name}.mp4")), FOLDERS[0])
    return Item(
        item_id=name,
        question=QUESTION,
        videos=(VideoSpan(path=f"{folder}/{name}.mp4"),),
        options=texts,
        cluster=name,
        groups=dict(labels),
        meta={"classes": actions},
    )


def ask_likelihood(model: AnswerModel, item: Item, style: str) -> Prediction:
    """Mean log P per token of each class text, given the video (the prior: given none); the video is encoded once."""
    return as_prediction(item, mean_log_likelihoods("charades_ego", model, item, style, item.options))


def score(items: Sequence[Item], predictions: Mapping[str, Prediction], settings: ScoreSettings) -> list[Measure]:
    """mAP over the classes; the interval is over videos, chance is random scores on these very videos.

    Where some class has no video, the official figure is not a number; the mean over the others then has a name of its
    own, which says over how many.

    Raises:
        InputError: the text prior or every video is without scores, or no video has any label.
        FormatError: a prediction's length is not the number of classes.
    """
    classes = len(items[0].options)
    rows = answered("charades_ego", items, predictions, classes)
    labels: Labels = np.zeros((len(rows.clips), classes), dtype=bool)
    for row, clip in enumerate(rows.clips):
        labels[row, clip.meta["classes"]] = True
    if not labels.any():
        raise InputError(f"charades_ego: none of {len(rows.clips)} videos with scores has a label; ask more of them")
    lost = len(items) - 1 - len(rows.clips)
    protocol = settings.protocol
    if protocol == "standard":
        return [_figure(f"({protocol})", rows.matrix, labels, lost, settings.seed, headline=True)]
    return [
        _figure(f"({protocol}, alpha={alpha:g})", normalised(rows, alpha), labels, lost, settings.seed, headline=not n)
        for n, alpha in enumerate(dict.fromkeys((settings.alpha, 0.0)))
    ]


def normalised(rows: Rows, alpha: float) -> Floats:
    """float64[videos, classes]: log-softmax over a video's classes of log P(text | video) - alpha log P(text)."""
    corrected = rows.matrix - alpha * rows.prior
    shifted = corrected - corrected.max(axis=1, keepdims=True)
    out: Floats = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return out


def _figure(label: str, scores: Floats, labels: Labels, lost: int, seed: int, *, headline: bool) -> Measure:
    """mAP as a mean over classes (so that two runs can be compared class by class), with the interval over videos."""
    some = np.flatnonzero(labels.any(axis=0))
    precisions = class_precisions(scores, labels, seed)[some].tolist()
    names = tuple(f"c{number:03d}" for number in some)
    whole = len(some) == labels.shape[1]
    title = "charades_ego mAP" if whole else f"charades_ego mAP over {len(some)} of {labels.shape[1]} classes"
    stratum = Stratum(item_ids=names, clusters=names, values=tuple(precisions))
    chance = _by_lot(labels, seed)
    found = measure(f"{title} {label}", (stratum,), seed=seed, unscored=lost, chance=chance, headline=headline)
    value, (low, high) = found.score.value, video_bootstrap(scores, labels, seed)
    counted = replace(found.score, low=min(low, value), high=max(high, value), n=len(scores))
    return replace(found, score=counted)


def _by_lot(labels: Labels, seed: int) -> float:
    """What random scores get on these videos."""
    generator = np.random.default_rng(seed)
    draws = [np.nanmean(class_precisions(generator.random(labels.shape), labels, seed)) for _ in range(CHANCE_DRAWS)]
    return float(np.mean(draws))


PROTOCOLS: dict[str, Ask] = {
    "likelihood": Ask(
        describe="mean log P(class text | video) minus alpha times its prior, softmax over classes; official mAP",
        ask=ask_likelihood,
        example=lambda style: f"{styled(QUESTION, 'charades_ego', style)}\n-> Opening a door",
    ),
    "standard": Ask(
        describe="as dual encoders are measured: cosine between vectors of video and class text; official mAP",
        ask=partial(ask_cosines, lambda item: item.options),
        example=lambda style: "vector of the video; vector of: Opening a door",
        needs=frozenset({"embeddings"}),
    ),
}

_MEASURE = "charades_ego mAP ("

TASK = Task(
    name="charades_ego",
    title="Charades-Ego",
    load=load,
    protocols=PROTOCOLS,
    default_protocol="likelihood",
    score=score,
    official_sizes=(848, 848),
    published=(
        Published(
            measure=_MEASURE, value=0.709, who="Exo2Ego (paper)", caution="cannot be this protocol; it is not described"
        ),
        Published(measure=_MEASURE, value=0.250, who="EgoVLP", caution="zero-shot dual encoder, standard"),
        Published(measure=_MEASURE, value=0.289, who="LaViLa-L", caution="zero-shot dual encoder, standard"),
        Published(measure=_MEASURE, value=0.309, who="EVA02-AT-L", caution="zero-shot dual encoder, standard"),
        Published(measure=_MEASURE, value=0.425, who="EVA02-AT-L", caution="fine-tuned dual encoder, standard"),
    ),
)
