"""Small shards to look at: every frame carries its number, so that a picture says which frame of which camera it is."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from coded_video import make_video, steady

from exo2ego.data.shard_group import ClipFormat, Planned
from exo2ego.data.shard_writer import build_shards
from exo2ego.data.shards import ShardSample, ShardSet
from exo2ego.records import Turn

FRAMES, FPS, SIZE_PX = 16, 10, 96
FIRST_NUMBER = {"ego": 0, "cam01": 200, "cam02": 400, "video": 600}
"""Frame i of a view shows this + the frame's number in the source video."""
ATTACK = "C reads <script>alert(1)</script><img src=x onerror=alert(2)> & smiles."
NARRATIONS = (
    ("take_a", "Cooking", "C lifts the cup."),
    ("take_a", "Cooking", "C drops the cup on the red table."),
    ("take_a", "Cooking", ATTACK),
    ("take_b", "Bike Repair", "C turns the bolt."),
    ("take_b", "Bike Repair", "C lifts the wheel, and the cup falls."),
)


def sample(number: int = 0, **changes: Any) -> ShardSample:
    """A sample that would do, with changes; sample `number` begins at frame 10 x number of its video."""
    start_s = float(number)
    usual: dict[str, Any] = {
        "key": f"s-{number:04d}",
        "split": "train",
        "take_uid": "take_a",
        "scenario": "Cooking",
        "text": "C lifts the cup.",
        "start_s": start_s,
        "end_s": start_s + FRAMES / FPS,
        "fps": float(FPS),
        "views": ("ego", "cam01", "cam02"),
        "best_exo": "cam02",
        "source": "ego_exo4d",
    }
    return ShardSample(**usual | changes)


def pair_samples() -> list[ShardSample]:
    """One for each of NARRATIONS; the last has no best exo."""
    told = enumerate(NARRATIONS)
    made = [sample(n, take_uid=take, scenario=scenario, text=text) for n, (take, scenario, text) in told]
    last = len(made) - 1
    return [*made[:-1], sample(last, take_uid="take_b", scenario="Bike Repair", text=NARRATIONS[-1][2], best_exo=None)]


def instruction_samples() -> list[ShardSample]:
    """Two spans of one video, with conversations."""
    first = (Turn(question="What do I lift?", answer="A blue cup."), Turn(question="Why?", answer="I do not know."))
    second = (Turn(question="Which <b>hand</b>?", answer="The left one & no other."),)
    usual: dict[str, Any] = {"views": ("video",), "best_exo": None, "scenario": "", "text": "", "source": "egoit"}
    return [
        sample(0, key="span-0000000", conversations=(first, second), **usual),
        sample(1, key="span-0000001", conversations=(second,), **usual),
    ]


def store(root: Path, name: str, samples: Sequence[ShardSample]) -> ShardSet:
    """Builds `root/name` from videos of numbered frames."""
    videos = {view: root / f"{view}.mp4" for one in samples for view in one.views}
    for view, path in videos.items():
        if not path.exists():
            path.write_bytes(
                make_video(steady(80, FPS), width=SIZE_PX, height=SIZE_PX, first_number=FIRST_NUMBER[view])
            )
    planned = [Planned(sample=s, videos=tuple((view, str(videos[view])) for view in s.views)) for s in samples]
    report = {"dropped": {"other split": 7}}
    return build_shards(
        root / name, planned, ClipFormat(num_frames=FRAMES, size_px=SIZE_PX), settings={"a": 1}, report=report
    )


def shown_number(view: str, number: int, frame: int) -> int:
    """What frame `frame` of sample `number` shows: steps of one frame of the source."""
    return FIRST_NUMBER[view] + number * FPS + frame
