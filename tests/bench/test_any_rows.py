"""Whatever stands in a benchmark's annotation files: read, or refused in one line that names the file."""

import csv
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exo2ego.bench.items import Item
from exo2ego.bench.tasks import TASKS
from exo2ego.errors import InputError

words = st.text(max_size=12) | st.sampled_from(
    ["../x", "/etc/passwd", "A", "nan", "-1", "1e999", " ", "\ud800", "a\nb", "0;1", "[1, 2", "00:00:99"]
)
values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=2),
    max_leaves=5,
)


def annotation_files(folder: Path, ending: str) -> list[Path]:
    return sorted(path for path in folder.rglob(f"*{ending}") if path.name != "groups.json")


def spoilt(value: Any, data: st.DataObject) -> Any:
    """The same content, with something else in one place of it."""
    inner = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    if not inner or data.draw(st.integers(0, 3)) == 0:
        return data.draw(values)
    place = data.draw(st.sampled_from(inner))
    changed = value.copy()
    if data.draw(st.integers(0, 5)) == 0:
        del changed[place]
    else:
        changed[place] = spoilt(value[place], data)
    return changed


def read_or_refused(name: str, root: Path, path: Path) -> None:
    """Items that hold what every protocol relies on, or one line about the file."""
    refused = ""
    items: list[Item] = []
    try:
        items = TASKS[name].load(root, full=True)
    except InputError as error:
        refused = str(error)
    if refused:
        assert "\n" not in refused
        assert path.name in refused or str(root) in refused
        return
    assert items
    assert len({item.item_id for item in items}) == len(items)
    for item in items:
        # where there are several videos, as in EgoMCQ and retrieval, these are the candidates
        candidates = max(len(item.options), len(item.videos))
        assert item.answer is None or 0 <= item.answer < candidates or not item.options
        for video in item.videos:
            assert not Path(video.path).is_absolute()
            assert ".." not in Path(video.path).parts
            assert video.start_s is None or video.end_s is None or 0 <= video.start_s < video.end_s


@contextmanager
def one_file(root: Path, ending: str, data: st.DataObject) -> Iterator[Path]:
    """One of a task's files, to be spoilt; afterwards it is as it was."""
    path = data.draw(st.sampled_from(annotation_files(root, ending)))
    whole = path.read_bytes()
    try:
        yield path
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize("name", [name for name in TASKS if name not in ("charades_ego", "epic_mir")])
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_json(name: str, bench_root: Path, data: st.DataObject) -> None:
    root = bench_root / TASKS[name].directory
    with one_file(root, ".json", data) as path:
        path.write_text(json.dumps(spoilt(json.loads(path.read_bytes()), data)))
        read_or_refused(name, root, path)


def with_numbers(value: Any, number: int) -> Any:
    """The same content, with another number in every place of one."""
    if isinstance(value, dict):
        return {key: with_numbers(one, number) for key, one in value.items()}
    if isinstance(value, list):
        return [with_numbers(one, number) for one in value]
    return number if isinstance(value, int | float) and not isinstance(value, bool) else value


@pytest.mark.parametrize("name", [name for name in TASKS if name not in ("charades_ego", "epic_mir")])
def test_whole_numbers_of_any_length(name: str, bench_root: Path) -> None:
    """JSON may have them: some are too long for a float, and some for Python to read them at all."""
    root = bench_root / TASKS[name].directory
    for path in annotation_files(root, ".json"):
        whole = path.read_text()
        path.write_text(json.dumps(with_numbers(json.loads(whole), 10**400)))
        read_or_refused(name, root, path)
        path.write_text(f"[{'1' * 5000}]")
        read_or_refused(name, root, path)
        path.write_text(whole)


@pytest.mark.parametrize("name", ["charades_ego", "epic_mir", "egoplan"])
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_tables(name: str, bench_root: Path, data: st.DataObject) -> None:
    root = bench_root / TASKS[name].directory
    with one_file(root, ".csv", data) as path:
        rows = list(csv.reader(path.read_bytes().decode().splitlines()))
        row = rows[data.draw(st.integers(0, len(rows) - 1))]
        cell = data.draw(words.map(lambda text: text.encode("utf-8", "replace").decode().replace("\0", "")))
        row[data.draw(st.integers(0, len(row) - 1))] = cell
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)
        read_or_refused(name, root, path)


@pytest.mark.parametrize("name", TASKS)
def test_a_folder_without_its_files_names_the_first_that_is_missing(name: str, bench_root: Path) -> None:
    root = bench_root / TASKS[name].directory
    for path in [*annotation_files(root, ".json"), *annotation_files(root, ".csv")]:
        path.unlink()
    with pytest.raises(InputError) as caught:
        TASKS[name].load(root)
    assert str(root) in str(caught.value)
    assert "\n" not in str(caught.value)
    shutil.rmtree(root)
    with pytest.raises(InputError, match=root.name):
        TASKS[name].load(root)


@pytest.mark.parametrize("name", TASKS)
def test_a_limit_is_a_part_drawn_by_the_seed_alone(name: str, bench_root: Path) -> None:
    task, root = TASKS[name], bench_root / TASKS[name].directory
    whole = {item.item_id: item for item in task.load(root, full=True)}
    few = task.load(root, limit=3, seed=4, full=True)
    assert few == task.load(root, limit=3, seed=4, full=True)
    for item in few:
        assert (item.question, item.options, item.answer) == (
            whole[item.item_id].question,
            whole[item.item_id].options,
            whole[item.item_id].answer,
        ) or name == "epic_mir"  # the gallery is drawn too
