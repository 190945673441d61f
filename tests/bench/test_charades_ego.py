"""Charades-Ego: the published files, what is wrong with them in one line, and the figure under its right name."""

from pathlib import Path

import numpy as np
import pytest
from bench_fakes import FakeModel, sees_the_kind, write_csv
from small_folders import CHARADES_HEADER, charades_row, charades_rows, class_lines

from exo2ego.bench.baselines import RandomModel
from exo2ego.bench.items import missing_videos
from exo2ego.bench.mean_ap import mean_average_precision
from exo2ego.bench.tasks import charades_ego
from exo2ego.bench.tasks.base import Measure, ScoreSettings
from exo2ego.bench.tasks.matrix import PRIOR_ID
from exo2ego.errors import FormatError, InputError, MissingFileError
from exo2ego.records import Prediction, VideoSpan

REAL = Path(__file__).parents[3] / "shared/data/charades_ego"
CSV = "CharadesEgo_v1_test_only1st.csv"


def test_the_prior_then_videos_with_their_classes(bench_root: Path) -> None:
    root = bench_root / "charades_ego"
    prior, first, *rest = charades_ego.load(root)
    assert (prior.item_id, prior.videos, len(prior.options)) == (PRIOR_ID, (), 157)
    assert prior.options[8] == "Doing thing 8, slowly"
    assert first.videos == (VideoSpan(path="CharadesEgo_v1_480/V0EGO.mp4"),)
    assert first.meta == {"classes": [0, 1, 100]}
    assert rest[-1].meta == {"classes": []}
    assert first.options is prior.options
    assert not missing_videos([first, *rest], root)
    (root / "CharadesEgo_v1_480").rename(root / "videos")
    assert charades_ego.load(root)[1].videos[0].path == "videos/V0EGO.mp4"


@pytest.mark.parametrize(
    ("name", "videos", "without"),
    [("CharadesEgo_v0_egocentric_test.csv", 103, 0), ("CharadesEgo_v0_test.csv", 2043, 229)],
)
def test_the_real_csvs_validate(name: str, videos: int, without: int) -> None:
    if not (REAL / name).is_file():
        pytest.skip(f"{name} is not beside this checkout (../shared/data/charades_ego)")
    found = charades_ego.read_actions(REAL / name, 157)
    assert len(found) == videos
    assert sum(not classes for classes in found.values()) == without
    assert {number for classes in found.values() for number in classes} <= set(range(157))


def test_the_real_ego_csv_loads_beside_a_list_of_classes(tmp_path: Path) -> None:
    name = "CharadesEgo_v0_egocentric_test.csv"
    if not (REAL / name).is_file():
        pytest.skip(f"{name} is not beside this checkout (../shared/data/charades_ego)")
    (tmp_path / name).write_bytes((REAL / name).read_bytes())
    (tmp_path / "Charades_v1_classes.txt").write_text(class_lines())
    prior, first, *rest = charades_ego.load(tmp_path)
    assert (first.item_id, first.videos[0].path) == ("BHP3HEGO", "videos/BHP3HEGO.mp4")
    assert first.meta["classes"] == [98, 100, 106, 107, 108, 109, 127, 135]
    assert len([prior, first, *rest]) == 104


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (charades_row("V0EGO", ""), "line 5: id = 'V0EGO' occurs twice"),
        (charades_row("../V9", ""), "id = '../V9' must be the name of a video"),
        (charades_row("V9", "c092 11.9"), "actions = 'c092 11.9' must look like"),
        (charades_row("V9", "c92 1 2"), "must look like"),
        (charades_row("V9", "c157 1 2"), "is no class of Charades_v1_classes.txt, which ends with c156"),
        (charades_row("V9", "c001 5 2"), "start before its end"),
        (charades_row("V9", "c001 nan 2"), "start before its end"),
        ([*charades_row("V9", "")[:-3], "long", "Yes", "V"], "length = 'long'"),
        ([*charades_row("V9", "")[:-3], "30.0", "No", "V"], "is no first-person video"),
        (["V9", "S1"], "has 2 fields, not 13"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, row: list[str], message: str) -> None:
    write_csv(tmp_path / CSV, CHARADES_HEADER, [charades_rows()[0], row])
    with pytest.raises(FormatError, match=CSV) as caught:
        charades_ego.read_actions(tmp_path / CSV, 157)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (class_lines(156), "classes = 156 must be 157"),
        (class_lines().replace("c008", "c800"), "line 9: class = 'c800 Doing"),
        (class_lines().replace("c003 Doing thing 3", "c003 Doing thing 2"), "repeats the text of c002"),
        (class_lines().replace("c004 Doing thing 4, slowly", "c004"), "must be 'c004' and its text"),
    ],
)
def test_a_broken_list_of_classes_is_named(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "Charades_v1_classes.txt"
    path.write_text(content)
    with pytest.raises(FormatError, match="classes") as caught:
        charades_ego.read_classes(path)
    assert message in str(caught.value)


def test_absent_files_say_where_they_come_from_and_pickles_are_not_loaded(bench_root: Path) -> None:
    root = bench_root / "charades_ego"
    (root / CSV).rename(root / CSV.replace(".csv", ".pkl"))
    with pytest.raises(FormatError, match="pickles are never loaded"):
        charades_ego.load(root)
    (root / CSV.replace(".csv", ".pkl")).unlink()
    with pytest.raises(MissingFileError, match=r"CharadesEgo_v0_egocentric_test\.csv is there; they are in"):
        charades_ego.load(root)
    (root / "Charades_v1_classes.txt").unlink()
    with pytest.raises(MissingFileError, match=r"is part of CharadesEgo\.zip"):
        charades_ego.load(root)


def knows(video: VideoSpan | None, text: str) -> float:
    """Video Vk shows things k, k + 1 and 100; long texts are unlikely whatever is seen."""
    number = int(text.split(",")[0].removeprefix("Doing thing "))
    prior = -2.0 * len(str(number)) - number / 50
    if video is None:
        return prior
    k = int(Path(video.path).name.removeprefix("V").removesuffix("EGO.mp4"))
    return prior + (4.0 if number in (k, k + 1, 100) else 0.0)


def asked(root: Path, protocol: str = "likelihood") -> tuple[list[charades_ego.Item], dict[str, Prediction]]:
    items = charades_ego.load(root)
    model = FakeModel(knows) if protocol == "likelihood" else RandomModel(0)
    ask = charades_ego.PROTOCOLS[protocol].ask
    return items, {item.item_id: ask(model, item.rooted(root), "base") for item in items}


def names(measures: list[Measure]) -> list[str]:
    return [measure.score.name for measure in measures]


def test_without_a_video_for_every_class_the_figure_says_over_how_many(bench_root: Path) -> None:
    items, predictions = asked(bench_root / "charades_ego")
    with_prior, without = charades_ego.score(items, predictions, ScoreSettings(protocol="likelihood", alpha=1.0))
    assert names([with_prior, without]) == [
        "charades_ego mAP over 8 of 157 classes (likelihood, alpha=1)",
        "charades_ego mAP over 8 of 157 classes (likelihood, alpha=0)",
    ]
    assert with_prior.score.value == pytest.approx(1.0)
    assert (with_prior.headline, without.headline) == (True, False)
    assert (with_prior.score.n, with_prior.score.unscored) == (7, 0)
    assert with_prior.score.chance is not None
    assert with_prior.score.chance < 0.7
    # Published numbers belong to the figure over all classes.
    assert not any(with_prior.score.name.startswith(number.measure) for number in charades_ego.TASK.published)


def test_with_a_video_for_every_class_it_is_the_official_figure(tmp_path: Path, bench_root: Path) -> None:
    root = bench_root / "charades_ego"
    (root / "Charades_v1_classes.txt").write_text(class_lines(3))
    (root / "groups.json").write_text("{}")  # a simulated set may have fewer classes
    rows = [charades_row(f"V{k}EGO", f"c{k % 3:03d} 0 1;c{(k + k // 3) % 3:03d} 0 1") for k in range(6)]
    write_csv(root / CSV, CHARADES_HEADER, rows)
    items, predictions = asked(root)
    (figure, plain) = charades_ego.score(items, predictions, ScoreSettings(protocol="likelihood", alpha=0.5))
    assert names([figure, plain]) == [
        "charades_ego mAP (likelihood, alpha=0.5)", "charades_ego mAP (likelihood, alpha=0)",
    ]  # fmt: skip
    labels = np.array([[c in item.meta["classes"] for c in range(3)] for item in items[1:]])
    logs = np.array([predictions[item.item_id].scores for item in items[1:]])
    logs -= 0.5 * np.array(predictions[PRIOR_ID].scores)
    softmax = np.exp(logs) / np.exp(logs).sum(axis=1, keepdims=True)
    assert figure.score.value == pytest.approx(mean_average_precision(softmax, labels))
    assert figure.score.low <= figure.score.value <= figure.score.high


def test_standard_ranks_by_cosine_without_any_prior(bench_root: Path) -> None:
    items, predictions = asked(bench_root / "charades_ego", "standard")
    assert set(predictions[PRIOR_ID].scores) == {0.0}
    assert max(map(abs, predictions["V0EGO"].scores)) <= 1.0
    (figure,) = charades_ego.score(items, predictions, ScoreSettings(protocol="standard"))
    assert figure.score.name == "charades_ego mAP over 8 of 157 classes (standard)"
    assert "embeddings" in charades_ego.PROTOCOLS["standard"].needs
    with pytest.raises(InputError, match="fake has no vectors"):
        charades_ego.PROTOCOLS["standard"].ask(FakeModel(sees_the_kind), items[1], "base")


def test_bad_videos_are_counted_and_labels_are_needed(bench_root: Path) -> None:
    items, predictions = asked(bench_root / "charades_ego")
    settings = ScoreSettings(protocol="likelihood")
    predictions["V2EGO"] = Prediction(item_id="V2EGO", error="VideoError: cut short")
    figure, _ = charades_ego.score(items, predictions, settings)
    assert (figure.score.n, figure.score.unscored) == (6, 1)
    only_empty = {name: predictions[name] for name in (PRIOR_ID, "V6EGO")}
    with pytest.raises(InputError, match="none of 1 videos with scores has a label"):
        charades_ego.score(items, only_empty, settings)
    with pytest.raises(InputError, match="text prior has no scores"):
        charades_ego.score(items, {"V0EGO": predictions["V0EGO"]}, settings)
    short = {**predictions, "V0EGO": Prediction(item_id="V0EGO", scores=(0.0,))}
    with pytest.raises(FormatError, match="1 scores for 157 candidates"):
        charades_ego.score(items, short, settings)
