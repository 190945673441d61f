"""The demo's orchestration: order, resumption after a stop, and refusal of a folder that holds something else."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from exo2ego.cli import demo as verb
from exo2ego.cli.demo_examples import Example, examples_file, read_examples
from exo2ego.cli.demo_steps import ARMS, FULL, SHORT, Demo, claim, demo_recipe
from exo2ego.data.atomic import write_text
from exo2ego.errors import InputError, OutputError


def counting(calls: list[str], name: str, out: Path) -> verb.Station:
    """A station that notes its run and makes one file."""

    def run(demo: Demo) -> None:
        calls.append(name)
        write_text(out / name, "made")

    return verb.Station(name=name, title=name, run=run, makes=(out / name,))


def test_stations_run_once_and_again_where_their_output_is_gone(demo: Demo, tmp_path: Path) -> None:
    calls: list[str] = []
    path = [counting(calls, name, tmp_path) for name in ("one", "two", "three")]
    verb.walk(demo, path)
    verb.walk(demo, path)
    assert calls == ["one", "two", "three"]
    (tmp_path / "two").unlink()
    verb.walk(demo, path)
    assert calls == ["one", "two", "three", "two"]


def test_a_stop_in_a_station_leaves_it_unmarked(demo: Demo, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    calls: list[str] = []

    def interrupted(_: Demo) -> None:
        raise KeyboardInterrupt

    first, second = counting(calls, "one", tmp_path), counting(calls, "two", tmp_path)
    with pytest.raises(KeyboardInterrupt):
        verb.walk(demo, [first, replace(second, run=interrupted)])
    verb.walk(demo, [first, second])
    assert calls == ["one", "two"]
    assert "[1/2] one: done before" in capsys.readouterr().out


def test_the_path_goes_from_simulation_to_report(demo: Demo) -> None:
    names = [station.name for station in verb.stations(demo)]
    assert names[:2] == ["sim", "data"]
    assert names[-1] == "report"
    assert len(names) == len(set(names))
    assert [n for n in names if n.startswith("train-ours")] == [f"train-ours-{stage}" for stage in ARMS["ours"]]


def test_both_arms_take_equally_many_steps() -> None:
    """Otherwise the comparison with the start without a teacher would mean nothing."""
    for size in (FULL, SHORT):
        stages = demo_recipe(size).stages
        totals = {arm: sum(stages[stage].optim.steps for stage in path) for arm, path in ARMS.items()}
        assert len(set(totals.values())) == 1, totals


def test_a_folder_of_another_demo_is_refused(demo: Demo) -> None:
    claim(demo, "{}")
    claim(demo, "{}")
    for other, manifest in ((replace(demo, seed=1), "{}"), (replace(demo, size=FULL), "{}"), (demo, '{"a": "b"}')):
        with pytest.raises(OutputError, match="other settings"):
            claim(other, manifest)
    claim(replace(demo, workers=7), "{}")


def test_a_folder_with_something_else_is_left_alone(demo: Demo) -> None:
    write_text(demo.out / "thesis.txt", "years of work")
    with pytest.raises(OutputError, match="holds no demo"):
        claim(demo, "{}")
    assert [path.name for path in demo.out.iterdir()] == ["thesis.txt"]


def test_a_file_where_the_folder_should_be(demo: Demo) -> None:
    write_text(demo.out, "a file")
    with pytest.raises(OutputError):
        claim(demo, "{}")


@pytest.mark.parametrize("flags", [["--workers", "0"], ["--seed", "-1"], ["--device", "abacus"], ["--sort"]])
def test_flags_that_make_no_sense(flags: list[str]) -> None:
    with pytest.raises(InputError, match="exo2ego demo --help"):
        verb.parse(flags)


def test_short_is_smaller_in_everything() -> None:
    assert verb.parse(["--short"]).size == SHORT
    for name in ("takes", "bench_questions", "egomcq_questions", "mir_clips", "examples"):
        assert getattr(SHORT, name) < getattr(verb.parse([]).size, name)


def test_the_lines_to_paste_name_real_files(demo: Demo, example: Example) -> None:
    from dataclasses import asdict

    write_text(examples_file(demo), json.dumps([asdict(example)]))
    assert read_examples(examples_file(demo)) == [example]
    lines = verb.ask_lines(demo)
    assert len(lines) == 2
    assert all(str(demo.out / "examples" / "clip-1.mp4") in line for line in lines)
    assert '"What does the camera-wearer do?"' in lines[0]
    assert '"What colour is the object?"' in lines[1]
    assert all(line.endswith(f"--model {demo.model('ours')}") for line in lines)
