"""The demo's orchestration: order, resumption after a stop, and refusal of a folder that holds something else."""

import json
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from multiprocessing import get_context
from pathlib import Path

import pytest
from coded_video import make_video, steady

from exo2ego.cli import demo as verb
from exo2ego.cli.__main__ import main
from exo2ego.cli.demo_examples import Example, examples_file, read_examples
from exo2ego.cli.demo_steps import ARMS, FULL, SHORT, Demo, claim, demo_recipe
from exo2ego.data.atomic import write_text
from exo2ego.errors import InputError, OutputError
from exo2ego.models.weights import START


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


@pytest.fixture
def walked_by(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Demo, Sequence[verb.Station]], None]], None]:
    """Lets the demo walk its path in another way; the table at its end is made up."""

    def by(walk: Callable[[Demo, Sequence[verb.Station]], None]) -> None:
        monkeypatch.setattr(verb, "walk", walk)
        monkeypatch.setattr(verb, "comparison", lambda demo: None)
        monkeypatch.setattr("exo2ego.bench.report_table.tables", lambda report: ["(table)"])

    return by


def two_stations(out: Path, stands: bool) -> list[verb.Station]:
    """The first makes its file; the second begins with half of its own, and may stand still there."""

    def second(demo: Demo) -> None:
        write_text(out / "two.half", "half")
        while stands:
            time.sleep(1)
        write_text(out / "two", "made")

    return [counting([], "one", out), verb.Station(name="two", title="two", run=second, makes=(out / "two",))]


def run_until_killed(out: Path) -> None:
    """`exo2ego demo`, in a process of its own; stands still in its second station."""
    verb.stations = lambda demo: two_stations(out, stands=True)
    sys.exit(main(["demo", "--short", "--out", str(out), "--device", "cpu"]))


def test_killed_with_9_it_goes_on_at_the_same_station(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    walked_by: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The folder is free again, what was done is not done again, what was begun is."""
    out = tmp_path / "demo"
    process = get_context("forkserver").Process(target=run_until_killed, args=(out,), daemon=True)
    process.start()
    while not (out / "two.half").exists():
        assert process.is_alive()
        time.sleep(0.01)
    process.kill()
    process.join()
    stamp = (out / "one").stat().st_mtime_ns
    walked_by(verb.walk)
    monkeypatch.setattr(verb, "stations", lambda demo: two_stations(out, stands=False))
    monkeypatch.setattr(verb, "ask_lines", lambda demo: [])
    assert main(["demo", "--short", "--out", str(out), "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    assert "[1/2] one: done before\n[2/2] two\n" in said
    assert (out / "one").stat().st_mtime_ns == stamp
    assert (out / "two").read_text() == "made"


def test_the_printed_lines_answer_when_they_are_pasted(
    example: Example, tmp_path: Path, walked_by: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Word for word as a shell reads them, from a folder with a blank in its name."""
    out = tmp_path / "my runs"

    def walk(demo: Demo, path: Sequence[verb.Station]) -> None:
        shutil.copytree(START, demo.model("ours"))
        (out / "examples").mkdir()
        (out / example.video).write_bytes(make_video(steady(20)))
        write_text(examples_file(demo), json.dumps([asdict(example)]))

    walked_by(walk)
    assert main(["demo", "--short", "--out", str(out), "--device", "cpu"]) == 0
    lines = capsys.readouterr().out.partition("ask it yourself:\n")[2].splitlines()
    assert len(lines) == 2
    for line in lines:
        words = shlex.split(line)
        assert shutil.which(words[0])
        assert main(words[words.index("ask") :]) == 0
        assert capsys.readouterr().out.strip()


@pytest.mark.parametrize(
    ("started", "on_the_path", "words"),
    [
        ("bin/exo2ego", "bin", ["exo2ego"]),
        ("bin/exo2ego", "", ["bin/exo2ego"]),
        ("bin/exo2ego", "other", ["bin/exo2ego"]),
        ("src/exo2ego/__main__.py", "", [sys.executable, "-m", "exo2ego"]),
    ],
)
def test_lines_to_paste_start_the_same_installation(
    started: str, on_the_path: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not another one that the shell would find first, nor a file that it cannot start."""
    for folder in ("bin", "other"):
        write_text(tmp_path / folder / "exo2ego", "#!/bin/sh\n")
        (tmp_path / folder / "exo2ego").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / on_the_path) if on_the_path else "")
    monkeypatch.setattr(sys, "argv", [started, "demo"])
    assert verb.own_command() == words


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
    write_text(examples_file(demo), json.dumps([asdict(example)]))
    assert read_examples(examples_file(demo)) == [example]
    lines = verb.ask_lines(demo)
    assert len(lines) == 2
    assert all(str(demo.out / "examples" / "clip-1.mp4") in line for line in lines)
    assert '"What does the camera-wearer do?"' in lines[0]
    assert '"What colour is the object?"' in lines[1]
    assert all(line.endswith(f"--model {demo.model('ours')}") for line in lines)
