"""Annotations: complete good narrations, and the real data's dirt on top, in the real file's keys."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exo2ego.sim.egoexo4d import files
from exo2ego.sim.narrate import MOST_JITTER_S, narrations, text_of
from exo2ego.sim.spec import SimSpec
from exo2ego.sim.world import TakePlan

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "ego_exo4d"


@pytest.fixture(scope="module")
def written(plan_spec: SimSpec, plans: list[TakePlan]) -> dict[str, Any]:
    """The train annotations as a reader gets them."""
    content: dict[str, Any] = json.loads(json.dumps(narrations(plan_spec, plans, "train")))
    return content


def rows_of(written: dict[str, Any]) -> list[dict[str, Any]]:
    """All descriptions."""
    return [row for many in written["annotations"].values() for one in many for row in one["descriptions"]]


def test_both_annotators_narrate_every_event(written: dict[str, Any], plans: list[TakePlan]) -> None:
    """Dirt is added, never put in place of a good narration, except in the one take without any."""
    bare = []
    for plan in plans:
        if plan.split != "train":
            assert plan.take_uid not in written["annotations"]
            continue
        kept = [one for one in written["annotations"][plan.take_uid] if not one["rejected"]]
        if not kept:
            bare.append(plan)
            continue
        assert len(kept) == 2
        for one in kept:
            for event in plan.events:
                near = [
                    row
                    for row in one["descriptions"]
                    if abs(row["timestamp"] - event.middle_s) <= MOST_JITTER_S + 1e-4
                    and row["text"] in (text_of(event, 0), text_of(event, 1))
                ]
                assert len(near) == 1
    assert len(bare) == 1


def test_all_kinds_of_dirt_are_there_and_little_of_it(written: dict[str, Any], plans: list[TakePlan]) -> None:
    """At most 15 % of all descriptions; each flag in both of its values, as a boolean and as a string."""
    length = {plan.take_uid: plan.duration_s for plan in plans}
    rows = rows_of(written)
    assert {row.get("subject", row.get("narration_subject")) for row in rows} == {"C", "O"}
    assert all(("subject" in row) != ("narration_subject" in row) for row in rows)
    assert any("subject" in row for row in rows)
    assert any("narration_subject" in row for row in rows)
    for name in ("ego_visible", "unsure"):
        forms = Counter(repr(row[name]) for row in rows)
        assert set(forms) == {"True", "False", "'1'", "'0'"}, name
        usual = {"True", "'1'"} if name == "ego_visible" else {"False", "'0'"}
        assert 0.9 < sum(forms[form] for form in usual) / len(rows) < 1, name
    assert any(row["text"] == "" for row in rows)
    assert any(row["best_exo"] is None for row in rows)
    assert any(one["rejected"] and one["reject_reason"] for many in written["annotations"].values() for one in many)
    unknown = set(written["annotations"]) - set(length)
    assert len(unknown) == 1
    beyond = [
        row
        for uid, many in written["annotations"].items()
        for one in many
        for row in one["descriptions"]
        if uid in length and row["timestamp"] > length[uid]
    ]
    assert beyond
    assert 0.02 < 1 - sum(map(is_good, rows)) / len(rows) < 0.15


def is_good(row: dict[str, Any]) -> bool:
    """Whether no flag, subject or missing text speaks against a description."""
    subject = row.get("subject", row.get("narration_subject"))
    return row["ego_visible"] in (True, "1") and row["unsure"] in (False, "0") and bool(row["text"]) and subject == "C"


def test_annotators_are_near_the_middle_of_the_act_and_never_at_one_time(
    written: dict[str, Any], plans: list[TakePlan]
) -> None:
    """Both jitter about it, each in its own way; at times they choose other words; one may write flags as strings."""
    off: tuple[list[float], list[float]] = ([], [])
    texts = {
        (event.verb, event.kind): {text_of(event, 0), text_of(event, 1)} for plan in plans for event in plan.events
    }
    pairs: list[tuple[str, str]] = []
    forms: set[tuple[type, type]] = set()
    for plan in plans:
        kept = [one for one in written["annotations"].get(plan.take_uid, []) if not one["rejected"]]
        if not kept:
            continue
        assert kept[0]["annotator_id"] != kept[1]["annotator_id"]
        forms.add((type(kept[0]["descriptions"][0]["unsure"]), type(kept[1]["descriptions"][0]["unsure"])))
        for event in plan.events:
            both = [
                next(
                    row
                    for row in one["descriptions"]
                    if row["text"] in texts[event.verb, event.kind]
                    and abs(row["timestamp"] - event.middle_s) <= MOST_JITTER_S + 1e-4
                )
                for one in kept
            ]
            for number, row in enumerate(both):
                off[number].append(row["timestamp"] - event.middle_s)
            pairs.append((both[0]["text"], both[1]["text"]))
    for one in off:
        assert abs(np.mean(one)) < 0.02
        assert 0.05 < np.std(one) < 0.11
    assert all(abs(first - second) > 1e-6 for first, second in zip(*off, strict=True))
    assert abs(np.corrcoef(off)[0, 1]) < 0.15, "the second annotator copies the first"
    assert 0.2 < np.mean([first != second for first, second in pairs]) < 0.8
    assert forms == {(bool, bool), (bool, str)}


def test_some_annotators_do_not_write_in_order(written: dict[str, Any]) -> None:
    """A reader has to sort."""
    orders = [
        [row["timestamp"] for row in one["descriptions"]] for many in written["annotations"].values() for one in many
    ]
    assert any(times != sorted(times) for times in orders)


def test_test_takes_have_no_annotations(plan_spec: SimSpec, plans: list[TakePlan]) -> None:
    """As in the release, the test file is withheld."""
    names = files(plan_spec, plans)
    assert "annotations/atomic_descriptions_val.json" in names
    assert "annotations/atomic_descriptions_test.json" not in names


@pytest.mark.skipif(not REAL.is_dir(), reason="the real samples (../shared/data/ego_exo4d) are not at hand")
def test_keys_are_those_of_the_real_samples(plan_spec: SimSpec, plans: list[TakePlan]) -> None:
    """Every key of the documented take and description is written, with a value of the same type."""
    ours = json.loads(files(plan_spec, plans)["takes.json"])
    real = json.loads((REAL / "takes.docsample.json").read_text())[0]
    assert set(real) <= set(ours[0])
    assert set(real["capture"]) <= set(ours[0]["capture"])
    assert set(real["capture"]["cameras"][0]) <= set(ours[0]["capture"]["cameras"][0])
    videos, sample = ours[0]["frame_aligned_videos"], real["frame_aligned_videos"]
    assert set(sample["aria01"]) == set(videos["aria01"])
    assert sample["best_exo"] == videos["best_exo"]
    assert set(sample["collage"]["0"]) == set(videos["collage"]["0"])
    for key, value in real.items():
        assert type(ours[0][key]) is type(value) or ours[0][key] is None, key
    listed = json.loads((REAL / "atomic_descriptions.docsample.json").read_text())["annotations"]
    annotation = next(iter(listed.values()))[0]
    mine = next(many for many in narrations(plan_spec, plans, "train")["annotations"].values() if many)[0]
    assert set(annotation) <= set(mine)
    assert set(annotation["descriptions"][0]) - {"narration_subject"} <= set(mine["descriptions"][0])
