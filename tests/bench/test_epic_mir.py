"""EPIC-KITCHENS-100 MIR: the real csvs, rows of the matrix, both directions, the text prior."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from bench_fakes import CLIP_HEADER, KINDS, VERBS, FakeModel, mir_rows, write_csv

from exo2ego.bench.items import Item, missing_videos
from exo2ego.bench.run import RunSettings, run
from exo2ego.bench.tasks import epic_files, epic_mir
from exo2ego.bench.tasks.base import Measure, ScoreSettings
from exo2ego.bench.tasks.matrix import PRIOR_ID
from exo2ego.errors import FormatError, InputError, MissingFileError
from exo2ego.records import Prediction, VideoSpan

REAL = Path(__file__).parents[3] / "shared/data/epic_kitchens_mir"


def knows(video: VideoSpan | None, text: str) -> float:
    """The clip starting at second n shows row n: verb n % 2, kind n % 5. Long texts are unlikely, whatever is seen."""
    prior = -0.5 * len(text)
    if video is None:
        return prior
    number = int(video.start_s or 0)
    return (
        prior
        + (3.0 if KINDS[number % 5] in text else 0.0)
        + (3.0 if text.startswith(("lift", "push")[number % 2]) else 0.0)
    )


def ask(items: list[Item], model: FakeModel) -> dict[str, Prediction]:
    return {item.item_id: epic_mir.ask_matrix(model, item, "base") for item in items}


def by_name(measures: list[Measure]) -> dict[str, float]:
    return {measure.score.name: measure.score.value for measure in measures}


def test_the_real_files_are_read() -> None:
    if not REAL.is_dir():
        pytest.skip("the EPIC-KITCHENS-100 csvs are not beside this checkout (../shared/data/epic_kitchens_mir)")
    prior, first, *rest = epic_files.load(REAL)
    assert (len(prior.options), len(rest)) == (3842, 9667)
    assert first.videos == (VideoSpan(path="videos/P01/P01_11.MP4", start_s=0.0, end_s=1.89),)
    assert first.cluster == "P01_11"
    assert first.options is prior.options


def test_items_and_videos_of_a_small_folder(bench_root: Path) -> None:
    prior, *clips = epic_files.load(bench_root / "epic_mir")
    assert prior.item_id == PRIOR_ID
    assert prior.videos == ()
    assert (len(clips), len(prior.options)) == (20, 10)
    assert not missing_videos(clips, bench_root / "epic_mir")


def test_a_video_with_a_small_extension_is_found(bench_root: Path) -> None:
    videos = bench_root / "epic_mir/videos/P01"
    (videos / "P01_01.MP4").rename(videos / "P01_01.mp4")
    assert not missing_videos(epic_files.load(bench_root / "epic_mir"), bench_root / "epic_mir")


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("narration_id", "P01_01_1", "line 2: narration_id = 'P01_01_1' occurs twice"),
        ("verb_class", "x", "line 2: verb_class = 'x' must be a number"),
        ("all_noun_classes", "[2, ", "all_noun_classes"),
        ("all_noun_classes", "[]", "must be a list"),
        ("all_noun_classes", "__import__('os')", "must be a list"),
        ("start_timestamp", "12.5", "must look like 00:01:23.45"),
        ("stop_timestamp", "00:00:00.00", "must be after start_timestamp"),
        ("video_id", "../P01", "must look like P01_11"),
    ],
)
def test_a_broken_line_is_named(bench_root: Path, column: str, value: str, message: str) -> None:
    rows = mir_rows()
    rows[0][CLIP_HEADER.index(column)] = value
    swapped = [rows[1], rows[0], *rows[2:]] if column == "narration_id" else rows
    write_csv(bench_root / "epic_mir" / epic_files.CLIPS_FILE, CLIP_HEADER, swapped)
    with pytest.raises(FormatError) as caught:
        epic_files.load(bench_root / "epic_mir")
    assert message.replace("line 2", "line 3" if column == "narration_id" else "line 2") in str(caught.value)


def test_csv_lines_with_too_few_fields_and_missing_columns_are_named(bench_root: Path) -> None:
    path = bench_root / "epic_mir" / epic_files.SENTENCES_FILE
    path.write_text("narration_id,narration\nP01_01_0\n")
    with pytest.raises(FormatError, match=r"line 2.*has 1 fields, not 2"):
        epic_files.load(bench_root / "epic_mir")
    path.write_text("narration_id\nP01_01_0\n")
    with pytest.raises(FormatError, match=r"lacks the column\(s\) narration"):
        epic_files.load(bench_root / "epic_mir")
    path.write_text("narration_id,narration\nnobody,lift cup\n")
    with pytest.raises(FormatError, match="'nobody' is not in"):
        epic_files.load(bench_root / "epic_mir")
    path.write_text('narration_id,narration\nP01_01_0,"lift cup\n')
    with pytest.raises(FormatError, match="malformed csv"):
        epic_files.load(bench_root / "epic_mir")


def test_the_official_pickle_is_never_loaded(bench_root: Path) -> None:
    path = bench_root / "epic_mir" / epic_files.SENTENCES_FILE
    path.rename(path.with_suffix(".pkl"))
    with pytest.raises(FormatError, match="pickles are never loaded"):
        epic_files.load(bench_root / "epic_mir")
    path.with_suffix(".pkl").unlink()
    with pytest.raises(MissingFileError):
        epic_files.load(bench_root / "epic_mir")


def test_a_limited_set_keeps_sentences_that_fit(bench_root: Path) -> None:
    prior, *clips = epic_files.load(bench_root / "epic_mir", limit=3, seed=1)
    classes = {(clip.meta["verb"], tuple(clip.meta["nouns"])) for clip in clips}
    assert {(s["verb"], tuple(s["nouns"])) for s in prior.meta["sentences"]} == classes
    assert len(prior.options) == len(classes)


def test_the_prior_is_taken_off_for_video_to_text_only(bench_root: Path) -> None:
    items = epic_files.load(bench_root / "epic_mir")
    predictions = ask(items, FakeModel(knows))
    with_prior = by_name(epic_mir.score(items, predictions, ScoreSettings(protocol="matrix", alpha=1.0)))
    assert with_prior["epic_mir mAP V->T (matrix, alpha=1)"] == pytest.approx(1.0)
    assert with_prior["epic_mir mAP T->V (matrix)"] == pytest.approx(1.0)
    assert with_prior["epic_mir nDCG (matrix, alpha=1)"] == pytest.approx(1.0, abs=0.05)
    hard = {
        name: Prediction(
            item_id=name, scores=tuple(np.array(p.scores) + 40 * np.array(predictions["text-prior"].scores))
        )
        for name, p in predictions.items()
    }
    hard["text-prior"] = Prediction(item_id="text-prior", scores=tuple(41 * np.array(predictions["text-prior"].scores)))
    values = by_name(epic_mir.score(items, hard, ScoreSettings(protocol="matrix", alpha=1.0)))
    assert values["epic_mir mAP V->T (matrix, alpha=1)"] == pytest.approx(1.0)
    assert values["epic_mir mAP V->T (matrix, alpha=0)"] < 0.9
    assert values["epic_mir mAP T->V (matrix)"] == pytest.approx(1.0)


def test_the_narration_protocol_asks_sentences_and_encodes_each_video_once(bench_root: Path) -> None:
    items = epic_files.load(bench_root / "epic_mir")
    model = FakeModel(knows)
    epic_mir.ask_matrix_narration(model, items[1], "base")
    (asked,) = model.asked
    assert asked[2][0] == "Camera-wearer lifts the cup."
    assert len(asked[2]) == 10


def test_a_lost_clip_is_counted_and_its_sentence_is_no_query(bench_root: Path) -> None:
    items = epic_files.load(bench_root / "epic_mir")
    predictions = ask(items, FakeModel(knows))
    lost = [item.item_id for item in items[1:] if item.meta["verb"] == 0 and item.meta["nouns"] == [0]]
    for name in lost:
        predictions[name] = Prediction(item_id=name, error="VideoError: cut short")
    measures = {m.score.name: m.score for m in epic_mir.score(items, predictions, ScoreSettings(protocol="matrix"))}
    assert len(lost) == 2
    assert measures["epic_mir mAP V->T (matrix, alpha=1)"].unscored == 2
    assert measures["epic_mir mAP T->V (matrix)"].unscored == 1
    assert measures["epic_mir mAP T->V (matrix)"].n == 9


def test_scores_that_do_not_belong_are_refused(bench_root: Path) -> None:
    items = epic_files.load(bench_root / "epic_mir")
    predictions = ask(items, FakeModel(knows))
    short = {**predictions, items[3].item_id: Prediction(item_id=items[3].item_id, scores=(0.0,))}
    with pytest.raises(FormatError, match="1 scores for 10 candidates"):
        epic_mir.score(items, short, ScoreSettings(protocol="matrix"))
    without = {name: p for name, p in predictions.items() if name != PRIOR_ID}
    with pytest.raises(InputError, match="text prior has no scores"):
        epic_mir.score(items, without, ScoreSettings(protocol="matrix"))


class Seeing(FakeModel):
    """Also has vectors: verb and kind, one place each; a video's are those of the clip (see `knows`)."""

    capabilities = frozenset({"text", "logprobs", "embeddings"})

    def embed_video(self, video: VideoSpan) -> np.ndarray:
        number = int(video.start_s or 0)
        return self.embed_text([f"{VERBS[number % 2]} {KINDS[number % 5]}"])[0]

    def embed_text(self, texts: Sequence[str]) -> np.ndarray:
        self.asked.append((None, "vectors", tuple(texts)))
        return np.array([[word in text for word in (*VERBS, *KINDS)] for text in texts], dtype=np.float32)


def run_protocol(name: str, items: list[Item], model: FakeModel) -> dict[str, Prediction]:
    return {item.item_id: epic_mir.PROTOCOLS[name].ask(model, item, "base") for item in items}


def test_vectors_rank_both_directions_and_have_no_alpha(bench_root: Path) -> None:
    items = epic_files.load(bench_root / "epic_mir")
    model = Seeing(knows)
    predictions = run_protocol("embedding", items, model)
    values = by_name(epic_mir.score(items, predictions, ScoreSettings(protocol="embedding", alpha=0.5)))
    assert values["epic_mir mAP (embedding)"] == pytest.approx(1.0)
    assert values["epic_mir nDCG T->V (embedding)"] == pytest.approx(1.0)
    assert not [name for name in values if "alpha" in name]
    # Sentences become vectors once, not once a clip: 20 clips, one vector each besides.
    assert sum(len(texts) > 1 for _, _, texts in model.asked) == 1


def test_the_shortlist_is_read_and_the_rest_stays_below_it(bench_root: Path) -> None:
    items = epic_files.load(bench_root / "epic_mir")
    model = Seeing(lambda video, text: -float(len(text)))  # prefers short sentences: vectors decide who is read
    ask = partial(epic_mir.ask_shortlist, 3)
    predictions = {item.item_id: ask(model, item, "base") for item in items}
    clip = predictions[items[1].item_id]
    assert len(clip.scores) == 10 + 3
    assert [len(texts) for _, question, texts in model.asked if question != "vectors"][:2] == [10, 3]
    near, read = np.array([clip.scores[:10]]), clip.scores[10:]
    (chosen,) = epic_mir.shortlists(near, 3)
    assert list(read) == [-float(len(epic_mir.as_narrations(items[1].options)[index])) for index in chosen]
    ranked = epic_mir._similarity(np.array([clip.scores]), np.zeros(10), 1.0, 3)[0]
    assert set(np.argsort(-ranked)[:3]) == set(chosen)
    assert (np.delete(ranked, chosen) == np.delete(near[0], chosen)).all()


def test_a_long_shortlist_is_the_whole_matrix(bench_root: Path) -> None:
    items = epic_files.load(bench_root / "epic_mir")
    narrated = FakeModel(lambda video, text: knows(video, text.lower().removeprefix("camera-wearer ")))
    matrix = run_protocol("matrix_narration", items, narrated)
    seeing = Seeing(narrated.rule)
    for name in epic_mir.SHORTLISTS:
        listed = by_name(epic_mir.score(items, run_protocol(name, items, seeing), ScoreSettings(protocol=name)))
        whole = by_name(epic_mir.score(items, matrix, ScoreSettings(protocol="matrix_narration")))
        assert list(listed.values()) == pytest.approx(list(whole.values()), abs=1e-9)
        assert f"epic_mir mAP V->T ({name}, alpha=1)" in listed


def test_models_without_vectors_are_told_so_before_anything_is_asked(bench_root: Path, tmp_path: Path) -> None:
    root = bench_root / "epic_mir"
    model = FakeModel(knows)
    settings = RunSettings(task="epic_mir", protocol="embedding", model="fake")
    with pytest.raises(InputError, match=r"fake has no embeddings: .*; choose --protocol matrix_narration or matrix$"):
        run(model, epic_mir.TASK, epic_files.load(root), root, tmp_path / "run", settings)
    assert not model.asked


def test_vectors_of_two_spaces_are_refused(bench_root: Path) -> None:
    class Odd(Seeing):
        def embed_video(self, video: VideoSpan) -> np.ndarray:
            return np.ones(3, dtype=np.float32)

    items = epic_files.load(bench_root / "epic_mir")
    with pytest.raises(InputError, match=r"shape \(3,\) and those of texts \(7,\)"):
        run_protocol("embedding", items, Odd(knows))
