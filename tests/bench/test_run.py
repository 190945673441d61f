"""Running: killed at any moment and continued, nothing asked twice, nothing lost, no bad video guessed."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from bench_fakes import FakeModel, sees_the_kind

from exo2ego.bench.items import Item, items_hash, read_items
from exo2ego.bench.predictions import PredictionLog, read_predictions
from exo2ego.bench.run import BATCH, Progress, RunSettings, run
from exo2ego.bench.tasks import TASKS
from exo2ego.data import lines
from exo2ego.errors import FormatError, InputError, MissingFileError, OutputError
from exo2ego.records import FloatRow, OptionScore, Prediction, VideoSpan

TASK = TASKS["egoschema"]


def settings(**changes: object) -> RunSettings:
    plain = RunSettings(task="egoschema", protocol="likelihood", model="fake")
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]


@pytest.fixture
def root(bench_root: Path) -> Path:
    return bench_root / "egoschema"


@pytest.fixture
def items(root: Path) -> list[Item]:
    return TASK.load(root, full=True)


class Stopping(FakeModel):
    """A model whose machine goes away after some answers."""

    def __init__(self, after: int) -> None:
        super().__init__(sees_the_kind)
        self.after = after

    def option_logprobs(self, video: VideoSpan | None, question: str, options: object) -> list[OptionScore]:
        if len(self.asked) == self.after:
            raise KeyboardInterrupt
        return super().option_logprobs(video, question, options)  # type: ignore[arg-type]


def test_a_stopped_run_goes_on_where_it_was(root: Path, items: list[Item], tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(Stopping(BATCH + 2), TASK, items, root, tmp_path / "a", settings())
    assert len(read_predictions(tmp_path / "a/predictions.jsonl")) == BATCH + 2
    model = FakeModel(sees_the_kind)
    resumed = run(model, TASK, items, root, tmp_path / "a", settings())
    assert len(model.asked) == len(items) - BATCH - 2
    assert resumed == run(FakeModel(sees_the_kind), TASK, items, root, tmp_path / "b", settings())
    assert (tmp_path / "a/predictions.jsonl").read_bytes() == (tmp_path / "b/predictions.jsonl").read_bytes()
    again = FakeModel(sees_the_kind)
    run(again, TASK, items, root, tmp_path / "a", settings())
    assert again.asked == []


def test_a_torn_last_line_at_any_byte_loses_only_itself(root: Path, items: list[Item], tmp_path: Path) -> None:
    out, model = tmp_path / "a", FakeModel(sees_the_kind)
    run(model, TASK, items, root, out, settings())
    whole = (out / "predictions.jsonl").read_bytes()
    last = whole.rstrip(b"\n").rfind(b"\n") + 1
    for cut in range(last, len(whole)):
        (out / "predictions.jsonl").write_bytes(whole[:cut])
        model.asked.clear()
        run(model, TASK, items, root, out, settings())
        assert len(model.asked) == 1
        assert (out / "predictions.jsonl").read_bytes() == whole


def test_a_real_kill_loses_nothing_that_was_reported(root: Path, tmp_path: Path) -> None:
    script = textwrap.dedent(f"""
        import sys, time
        from pathlib import Path
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from bench_fakes import FakeModel, sees_the_kind
        from exo2ego.bench.run import RunSettings, run
        from exo2ego.bench.tasks import TASKS
        root, task = Path({str(root)!r}), TASKS["egoschema"]
        def told(progress):
            print(progress.done, flush=True)
            time.sleep(600)
        run(FakeModel(sees_the_kind), task, task.load(root, full=True), root, Path({str(tmp_path / "a")!r}),
            RunSettings(task="egoschema", protocol="likelihood", model="fake"), on_progress=told)
    """)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stdout is not None
        done = int(child.stdout.readline())
        child.send_signal(signal.SIGKILL)
    assert done == BATCH
    assert len(read_predictions(tmp_path / "a/predictions.jsonl")) == done
    model = FakeModel(sees_the_kind)
    assert len(run(model, TASK, TASK.load(root, full=True), root, tmp_path / "a", settings())) == 12
    assert len(model.asked) == 12 - done


def test_a_damaged_line_in_the_middle_is_named_not_dropped(root: Path, items: list[Item], tmp_path: Path) -> None:
    run(FakeModel(sees_the_kind), TASK, items, root, tmp_path / "a", settings())
    path = tmp_path / "a/predictions.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0], lines[1][:20] + "\n", *lines[2:]]))
    with pytest.raises(FormatError, match=r"predictions\.jsonl: row 2"):
        run(FakeModel(sees_the_kind), TASK, items, root, tmp_path / "a", settings())
    path.write_text("".join([*lines, lines[0]]))
    with pytest.raises(FormatError, match="answered twice"):
        run(FakeModel(sees_the_kind), TASK, items, root, tmp_path / "a", settings())
    path.write_text(lines[0].replace('"scores": [', '"scores": [NaN, '))
    with pytest.raises(FormatError, match="finite numbers"):
        read_predictions(path)


def test_a_bad_video_is_unscored_with_its_reason_and_the_run_goes_on(
    root: Path, items: list[Item], tmp_path: Path
) -> None:
    predictions = run(FakeModel(sees_the_kind, bad="q3.mp4"), TASK, items, root, tmp_path / "a", settings())
    assert len(predictions) == len(items)
    assert [p.item_id for p in predictions.values() if p.error] == ["q3"]
    assert "no frames" in (predictions["q3"].error or "")
    assert str(root) not in (predictions["q3"].error or "")
    healed = FakeModel(sees_the_kind)
    predictions = run(healed, TASK, items, root, tmp_path / "a", settings(), retry_errors=True)
    assert len(healed.asked) == 1
    assert not any(p.error for p in predictions.values())


def test_an_outage_and_a_score_that_is_no_number_are_unscored(root: Path, items: list[Item], tmp_path: Path) -> None:
    def outage(video: VideoSpan | None, text: str) -> float:
        if video is not None and video.path.endswith("q1.mp4"):
            raise ConnectionError("refused")
        return float("nan") if video is not None and video.path.endswith("q2.mp4") else 0.0

    predictions = run(FakeModel(outage), TASK, items, root, tmp_path / "a", settings())
    assert predictions["q1"].error == "ConnectionError: refused"
    assert "not a finite number" in (predictions["q2"].error or "")


def test_a_bug_in_the_model_is_not_hidden(root: Path, items: list[Item], tmp_path: Path) -> None:
    def bug(video: VideoSpan | None, text: str) -> float:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(FakeModel(bug), TASK, items, root, tmp_path / "a", settings())


def test_missing_videos_are_listed_before_anything_is_asked(root: Path, items: list[Item], tmp_path: Path) -> None:
    (root / "videos/q4.mp4").unlink()
    model = FakeModel(sees_the_kind)
    with pytest.raises(MissingFileError, match=r"1 videos are not there \(videos/q4.mp4\)"):
        run(model, TASK, items, root, tmp_path / "a", settings())
    assert model.asked == []
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    "change", [{"protocol": "letter"}, {"style": "details"}, {"fingerprint": "other"}, {"seed": 1}]
)
def test_a_folder_holds_one_run_only(root: Path, items: list[Item], tmp_path: Path, change: dict[str, object]) -> None:
    run(FakeModel(sees_the_kind), TASK, items, root, tmp_path / "a", settings())
    with pytest.raises(OutputError, match=next(iter(change))):
        run(FakeModel(sees_the_kind), TASK, items, root, tmp_path / "a", settings(**change))
    with pytest.raises(OutputError, match="item_hash"):
        run(FakeModel(sees_the_kind), TASK, items[:5], root, tmp_path / "a", settings())


def test_two_writers_at_once_are_refused(tmp_path: Path) -> None:
    with PredictionLog(tmp_path / "predictions.jsonl"), pytest.raises(OutputError, match="another run"):
        PredictionLog(tmp_path / "predictions.jsonl")


def test_progress_is_told_with_rate_and_time_left(root: Path, items: list[Item], tmp_path: Path) -> None:
    told: list[Progress] = []
    run(FakeModel(sees_the_kind, bad="q3"), TASK, items, root, tmp_path / "a", settings(), on_progress=told.append)
    assert [progress.done for progress in told] == [8, 12]
    assert told[-1].errors == 1
    assert told[-1].eta_s == 0
    assert told[0].items_per_s > 0


def test_a_run_that_goes_on_is_told_where_it_stands(root: Path, items: list[Item], tmp_path: Path) -> None:
    """Also where nothing is left to ask: its bar would stay at none of twelve."""
    told: list[Progress] = []
    run(FakeModel(sees_the_kind, bad="q3"), TASK, items, root, tmp_path / "a", settings())
    run(FakeModel(sees_the_kind), TASK, items, root, tmp_path / "a", settings(), on_progress=told.append)
    assert told == [Progress(done=12, total=12, errors=1, items_per_s=0.0, eta_s=None)]
    path = tmp_path / "a/predictions.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:5]))
    run(FakeModel(sees_the_kind), TASK, items, root, tmp_path / "a", settings(), on_progress=told.append)
    assert [progress.done for progress in told[1:]] == [5, 12]


def test_impossible_requests_are_refused(root: Path, items: list[Item], tmp_path: Path) -> None:
    model = FakeModel(sees_the_kind)
    for wrong, message in (
        (settings(protocol="matrix"), "no such protocol"),
        (settings(style="loud"), "no such style"),
        (settings(alpha=float("nan")), "--alpha"),
    ):
        with pytest.raises(InputError, match=message):
            run(model, TASK, items, root, tmp_path / "a", wrong)
    with pytest.raises(InputError, match="no items"):
        run(model, TASK, [], root, tmp_path / "a", settings())
    with pytest.raises(InputError, match="occurs twice"):
        run(model, TASK, [items[0], items[0]], root, tmp_path / "a", settings())


@pytest.mark.parametrize("task", list(TASKS))
def test_items_survive_their_file_and_their_hash_is_independent_of_the_place(
    bench_root: Path, tmp_path: Path, task: str
) -> None:
    items = TASKS[task].load(bench_root / TASKS[task].directory)
    name = TASKS[task].default_protocol
    out = tmp_path / "out"
    root = bench_root / TASKS[task].directory
    run(FakeModel(sees_the_kind), TASKS[task], items, root, out, settings(task=task, protocol=name))
    assert read_items(out / "items.jsonl") == items
    moved = tmp_path / "elsewhere"
    root.rename(moved)
    assert items_hash(TASKS[task].load(moved)) == items_hash(items)
    assert json.loads((out / "run.json").read_text())["simulated"] is (task in ("egoschema", "forgetting"))


def test_a_protocol_beyond_the_model_is_refused_before_the_first_question(
    root: Path, items: list[Item], tmp_path: Path
) -> None:
    model = FakeModel(sees_the_kind)
    model.capabilities = frozenset({"text"})
    told = r"fake has no logprobs: .*protocol likelihood needs them; choose --protocol letter$"
    with pytest.raises(InputError, match=told):
        run(model, TASK, items, root, tmp_path / "run", settings())
    assert not model.asked
    assert not (tmp_path / "run").exists()
    run(model, TASK, items, root, tmp_path / "run", settings(protocol="letter"))
    assert len(model.asked) == len(items)
    with pytest.raises(InputError, match="no protocol of epic_mir can do without"):
        run(model, TASKS["epic_mir"], items, root, tmp_path / "mir", settings(protocol="matrix"))


class Reading(FakeModel):
    """A model that says which frames it reads."""

    def frame_times(self, video: VideoSpan) -> list[float]:
        return [0.123456, 0.5] if video.start_s is None else [video.start_s]


def test_the_frames_read_are_recorded_for_every_video_and_survive_a_retry(bench_root: Path, tmp_path: Path) -> None:
    root, out = bench_root / "egoschema", tmp_path / "a"
    items = TASK.load(root)
    run(Reading(sees_the_kind, bad="q3.mp4"), TASK, items, root, out, settings())
    run(Reading(sees_the_kind), TASK, items, root, out, settings(), retry_errors=True)
    kept = read_predictions(out / "predictions.jsonl", frames=True)
    assert {prediction.frames_s for prediction in kept.values()} == {((0.123, 0.5),)}
    assert all(prediction.frames_s == () for prediction in read_predictions(out / "predictions.jsonl").values())
    task = TASKS["egomcq"]
    root, out = bench_root / "egomcq", tmp_path / "b"
    run(Reading(sees_the_kind), task, task.load(root), root, out, settings(task="egomcq"))
    first = read_predictions(out / "predictions.jsonl", frames=True)["0"]
    assert first.frames_s == ((0.0,), (2.0,), (4.0,), (6.0,), (8.0,))


@pytest.mark.parametrize("place", ["file/run", "locked/run", "/proc/exo2ego/run"])
def test_a_place_that_cannot_be_written_is_one_line(root: Path, items: list[Item], tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("not a folder")
    (tmp_path / "locked").mkdir(mode=0o500)
    if place.startswith("locked") and os.geteuid() == 0:
        pytest.skip("root may write there")
    if place.startswith("/proc") and not Path("/proc").is_dir():
        pytest.skip("this system has no /proc")
    model = FakeModel(sees_the_kind)
    with pytest.raises(OutputError, match=r"cannot be (made|written) .*choose another --out"):
        run(model, TASK, items, root, tmp_path / place, settings())
    assert not model.asked


def test_long_rows_of_scores_are_kept_compactly_and_read_back(tmp_path: Path) -> None:
    long = Prediction(item_id="a", scores=tuple(number / 7 for number in range(100)))
    with PredictionLog(tmp_path / "predictions.jsonl") as log:
        log.append([long])
        assert isinstance(log.done["a"].scores, FloatRow)
    found = read_predictions(tmp_path / "predictions.jsonl")["a"]
    assert isinstance(found.scores, FloatRow)
    assert found.scores == long.scores


def test_a_torn_line_is_repaired_however_long_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "BLOCK_BYTES", 16)
    path = tmp_path / "predictions.jsonl"
    whole = '{"item_id": "a", "text": "A"}\n'
    for torn in ("", "{", '{"item_id": "' + "b" * 50):
        path.write_text(whole + torn)
        if torn:
            with pytest.raises(FormatError, match=r"last line is torn .* the same `bench run` command again"):
                read_predictions(path)
        with PredictionLog(path) as log:
            assert list(log.done) == ["a"]
        assert path.read_text() == whole
    path.write_text("{" * 40)
    with PredictionLog(path) as log:
        assert log.done == {}
