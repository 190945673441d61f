"""Charades-Ego of the simulated world: short first-person videos with all their actions, in the version 1 test csv."""

from itertools import pairwise
from pathlib import Path
from typing import Any

from exo2ego.sim.bench_files import bench_takes, video_of, write_csv, write_json
from exo2ego.sim.bench_layers import labels
from exo2ego.sim.encode import cut, write_bytes
from exo2ego.sim.narrate import gerund, text_of
from exo2ego.sim.spec import KINDS, SCENARIOS, VERBS, SimSpec
from exo2ego.sim.world import Event, TakePlan, hashed

MOST_ACTIONS = 4
"""Actions of a video; a take is cut into as many videos as that gives."""
COLUMNS = (
    *("id", "subject", "scene", "quality", "relevance", "verified", "script", "objects", "descriptions", "actions"),
    *("length", "egocentric", "charades_video"),
)
_SCENES = {"kitchen": "Kitchen", "workbench": "Garage", "desk": "Home Office / Study"}
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

Piece = tuple[TakePlan, tuple[Event, ...]]


def pieces(spec: SimSpec, plans: list[TakePlan]) -> list[Piece]:
    """Runs of steps of test takes, as even as can be."""
    found: list[Piece] = []
    for plan in bench_takes(plans):
        count = -(-len(plan.events) // MOST_ACTIONS)
        edges = [round(number * len(plan.events) / count) for number in range(count + 1)]
        found += [(plan, plan.events[first:last]) for first, last in pairwise(edges)]
    return found[: spec.charades_videos]


def span(piece: Piece) -> tuple[float, float]:
    """Seconds of the take that a video shows, on whole frames."""
    plan, events = piece
    fps = plan.fps
    return int(events[0].start_s * fps) / fps, min(int(events[-1].end_s * fps) + 1, plan.frames) / fps


def classes(found: list[Piece]) -> dict[tuple[str, str], str]:
    """(verb, kind) -> class id, for what the videos show: the official mAP knows no class without a positive."""
    shown = {(event.verb, event.kind) for _, events in found for event in events}
    order = [(verb, kind) for verb in VERBS for kind in KINDS if (verb, kind) in shown]
    return {pair: f"c{number:03d}" for number, pair in enumerate(order)}


def video_ids(spec: SimSpec, found: list[Piece]) -> list[str]:
    """Five characters and `EGO`, each once."""
    ids: list[str] = []
    for plan, events in found:
        salt = 0
        while True:
            number = int(hashed("charades", spec.seed, plan.index, events[0].index, salt) * len(_ALPHABET) ** 5)
            name = "".join(_ALPHABET[number // len(_ALPHABET) ** place % len(_ALPHABET)] for place in range(5))
            if f"{name}EGO" not in ids:
                ids.append(f"{name}EGO")
                break
            salt += 1
    return ids


def rows(spec: SimSpec, found: list[Piece]) -> list[dict[str, Any]]:
    """Rows of `CharadesEgo_v1_test_only1st.csv`. As in the real one the last action often ends behind the video."""
    listed = []
    names = classes(found)
    for name, piece in zip(video_ids(spec, found), found, strict=True):
        plan, events = piece
        start_s, end_s = span(piece)
        late = 0.5 if hashed("late", spec.seed, name) < 0.8 else 0.0
        actions = [
            f"{names[event.verb, event.kind]} {max(event.start_s - start_s, 0):.2f} "
            f"{event.end_s - start_s + (late if event is events[-1] else 0.0):.2f}"
            for event in events
        ]
        objects = sorted({event.kind for event in events})
        values = (
            name,
            f"P{plan.actor.participant:02d}",
            _SCENES[SCENARIOS[plan.scenario][1]],
            "",
            "",
            "Yes",
            " ".join(f"A person {event.verb} the {event.kind}." for event in events),
            ";".join(objects),
            " ".join(text_of(event) for event in events),
            ";".join(actions),
            f"{end_s - start_s:.2f}",
            "Yes",
            name[:5],
        )
        listed.append(dict(zip(COLUMNS, values, strict=True)))
    return listed


def class_lines(found: list[Piece]) -> str:
    """`Charades_v1_classes.txt`: `c008 Lifting a cup`, one a line."""
    return "".join(f"{name} {gerund(verb).capitalize()} a {kind}\n" for (verb, kind), name in classes(found).items())


def write(spec: SimSpec, plans: list[TakePlan], tree: Path, root: Path) -> None:
    """The csv, the class list, `CharadesEgo_v1_480/<id>.mp4`, `groups.json`."""
    found = pieces(spec, plans)
    listed = rows(spec, found)
    if not listed:
        return
    write_csv(root / "CharadesEgo_v1_test_only1st.csv", COLUMNS, listed, end="\r\n")
    write_bytes(root / "Charades_v1_classes.txt", class_lines(found).encode())
    write_json(root / "groups.json", {row["id"]: labels("action", ("action",)) for row in listed})
    missing: dict[str, list[tuple[Piece, Path]]] = {}
    for piece, row in zip(found, listed, strict=True):
        target = root / "CharadesEgo_v1_480" / f"{row['id']}.mp4"
        if not target.exists():
            missing.setdefault(piece[0].take_uid, []).append((piece, target))
    for group in missing.values():
        clips = cut(video_of(tree, group[0][0][0]), [span(piece) for piece, _ in group], spec.fps)
        for (_, target), clip in zip(group, clips, strict=True):
            write_bytes(target, clip)
