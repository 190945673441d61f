"""What is missing is named with its place, licence and size, and nothing is said that is not known."""

import json
from pathlib import Path

import pytest

from exo2ego.bench.check import UNKNOWN, as_lines, check_task, source_line
from exo2ego.bench.sources import SOURCES
from exo2ego.bench.tasks import TASKS
from exo2ego.cli.bench import main

REAL = Path(__file__).parents[3] / "shared/data"


def test_every_task_says_where_its_files_come_from() -> None:
    assert set(SOURCES) == set(TASKS)
    for name, sources in SOURCES.items():
        assert any(source.names[0].endswith("/") for source in sources), name  # the videos
        assert all(source.where for source in sources), name
    assert UNKNOWN in source_line(SOURCES["egotaskqa_direct"][0])


@pytest.mark.parametrize("task", list(TASKS))
def test_an_empty_folder_is_told_what_it_needs(task: str, tmp_path: Path) -> None:
    found = check_task(TASKS[task], tmp_path)
    assert not found.complete
    lines = as_lines(found)
    assert "NOT complete: " in lines[0]
    for source in SOURCES[task]:
        (line,) = (line for line in lines if line.strip().split(": ", 1)[1].startswith(source.names[0]))
        assert "licence " in line
        assert "bytes " in line


@pytest.mark.parametrize("task", list(TASKS))
def test_a_whole_folder_is_complete(task: str, bench_root: Path) -> None:
    folder = bench_root / TASKS[task].directory
    if not folder.is_dir():
        pytest.skip(f"the small folders have no {task}")
    found = check_task(TASKS[task], folder)
    assert found.complete, as_lines(found)
    assert found.items
    assert found.video_bytes > 0
    assert all(one.name for one in found.found if one.source.required), task


def test_missing_videos_and_other_sizes_are_told(bench_root: Path) -> None:
    (bench_root / "egomcq/videos/vid3.mp4").unlink()
    lines = as_lines(check_task(TASKS["egomcq"], bench_root / "egomcq"))
    assert "4 missing" not in lines[0]
    assert ", 1 missing, hash " in lines[0]
    assert "  missing: videos/vid3.mp4" in lines
    assert any(line.startswith("  videos: videos/: from Ego4D downloader") for line in lines)
    root = bench_root / "egoschema"
    assert not any("the published one" in line for line in as_lines(check_task(TASKS["egoschema"], root)))
    (root / "groups.json").unlink()  # no longer simulated: sizes are those of the real files, or something is off
    assert any(
        "subset_answers.json has" in line and "21,500" in line
        for line in as_lines(check_task(TASKS["egoschema"], root))
    )


def test_a_long_list_of_videos_is_cut_in_words_and_whole_in_json(
    bench_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (bench_root / "egoschema/videos").iterdir():
        path.unlink()
    lines = as_lines(check_task(TASKS["egoschema"], bench_root / "egoschema"), most=3)
    assert lines[-1] == "  ... and 9 more; --json names all"
    assert main(["check", "egoschema,egomcq", "--root", str(bench_root), "--json"]) == 2
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["task"], first["complete"], len(first["missing"])) == ("egoschema", False, 12)
    assert (second["complete"], second["problem"]) == (True, None)
    assert second["found"][0]["source"]["size_bytes"] is None


@pytest.mark.parametrize(
    ("folder", "task"),
    [("egoschema", "egoschema"), ("epic_kitchens_mir", "epic_mir"), ("epic_kitchens_mir", "egoplan")],
)
def test_the_sizes_stated_are_those_of_the_real_files(folder: str, task: str) -> None:
    if not (REAL / folder).is_dir():
        pytest.skip("the real annotation files are not beside this checkout (../shared/data)")
    stated = [source for source in SOURCES[task] if source.size_bytes is not None]
    assert stated
    for source in stated:
        assert (REAL / folder / source.names[0]).stat().st_size == source.size_bytes
