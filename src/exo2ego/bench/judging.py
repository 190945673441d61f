"""Asking a judge about the answers of a run: continued where it stopped, never twice, and how far two judges agree."""

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from exo2ego.bench.files import read_json_lines, write_text
from exo2ego.bench.items import Item, read_items
from exo2ego.bench.judge import Judge, JudgePrompt, JudgeRequest, Verdict
from exo2ego.bench.judgements import (
    JUDGEMENTS_FILE,
    JUDGES_FILE,
    read_judges,
    read_replies,
    read_verdicts,
    requests,
)
from exo2ego.bench.model import CountsUsage
from exo2ego.bench.predictions import PREDICTIONS_FILE, read_predictions
from exo2ego.bench.run import ITEMS_FILE, read_run
from exo2ego.bench.tasks import TASKS
from exo2ego.data.lines import LineLog
from exo2ego.data.told import Progress
from exo2ego.errors import InputError, OutageError, OutputError
from exo2ego.records import Prediction, Usage

BATCH = 8
"""Replies between two fsyncs, for each request that the judge takes at once."""
AGREEMENT_FILE = "agreement.json"
IDENTITY = ("fingerprint", "system", "user")
"""What must be the same when a judge goes on; how many requests it takes at once may change."""
OUTAGES = (OutageError, ConnectionError, TimeoutError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """How far a judge has come with a run."""

    judge: str
    total: int
    """Answers that are to be judged."""
    judged: int
    unjudged: int
    """Replies that were not the expected object; part of `judged`."""
    outages: int
    """Answers that the judge gave no reply to in this session; the same command asks them again."""
    usage: Usage


def judgeable(out: Path) -> bool:
    """Whether the run in `out` holds free text that a judge can grade."""
    record = read_run(out)
    task = TASKS.get(record["task"])
    return task is not None and record["protocol"] in task.protocols and task.protocols[record["protocol"]].judged


def read_answers(out: Path) -> tuple[list[Item], dict[str, Prediction]]:
    """Items and predictions of a run with free text.

    Raises:
        InputError: its protocol gives letters or scores.
        MissingFileError, FormatError: a file is absent or damaged.
    """
    if not judgeable(out):
        record = read_run(out)
        raise InputError(f"{out}: {record['task']} with protocol {record['protocol']} holds no free text to judge")
    return read_items(out / ITEMS_FILE), read_predictions(out / PREDICTIONS_FILE)


def judge_run(
    out: Path,
    judge: Judge,
    prompt: JudgePrompt,
    pinned: Mapping[str, str],
    on_progress: Progress | None = None,
) -> Judged:
    """Put every answer of the run in `out` to `judge` that it has not judged yet; replies are on the disk as they come.

    `pinned` tells the judge apart from others of its name (spec, hash of its files); it is written to `judges.json`.

    Raises:
        InputError, FormatError, MissingFileError: as `read_answers`.
        OutputError: another judge has this name and these words here, or the disk refuses.
        OutageError: the judge answers none of a whole batch; what it has answered is kept.
    """
    items, predictions = read_answers(out)
    key = f"{judge.name}#{prompt.digest}"
    wanted = list(requests(items, predictions, prompt))
    with LineLog(out / JUDGEMENTS_FILE) as log:
        _pin(out, key, {**pinned, "system": prompt.system, "user": prompt.user})
        given = read_replies(out).get(key, {})
        waiting = [(i, request) for i, request in wanted if given.get(i, ("", ""))[0] != request.digest]
        outages = 0
        for done, records in _ask(judge, key, waiting):
            log.append_records([record for record in records if record is not None])
            lost = records.count(None)
            outages += lost
            if on_progress is not None:
                on_progress(len(wanted) - len(waiting) + done - outages, len(wanted))
            if lost == len(records):
                raise OutageError(f"judge {key} gives no reply; {done - outages} new ones are kept, run it again later")
    verdicts = read_verdicts(out, items, predictions)[key]
    return Judged(
        judge=key,
        total=len(wanted),
        judged=len(verdicts),
        unjudged=sum(verdict.correct is None for verdict in verdicts.values()),
        outages=outages,
        usage=_spent(out, key),
    )


def _pin(out: Path, key: str, pinned: dict[str, str]) -> None:
    judges = read_judges(out)
    known = judges.get(key)
    field = next((name for name in IDENTITY if known is not None and known.get(name) != pinned.get(name)), None)
    if known is not None and field is not None:
        raise OutputError(
            f"{out / JUDGES_FILE}: judge {key} was asked with {field} {known.get(field)!r}, not {pinned.get(field)!r}; "
            "two judges are not mixed: use the first one, or judge a copy of the run"
        )
    if known is None:
        write_text(out / JUDGES_FILE, json.dumps({**judges, key: pinned}, indent=2, ensure_ascii=False) + "\n")


def _ask(
    judge: Judge, key: str, waiting: Sequence[tuple[str, JudgeRequest]]
) -> Iterator[tuple[int, list[dict[str, Any] | None]]]:
    """(answers put to the judge so far, lines of this batch in order; None for an outage)."""

    def one(pair: tuple[str, JudgeRequest]) -> dict[str, Any] | None:
        item_id, request = pair
        try:
            reply = judge.complete(request)
        except OUTAGES:
            return None
        line: dict[str, Any] = {"judge": key, "item_id": item_id, "asked": request.digest, "reply": reply}
        usage = judge.take_usage() if isinstance(judge, CountsUsage) else None
        return line if usage is None else {**line, "usage": asdict(usage)}

    size = BATCH * judge.concurrency
    with ThreadPoolExecutor(judge.concurrency) as pool:
        for first in range(0, len(waiting), size):
            batch = waiting[first : first + size]
            yield first + len(batch), list(pool.map(one, batch))


def _spent(out: Path, key: str) -> Usage:
    """What all requests of this judge have cost, of every session."""
    usages = [
        Usage(**record["usage"])
        for _, record in read_json_lines(out / JUDGEMENTS_FILE)
        if record.get("judge") == key and isinstance(record.get("usage"), dict)
    ]
    return Usage.total(usages)


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Two judges on the answers that both have judged."""

    first: str
    second: str
    n: int
    equal: float
    """Share with the same yes or no."""
    kappa: float | None
    """Cohen's kappa of yes and no; None where both said one and the same word only."""
    score_gap: float
    """Mean distance of the scores, in points of 5."""
    yes: tuple[float, float]
    """Share of yes of each: what the figure of the run would be."""


def agreements(out: Path) -> list[Agreement]:
    """Every pair of judges of a run, on the answers that both have judged.

    Raises:
        InputError: fewer than two judges, or two without a common answer.
        MissingFileError, FormatError: as `read_answers`.
    """
    items, predictions = read_answers(out)
    verdicts = read_verdicts(out, items, predictions)
    if len(verdicts) < 2:
        raise InputError(f"{out}: {len(verdicts)} judge(s) asked; agreement needs two: run `bench judge` with another")
    return [compare(first, verdicts[first], second, verdicts[second]) for first, second in combinations(verdicts, 2)]


def write_agreements(out: Path, found: Sequence[Agreement]) -> Path:
    """Write them to `agreement.json` beside the run; returns its path."""
    path = out / AGREEMENT_FILE
    write_text(path, json.dumps([asdict(pair) for pair in found], indent=2) + "\n")
    return path


def compare(first: str, ours: Mapping[str, Verdict], second: str, theirs: Mapping[str, Verdict]) -> Agreement:
    """The agreement of two judges. Raises InputError when they share no judged answer."""
    pairs = [
        (verdict, theirs[item_id])
        for item_id, verdict in ours.items()
        if verdict.correct is not None and item_id in theirs and theirs[item_id].correct is not None
    ]
    if not pairs:
        raise InputError(f"judges {first} and {second} have judged no answer in common")
    said = [(a.correct is True, b.correct is True) for a, b in pairs]
    return Agreement(
        first=first,
        second=second,
        n=len(pairs),
        equal=sum(a == b for a, b in said) / len(said),
        kappa=cohens_kappa(said),
        score_gap=sum(abs((a.score or 0) - (b.score or 0)) for a, b in pairs) / len(pairs),
        yes=(sum(a for a, _ in said) / len(said), sum(b for _, b in said) / len(said)),
    )


def cohens_kappa(pairs: Sequence[tuple[bool, bool]]) -> float | None:
    """Agreement beyond what the two shares of yes would give by chance; None where chance alone agrees always.

    >>> cohens_kappa([(True, True), (True, False), (False, False), (False, False)])
    0.5
    """
    n = len(pairs)
    observed = sum(a == b for a, b in pairs) / n
    ours, theirs = sum(a for a, _ in pairs) / n, sum(b for _, b in pairs) / n
    expected = ours * theirs + (1 - ours) * (1 - theirs)
    return None if expected == 1.0 else (observed - expected) / (1 - expected)
