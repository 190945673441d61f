"""The simulated folders through the readers of the real data: all load, all videos decode, lots score at chance."""

from pathlib import Path

import pytest

from exo2ego.bench.baselines import RandomModel
from exo2ego.bench.items import missing_videos
from exo2ego.bench.run import RunSettings, run
from exo2ego.bench.score import score_folder
from exo2ego.bench.tasks import TASKS
from exo2ego.data.video import probe
from exo2ego.sim.spec import BENCHES

pytestmark = pytest.mark.gl

WRITTEN = [name for name, task in TASKS.items() if task.directory in BENCHES]


def test_every_folder_has_a_reader() -> None:
    """QAEgo4D and EgoTaskQA have two each; the multiple-choice form of EgoTaskQA is another data set's."""
    assert {TASKS[name].directory for name in WRITTEN} == set(BENCHES)
    assert set(TASKS) - set(WRITTEN) == {"egotaskqa_mcq"}


@pytest.mark.parametrize("name", WRITTEN)
def test_a_folder_loads_runs_and_scores(bench_world: Path, tmp_path: Path, name: str) -> None:
    """No video is missing or too short; questions never hold a path; `random` is at chance within its interval."""
    task = TASKS[name]
    root = bench_world / "bench" / task.directory
    items = task.load(root)
    assert items
    assert missing_videos(items, root) == []
    for item in items:
        assert not any(Path(video.path).stem in item.question for video in item.videos)
        for video in item.rooted(root).videos:
            duration_s = probe(Path(video.path)).duration_s
            assert 0 <= (video.start_s or 0) < (video.end_s or duration_s) <= duration_s + 0.21
    settings = RunSettings(task=name, protocol=task.default_protocol, model="random")
    answered = run(RandomModel(seed=1), task, items, root, tmp_path, settings)
    assert not [one for one in answered.values() if one.error is not None]
    headline = score_folder(tmp_path).measures[0].score
    assert headline.n > 0
    assert headline.unscored == 0
    # EgoTaskQA's chance is a draw among the answers of the facet, which this model does not know.
    if headline.chance is not None and task.directory != "egotaskqa":
        assert headline.low - 0.1 <= headline.chance <= headline.high + 0.1


@pytest.mark.parametrize("name", [name for name in WRITTEN if name not in ("epic_mir", "charades_ego")])
def test_every_item_has_its_labels(bench_world: Path, name: str) -> None:
    """Facet, told or untold, and the chance of a blind draw among what can be right."""
    for item in TASKS[name].load(bench_world / "bench" / TASKS[name].directory):
        assert item.groups["facet"]
        assert item.groups["told"] in ("told", "untold")
        if name == "qaego4d_open":
            assert item.chance is None, "four options are not offered there"
        else:
            assert item.chance is not None
            assert 0 < item.chance <= 0.5
