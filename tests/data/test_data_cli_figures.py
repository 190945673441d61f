"""The figures that `exo2ego data` prints are those of its files, and those are what lies in the shards, recounted."""

import html
import json
import re
import tarfile
from collections import Counter
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from coded_video import make_video, steady
from tiny_tree import SPLITS, TAKES, Tree, annotation, description, take_row

from exo2ego.cli.__main__ import main

NARRATIONS = {
    "uid-a": [
        annotation("ann-1", [description("C lifts the cup.", 1.0), description("C drops the cup.", 3.0)]),
        annotation("ann-2", [description("C holds a cup.", 2.0, best_exo={"cam_id": "cam01"})]),
        annotation("ann-9", [description("C waits.", 2.0)], rejected=True),
    ],
    "uid-b": [
        annotation("ann-3", [description("C turns the bolt.", 2.0), description("O taps it.", 4.0, subject="O")]),
        annotation("ann-8", [description("C sees it.", 3.0, unsure=True), description("C hides it.", 3.5)]),
    ],
}


@dataclass(frozen=True)
class Built:
    """A small download, its shards, and what the verbs printed of them."""

    tree: Tree
    out: Path
    clips: str
    inspect: str
    page: str
    figures: dict[str, Any]


def printed(words: list[str]) -> str:
    with redirect_stdout(StringIO()) as out:
        assert main(["data", *words]) == 0
    return out.getvalue()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, numbered: dict[str, bytes]) -> Built:
    """One exo video is not there, another is cut short: some pairs are lost, and have to be counted."""
    folder = tmp_path_factory.mktemp("figures")
    rows = [take_row(uid, name) for uid, name in TAKES.items()]
    val = {"uid-v": [annotation("ann-4", [description("C writes.", 2.0)])]}
    tree = Tree(root=folder / "ego_exo4d", takes=rows, train=NARRATIONS, val=val, splits=dict(SPLITS))
    tree.write_videos(numbered)
    tree.save()
    tree.video("uid-b", "cam02").unlink()
    tree.video("uid-a", "cam02").write_bytes(make_video(steady(15), width=48))
    out = folder / "shards"
    words = ["clips", "--source", str(tree.root), "--out", str(out), "--frames", "4", "--size", "32", "--alpha", "2.5"]
    clips = printed(words)
    inspect = printed(["inspect", str(out), "--json", str(folder / "figures.json"), "--verify"])
    figures = json.loads((folder / "figures.json").read_text())
    page = (out / "sheet.html").read_text()
    return Built(tree=tree, out=out, clips=clips, inspect=inspect, page=page, figures=figures)


def members(out: Path) -> dict[str, dict[str, Any]]:
    """Sample -> its JSON and the views stored beside it, from the tar files alone."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(out.glob("*.tar")):
        with tarfile.open(path) as tar:
            for member in tar.getmembers():
                key, _, rest = member.name.partition(".")
                row = found.setdefault(key, {"stored": []})
                if rest == "json":
                    row |= json.loads(tar.extractfile(member).read())  # type: ignore[union-attr]
                else:
                    row["stored"].append(rest.removesuffix(".mp4"))
    return found


def test_what_is_inspected_is_what_the_tar_files_hold(built: Built) -> None:
    rows = list(members(built.out).values())
    widths = [row["end_s"] - row["start_s"] for row in rows]
    exos = [(row, view) for row in rows for view in row["stored"] if view != "ego"]
    wanted = {
        "takes": len({row["take_uid"] for row in rows}),
        "videos": len({(row["take_uid"], view) for row in rows for view in row["stored"]}),
        "clips": sum(len(row["stored"]) for row in rows),
        "narrations": len(rows),
        "pairs": len(exos),
        "pairs_with_best_exo": sum(view == row["best_exo"] for row, view in exos),
        "splits": dict(Counter(row["split"] for row in rows)),
        "scenarios": dict(Counter(row["scenario"] for row in rows)),
        "conversations": 0,
    }
    assert {name: built.figures[name] for name in wanted} == wanted
    assert built.figures["mean_clip_s"] == pytest.approx(sum(widths) / len(widths))
    assert built.figures["share_under_1_s"] == pytest.approx(sum(width < 1 for width in widths) / len(widths))
    hours = sum(width * len(row["stored"]) for width, row in zip(widths, rows, strict=True)) / 3600
    assert built.figures["clip_hours"] == pytest.approx(hours)
    assert (wanted["narrations"], wanted["takes"]) == (5, 2)
    assert f"verified: {sum(len(row['stored']) + 1 for row in rows)} members, every checksum is right" in built.inspect


def test_what_is_printed_and_shown_on_the_page_is_the_record(built: Built) -> None:
    lines = dict(re.findall(r"^(\S.*?)  +([\d.,]+)$", built.inspect, flags=re.MULTILINE))
    page = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", built.page))
    assert {html.unescape(name): value for name, value in page.items()} == lines
    for name, value in built.figures.items():
        if isinstance(value, int | float) and name != "conversations":
            shown = lines.pop(name.replace("_", " "))
            assert shown == (f"{value:.3f}" if isinstance(value, float) else f"{value:,}"), name
    rest = {f"split: {name}": count for name, count in built.figures["splits"].items()}
    rest |= {f"scenario: {name}": count for name, count in built.figures["scenarios"].items()}
    rest |= {f"left out: {name}": count for name, count in built.figures["filter_report"]["dropped"].items()}
    assert lines == {name: str(count) for name, count in rest.items()}


def test_no_narration_is_lost_without_a_reason(built: Built) -> None:
    """The lines of `data clips`, its manifest, and the annotation files agree, and the counts add up."""
    report = json.loads((built.out / "manifest.json").read_text())["report"]
    total, kept = map(int, re.findall(r"^narrations: (\d+), kept: (\d+)", built.clips, flags=re.MULTILINE)[0])
    left_out = re.findall(r"^  left out, (.*): (\d+)$", built.clips, flags=re.MULTILINE)
    everything = [built.tree.train, built.tree.val]
    written = sum(len(one["descriptions"]) for part in everything for of_take in part.values() for one in of_take)
    assert total == written == kept + sum(int(count) for _, count in left_out)
    assert {name: int(count) for name, count in left_out if int(count)} == {
        "other split": 1,
        "rejected": 1,
        "unsure": 1,
        "other subject": 1,
    }
    assert report["dropped"] == {name: int(count) for name, count in left_out}
    assert (report["total"], report["kept"]) == (total, kept)
    assert f"  exo videos missing for kept narrations: {report['missing_exo_videos']}\n" in built.clips
    assert report["missing_exo_videos"] == 2, "both narrations of uid-b lack cam02"


def test_what_could_not_be_stored_is_counted_once_and_listed(built: Built) -> None:
    listed = [json.loads(line) for line in (built.out / "quarantine.jsonl").read_text().splitlines()]
    assert built.figures["quarantined"] == len(listed) > 0
    assert (
        f"warning: {len(listed)} clips could not be stored; reasons in {built.out / 'quarantine.jsonl'}" in built.clips
    )
    assert {row["video"] for row in listed} == {str(built.tree.video("uid-a", "cam02"))}
    stored = sum(len(row["stored"]) - 1 for row in members(built.out).values())
    assert f"{stored} ego-exo pairs of {built.figures['narrations']} narrations are in {built.out}\n" in built.clips
    kept = built.figures["narrations"]
    assert stored + len(listed) + 2 == 2 * kept, "two cameras a narration: stored, in quarantine, or missing"


def test_a_forecast_is_about_these_pairs(built: Built) -> None:
    text = printed(["mix", "--data", f"mine={built.out}:1", "--samples", "35"])
    assert re.search(rf"mine.* {built.figures['pairs']} ", text)
    assert f"{35 / built.figures['pairs']:.2f}" in text


def test_an_export_holds_every_pair_that_is_inspected(built: Built, tmp_path: Path) -> None:
    out = tmp_path / "export"
    words = ["export", str(built.out), "--format", "openai", "--view", "cam01", "--question", "What?"]
    text = printed([*words, "--out", str(out)])
    rows = [json.loads(line) for line in (out / "openai.jsonl").read_text().splitlines()]
    with_view = [row for row in members(built.out).values() if "cam01" in row["stored"]]
    assert len(rows) == len(with_view)
    samples = built.figures["narrations"]
    assert f"conversations: {len(rows)} about {len(rows)} clips of {samples} samples\n" in text
    assert Counter(row["messages"][-1]["content"] for row in rows) == Counter(row["text"] for row in with_view)
