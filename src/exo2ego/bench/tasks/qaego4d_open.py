"""QAEgo4D open: one long clip, one question, an answer in the model's own words.

File: `annotations.QaEgo4D_test.json` (unified form) or the older `annotations.test.json`; `videos/<clip>.mp4`.
Figures of the data set's scorer (plain accuracy, ROUGE-L), kinder ones (exact match after normalisation, token F1,
BLEU-1), and those of a judge once `exo2ego bench judge` has asked one. No METEOR: it needs a download (WordNet).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from exo2ego.bench.items import Item, chance_of, pick, read_groups
from exo2ego.bench.model import AnswerModel
from exo2ego.bench.prompts import short_answer, styled
from exo2ego.bench.tasks.base import Ask, Measure, Published, ScoreSettings, Task, subsets
from exo2ego.bench.tasks.qaego4d_rows import read_rows
from exo2ego.bench.tasks.texts import Mark, judge_measures, mean_measures, metric_marker
from exo2ego.bench.text_metrics import METRICS
from exo2ego.errors import MissingFileError
from exo2ego.records import Prediction

FILES = ("annotations.QaEgo4D_test.json", "annotations.test.json")
"""The first that is there is read: both hold the same questions."""
ANSWER_TOKENS = 32
MAIN_METRIC = "exact match"


def load(root: Path, limit: int | None = None, seed: int = 0, full: bool = False) -> list[Item]:
    """The questions of the test set; `limit` draws that many by lot. `full` changes nothing.

    Raises:
        MissingFileError, FormatError: the file is absent or breaks the format (file, row, field, value named).
    """
    path = next((root / name for name in FILES if (root / name).is_file()), None)
    if path is None:
        raise MissingFileError(f"{root}: neither {' nor '.join(FILES)} is there; check --root")
    rows, groups = read_rows(path), read_groups(root)
    items = []
    for row in rows:
        labels = groups.get(row.sample_id, {})
        chance = chance_of(labels, 1) if "chance" in labels else None
        items.append(row.item((row.answer,), 0, chance, labels))
    return [items[index] for index in pick([item.item_id for item in items], limit, seed)]


def ask_open(model: AnswerModel, item: Item, style: str) -> Prediction:
    """The question and the request for a few words; the right answer is not shown."""
    question = short_answer(styled(item.question, "qaego4d_open", style))
    return Prediction(item_id=item.item_id, text=model.generate(item.videos[0], question, max_new_tokens=ANSWER_TOKENS))


def score(items: Sequence[Item], predictions: Mapping[str, Prediction], settings: ScoreSettings) -> list[Measure]:
    """A judge's figures first (where one was asked), then those of the words themselves; told and facet parts too."""
    measures = judge_measures("qaego4d_open", lambda: subsets(items), predictions, settings, headline=True)
    judged = bool(measures)
    for name, metric in METRICS.items():
        main = name == MAIN_METRIC
        measures += mean_measures(
            f"qaego4d_open {name} ({settings.protocol})",
            subsets(items) if main else [({}, items)],
            predictions,
            settings,
            metric_marker(metric),
            headline=main and not judged,
            chance=lambda item: item.chance,
        )
    for model, values in settings.similarities.items():
        measures += similarity_measures(items, predictions, settings, model, values)
    return measures


def similarity_measures(
    items: Sequence[Item],
    predictions: Mapping[str, Prediction],
    settings: ScoreSettings,
    model: str,
    values: Mapping[str, float],
) -> list[Measure]:
    """Mean cosine of the sentence vectors, as GroundVQA reports it; an answer without one is unscored."""

    def mark(item: Item, prediction: Prediction) -> Mark | None:
        value = values.get(item.item_id)
        return None if value is None else Mark(value=value)

    if not any(item.item_id in values for item in items):
        return []
    title = f"qaego4d_open sentence similarity ({settings.protocol}, {model})"
    return mean_measures(title, [({}, items)], predictions, settings, mark)


PROTOCOLS: dict[str, Ask] = {
    "open": Ask(
        describe="the model writes a few words, which are compared with the answer",
        ask=ask_open,
        example=lambda style: short_answer(styled("Where was the cup before I picked it up?", "qaego4d_open", style)),
        needs=frozenset({"text"}),
        judged=True,
    ),
}

_JUDGE = "judge of gpt-3.5 kind, version and words not stated; judges differ by 10 points and more"

TASK = Task(
    name="qaego4d_open",
    title="QAEgo4D open",
    load=load,
    protocols=PROTOCOLS,
    default_protocol="open",
    score=score,
    folder="qaego4d",
    official_sizes=(1_800, 1_900),
    published=(
        Published(measure="qaego4d_open judge accuracy", value=0.283, who="Exo2Ego (paper)", caution=_JUDGE),
        Published(
            measure="qaego4d_open judge score", value=2.7 / 5, who="Exo2Ego (paper)", caution=f"2.7 of 5; {_JUDGE}"
        ),
        Published(
            measure="qaego4d_open plain accuracy",
            value=0.132,
            who="DMC3",
            caution="fine-tuned on QAEgo4D; which accuracy is not stated in the text read",
        ),
    ),
)
