"""The reader of the Ego-Exo4D layout: documentation samples, dirt, errors that name the place."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from tiny_tree import Tree, annotation, description

from exo2ego.data import egoexo4d
from exo2ego.data.egoexo4d import read_root
from exo2ego.errors import FormatError, MissingFileError

REAL = Path(__file__).parents[3] / "shared" / "data" / "ego_exo4d"


@pytest.mark.skipif(not REAL.is_dir(), reason="the documentation's samples (../shared/data/ego_exo4d) are not here")
def test_documentation_samples(tmp_path: Path) -> None:
    """Their take and their descriptions are of different takes; the latter are lent the former's uid."""
    (tmp_path / "annotations").mkdir()
    shutil.copy(REAL / "takes.docsample.json", tmp_path / "takes.json")
    shutil.copy(REAL / "splits.schema.json", tmp_path / "annotations" / "splits.json")
    sample = (REAL / "atomic_descriptions.docsample.json").read_text()
    (tmp_path / "annotations" / "atomic_descriptions_train.json").write_text(sample)
    assert read_root(tmp_path).problem_counts() == {"unknown take": 1}
    uid = "13f01c79-5bfd-42f5-90ce-ee350aa1c3ad"
    lent = sample.replace("3c489f86-8896-4c86-8a5a-929999799d36", uid)
    (tmp_path / "annotations" / "atomic_descriptions_train.json").write_text(lent)
    dataset = read_root(tmp_path)
    take = dataset.takes[uid]
    assert take.ego is not None
    assert take.ego.path == "takes/cmu_bike01_2/frame_aligned_videos/downscaled/448/aria01_214-1.mp4"
    assert [exo.cam_id for exo in take.exos] == ["cam01"]
    assert (take.scenario, take.university, take.split, take.best_exo) == ("Bike Repair", "cmu", "train", "cam04")
    assert [n.ego_visible for n in dataset.narrations] == [False, False, True, True, False]
    assert [n.subject for n in dataset.narrations] == ["C", "C", "C", "O", "C"]
    assert not any(n.unsure for n in dataset.narrations)
    assert dataset.narrations[2].best_exo == "cam02"


def test_splits_are_lower_cased_and_cameras_sorted_out(tree: Tree) -> None:
    dataset = read_root(tree.root)
    assert {uid: take.split for uid, take in dataset.takes.items()} == {
        "uid-a": "train",
        "uid-b": "train",
        "uid-v": "val",
        "uid-t": "test",
    }
    take = dataset.takes["uid-a"]
    assert take.ego is not None
    assert (take.ego.cam_id, [exo.cam_id for exo in take.exos]) == ("aria01", ["cam01", "cam02"])
    assert len(dataset.narrations) == 7


@pytest.mark.parametrize(("value", "meaning"), [("0", False), ("1", True), (0, False), (1, True), (True, True)])
def test_flags_in_all_their_forms(tree: Tree, value: object, meaning: bool) -> None:
    tree.train = {"uid-a": [annotation("x", [description("C sits.", 1.0, ego_visible=value, unsure=value)])]}
    narration = read_root(tree.save()).narrations[0]
    assert (narration.ego_visible, narration.unsure) == (meaning, meaning)


def test_problems_are_counted_and_not_fatal(tree: Tree) -> None:
    tree.takes[1]["is_dropped"] = True
    del tree.splits["uid-v"]
    tree.train["uid-nowhere"] = [annotation("x", [description("C sits.", 1.0)])]
    dataset = read_root(tree.save())
    assert dataset.problem_counts() == {"dropped take": 1, "take without split": 1, "unknown take": 1}
    assert {n.take_uid for n in dataset.narrations} == {"uid-a"}


def test_null_paths_and_cameras_without_videos(tree: Tree) -> None:
    tree.takes[0]["frame_aligned_videos"]["cam01"]["0"]["relative_path"] = None
    tree.takes[1]["frame_aligned_videos"]["aria01"]["rgb"]["relative_path"] = None
    dataset = read_root(tree.save())
    assert [exo.cam_id for exo in dataset.takes["uid-a"].exos] == ["cam02"]
    assert dataset.takes["uid-b"].ego is None


def test_downscaled_videos_are_taken_when_only_they_exist(tree: Tree) -> None:
    full = tree.video("uid-a", "cam01")
    small = full.parent / "downscaled" / "448" / full.name
    small.parent.mkdir(parents=True)
    full.rename(small)
    paths = {exo.cam_id: exo.path for exo in read_root(tree.root).takes["uid-a"].exos}
    assert paths["cam01"].endswith("frame_aligned_videos/downscaled/448/cam01.mp4")
    assert paths["cam02"].endswith("frame_aligned_videos/cam02.mp4")
    tree.video("uid-a", "cam02").unlink()
    absent = {exo.cam_id: exo.path for exo in read_root(tree.root).takes["uid-a"].exos}
    assert absent["cam02"].endswith("frame_aligned_videos/downscaled/448/cam02.mp4"), "what a download should bring"
    forced = read_root(tree.root, downscaled=True).takes["uid-a"].exos
    assert all("downscaled/448" in exo.path for exo in forced)


def spoil(tree: Tree, where: str, value: Any) -> None:
    spoilt: dict[str, Any] = {"takes": tree.takes, "train": tree.train, "splits": tree.splits}
    *steps, last = where.split("/")
    place: Any = spoilt
    for step in steps:
        place = place[int(step)] if isinstance(place, list) else place[step]
    key = int(last) if isinstance(place, list) else last
    if value is None:
        del place[key]
    else:
        place[key] = value


BAD_ROWS = [
    ("takes/1/take_name", None, r"takes\.json: row 1 \(take uid-b\): field 'take_name' is missing"),
    ("takes/1/duration_sec", "long", r"row 1 \(take uid-b\): field 'duration_sec' is \"long\"; expected a finite"),
    ("takes/1/duration_sec", -2.0, "expected more than 0"),
    ("takes/1/take_uid", "uid-a", "expected a uid that no earlier row has"),
    ("takes/1/take_uid", "uid-b\n--force", "expected a uid without blanks"),
    ("takes/1", "uid-b", "row 1: expected an object"),
    ("takes/0/capture", None, "field 'capture' is missing"),
    ("takes/0/capture/cameras", 3, "field 'cameras' is 3; expected a list"),
    ("takes/0/capture/root_dir", "captures/../../etc", "inside the download folder"),
    ("takes/0/timesync_end_idx", 5, "more than timesync_start_idx"),
    ("takes/0/frame_aligned_videos/cam01/0/relative_path", "../../etc/x.mp4", "inside the download folder"),
    ("takes/0/frame_aligned_videos/cam01/0/relative_path", "/etc/x.mp4", "inside the download folder"),
    ("train/uid-a/0/descriptions/1/timestamp", "soon", r"take uid-a annotation 0 description 1: field 'timestamp'"),
    ("train/uid-a/0/descriptions/1/timestamp", True, "expected a finite number"),
    ("train/uid-a/0/descriptions/1/ego_visible", "yes", "field 'ego_visible' is \"yes\""),
    ("train/uid-a/0/descriptions", None, "field 'descriptions' is missing"),
    ("train/uid-a/0", 7, "annotation 0: expected an object"),
    ("train/uid-a", 7, "field 'uid-a' is 7; expected a list"),
    ("train/uid-a/0/descriptions/0/subject", None, "field 'narration_subject' is missing"),
]


@pytest.mark.parametrize(("where", "value", "message"), BAD_ROWS)
def test_a_bad_row_is_named_to_the_field_and_left_out_alone(
    tree: Tree, where: str, value: object, message: str
) -> None:
    whole = read_root(tree.root)
    tree.takes[0]["timesync_start_idx"] = 9
    spoil(tree, where, value)
    found = read_root(tree.save())
    (problem,) = [p for p in found.problems if p.kind in ("bad take", "bad description")]
    assert re.search(message, problem.detail)
    lost = set(whole.takes) - set(found.takes)
    assert len(lost) == (problem.kind == "bad take")
    assert len(whole.narrations) > len(found.narrations)
    assert all(found.takes[uid] == whole.takes[uid] for uid in found.takes)


def test_a_file_without_one_good_row_is_refused_and_so_is_a_strange_split(tree: Tree) -> None:
    tree.splits["uid-a"] = "holdout"
    with pytest.raises(FormatError, match=r"splits\.json: take_uid_to_split: field 'uid-a' is \"holdout\""):
        read_root(tree.save())
    tree.splits["uid-a"] = "train"
    for row in tree.train["uid-a"] + tree.train["uid-b"]:
        for text in row["descriptions"]:
            text["timestamp"] = "soon"
    with pytest.raises(FormatError, match=r"train\.json: take uid-a annotation 0 description 0: field 'timestamp'"):
        read_root(tree.save())
    for take in tree.takes:
        del take["take_name"]
    with pytest.raises(FormatError, match=r"takes\.json: row 0 \(take uid-a\): field 'take_name' is missing"):
        read_root(tree.save())


def test_descriptions_in_another_splits_file_keep_the_split_of_splits_json(tree: Tree) -> None:
    tree.train["uid-v"] = tree.val.pop("uid-v")
    found = read_root(tree.save())
    (problem,) = found.problems
    assert (problem.kind, problem.take) == ("foreign description", "uid-v")
    assert "of the val split" in problem.detail
    assert found.takes["uid-v"].split == "val"


def test_other_files_of_a_take_are_known(tree: Tree) -> None:
    tree.takes[0] |= {"timesync_start_idx": 30, "timesync_end_idx": 90}
    tree.takes[0]["capture"]["root_dir"] = "captures/kitchen"
    folder = "takes/kitchen_1/frame_aligned_videos"
    files = read_root(tree.save(), downscaled=True).files
    small = f"{folder}/downscaled/448"
    assert set(files["uid-a"].others) == {f"{small}/aria01_211-1.mp4", f"{small}/collage.mp4"}
    assert (files["uid-a"].timesync, files["uid-a"].timesync_rows) == ("captures/kitchen/timesync.csv", (30, 90))
    assert (files["uid-b"].timesync, files["uid-b"].timesync_rows) == (None, None)


@pytest.mark.parametrize(
    "name", ["takes.json", "annotations/splits.json", "annotations/atomic_descriptions_train.json"]
)
def test_malformed_json_is_named(tree: Tree, name: str) -> None:
    path = tree.root / name
    path.write_text(path.read_text()[:-20])
    with pytest.raises(FormatError, match=rf"{path.name}: not valid JSON at line 1 column"):
        read_root(tree.root)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FormatError, match=f"{path.name}: not valid JSON"):
        read_root(tree.root)
    path.write_text(json.dumps("text"))
    with pytest.raises(FormatError, match=f"{path.name}: expected"):
        read_root(tree.root)


def test_missing_places(tree: Tree) -> None:
    with pytest.raises(MissingFileError, match="no such folder"):
        read_root(tree.root / "absent")
    (tree.root / "annotations" / "atomic_descriptions_val.json").unlink()
    assert len(read_root(tree.root).narrations) == 5
    (tree.root / "annotations" / "atomic_descriptions_train.json").unlink()
    with pytest.raises(MissingFileError, match="download --parts annotations"):
        read_root(tree.root)
    (tree.root / "takes.json").unlink()
    with pytest.raises(MissingFileError, match=r"takes\.json: no such file"):
        read_root(tree.root)


def test_reading_is_told_file_by_file_to_the_end(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """In bytes, take by take: one file has most of them."""
    monkeypatch.setattr(egoexo4d, "TOLD_EVERY", 1)
    told: list[tuple[int, int]] = []
    read_root(tree.root, progress=lambda *at: told.append(at))
    notes = [tree.root / "annotations" / f"atomic_descriptions_{split}.json" for split in ("train", "val")]
    sizes = [path.stat().st_size for path in (tree.root / "takes.json", *notes)]
    assert {total for _, total in told} == {sum(sizes)}
    done = [at for at, _ in told]
    assert done == sorted(done)
    assert {0, sizes[0], sizes[0] // len(tree.takes), sum(sizes[:2]), sum(sizes)} <= set(done)
