"""Charades-Ego of the simulated world: the real csv's form and quirks, every class shown, actions where they are."""

import csv
from pathlib import Path
from typing import Any

import pytest

from exo2ego.sim.bench_charades import COLUMNS, Piece, class_lines, classes, pieces, rows, span
from exo2ego.sim.spec import SimSpec
from exo2ego.sim.world import plan_takes

REAL = Path(__file__).parents[3] / "shared" / "data" / "charades_ego"


@pytest.fixture(scope="module")
def found(exam_spec: SimSpec) -> list[Piece]:
    """The videos of a world of test takes."""
    return pieces(exam_spec, plan_takes(exam_spec))


@pytest.fixture(scope="module")
def listed(exam_spec: SimSpec, found: list[Piece]) -> list[dict[str, Any]]:
    """Their rows."""
    return rows(exam_spec, found)


def actions(row: dict[str, Any]) -> list[tuple[str, float, float]]:
    parts = (action.split() for action in row["actions"].split(";"))
    return [(name, float(start), float(end)) for name, start, end in parts]


def test_actions_are_the_events(found: list[Piece], listed: list[dict[str, Any]]) -> None:
    """Class and times of each; some end behind the video, as most real ones do; none begins there."""
    names, late = classes(found), 0
    for (plan, events), row in zip(found, listed, strict=True):
        start_s, end_s = span((plan, events))
        assert float(row["length"]) == pytest.approx(end_s - start_s, abs=0.01)
        given = actions(row)
        assert [name for name, _, _ in given] == [names[event.verb, event.kind] for event in events]
        for event, (_, first, last) in zip(events, given, strict=True):
            assert first == pytest.approx(max(event.start_s - start_s, 0), abs=0.01)
            assert first < last
            assert first < float(row["length"])
        late += given[-1][2] > float(row["length"])
        assert not any(event.start_s < end_s - 1 / plan.fps for event in plan.events[events[-1].index + 1 :])
    assert 0.5 < late / len(listed) < 1.0


def test_every_class_has_a_positive_and_a_name(found: list[Piece], listed: list[dict[str, Any]]) -> None:
    """The official mean over classes has no value otherwise; lines are `c000 Lifting a cup`, numbered without gaps."""
    lines = class_lines(found).splitlines()
    assert [line[:5] for line in lines] == [f"c{number:03d} " for number in range(len(lines))]
    assert {name for row in listed for name, _, _ in actions(row)} == {line[:4] for line in lines}
    assert "Tapping a cup" in {line[5:] for line in lines}
    assert {line[5:].split()[0] for line in lines} == {
        *("Lifting", "Pushing", "Pulling", "Sliding", "Shaking", "Turning", "Pouring", "Tapping", "Stirring"),
        "Pressing",
    }


def test_ids_are_unique_and_end_in_ego(listed: list[dict[str, Any]]) -> None:
    """The id of the third-person twin and `EGO`; first-person rows only."""
    assert len({row["id"] for row in listed}) == len(listed)
    for row in listed:
        assert row["id"] == f"{row['charades_video']}EGO"
        assert len(row["charades_video"]) == 5
        assert row["egocentric"] == "Yes"
        assert row["scene"] in ("Kitchen", "Garage", "Home Office / Study")


@pytest.mark.skipif(not REAL.exists(), reason="no ../shared/data/charades_ego")
def test_columns_are_the_real_ones_and_two_of_version_1() -> None:
    """Version 0 is at hand; version 1 adds `egocentric` and `charades_video`. Positions 0, 9, 10 are read by others."""
    with (REAL / "CharadesEgo_v0_egocentric_test.csv").open(newline="") as file:
        header = next(csv.reader(file))
    assert list(COLUMNS) == [*header, "egocentric", "charades_video"]
    assert (COLUMNS[0], COLUMNS[9], COLUMNS[10]) == ("id", "actions", "length")
    assert b"\r\n" in (REAL / "CharadesEgo_v0_egocentric_test.csv").read_bytes()
