"""Judging a run: nothing asked twice, nothing lost, outages unscored, judges never mixed, agreement as defined."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from bench_fakes import FakeModel
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from exo2ego.bench.judge import JudgeRequest, RuleJudge, Verdict, read_prompt
from exo2ego.bench.judgements import JUDGEMENTS_FILE, JUDGES_FILE
from exo2ego.bench.judging import (
    BATCH,
    Judged,
    agreements,
    cohens_kappa,
    compare,
    judge_run,
    judgeable,
    write_agreements,
)
from exo2ego.bench.predictions import PREDICTIONS_FILE
from exo2ego.bench.run import RunSettings, run
from exo2ego.bench.score import score_folder
from exo2ego.bench.tasks import TASKS
from exo2ego.errors import FormatError, InputError, OutageError, OutputError
from exo2ego.records import Usage

PINNED = {"spec": "fake", "fingerprint": ""}


class FakeJudge:
    """Says yes to what holds a word; goes away after some replies; counts what it was asked."""

    name = "big"

    def __init__(self, word: str = "cup", after: int = 10**6, concurrency: int = 1) -> None:
        self.word, self.after, self.concurrency = word, after, concurrency
        self.asked: list[JudgeRequest] = []
        self._lock = threading.Lock()

    def complete(self, request: JudgeRequest) -> str:
        with self._lock:
            if len(self.asked) >= self.after:
                raise OutageError("the server is away")
            self.asked.append(request)
        good = self.word in request.predicted
        return json.dumps({"pred": "yes" if good else "no", "score": 5 if good else 0})

    def take_usage(self) -> Usage | None:
        return Usage(requests=1, prompt_tokens=10, completion_tokens=2, cost=0.5)


@pytest.fixture
def out(bench_root: Path, tmp_path: Path) -> Path:
    """A run of QAEgo4D open in which every second item is answered `a cup` and the others `a hat`."""
    task, root = TASKS["qaego4d_open"], bench_root / "qaego4d"
    model = FakeModel(lambda video, text: 0.0)
    items = task.load(root)
    settings = RunSettings(task=task.name, protocol="open", model="fake")
    run(model, task, items, root, tmp_path / "run", settings)
    texts = {item.item_id: ("a cup", "a hat")[number % 2] for number, item in enumerate(items)}
    rewrite(tmp_path / "run", lambda line: {**line, "text": texts[line["item_id"]]})
    return tmp_path / "run"


def rewrite(out: Path, change: Any) -> None:
    path = out / PREDICTIONS_FILE
    lines = [change(json.loads(line)) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def judge(out: Path, one: Any, prompt: Any = None, **pinned: str) -> Judged:
    return judge_run(out, one, prompt or read_prompt(), {**PINNED, **pinned})


def figures(out: Path) -> dict[str, Any]:
    return {m.score.name: m.score for m in score_folder(out).measures if "judge" in m.score.name and not m.score.groups}


def test_verdicts_become_figures(out: Path) -> None:
    judged = judge(out, FakeJudge())
    assert (judged.total, judged.judged, judged.unjudged, judged.outages) == (8, 8, 0, 0)
    assert judged.usage == Usage(requests=8, prompt_tokens=80, completion_tokens=16, cost=4.0)
    name = f"qaego4d_open judge accuracy (open, judge big#{read_prompt().digest})"
    assert figures(out)[name].value == 0.5
    pinned = json.loads((out / JUDGES_FILE).read_text())[judged.judge]
    assert pinned["system"] == read_prompt().system
    assert pinned["spec"] == "fake"


def test_a_stopped_judge_goes_on_and_asks_nothing_twice(out: Path) -> None:
    judge(out, FakeJudge())
    path = out / JUDGEMENTS_FILE
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:5]) + lines[5][:20])  # killed while it wrote the sixth
    again = FakeJudge()
    judged = judge(out, again)
    assert len(again.asked) == 3
    assert path.read_bytes() == whole
    assert (judged.judged, judged.usage.requests) == (8, 8)
    last = FakeJudge()
    judge(out, last)
    assert not last.asked


def test_many_threads_write_the_same_file_as_one(out: Path, tmp_path: Path) -> None:
    judge(out, FakeJudge())
    one = (out / JUDGEMENTS_FILE).read_bytes()
    (out / JUDGEMENTS_FILE).unlink()
    judge(out, FakeJudge(concurrency=4))
    assert (out / JUDGEMENTS_FILE).read_bytes() == one


def test_an_outage_is_unscored_and_asked_again(out: Path) -> None:
    part = judge(out, FakeJudge(after=5))
    assert (part.judged, part.outages) == (5, 3)
    accuracy = next(score for name, score in figures(out).items() if "accuracy" in name)
    assert (accuracy.n, accuracy.unscored, accuracy.value) == (5, 3, pytest.approx(3 / 5))
    with pytest.raises(OutageError, match="gives no reply; 0 new ones are kept, run it again later"):
        judge(out, FakeJudge(after=0))
    rest = FakeJudge()
    assert judge(out, rest).judged == 8
    assert len(rest.asked) == 3
    assert BATCH >= 8  # else this run would have ended after the first batch


def test_unreadable_replies_are_kept_counted_and_wrong(out: Path) -> None:
    class Chatty(FakeJudge):
        def complete(self, request: JudgeRequest) -> str:
            super().complete(request)
            return "yes, of course!"

    judged = judge(out, Chatty())
    assert (judged.judged, judged.unjudged) == (8, 8)
    accuracy = next(score for name, score in figures(out).items() if "accuracy" in name)
    assert (accuracy.value, accuracy.n, accuracy.unjudged) == (0.0, 8, 8)
    assert "of course" in (out / JUDGEMENTS_FILE).read_text()
    assert not FakeJudge().asked


def test_a_verdict_belongs_to_the_words_it_was_given_for(out: Path) -> None:
    judge(out, FakeJudge())
    rewrite(out, lambda line: {**line, "text": "the cup"} if line["text"] == "a hat" else line)
    accuracy = next(score for name, score in figures(out).items() if "accuracy" in name)
    assert (accuracy.n, accuracy.unscored, accuracy.value) == (4, 4, 1.0)  # verdicts on `a hat` count no more
    again = FakeJudge()
    judge(out, again)
    assert [request.predicted for request in again.asked] == ["the cup"] * 4
    assert next(iter(figures(out).values())).n == 8


def test_blank_and_missing_answers_are_not_put_to_a_judge(out: Path) -> None:
    numbers = iter(range(8))
    texts = [" ", "...", None, "a cup", "a cup", "a cup", "a cup", "a cup"]
    rewrite(out, lambda line: {**line, "text": texts[next(numbers)]})
    rewrite(out, lambda line: {**line, "error": "VideoError: x"} if line["text"] is None else line)
    one = FakeJudge()
    assert judge(out, one).total == 5
    accuracy = next(score for name, score in figures(out).items() if "accuracy" in name)
    assert (accuracy.n, accuracy.unparsed, accuracy.unscored) == (7, 2, 1)
    assert accuracy.value == pytest.approx(5 / 7)


def test_two_judges_under_one_name_are_refused_and_other_words_are_another_judge(out: Path) -> None:
    judge(out, FakeJudge(), fingerprint="one")
    with pytest.raises(OutputError, match="was asked with fingerprint 'one', not 'two'"):
        judge(out, FakeJudge(), fingerprint="two")
    ours = read_prompt()
    other = type(ours)(system="Be kind.", user=ours.user)
    judge(out, FakeJudge("hat"), other)
    assert len(json.loads((out / JUDGES_FILE).read_text())) == 2
    assert len([name for name in figures(out) if "accuracy" in name]) == 2


def test_letters_and_scores_are_not_judged(bench_root: Path, tmp_path: Path) -> None:
    task, root = TASKS["qaego4d_closed"], bench_root / "qaego4d"
    settings = RunSettings(task=task.name, protocol="letter", model="fake")
    run(FakeModel(lambda video, text: 0.0), task, task.load(root), root, tmp_path / "run", settings)
    assert not judgeable(tmp_path / "run")
    with pytest.raises(InputError, match="qaego4d_closed with protocol letter holds no free text to judge"):
        judge(tmp_path / "run", FakeJudge())


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (JUDGEMENTS_FILE, '{"judge": "x", "item_id": "i", "asked": "a"}\n', "row 1: judge, item_id, asked, reply = "),
        (
            JUDGEMENTS_FILE,
            '{"judge": "x", "item_id": "i", "asked": "a", "reply": "r"}\n',
            "judge 'x' is not in",
        ),
        (JUDGEMENTS_FILE, "no json\n", "row 1, column 1: not JSON"),
        (JUDGES_FILE, "[]", "top level: type = 'list' must be an object"),
        (
            JUDGES_FILE,
            '{"x": {"system": "s"}}',
            "judge x: prompt = {'system': 's'} must hold the texts",
        ),
        ("similarity.json", '{"m": {"i": 3}}', "damaged"),
        ("similarity.json", '{"m": [1]}', "damaged"),
        ("similarity.json", "[]", "damaged"),
    ],
)
def test_damaged_files_are_one_line(out: Path, name: str, content: str, message: str) -> None:
    (out / name).write_text(content)
    with pytest.raises(FormatError) as caught:
        score_folder(out)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_agreement_of_two_judges(out: Path) -> None:
    judge(out, FakeJudge())
    with pytest.raises(InputError, match=r"1 judge\(s\) asked; agreement needs two"):
        agreements(out)
    judge(out, RuleJudge(), spec="rule")
    (pair,) = agreements(out)
    # Right: cup, box, jar, pan, book, cup, box, jar; `a cup` was said of items 0, 2, 4, 6 and `a hat` of the others.
    assert (pair.n, pair.equal, pair.yes) == (8, pytest.approx(5 / 8), (0.5, pytest.approx(1 / 8)))
    assert pair.kappa == pytest.approx(0.25)
    assert pair.score_gap == pytest.approx((0 + 0 + 5 + 0 + 5 + 0 + 5 + 0) / 8)
    assert json.loads(write_agreements(out, [pair]).read_text())[0]["first"].startswith("big#")


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30))
def test_kappa_is_the_library_s(pairs: list[tuple[bool, bool]]) -> None:
    ours, theirs = zip(*pairs, strict=True)
    found = cohens_kappa(pairs)
    if found is None:
        assert len({*ours, *theirs}) == 1
    else:
        assert found == pytest.approx(cohen_kappa_score(ours, theirs))


def test_judges_without_a_common_answer_cannot_be_compared() -> None:
    yes, unread = Verdict(correct=True, score=5), Verdict(correct=None, score=None)
    with pytest.raises(InputError, match="judges a and b have judged no answer in common"):
        compare("a", {"1": yes, "2": unread}, "b", {"2": yes, "1": unread})
    assert compare("a", {"1": yes}, "b", {"1": yes}).kappa is None
