"""EgoSchema: the real files' form, the 500 and the rest, three protocols, what a submission holds."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bench_fakes import FakeModel, schema_rows

from exo2ego.bench.tasks import egoschema
from exo2ego.bench.tasks.base import ScoreSettings
from exo2ego.bench.tasks.choice import choose
from exo2ego.errors import FormatError, InputError
from exo2ego.records import Prediction

REAL = Path(__file__).parents[3] / "shared/data/egoschema"


def predict(items: list[Any], **given: Prediction) -> dict[str, Prediction]:
    return {item.item_id: given.get(item.item_id, Prediction(item_id=item.item_id, text="A")) for item in items}


def test_only_questions_with_public_answers_are_asked_unless_full(bench_root: Path) -> None:
    subset, full = (egoschema.load(bench_root / "egoschema", full=full) for full in (False, True))
    assert (len(subset), len(full)) == (10, 12)
    assert full[11].answer is None
    assert subset[3].question == "What is moved in 3?"
    assert subset[3].answer == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[1].update(q_uid="q0"), "row 2: q_uid = 'q0' occurs twice"),
        (lambda rows: rows[1].pop("question"), "row 2: question = None is missing"),
        (lambda rows: rows[1].pop("option 3"), "option 3"),
        (lambda rows: rows[1].update({"option 3": rows[1]["option 2"]}), "repeats an option"),
        (lambda rows: rows[1].update({"option 3": 7}), "must be a text"),
        (lambda rows: rows[1].update(q_uid="a/b"), "name of a question"),
        (lambda rows: rows.pop(0), "is not in questions.json"),
    ],
)
def test_a_broken_row_is_named(bench_root: Path, change: Callable[[list[dict[str, Any]]], None], message: str) -> None:
    rows = schema_rows()
    change(rows)
    (bench_root / "egoschema/questions.json").write_text(json.dumps(rows))
    with pytest.raises(FormatError) as caught:
        egoschema.load(bench_root / "egoschema")
    assert message in str(caught.value)


@pytest.mark.parametrize("answer", [5, -1, "B", 1.0, None])
def test_an_answer_out_of_range_is_named(bench_root: Path, answer: object) -> None:
    (bench_root / "egoschema/subset_answers.json").write_text(json.dumps({"q3": answer}))
    with pytest.raises(FormatError, match=r"subset_answers\.json: question q3: answer"):
        egoschema.load(bench_root / "egoschema")


def test_windows_of_one_recording_are_one_cluster(bench_root: Path) -> None:
    windows = {f"q{n}": {"video_uid": "rec", "starting_sec": 0, "ending_sec": 180} for n in range(4)}
    (bench_root / "egoschema/uid_to_ego4d.json").write_text(json.dumps(windows))
    clusters = [item.cluster for item in egoschema.load(bench_root / "egoschema")]
    assert clusters[:4] == ["rec"] * 4
    assert clusters[4] == "q4"


def test_the_sum_prefers_short_options_and_the_mean_does_not(bench_root: Path) -> None:
    rows = schema_rows()
    rows[0].update({"option 0": "Cup.", "option 1": "A very long and very exact answer."})
    (bench_root / "egoschema/questions.json").write_text(json.dumps(rows))
    item = egoschema.load(bench_root / "egoschema")[0]
    model = FakeModel(lambda video, text: -0.5 * len(text.split()) if "long" in text else -1.0 * len(text.split()))
    assert choose(item, egoschema.PROTOCOLS["likelihood"].ask(model, item, "base")) == 0
    assert choose(item, egoschema.PROTOCOLS["likelihood_mean"].ask(model, item, "base")) == 1
    assert {asked[1] for asked in model.asked} == {"What is moved in 0?"}  # verbatim


def test_unparsed_is_wrong_and_counted_and_an_error_is_left_out(bench_root: Path) -> None:
    items = egoschema.load(bench_root / "egoschema")
    predictions = {
        item.item_id: Prediction(item_id=item.item_id, text=f"({'ABCDE'[item.answer or 0]})") for item in items
    }
    predictions["q1"] = Prediction(item_id="q1", text="I cannot tell.")
    predictions["q2"] = Prediction(item_id="q2", error="VideoError: no frames")
    del predictions["q3"]
    overall = egoschema.score(items, predictions, ScoreSettings(protocol="letter"))[0].score
    assert (overall.n, overall.unparsed, overall.unscored) == (8, 1, 2)
    assert overall.value == pytest.approx(7 / 8)


def test_told_and_untold_are_reported_apart(bench_root: Path) -> None:
    items = egoschema.load(bench_root / "egoschema")
    predictions = predict(
        items,
        **{
            i.item_id: Prediction(item_id=i.item_id, text="ABCDE"[i.answer or 0])
            for i in items
            if i.groups["told"] == "told"
        },
    )
    measures = egoschema.score(items, predictions, ScoreSettings(protocol="letter"))
    values = {tuple(m.score.groups.items()): (m.score.value, m.score.n) for m in measures}
    assert values[(("told", "told"),)] == (1.0, 5)
    assert values[(("told", "untold"),)] == (0.2, 5)
    assert values[(("facet", "colour"),)][1] == 5
    assert [m.headline for m in measures] == [True, False, False, False, False]


def test_chance_is_what_the_groups_file_says(bench_root: Path) -> None:
    groups = {f"q{n}": {"told": "untold", "chance": "0.5"} for n in range(5)}
    (bench_root / "egoschema/groups.json").write_text(json.dumps(groups))
    items = egoschema.load(bench_root / "egoschema")
    measures = egoschema.score(items, predict(items), ScoreSettings(protocol="letter"))
    assert [measure.score.chance for measure in measures] == [pytest.approx(0.35), pytest.approx(0.5)]
    (bench_root / "egoschema/groups.json").write_text('{"q0": {"chance": "1 in 5"}}')
    with pytest.raises(FormatError, match="chance '1 in 5'"):
        egoschema.load(bench_root / "egoschema")


def test_the_submission_holds_every_readable_answer_and_no_other(bench_root: Path) -> None:
    items = egoschema.load(bench_root / "egoschema", full=True)
    predictions = predict(items, q11=Prediction(item_id="q11", text="?"), q10=Prediction(item_id="q10", text="(C)"))
    files = egoschema.submission(items, predictions)
    assert json.loads(files["submission.json"])["q10"] == 2
    assert "q11" not in json.loads(files["submission.json"])
    assert files["submission.csv"].splitlines()[:2] == ["q_uid,answer", "q0,0"]


def test_all_failed_is_an_error_not_a_score(bench_root: Path) -> None:
    items = egoschema.load(bench_root / "egoschema")
    failed = {item.item_id: Prediction(item_id=item.item_id, error="outage") for item in items}
    with pytest.raises(InputError, match=r"none of 10 items has an answer \(the first: outage\); see predictions"):
        egoschema.score(items, failed, ScoreSettings(protocol="letter"))


@pytest.mark.skipif(not REAL.is_dir(), reason="the EgoSchema files are not beside this checkout (../shared/data)")
def test_the_real_answers_and_windows_are_read(tmp_path: Path) -> None:
    answers = json.loads((REAL / "subset_answers.json").read_text())
    options = {f"option {index}": f"answer {index}" for index in range(5)}
    questions = [{"q_uid": uid, "question": "What?", **options} for uid in answers]
    (tmp_path / "questions.json").write_text(json.dumps(questions))
    for name in ("subset_answers.json", "uid_to_ego4d.json"):
        (tmp_path / name).write_bytes((REAL / name).read_bytes())
    items = egoschema.load(tmp_path)
    assert [sum(item.answer == index for item in items) for index in range(5)] == [101, 108, 91, 83, 117]
    assert len({item.cluster for item in items}) < len(items)
