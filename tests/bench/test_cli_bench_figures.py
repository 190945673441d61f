"""The same numbers everywhere: printed by `bench run` and `score`, in scores.json, and in the report's four forms."""

import csv
import html
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from exo2ego.bench.report import AVERAGE
from exo2ego.bench.tasks import TASKS
from exo2ego.cli.__main__ import main as exo2ego
from exo2ego.cli.bench import main

NAMES = ("egomcq", "egoschema", "epic_mir")
Measures = list[dict[str, Any]]

FIGURE = re.compile(
    r"(?P<name>[^\[\]]+?)(?: \[(?P<part>[^\]]+)\])?: (?P<value>[\d.]+) \[(?P<low>[\d.]+), (?P<high>[\d.]+)\] "
    r"\(n (?P<n>\d+), unparsed (?P<unparsed>\d+), unscored (?P<unscored>\d+)\)"
)


@dataclass(frozen=True)
class Shown:
    """Two runs of the same questions, and what the command line showed of them."""

    runs: tuple[Path, Path]
    printed: str
    """By the first run."""
    report: Path
    reported: str


def printed_by(words: list[str]) -> str:
    """What a command prints that succeeds."""
    with redirect_stdout(StringIO()) as out:
        assert main(words) == 0
    return out.getvalue()


@pytest.fixture(scope="module")
def shown(shared_bench: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """One item of EgoSchema is unscored, so that the counts are not all alike."""
    folder = tmp_path_factory.mktemp("figures")
    ask = ["run", "--model", "random", "--tasks", ",".join(NAMES), "--root", str(shared_bench), "--allow-missing"]
    one, other = folder / "one", folder / "other"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "200")
        texts = [printed_by([*ask, "--out", str(out), "--seed", str(seed)]) for seed, out in enumerate((one, other))]
        text = printed_by(["report", str(one), str(other), "--out", str(folder / "report")])
        yield Shown(runs=(one, other), printed=texts[0], report=folder / "report", reported=text)


def measures(folder: Path) -> Measures:
    """As `scores.json` has them."""
    content: Measures = json.loads((folder / "scores.json").read_text())["measures"]
    return content


def percent(number: float) -> str:
    return f"{100 * number:.1f}"


def stated(found: Measures) -> Iterator[tuple[str, ...]]:
    """The figures that a terminal should show: headlines, and what is told or untold."""
    for one in found:
        score = one["score"]
        if one["headline"] or {"told", "kind"} & set(score["groups"]):
            part = ", ".join(score["groups"].values())
            interval = tuple(percent(score[name]) for name in ("value", "low", "high"))
            yield score["name"], part, *interval, *(str(score[name]) for name in ("n", "unparsed", "unscored"))


def printed(text: str) -> list[tuple[str, ...]]:
    """The figures that a terminal shows."""
    found = [match.groups("") for match in map(FIGURE.fullmatch, text.splitlines()) if match]
    assert len(found) == sum(": " in line and "(n " in line for line in text.splitlines()), text
    return [tuple(map(str, groups)) for groups in found]


def test_run_and_score_print_what_they_write(shown: Shown) -> None:
    out = shown.runs[0]
    wanted = [row for name in NAMES for row in stated(measures(out / name))]
    assert {row[-1] for row in wanted} == {"0", "1"}
    assert {row[1] for row in wanted} >= {"", "told", "untold"}
    assert printed(shown.printed) == wanted
    before = {name: (out / name / "scores.json").read_bytes() for name in NAMES}
    for name in NAMES:
        assert f"written: {out / name / 'scores.json'}\n" in shown.printed
        (out / name / "scores.json").unlink()
    assert printed(printed_by(["score", str(out)])) == wanted
    assert {name: (out / name / "scores.json").read_bytes() for name in NAMES} == before


def test_one_task_is_scored_from_its_own_folder_with_another_alpha(shown: Shown, tmp_path: Path) -> None:
    """Only video to text has an alpha; the run keeps its own."""
    copy = shutil.copytree(shown.runs[0] / "epic_mir", tmp_path / "epic_mir")
    before = measures(copy)
    assert printed(printed_by(["score", str(copy), "--alpha", "0.25"])) == list(stated(measures(copy)))
    assert "alpha=0.25" in json.dumps(measures(copy))
    assert "alpha=0.25" not in json.dumps(before)
    assert json.loads((copy / "run.json").read_text())["alpha"] == 1.0


def table_of(shown: Shown, run: str) -> list[dict[str, str]]:
    """The lines of the CSV about one run."""
    rows = csv.DictReader((shown.report / "report.csv").read_text().splitlines())
    return [row for row in rows if row["run"] == f"random ({run})"]


def test_the_csv_holds_every_figure_as_scores_json_has_it(shown: Shown) -> None:
    for folder in shown.runs:
        own = table_of(shown, folder.name)
        scores = [one["score"] for name in TASKS if name in NAMES for one in measures(folder / name)]
        assert len(own) == len(scores) + 1, "every figure, and the average"
        for row, score in zip(own, scores, strict=False):
            assert row["figure"] == score["name"]
            assert row["groups"] == ";".join(f"{key}={value}" for key, value in score["groups"].items())
            for name in ("value", "low", "high", "n", "unparsed", "unscored", "unjudged"):
                assert float(row[name]) == score[name], (row, name)
            assert row["chance"] == ("" if score["chance"] is None else str(score["chance"]))


def test_a_gain_is_the_difference_of_the_two_figures(shown: Shown) -> None:
    """Where both runs scored the same items; its interval holds it."""
    first = {(row["figure"], row["groups"]): row for row in table_of(shown, "one")}
    others = table_of(shown, "other")
    assert len(others) == len(first)
    for row in others:
        ours = first[row["figure"], row["groups"]]
        assert (ours["gain"], ours["gain_p"]) == ("", "")
        assert float(row["gain"]) == pytest.approx(float(ours["value"]) - float(row["value"]), abs=1e-12)
        assert float(row["gain_low"]) - 1e-9 <= float(row["gain"]) <= float(row["gain_high"]) + 1e-9
        assert 0 < float(row["gain_p"]) <= 1


def cells_of_markdown(text: str) -> list[list[str]]:
    rows = [re.split(r"(?<!\\) ?\| ?", line)[1:-1] for line in text.splitlines() if line.startswith("| ")]
    return [[cell.replace("\\|", "|") for cell in row] for row in rows]


def cells_of_html(text: str) -> list[list[str]]:
    table = re.search(r"<h2>All figures</h2>.*?</table>", text, flags=re.DOTALL)
    assert table is not None
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", table.group(0))
    return [[html.unescape(cell) for cell in re.findall(r"<t[hd]>(.*?)</t[hd]>", row)] for row in rows]


def test_card_and_page_hold_one_table_and_it_is_that_of_the_csv(shown: Shown) -> None:
    card, page = ((shown.report / name).read_text() for name in ("report.md", "report.html"))
    table = cells_of_markdown(card)
    assert table == cells_of_html(page)
    one, other = table_of(shown, "one"), table_of(shown, "other")
    assert len(table) == 1 + len(one)
    for cells, ours, theirs in zip(table[1:], one, other, strict=True):
        row_of = dict(zip(table[0], cells, strict=True))
        assert row_of["figure (percent)"].startswith(ours["figure"])
        for row in (ours, theirs):
            value, low, high = (percent(float(row[name])) for name in ("value", "low", "high"))
            marked = "~" if row["chance"] and float(row["low"]) <= float(row["chance"]) else ""
            assert row_of[row["run"]] == f"{value}{marked} [{low}, {high}]"
        gained = row_of["random (one) minus random (other)"]
        assert gained.startswith(f"{100 * float(theirs['gain']):+.1f} [")
        assert row_of["n"] == ours["n"]
        assert row_of["chance"] == (percent(float(ours["chance"])) if ours["chance"] else "–")


def test_the_terminal_shows_the_headlines_of_the_card(shown: Shown) -> None:
    """The interval stands below its value; both runs in one table, then their difference."""
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in shown.reported.splitlines() if "│" in line]
    card = {row[0]: row for row in cells_of_markdown((shown.report / "report.md").read_text())[1:]}
    folders = [shown.runs[0] / name for name in NAMES]
    headlines = [one["score"]["name"] for folder in folders for one in measures(folder) if one["headline"]]
    assert len(headlines) == 5
    for title in (*headlines, AVERAGE):
        values, gains = (place for place, row in enumerate(rows) if row[0] == title.partition(" (")[0])
        for column in (1, 2):
            assert f"{rows[values][column]} {rows[values + 1][column]}" == card[title][column], title
        told = " ".join(rows[place][1] for place in (gains, gains + 1, gains + 2))
        assert told.rstrip() == card[title][3], title


def test_the_report_names_its_files_and_they_are_there(shown: Shown) -> None:
    written = re.findall(r"^written: (.*)$", shown.reported, flags=re.MULTILINE)
    assert [Path(path).name for path in written] == ["report.html", "report.csv", "report.md"]
    assert all(Path(path).stat().st_size for path in written)


def test_a_run_that_is_not_scored_says_what_to_do(
    shown: Shown, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = shutil.copytree(shown.runs[1], tmp_path / "run") / "egomcq"
    (copy / "scores.json").unlink()
    assert exo2ego(["bench", "report", str(copy.parent), "--out", str(tmp_path / "report")]) == 2
    said = f"exo2ego: {copy / 'scores.json'} is not there; run `exo2ego bench score {copy}` first\n"
    assert capsys.readouterr().err == said
    assert not (tmp_path / "report").exists()
