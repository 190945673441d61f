"""`exo2ego data plan`: what a user reads and gets as files, from texts alone and with videos there."""

import json
import shlex
import shutil
from pathlib import Path

import pytest
from json_shape import shape_of
from tiny_tree import Tree

from exo2ego.cli.__main__ import main
from exo2ego.cli.data import VERBS
from exo2ego.data.download_sources import INSTRUCTION_SOURCES
from exo2ego.data.shards import open_shards
from exo2ego.data.sources import SOURCES

SIZE = {"estimated": "int", "total": "int"}
TOTALS = {
    "takes": "int",
    "ego_videos": "int",
    "exo_videos": "int",
    "hours": "float",
    "size": SIZE,
    "narrations": "int",
    "pairs": "int",
}
FILTERS = {
    "splits": ["str"],
    "keep_rejected": "bool",
    "keep_unsure": "bool",
    "keep_not_ego_visible": "bool",
    "keep_other_subjects": "bool",
    "rewrite_subject": "bool",
    "views": "str",
}


def test_the_json_has_its_form(tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Others read this file: a field that changes its name or type is a new PLAN_VERSION."""
    out = tmp_path / "plan.json"
    assert main(["data", "plan", str(tree.root), "--budget", "1GB", "--json", str(out)]) == 0
    record = json.loads(out.read_text())
    assert record["version"] == 1
    reasons = record["narrations"].pop("left_out")
    assert reasons["other split"] == 2
    assert shape_of(record) == {
        "version": "int",
        "root": "str",
        "settings": {
            "stages": ["str"],
            "filters": FILTERS,
            "part": "str",
            "bytes_per_second": "float",
            "bytes_per_second_is_published": "bool",
            "budget_bytes": "int",
            "budget_for": "str",
        },
        "problems": {},
        "narrations": {"total": "int"},
        "needed": TOTALS,
        "stages": {"teacher": TOTALS, "guidance": TOTALS},
        "fetched": SIZE,
        "kept": SIZE,
        "savings": [{"what": "str", "why": "str", "takes": "int", "videos": "int", "hours": "float", "size": SIZE}],
        "scenarios": [
            {
                "scenario": "str",
                "takes": "int",
                "universities": "int",
                "narrations": "int",
                "pairs": "int",
                "size": SIZE,
            }
        ],
        "missing_scenarios": [],
        "instruction_sources": [
            {"stage": "str", "name": "str", "files": ["str"], "videos": "str", "origin": "str", "reader": "str"}
        ],
        "takes": [
            {
                "take_uid": "str",
                "take_name": "str",
                "scenario": "str",
                "university": "str",
                "split": "str",
                "duration_s": "float",
                "narrations": "int",
                "pairs": "int",
                "ego": "str",
                "exos": ["str"],
                "fetched": SIZE,
                "kept": SIZE,
            }
        ],
        "unneeded_files": ["str"],
    }
    assert record["kept"]["estimated"] == 0, "the videos are there"


def test_lists_for_the_downloader_and_back_into_data_clips(
    tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = sum(tree.video("uid-b", camera).stat().st_size for camera in ("aria01", "cam01", "cam02"))
    uids, files, rest = (tmp_path / "lists" / name for name in ("takes.txt", "files.txt", "rest.txt"))
    flags = ["--uids-out", str(uids), "--files-out", str(files), "--unneeded-out", str(rest)]
    assert main(["data", "plan", str(tree.root), "--budget", f"{whole}B", *flags]) == 0
    (uid,) = uids.read_text().split()
    assert len(files.read_text().split()) == 3
    assert all((tree.root / path).is_file() for path in files.read_text().split())
    assert len(rest.read_text().split()) == 2
    said = capsys.readouterr().out
    assert f"--uids $(cat {uids})" in said
    assert "1 of 2 takes" in said
    out = tmp_path / "shards"
    build = ["data", "clips", "--source", str(tree.root), "--out", str(out), "--frames", "4", "--size", "32"]
    assert main([*build, "--takes", str(uids)]) == 0
    assert {sample.take_uid for sample in open_shards(out).samples} == {uid}


def test_commands_keep_texts_and_videos_apart_and_quote_the_folder(
    tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--uids` on the texts would leave them out: their uids are no takes."""
    root = tmp_path / "my data"
    tree.root.rename(root)
    assert main(["data", "plan", str(root)]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines() if line.strip().startswith("egoexo")]
    texts, videos = lines
    assert f"-o '{root}' --parts metadata annotations " in texts
    assert f"-o '{root}' --parts downscaled_takes/448 --views ego exo " in videos
    assert main(["data", "plan", str(root), "--downscaled", "no"]) == 0
    assert "--parts takes --views ego exo" in capsys.readouterr().out


def test_texts_alone_are_enough_and_estimates_say_so(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(tree.root / "takes")
    assert main(["data", "plan", str(tree.root)]) == 0
    said = capsys.readouterr().out
    assert "estimated at 94,707 bytes a second of video, as published" in said
    assert "about 3.4 MB" in said, "two takes of three videos of six seconds"
    assert main(["data", "plan", str(tree.root), "--bytes-per-second", "1000"]) == 0
    said = capsys.readouterr().out
    assert "1,000 bytes a second of video, as given" in said
    assert "about 36.0 kB" in said


def test_the_check_it_advises_needs_the_same_videos(
    tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line printed, given as it stands, in the folder where the plan was made."""
    flags = ["--splits", "train", "val", "--views", "best", "--keep-unsure", "--uids-out", str(tmp_path / "takes.txt")]
    assert main(["data", "plan", str(tree.root), *flags, "--json", str(tmp_path / "plan.json")]) == 0
    said = capsys.readouterr().out
    line = next(line for line in said.splitlines() if line.startswith("afterwards: exo2ego "))
    words = shlex.split(line.removeprefix("afterwards: exo2ego "))
    assert main([*words, "--out", str(tmp_path / "out"), "--json", str(tmp_path / "check.json")]) == 0
    planned = json.loads((tmp_path / "plan.json").read_text())["takes"]
    checked = json.loads((tmp_path / "check.json").read_text())["videos"]
    assert {video["video"] for video in checked} == {path for one in planned for path in (one["ego"], *one["exos"])}
    assert len(checked) == 3 + 2 + 2, "kitchen_1 has two best views, bench_2 and desk_3 one each"


def test_every_source_of_egoit_is_named_with_its_reader() -> None:
    readers = {source.reader for source in INSTRUCTION_SOURCES if source.stage == "practice"}
    assert readers == {f"exo2ego data instruct --source {name}=ROOT" for name in SOURCES}
    verbs = {source.reader.split()[2] for source in INSTRUCTION_SOURCES}
    assert verbs <= set(VERBS)


def test_a_stage_alone(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "plan", str(tree.root), "--stage", "practice"]) == 0
    said = capsys.readouterr().out
    assert "EGTEA Gaze+" in said
    assert "EgoClip" not in said
    assert "egoexo -o" not in said
    assert main(["data", "plan", str(tree.root), "--stage", "teacher"]) == 0
    said = capsys.readouterr().out
    assert "teacher reads" in said
    assert "guidance reads" not in said
    assert "EGTEA" not in said


def test_the_documentation_sample_planned(docsample: Path, tmp_path: Path) -> None:
    """One real take of 21.37 s with one ego and one exo camera."""
    assert main(["data", "plan", str(docsample), "--json", str(tmp_path / "plan.json")]) == 0
    record = json.loads((tmp_path / "plan.json").read_text())
    (take,) = record["takes"]
    assert (take["scenario"], take["university"], take["narrations"]) == ("Bike Repair", "cmu", 1)
    assert record["narrations"]["left_out"]["not ego-visible"] == 3
    assert len(record["unneeded_files"]) == 4, "two grey cameras, the eye camera, the preview"
    assert take["fetched"]["total"] == 2 * 2_023_565


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent"], "absent: no such folder"),
        ([], "required: root"),
        (["ROOT", "--budget", "much"], "'much' is not a size; write it as 200GB"),
        (["ROOT", "--budget", "1B"], "a budget of 1 B holds no take; the smallest needs"),
        (["ROOT", "--bytes-per-second", "0"], "'0' is not above 0"),
        (["ROOT", "--bytes-per-second", "fast"], "'fast' is not a number"),
        (["ROOT", "--stage", "last"], "invalid choice: 'last'"),
        (["ROOT", "--splits", "test"], "withholds those of test"),
        (["ROOT", "--views", "few"], "neither all, best nor a number"),
        (["ROOT", "--takes", "absent.txt"], "absent.txt: no such file"),
        (["ROOT", "--budget", "20GB", "--budget-for", "fun"], "invalid choice: 'fun'"),
    ],
)
def test_mistakes_of_a_plan_are_one_line(
    arguments: list[str], message: str, tree: Tree, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "plan", *(str(tree.root) if word == "ROOT" else word for word in arguments)]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
