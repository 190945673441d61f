"""`exo2ego data ...`: each flag of each verb reaches the rule, the format or the limit that its help names."""

import json
import re
import sys
from collections.abc import Callable
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import pytest
from egoclip_table import UIDS, clip, write_table
from tiny_tree import Tree

from exo2ego.cli import data
from exo2ego.cli.__main__ import main
from exo2ego.cli.data_common import filters_of, subset_of
from exo2ego.cli.data_egoclip import _parser as egoclip_parser
from exo2ego.cli.data_egoclip import _rule as egoclip_rule
from exo2ego.data import download_plan, export, shard_writer, tree_check
from exo2ego.data.clips import ClipRule
from exo2ego.data.download_sizes import FULL_PART, SMALL_PART
from exo2ego.data.egoexo4d import read_root
from exo2ego.data.export_plan import ExportRule
from exo2ego.data.pairs import FilterRule
from exo2ego.data.shard_clips import Limits
from exo2ego.data.shard_group import ClipFormat
from exo2ego.data.sources.egoclip_select import EgoClipRule
from exo2ego.data.tree_check import Tolerance
from exo2ego.data.tree_check_log import Asked
from exo2ego.errors import FormatError, InputError
from exo2ego.training.recipes import RECIPES


class Told(Exception):
    """Raised in place of the work, with what it was told."""

    def __init__(self, words: tuple[Any, ...], more: dict[str, Any]) -> None:
        super().__init__()
        self.words, self.more = words, more


@pytest.fixture
def told_to(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any, str], Callable[[list[str]], Told]]:
    """(module, function) -> what that function is told by a command line."""

    def watch(module: Any, name: str) -> Callable[[list[str]], Told]:
        def told(*words: Any, **more: Any) -> None:
            raise Told(words, more)

        monkeypatch.setattr(module, name, told)

        def by(words: list[str]) -> Told:
            with pytest.raises(Told) as stopped:
                main(["data", *words])
            return stopped.value

        return by

    return watch


FILTERS = {
    "splits": (["--splits", "train", "val"], ("train", "val")),
    "views": (["--views", "2"], 2),
    "keep_rejected": (["--keep-rejected"], True),
    "keep_unsure": (["--keep-unsure"], True),
    "keep_not_ego_visible": (["--keep-not-ego-visible"], True),
    "keep_other_subjects": (["--keep-other-subjects"], True),
}


@pytest.mark.parametrize("verb", ["clips", "plan", "check"])
@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_is_the_same_in_every_verb_and_sets_its_own_field(verb: str, name: str) -> None:
    """What is planned and checked is what will be built."""
    from exo2ego.cli import data_check, data_clips, data_plan

    parser = {"clips": data_clips, "plan": data_plan, "check": data_check}[verb]._parser()
    words, value = FILTERS[name]
    where = ["--source", "x", "--out", "y"] if verb == "clips" else ["x"]
    assert filters_of(parser.parse_args(where)) == FilterRule()
    assert filters_of(parser.parse_args([*where, *words])) == replace(FilterRule(), **{name: value})


def test_every_filter_has_a_flag() -> None:
    assert {field.name for field in fields(FilterRule)} == {*FILTERS, "rewrite_subject"}


def test_best_and_all_are_views_and_nothing_else_is() -> None:
    from exo2ego.cli.data_clips import _parser

    for text in ("all", "best"):
        options = _parser().parse_args(["--source", "x", "--out", "y", "--views", text])
        assert filters_of(options).views == text
    with pytest.raises(InputError, match="'worst' is neither all, best nor a number of exo cameras"):
        _parser().parse_args(["--source", "x", "--out", "y", "--views", "worst"])
    with pytest.raises(FormatError, match="withholds those of test"):
        filters_of(_parser().parse_args(["--source", "x", "--out", "y", "--splits", "test"]))


def test_lists_of_takes_and_bad_videos_are_counted_aloud(
    tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from exo2ego.cli.data_plan import _parser

    (tmp_path / "takes.txt").write_text("# mine\nuid-a\n\nuid-b\nuid-x\n")
    bad = tree.video("uid-a", "cam01").relative_to(tree.root).as_posix()
    (tmp_path / "bad.jsonl").write_text(json.dumps({"video": bad, "reason": "black"}) + "\n")
    dataset = read_root(tree.root)
    words = [str(tree.root), "--takes", str(tmp_path / "takes.txt"), "--quarantine", str(tmp_path / "bad.jsonl")]
    subset = subset_of(_parser().parse_args(words), tree.root, dataset)
    assert subset.takes == {"uid-a", "uid-b"}
    assert subset.quarantined == {bad}
    assert capsys.readouterr().out.splitlines() == [
        f"takes: 2 of {tmp_path / 'takes.txt'}",
        "note: 1 listed takes are dropped, without split or unknown, as uid-x; left out",
        f"quarantine: 1 videos of {tmp_path / 'bad.jsonl'}",
    ]
    whole = subset_of(_parser().parse_args([str(tree.root)]), tree.root, dataset)
    assert (whole.takes, whole.quarantined) == (None, frozenset())
    assert capsys.readouterr().out == ""


def test_flags_of_clips_reach_the_build(tree: Tree, tmp_path: Path, told_to: Any) -> None:
    words = ["clips", "--source", str(tree.root), "--out", str(tmp_path / "out"), "--frames", "4", "--size", "32"]
    words += ["--workers", "3", "--time-limit", "7.5", "--memory-limit", "64", "--alpha", "2.5", "--pool", "annotation"]
    words += ["--min-width", "0.3", "--rewrite-subject", "--views", "best"]
    told = told_to(shard_writer, "build_shards")(words)
    out, planned, clip_format = told.words
    settings = told.more["settings"]
    assert (out, clip_format) == (tmp_path / "out", ClipFormat(num_frames=4, size_px=32))
    assert (told.more["workers"], told.more["run"]) == (3, None)
    assert told.more["limits"] == Limits(time_limit_s=7.5, memory_limit_bytes=64 << 20)
    assert settings["rule"] == asdict(ClipRule(alpha=2.5, pool="annotation", min_width_s=0.3))
    assert settings["filters"] == asdict(FilterRule(rewrite_subject=True, views="best"))
    assert settings["origin"] == "simulated"
    assert {one.sample.text.split()[0] for one in planned} == {"Camera-wearer"}


def test_a_recipe_says_how_clips_are_stored(tree: Tree, tmp_path: Path, told_to: Any) -> None:
    """What `train --recipe paper` reads; a size beside it could only contradict it."""
    words = ["clips", "--source", str(tree.root), "--out", str(tmp_path / "out"), "--recipe"]
    assert told_to(shard_writer, "build_shards")([*words, "paper"]).words[2] == ClipFormat(num_frames=16, size_px=336)
    with pytest.raises(InputError, match=r"^--recipe paper gives frames and size: leave out --frames and --size$"):
        data.main([*words, "paper", "--size", "64", "--frames", "8"])
    with pytest.raises(InputError, match=r"^unknown recipe 'papier'; available: tiny, paper, "):
        data.main([*words, "papier"])


def test_without_flags_a_build_is_as_the_help_says(tree: Tree, tmp_path: Path, told_to: Any) -> None:
    told = told_to(shard_writer, "build_shards")(["clips", "--source", str(tree.root), "--out", str(tmp_path / "out")])
    assert told.words[2] == ClipFormat(num_frames=16, size_px=64) == ClipFormat()
    assert (told.more["workers"], told.more["run"], told.more["limits"]) == (1, None, Limits())
    assert told.more["settings"]["rule"] == asdict(ClipRule())
    assert (told.more["settings"]["takes"], told.more["settings"]["quarantined"]) == (None, 0)


def test_whose_takes_they_are_is_told_of_the_whole_download(tree: Tree, tmp_path: Path, told_to: Any) -> None:
    """One real take among simulated ones, and the licence is that of the real data."""
    tree.takes[0]["university_name"] = "cmu"
    tree.save()
    told = told_to(shard_writer, "build_shards")(["clips", "--source", str(tree.root), "--out", str(tmp_path / "out")])
    assert told.more["settings"]["origin"] == "ego_exo4d"


def test_a_cluster_needs_its_engine_and_ray(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["data", "clips", "--source", str(tree.root), "--out", str(tmp_path / "out")]
    assert main([*words, "--address", "auto"]) == 2
    assert capsys.readouterr().err == "exo2ego: --address names a Ray cluster; give --engine ray with it\n"
    monkeypatch.setitem(sys.modules, "exo2ego.data.ray_build", None)
    assert main([*words, "--engine", "ray"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("exo2ego: --engine ray: ")
    assert err.endswith("pip install 'exo2ego[ray]'\n")
    assert not (tmp_path / "out").exists()


EGOCLIP = {
    "narration_source": (["--narration-source", "narration_pass_2"], "narration_pass_2"),
    "verbs": (["--verb", "3", "9"], frozenset({3, 9})),
    "nouns": (["--noun", "4"], frozenset({4})),
    "keep_other_subjects": (["--keep-other-subjects"], True),
    "keep_unsure": (["--keep-unsure"], True),
    "rewrite_subject": (["--rewrite-subject"], True),
    "first_person": (["--first-person"], True),
    "min_width_s": (["--min-width", "0.4"], 0.4),
    "crossing": (["--crossing", "clamp"], "clamp"),
    "limit": (["--limit", "12"], 12),
    "seed": (["--seed", "8"], 8),
}


@pytest.mark.parametrize("name", EGOCLIP)
def test_a_flag_of_egoclip_sets_its_own_field(name: str) -> None:
    words, value = EGOCLIP[name]
    base = ["--csv", "a", "--videos", "b", "--out", "c"]
    assert egoclip_rule(egoclip_parser().parse_args(base)) == EgoClipRule()
    assert egoclip_rule(egoclip_parser().parse_args([*base, *words])) == replace(EgoClipRule(), **{name: value})


def test_every_rule_of_egoclip_has_a_flag() -> None:
    assert {field.name for field in fields(EgoClipRule)} == {*EGOCLIP, "exclude"}


def test_what_became_of_egoclips_rows_adds_up(
    tmp_path: Path, told_to: Any, numbered: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    """Printed and stored alike, without a row that is in none of the counts; excluded videos are told of."""
    rows = [clip(n, UIDS[n % 3]) for n in range(6)] + [clip(6, clip_text="#O O waits"), clip(7, clip_start="soon")]
    table = write_table(tmp_path / "egoclip.csv", rows)
    for uid in UIDS[:2]:
        (tmp_path / "videos").mkdir(exist_ok=True)
        (tmp_path / "videos" / f"{uid}.mp4").write_bytes(numbered["cam01"])
    (tmp_path / "no.txt").write_text(f"{UIDS[1]}\nnot-in-the-table\n")
    words = ["egoclip", "--csv", str(table), "--videos", str(tmp_path / "videos"), "--out", str(tmp_path / "out")]
    told = told_to(shard_writer, "build_shards")([*words, "--exclude", str(tmp_path / "no.txt")])
    report, settings = told.more["report"], told.more["settings"]
    assert (report["rows"], report["malformed"], report["excluded_videos"]) == (8, 1, 1)
    assert {reason: count for reason, count in report["dropped"].items() if count} == {
        "excluded video": 2,
        "other subject": 1,
        "missing video": 2,
    }
    kept = report["rows"] - report["malformed"] - sum(report["dropped"].values())
    assert len(list(told.words[1])) == kept == 2
    assert (settings["video_layout"], settings["rule"]["exclude"]) == ("whole", 2)
    out = capsys.readouterr().out
    assert f"rows: 8, kept: {kept}; videos stored as whole\n" in out
    assert re.search(r"^  malformed: 1; the first: .*clip_start.*soon", out, re.MULTILINE)
    assert "  left out, excluded video: 2\n  left out, other subject: 1\n  left out, missing video: 2\n" in out
    assert "  excluded videos that the table has: 1 of 2 named\n" in out
    assert "no --exclude" not in out


def test_flags_of_check_reach_the_look_at_videos(tree: Tree, tmp_path: Path, told_to: Any) -> None:
    words = ["check", str(tree.root), "--out", str(tmp_path / "check"), "--full", "--time-limit", "9"]
    words += ["--memory-limit", "96", "--duration-tolerance", "0.25", "--frame-tolerance", "2", "--workers", "3"]
    told = told_to(tree_check, "check_tree")([*words, "--retry-bad"])
    dataset, found, out, asked, tolerance = told.words
    assert {need.take.take_uid for need in found} == {"uid-a", "uid-b"} <= set(dataset.takes)
    assert out == tmp_path / "check"
    assert asked == Asked(full=True, time_limit_s=9.0, memory_limit_bytes=96 << 20)
    assert tolerance == Tolerance(duration_s=0.25, frames=2)
    assert (told.more["workers"], told.more["retry_bad"]) == (3, True)


def test_check_without_flags_is_as_the_help_says(
    tree: Tree, told_to: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = told_to(tree_check, "check_tree")(["check", str(tree.root)])
    assert told.words[2:] == (Path("ego_exo4d-check"), Asked(), Tolerance())
    assert (told.more["workers"], told.more["retry_bad"]) == (1, False)


@pytest.mark.parametrize(
    ("words", "changed"),
    [
        ([], {}),
        (["--stage", "guidance"], {"stages": ("guidance",)}),
        (["--downscaled", "no"], {"part": FULL_PART}),
        (["--downscaled", "yes"], {"part": SMALL_PART}),
        (["--bytes-per-second", "1e6"], {"bytes_per_second": 1e6}),
        (["--budget", "1.5GB"], {"budget_bytes": 1_500_000_000}),
        (["--budget", "2GiB", "--budget-for", "kept"], {"budget_bytes": 2 << 30, "budget_for": "kept"}),
        (["--keep-unsure"], {"filters": FilterRule(keep_unsure=True)}),
    ],
)
def test_flags_of_plan(words: list[str], changed: dict[str, Any], tree: Tree, told_to: Any) -> None:
    told = told_to(download_plan, "make_plan")(["plan", str(tree.root), *words])
    assert told.words[1] == download_plan.PlanSpec(**({"filters": FilterRule()} | changed))


@pytest.mark.parametrize("rate", ["0", "-1", "inf", "nan", "fast"])
def test_a_rate_that_no_video_has(rate: str, tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "plan", str(tree.root), "--bytes-per-second", rate]) == 2
    err = capsys.readouterr().err
    assert f"'{rate}' is not " in err
    assert err.count("\n") == 1


@pytest.fixture
def built(tree: Tree, tmp_path: Path) -> Path:
    out = tmp_path / "pairs"
    words = ["--source", str(tree.root), "--out", str(out), "--frames", "4", "--size", "32", "--views", "1"]
    assert main(["data", "clips", *words]) == 0
    return out


def test_flags_of_export(built: Path, tmp_path: Path, told_to: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Pairs are asked in the words of a recipe unless told otherwise, and shown from the wearer's view."""
    by, out = told_to(export, "export"), str(tmp_path / "export")
    plain = by(["export", str(built), "--format", "llava", "--out", out])
    tiny = RECIPES["tiny"]().narration_question
    assert plain.words[1:] == (tmp_path / "export", ExportRule(form="llava", view="ego", question=tiny))
    assert plain.more["copy_videos"] is False
    words = ["export", str(built), "--format", "llava", "--out", out, "--view", "best-exo", "--marker", "image"]
    words += ["--splits", "train", "val", "--question", "What now?", "--copy-videos"]
    told = by(words)
    assert told.words[2] == ExportRule(
        form="llava", view="best-exo", question="What now?", splits=("train", "val"), marker="<image>"
    )
    assert told.more["copy_videos"] is True
    capsys.readouterr()
    assert main(["data", "export", str(built), "--format", "llava", "--out", out, "--recipe", "tyni"]) == 2
    assert f"unknown recipe 'tyni'; available: {', '.join(RECIPES)}" in capsys.readouterr().err
